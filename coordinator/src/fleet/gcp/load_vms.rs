//! The VMs that carry the load: used where they are there, made where they are not.

use std::io::{IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::api::Instance;
use super::bodies::{self, Delivery, Machine, metadata};
use super::boot::until_ready;
use super::delivery::Parcel;
use super::error::{GcpError, NOTHING_MADE};
use super::names::{OWNER_LABEL, Role, role_of};
use super::scale::{Slot, Wish, life_left, slots};
use super::workshop::Workshop;
use super::{WORKER_SCRIPT, firewall, inventory};
use crate::cli::OnPartial;
use crate::clock;
use crate::fleet::WorkerAccess;
use crate::fleet::news::MachineState;
use crate::trust::{Authority, FleetName, Leaf, Role as TrustRole};

/// More than this are made only when the user agrees.
const MANY: usize = 4;
/// What a VM's life must hold beyond what the plan takes.
const SPARE_LIFE: Duration = Duration::from_secs(600);
const DISK_GB: u32 = 10;

/// VMs that carry load, ready for it.
#[derive(Debug)]
pub struct LoadVms {
    /// How to reach their workers, in order.
    pub workers: Vec<WorkerAccess>,
    /// The same machines.
    vms: Vec<Vm>,
    workshop: Workshop,
    cleanup_after: bool,
}

#[derive(Debug, Clone)]
struct Vm {
    zone: String,
    name: String,
}

/// A VM that is ready.
struct Ready {
    vm: Vm,
    access: WorkerAccess,
}

/// What is needed beyond the workshop to bring the VMs up.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// How many.
    pub workers: u32,
    /// What the plan takes at least.
    pub plan: Duration,
    /// The host of the target, where there is one.
    pub target_host: Option<&'a str>,
    /// Whether they are deleted in the end.
    pub cleanup_after: bool,
}

/// Brings the VMs up.
///
/// # Errors
/// When they cannot be had; what this command has made is then deleted again, unless it is to be kept.
pub async fn open(workshop: Workshop, order: &Order<'_>) -> Result<LoadVms, GcpError> {
    match bring_up(&workshop, order).await {
        Ok(ready) => {
            let (vms, workers) = ready.into_iter().map(|ready| (ready.vm, ready.access)).unzip();
            Ok(LoadVms { workers, vms, workshop, cleanup_after: order.cleanup_after })
        }
        Err(error) => Err(error.with_fate(workshop.undo().await)),
    }
}

async fn bring_up(workshop: &Workshop, order: &Order<'_>) -> Result<Vec<Ready>, GcpError> {
    let config = &workshop.config;
    let life = order.plan + SPARE_LIFE;
    if life > config.max_run_duration {
        return Err(GcpError::LongerThanLife { needed: order.plan, life: config.max_run_duration });
    }
    let parcel = Parcel::read(config)?;
    let (authority, leaf) = authority(workshop)?;
    let all = workshop.instances().await?;
    let now = workshop.client.now();
    check_platform(&all, order, life, now)?;

    let load_vms: Vec<_> = all.into_iter().filter(|vm| role_of(vm) == Some(Role::Load)).collect();
    let wish = Wish {
        kind: bodies::kind(config),
        zones: config.zones.clone(),
        sha256: parcel.sha256().to_owned(),
        life,
        now,
    };
    let slots = slots(order.workers, &load_vms, &wish, &workshop.names);
    let there = slots.iter().filter_map(|slot| match slot {
        Slot::Use(vm) => Some(&**vm),
        Slot::Make { replaces, .. } => replaces.as_deref(),
    });
    check_obedience(there, authority.certificate_pem(), workshop)?;

    let made = slots.iter().filter(|slot| matches!(slot, Slot::Make { .. })).count();
    agree(made, workshop).await?;
    // What can fail without a VM does so before there is one.
    let (delivery, opened) = tokio::join!(
        async {
            match made {
                0 => Ok(None),
                _ => parcel.deliver(workshop).await.map(Some),
            }
        },
        firewall::open_workers(workshop)
    );
    opened?;
    let results = fill(workshop, slots, authority.certificate_pem(), delivery?.as_ref(), &leaf).await;
    judge(workshop, results).await
}

/// Our own leaf of the fleet's authority, which is made where there is none.
pub(super) fn authority(workshop: &Workshop) -> Result<(Authority, Leaf), GcpError> {
    let now = clock::local_now();
    // The name was checked when it was read.
    let fleet = FleetName::new(workshop.names.fleet()).map_err(GcpError::Access)?;
    let authority = Authority::load_or_create(&workshop.config.state_dir, &fleet, &now)?;
    let leaf = authority.issue(TrustRole::Coordinator, &now)?;
    Ok((authority, leaf))
}

