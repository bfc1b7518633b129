//! The VM with the system under test, and the project's own mock upstream beside it.

use std::time::Duration;

use super::api::Instance;
use super::bodies::{self, MOCK_PORT, Machine, metadata};
use super::boot::until_ready;
use super::delivery::Parcel;
use super::error::GcpError;
use super::load_vms::{authority, check_obedience};
use super::names::Role;
use super::scale::Wish;
use super::workshop::Workshop;
use super::{PLATFORM_SCRIPT, boot, firewall};
use crate::config::gcp::SetupConfig;
use crate::fleet::WorkerAccess;
use crate::fleet::news::MachineState;
use crate::trust::Leaf;

const DISK_GB: u32 = 50;
/// A platform with less life than this is made anew.
const SHORTEST_LIFE: Duration = Duration::from_secs(900);

/// A platform's VM whose worker answers; whether the platform does is another question.
#[derive(Debug)]
pub struct Platform {
    /// The worker beside it, which can see it from inside the network.
    pub worker: WorkerAccess,
    /// The VM.
    pub name: String,
    /// Where it is.
    pub zone: String,
    /// Within the network.
    pub internal_address: String,
    /// From everywhere, where it has one.
    pub external_address: Option<String>,
    /// Keeps the way to the worker open, and deletes the VM again.
    pub workshop: Workshop,
    /// Ours, which the worker obeys.
    leaf: Leaf,
}

/// Makes the platform's VM, or finds it.
///
/// # Errors
/// When it cannot be had; what this command has made is then deleted again, unless it is to be kept.
pub async fn open(workshop: Workshop, setup: &SetupConfig) -> Result<Platform, GcpError> {
    match bring_up(&workshop, setup).await {
        Ok((worker, zone, vm, leaf)) => Ok(Platform {
            worker,
            name: vm.name.clone(),
            zone,
            internal_address: vm.internal_address().unwrap_or_default().to_owned(),
            external_address: vm.external_address().map(str::to_owned),
            workshop,
            leaf,
        }),
        Err(error) => Err(error.with_fate(workshop.undo().await)),
    }
}

async fn bring_up(
    workshop: &Workshop,
    setup: &SetupConfig,
) -> Result<(WorkerAccess, String, Instance, Leaf), GcpError> {
    let parcel = Parcel::read(&workshop.config)?;
    let (authority, leaf) = authority(workshop)?;
    let name = workshop.names.platform_vm();
    let all = workshop.instances().await?;
    let there = all.into_iter().find(|vm| vm.name == name);

    if let Some(vm) = &there {
        check_obedience([vm], authority.certificate_pem(), workshop)?;
    }
    let more = wanted(setup);
    let wish = Wish {
        kind: bodies::kind(&workshop.config),
        zones: workshop.config.zones.clone(),
        sha256: parcel.sha256().to_owned(),
        life: SHORTEST_LIFE,
        now: workshop.client.now(),
    };
    let zone = match there {
        Some(vm) if wish.fits(&vm) && more.iter().all(|(key, value)| vm.metadata(key) == Some(value)) => {
            workshop.news.tell(&name, MachineState::Reused { place: vm.zone_name().to_owned() });
            firewall::open_platform(workshop, setup.port).await?;
            firewall::open_workers(workshop).await?;
            vm.zone_name().to_owned()
        }
        there => {
            if let Some(old) = there {
                workshop.delete(old.zone_name(), &old.name).await?;
            }
            // What can fail without a VM does so before there is one.
            let (delivery, inside, outside) = tokio::join!(
                parcel.deliver(workshop),
                firewall::open_platform(workshop, setup.port),
                firewall::open_workers(workshop),
            );
            inside?;
            outside?;
            let delivery = delivery?;
            let machine = Machine {
                name: &name,
                role: Role::Platform,
                run: &workshop.run,
                disk_gb: DISK_GB,
                script: PLATFORM_SCRIPT,
                more,
            };
            workshop.make(&machine, authority.certificate_pem(), &delivery).await?
        }
    };
    let (worker, vm) = until_ready(workshop, &zone, &name, 0, &leaf).await?;
    Ok((worker, zone, vm, leaf))
}

impl Platform {
    /// The worker beside it as it is now: one that was started anew has another certificate.
    ///
    /// # Errors
    /// When it does not come up again.
    pub async fn worker_now(&self) -> Result<WorkerAccess, GcpError> {
        Ok(until_ready(&self.workshop, &self.zone, &self.name, 0, &self.leaf).await?.0)
    }

    /// What went wrong with the platform's startup script, as far as it says.
    pub async fn problem(&self) -> Option<String> {
        boot::problem(&self.workshop, &self.zone, &self.name).await
    }

    /// Shows what the VM said while it started, and deletes it where this command made it. Returns what became of it.
    pub async fn give_up(self) -> String {
        boot::show_log(&self.workshop, &self.zone, &self.name).await;
        self.workshop.undo().await
    }

    /// Where it is loaded from within the network.
    pub fn url(&self, port: u16) -> String {
        format!("http://{}:{port}", self.internal_address)
    }
}

/// What the platform's startup script is told beside what every machine is.
fn wanted(setup: &SetupConfig) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("BENCHMARK_MOCK_MODE".to_owned(), "true".to_owned()),
        // For versions without that mode: the mock upstream on the same machine.
        ("ARCHESTRA_OPENAI_BASE_URL".to_owned(), format!("http://127.0.0.1:{MOCK_PORT}/v1")),
    ];
    for (name, value) in &setup.variables {
        variables.retain(|(known, _)| known != name);
        variables.push((name.clone(), value.clone()));
    }
    let lines: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        (metadata::PLATFORM_IMAGE, setup.image.clone()),
        (metadata::PLATFORM_ENV, lines.join("\n")),
        (metadata::MOCK_PORT, MOCK_PORT.to_string()),
    ]
}
