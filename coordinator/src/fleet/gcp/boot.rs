//! From a VM that exists to a worker that answers.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::api::{ApiError, Instance};
use super::bodies::WORKER_PORT;
use super::carrier::{Carried, WAITS, carry};
use super::error::GcpError;
use super::workshop::Workshop;
use crate::causes::innermost;
use crate::config::gcp::Reach;
use crate::fleet::news::MachineState;
use crate::fleet::{Trust, WorkerAccess};
use crate::trust::Leaf;

/// Where a VM says what has become of its worker.
const NAMESPACE: &str = "archestra-bench";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one attempt to reach a worker may take.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// How much of a serial log is shown.
const LOG_LINES: usize = 30;

/// Waits until the worker on a VM answers, and tells how it is reached.
///
/// # Errors
/// When the VM says that it failed, goes away, or takes too long; its serial log is told before.
pub async fn until_ready(
    workshop: &Workshop,
    zone: &str,
    name: &str,
    number: u32,
    leaf: &Leaf,
) -> Result<(WorkerAccess, Instance), GcpError> {
    let mut interrupt = workshop.interrupt.clone();
    let mut last = String::from("the VM has not started");
    let waiting = timeout(workshop.config.boot_timeout, look(workshop, zone, name, number, leaf, &mut last));
    let ready = match interrupt.or(waiting).await {
        None => return Err(GcpError::Interrupted(format!("{name} was booting"))),
        Some(Ok(ready)) => ready,
        Some(Err(_)) => {
            let limit = humantime::format_duration(workshop.config.boot_timeout);
            let problem =
                format!("{last}, {limit} after it was made; look at its serial log, or raise --boot-timeout");
            Err(GcpError::Boot { name: name.to_owned(), problem })
        }
    };
    match &ready {
        Ok(_) => workshop.news.tell(name, MachineState::Ready),
        Err(error) => {
            show_log(workshop, zone, name).await;
            workshop.news.tell(name, MachineState::Failed(error.to_string()));
        }
    }
    ready
}

async fn look(
    workshop: &Workshop,
    zone: &str,
    name: &str,
    number: u32,
    leaf: &Leaf,
    last: &mut String,
) -> Result<(WorkerAccess, Instance), GcpError> {
    let failed = |problem: String| GcpError::Boot { name: name.to_owned(), problem };
    let instance = running(workshop, zone, name).await?;
    loop {
        match said(workshop, zone, name).await? {
            Said::Nothing => *last = "the VM runs, but its startup script has said nothing".into(),
            Said::Stage(stage) if stage == WAITS => match carry(workshop, zone, &instance).await? {
                Carried::There => *last = "the worker's binary was carried to it".into(),
                Carried::NotYet(problem) => {
                    *last = format!("the worker's binary is not carried to it ({problem})")
                }
            },
            Said::Stage(stage) => *last = format!("the last that its startup script said is: {stage}"),
            Said::Failed(problem) => return Err(failed(problem)),
            Said::Certificate(pin) => {
                let leaf = Leaf { authority_pem: pin, ..leaf.clone() };
                match access(workshop, &instance, zone, number, leaf).await {
                    Ok(access) => match timeout(DIAL_LIMIT, access.dial()).await {
                        Ok(Ok(_)) => return Ok((access, instance)),
                        Ok(Err(error)) => {
                            *last = format!("its worker cannot be reached ({})", innermost(&error));
                        }
                        Err(_) => *last = format!("its worker at {} accepts no connection", access.address),
                    },
                    // A tunnel may find its firewall rule not yet in force.
                    Err(GcpError::Boot { problem, .. }) => *last = problem,
                    Err(error) => return Err(error),
                }
            }
        }
        // A spot machine may be taken away before it is ready.
        let now = workshop.client.instance(zone, name).await;
        still_there(name, now)?;
        sleep(LOOK_EVERY).await;
    }
}

/// Waits until the VM runs and has its addresses.
async fn running(workshop: &Workshop, zone: &str, name: &str) -> Result<Instance, GcpError> {
    loop {
        let instance = still_there(name, workshop.client.instance(zone, name).await)?;
        if instance.status == "RUNNING" && address(workshop, &instance).is_some() {
            return Ok(instance);
        }
        sleep(LOOK_EVERY).await;
    }
}

fn still_there(name: &str, found: Result<Instance, ApiError>) -> Result<Instance, GcpError> {
    let gone = |status: &str| GcpError::Boot {
        name: name.to_owned(),
        problem: format!(
            "the VM is {status}: it was taken away (a spot VM may be at any time) or its life is over; run it again"
        ),
    };
    match found {
        Ok(instance)
            if matches!(instance.status.as_str(), "STOPPING" | "TERMINATED" | "STOPPED" | "SUSPENDED") =>
        {
            Err(gone(&instance.status.to_lowercase()))
        }
        Err(error) if error.is_not_found() => Err(gone("gone")),
        found => Ok(found?),
    }
}

/// What a VM says of itself.
enum Said {
    Nothing,
    Stage(String),
    Failed(String),
    Certificate(String),
}

async fn said(workshop: &Workshop, zone: &str, name: &str) -> Result<Said, GcpError> {
    let attributes = workshop.client.guest_attributes(zone, name, NAMESPACE).await?;
    let of = |key: &str| {
        let found = attributes.iter().find(|attribute| attribute.key == key);
        found.map(|attribute| attribute.value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let stage = of("stage");
    Ok(match (stage.as_deref().and_then(|stage| stage.strip_prefix("failed: ")), of("certificate"), &stage) {
        (Some(problem), _, _) => Said::Failed(problem.to_owned()),
        (None, Some(certificate), _) => Said::Certificate(certificate),
        (None, None, Some(stage)) => Said::Stage(stage.clone()),
        (None, None, None) => Said::Nothing,
    })
}

async fn access(
    workshop: &Workshop,
    instance: &Instance,
    zone: &str,
    number: u32,
    leaf: Leaf,
) -> Result<WorkerAccess, GcpError> {
    let address = match workshop.config.reach {
        Reach::External => {
            let host = address(workshop, instance).unwrap_or_default();
            format!("{host}:{WORKER_PORT}")
        }
        Reach::Iap => workshop.tunnels.to(&workshop.config.project, zone, &instance.name).await?,
    };
    let trust = Trust::Mutual(Box::new(leaf));
    WorkerAccess::new(number, address, &trust).map_err(|error| GcpError::Access(error.to_string()))
}

fn address<'a>(workshop: &Workshop, instance: &'a Instance) -> Option<&'a str> {
    match workshop.config.reach {
        Reach::External => instance.external_address(),
        Reach::Iap => instance.internal_address(),
    }
}

/// What a startup script says went wrong.
pub async fn problem(workshop: &Workshop, zone: &str, name: &str) -> Option<String> {
    match said(workshop, zone, name).await {
        Ok(Said::Failed(problem)) => Some(problem),
        _ => None,
    }
}

/// Tells the last lines of what a VM said while it started.
pub async fn show_log(workshop: &Workshop, zone: &str, name: &str) {
    let Ok(text) = workshop.client.serial_output(zone, name).await else { return };
    let lines: Vec<_> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    let last = lines[lines.len().saturating_sub(LOG_LINES)..].to_vec();
    if !last.is_empty() {
        workshop.news.tell(name, MachineState::Log(last));
    }
}