/// A platform of the fleet that is the target must live as long as the run.
fn check_platform(
    all: &[Instance],
    order: &Order<'_>,
    life: Duration,
    now: Timestamp,
) -> Result<(), GcpError> {
    let is_target = |vm: &&Instance| {
        role_of(vm) == Some(Role::Platform)
            && order.target_host.is_some_and(|host| {
                [vm.internal_address(), vm.external_address()].contains(&Some(host)) || vm.name == host
            })
    };
    let Some(platform) = all.iter().find(is_target) else { return Ok(()) };
    match life_left(platform, now) {
        Some(left) if left < life => Err(GcpError::PlatformTooOld {
            name: platform.name.clone(),
            left: Duration::from_secs(left.as_secs()),
        }),
        _ => Ok(()),
    }
}

/// VMs that another machine's coordinator has made obey that one alone.
pub(super) fn check_obedience<'a>(
    vms: impl IntoIterator<Item = &'a Instance>,
    authority_pem: &str,
    workshop: &Workshop,
) -> Result<(), GcpError> {
    let obeys_us =
        |vm: &Instance| vm.metadata(metadata::COORDINATOR_CA).map(str::trim) == Some(authority_pem.trim());
    let foreign: Vec<_> = vms.into_iter().filter(|vm| !obeys_us(vm)).collect();
    let Some(first) = foreign.first() else { return Ok(()) };
    let names: Vec<_> = foreign.iter().map(|vm| vm.name.as_str()).collect();
    Err(GcpError::OtherCoordinator {
        names: names.join(", "),
        fleet: workshop.names.fleet().to_owned(),
        owner: first.labels.get(OWNER_LABEL).cloned().unwrap_or_else(|| "an unknown user".into()),
    })
}

/// Asks on a terminal before many VMs are made.
async fn agree(count: usize, workshop: &Workshop) -> Result<(), GcpError> {
    if count <= MANY
        || workshop.config.yes
        || !std::io::stdin().is_terminal()
        || !std::io::stderr().is_terminal()
    {
        return Ok(());
    }
    let (answering, answered) = oneshot::channel();
    // A thread that nobody waits for: what it reads may never come.
    thread::spawn(move || answering.send(ask(count)));
    match workshop.interrupt.clone().or(answered).await {
        Some(Ok(true)) => Ok(()),
        Some(_) => Err(GcpError::NotAgreed(count)),
        None => {
            // The question has no end of line yet.
            let _ = writeln!(std::io::stderr());
            Err(GcpError::Interrupted(NOTHING_MADE.into()))
        }
    }
}

