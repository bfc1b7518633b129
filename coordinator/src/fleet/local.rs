//! Workers as child processes of the coordinator, on loopback ports that they choose themselves.

use std::num::NonZeroU32;
use std::path::Path;

use super::child::Child;
use super::{Fleet, FleetError, Machines, WorkerAccess, trust_of};
use crate::clock;
use crate::trust::{Authority, Role};

/// Starts the workers, all at once. Each is handed its certificate and key over a pipe: nothing touches the disk.
pub(super) async fn open(workers: NonZeroU32, logs: &Path) -> Result<Fleet, FleetError> {
    let authority = Authority::ephemeral(&clock::local_now())?;
    let arguments = ["worker", "--listen", "127.0.0.1:0", "--credentials", "-", "--exit-with-stdin"];

    let mut children = Vec::new();
    for number in 0..workers.get() {
        let bundle = authority.issue(Role::Worker, &clock::local_now())?.bundle();
        let log = logs.join(format!("worker-{number}.log"));
        children.push(Child::start(&arguments, &bundle, Some(&log)).await?);
    }
    let trust = trust_of(&authority)?;
    let mut access = Vec::new();
    for (number, child) in children.iter_mut().enumerate() {
        access.push(WorkerAccess::new(number as u32, child.address().await?, &trust)?);
    }
    let threads = Some(threads_for_each(workers));
    Ok(Fleet { kind: "local", workers: access, threads, machines: Machines::Here(children) })
}

/// The cores that this process may use, divided among the workers, and at least one for each.
fn threads_for_each(workers: NonZeroU32) -> NonZeroU32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    NonZeroU32::new(cores / workers).unwrap_or(NonZeroU32::MIN)
}