/// Whether the user says yes.
fn ask(count: usize) -> bool {
    let mut stderr = std::io::stderr();
    let _ =
        write!(stderr, "{count} VMs will be made, which cost money until they are deleted. Go on? [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Makes what is to be made, all at once, and waits until every worker answers or will not.
async fn fill(
    workshop: &Workshop,
    slots: Vec<Slot>,
    coordinator_ca: &str,
    delivery: Option<&Delivery>,
    leaf: &Leaf,
) -> Vec<Result<Ready, (String, GcpError)>> {
    let mut filling = JoinSet::new();
    for slot in slots {
        let (workshop, leaf) = (workshop.clone(), leaf.clone());
        let (coordinator_ca, delivery) = (coordinator_ca.to_owned(), delivery.cloned());
        filling.spawn(async move {
            let name = match &slot {
                Slot::Use(vm) => vm.name.clone(),
                Slot::Make { name, .. } => name.clone(),
            };
            let filled = fill_one(&workshop, slot, &coordinator_ca, delivery.as_ref(), &leaf).await;
            filled.map_err(|error| {
                if !matches!(error, GcpError::Interrupted(_) | GcpError::Boot { .. }) {
                    workshop.news.tell(&name, MachineState::Failed(error.to_string()));
                }
                (name, error)
            })
        });
    }
    let mut results = Vec::new();
    while let Some(filled) = filling.join_next().await {
        // A task that panicked or was aborted has no VM to show, and there are none of either.
        results.extend(filled.ok());
    }
    results
}

async fn fill_one(
    workshop: &Workshop,
    slot: Slot,
    coordinator_ca: &str,
    delivery: Option<&Delivery>,
    leaf: &Leaf,
) -> Result<Ready, GcpError> {
    let (zone, name) = match slot {
        Slot::Use(vm) => return reuse(workshop, &vm, leaf).await,
        Slot::Make { name, replaces } => {
            if let Some(old) = replaces {
                workshop.delete(old.zone_name(), &old.name).await?;
            }
            let machine = Machine {
                name: &name,
                role: Role::Load,
                run: &workshop.run,
                disk_gb: DISK_GB,
                script: WORKER_SCRIPT,
                more: Vec::new(),
            };
            // Whatever is made was delivered for.
            let delivery =
                delivery.ok_or_else(|| GcpError::Access(format!("nothing was delivered for {name}")))?;
            let zone = workshop.make(&machine, coordinator_ca, delivery).await?;
            (zone, name)
        }
    };
    // The number is set when it is known who is there.
    let (access, _) = until_ready(workshop, &zone, &name, 0, leaf).await?;
    Ok(Ready { vm: Vm { zone, name }, access })
}

/// Takes a machine that is there. One whose worker does not answer is of no use to the next run either.
async fn reuse(workshop: &Workshop, vm: &Instance, leaf: &Leaf) -> Result<Ready, GcpError> {
    let (zone, name) = (vm.zone_name().to_owned(), vm.name.clone());
    workshop.news.tell(&name, MachineState::Reused { place: zone.clone() });
    match until_ready(workshop, &zone, &name, 0, leaf).await {
        Ok((access, _)) => Ok(Ready { vm: Vm { zone, name }, access }),
        Err(GcpError::Boot { problem, .. }) if !workshop.config.keep => {
            let fate = match workshop.delete(&zone, &name).await {
                Ok(()) => {
                    "it had been there before, and is deleted, so that the next run makes another".into()
                }
                Err(error) => format!("it had been there before, and cannot be deleted ({error})"),
            };
            Err(GcpError::Boot { name, problem: format!("{problem}; {fate}") })
        }
        Err(error) => Err(error),
    }
}

/// Decides what becomes of a fleet of which some did not become ready.
async fn judge(
    workshop: &Workshop,
    results: Vec<Result<Ready, (String, GcpError)>>,
) -> Result<Vec<Ready>, GcpError> {
    let wanted = results.len();
    let (mut ready, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(vm) => ready.push(vm),
            Err(failure) => failed.push(failure),
        }
    }
    if workshop.interrupt.is_asked() {
        return Err(GcpError::Interrupted(String::new()));
    }
    failed.sort_by(|one, other| one.0.cmp(&other.0));
    let count = failed.len();
    if let Some((_, first)) = failed.into_iter().next() {
        let go_on = workshop.config.on_partial == OnPartial::Continue && !ready.is_empty();
        if !go_on {
            let first = Box::new(first);
            return Err(GcpError::Partial { failed: count, wanted, first, fate: String::new() });
        }
        let usable: Vec<_> = ready.iter().map(|ready: &Ready| ready.vm.name.clone()).collect();
        workshop.undo_all_but(&usable).await;
        tracing::warn!(
            "{count} of {wanted} VMs did not become ready ({first}); the run goes on with {}",
            usable.len()
        );
    }
    ready.sort_by_key(|ready| workshop.names.load_vm_number(&ready.vm.name));
    for (number, ready) in ready.iter_mut().enumerate() {
        ready.access.number = number as u32;
    }
    Ok(ready)
}

impl LoadVms {
    /// What became of the VM behind a lost worker, where Google knows.
    pub async fn epitaph(&self, worker: u32) -> Option<String> {
        let Vm { zone, name } = self.vms.get(worker as usize)?;
        let client = &self.workshop.client;
        let gone = match client.instance(zone, name).await {
            Ok(vm) if vm.status == "RUNNING" => return None,
            Ok(vm) => format!("its VM {name} is {}", vm.status.to_lowercase()),
            Err(error) if error.is_not_found() => format!("its VM {name} is gone"),
            Err(_) => return None,
        };
        let operations = client.operations(zone).await.unwrap_or_default();
        let preempted = operations.iter().any(|operation| {
            operation.operation_type == "compute.instances.preempted" && operation.target_name() == name
        });
        Some(if preempted { format!("{gone}: it was preempted") } else { gone })
    }

    /// Deletes the VMs where that was asked for; otherwise they stay for the next run.
    ///
    /// # Errors
    /// When something is left that was to be deleted.
    pub async fn close(self) -> Result<(), GcpError> {
        if !self.cleanup_after {
            return Ok(());
        }
        let names: Vec<_> = self.vms.into_iter().map(|vm| vm.name).collect();
        inventory::cleanup_load(&self.workshop, &names).await
    }
}
