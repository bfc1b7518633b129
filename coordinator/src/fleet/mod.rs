//! The machines that carry the load: brought up, reached, taken down again.

mod access;
mod addresses;
mod binary;
mod child;
mod elf;
pub mod gcp;
mod local;
mod mock;
pub mod news;
mod ssh;

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use proto::route::Route;
use proto::target::Target;
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::{FleetChoice, RunConfig};
use crate::interrupt::Interrupt;
use crate::trust::{Authority, Role, TrustError};

pub use access::{Trust, WorkerAccess};
pub use binary::{Architecture, BinaryError, ElfProblem, WorkerBinary};
pub use child::ChildError;
pub use mock::Mock;
pub use ssh::{HostError, HostProblem, SshError};

use crate::clock;
use child::Child;
use gcp::load_vms::{self, LoadVms, Order};
use gcp::{GcpError, Workshop};
use news::News;

/// How long whoever made a machine may take to tell what became of it.
const EPITAPH_LIMIT: Duration = Duration::from_secs(5);

/// Workers that are up, in order.
#[derive(Debug)]
pub struct Fleet {
    /// The kind, as reports name it.
    pub kind: &'static str,
    /// How to reach each worker.
    pub workers: Vec<WorkerAccess>,
    /// Engine threads for each worker where the user named none; `None` for one per core.
    pub threads: Option<NonZeroU32>,
    machines: Machines,
}

/// What was brought up, and is to be taken down again.
#[derive(Debug)]
enum Machines {
    /// Nothing: others did.
    Elsewhere,
    /// Processes on this machine, by the workers' numbers.
    Here(Vec<Child>),
    /// Processes on machines that ssh reaches.
    Ssh(ssh::SshMachines),
    /// Machines in Google Cloud.
    Gcp(Box<LoadVms>),
}

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A process of this machine did not start.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// Machines in Google Cloud.
    #[error(transparent)]
    Gcp(#[from] GcpError),
    /// Machines that ssh was to reach.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The workers cannot be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An address that cannot be dialled.
    #[error("{address} cannot be dialled: {problem}")]
    Address {
        /// Host and port.
        address: String,
        /// Reads on from the address.
        problem: String,
    },
}

impl Fleet {
    /// Brings the workers up, or finds those that are, to load `target`. What workers log that are started here goes to
    /// `logs`.
    ///
    /// # Errors
    /// What could not be brought up; whatever was is taken down again.
    pub async fn open(
        config: &RunConfig,
        target: &Target,
        logs: &Path,
        news: News,
        interrupt: Interrupt,
    ) -> Result<Self, FleetError> {
        match &config.fleet {
            FleetChoice::Local { workers } => local::open(*workers, logs).await,
            FleetChoice::Addresses { addresses, plaintext, fleet_name, state_dir } => {
                addresses::open(addresses, *plaintext, state_dir, fleet_name)
            }
            FleetChoice::Gcp { workers, config: gcp, cleanup_after } => {
                let workshop = Workshop::new(gcp, run_id(), news, interrupt)?;
                let order = Order {
                    workers: workers.get(),
                    plan: config.least_time(),
                    target_host: reached_host(target),
                    cleanup_after: *cleanup_after,
                };
                let vms = load_vms::open(workshop, &order).await?;
                let workers = vms.workers.clone();
                Ok(Self { kind: "gcp", workers, threads: None, machines: Machines::Gcp(Box::new(vms)) })
            }
            FleetChoice::Ssh(choice) => ssh::open(choice, logs, &news).await,
        }
    }

    /// What became of the process or the machine behind a lost worker, where that is known.
    pub async fn epitaph(&mut self, worker: u32) -> Option<String> {
        match &mut self.machines {
            Machines::Elsewhere => None,
            Machines::Here(children) => children.get_mut(worker as usize)?.epitaph(),
            Machines::Ssh(machines) => machines.epitaph(worker),
            Machines::Gcp(vms) => timeout(EPITAPH_LIMIT, vms.epitaph(worker)).await.ok().flatten(),
        }
    }

    /// Takes down what [`Fleet::open`] brought up.
    ///
    /// # Errors
    /// When something still stands that was to be taken down.
    pub async fn close(self) -> Result<(), FleetError> {
        match self.machines {
            Machines::Elsewhere => {}
            Machines::Here(children) => Child::end_all(children).await,
            Machines::Ssh(machines) => machines.end().await,
            Machines::Gcp(vms) => vms.close().await?,
        }
        Ok(())
    }
}

/// Names one command among all of a fleet's.
pub fn run_id() -> String {
    Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// The coordinator's own certificate of a fleet's authority.
fn trust_of(authority: &Authority) -> Result<Trust, TrustError> {
    let leaf = authority.issue(Role::Coordinator, &clock::local_now())?;
    Ok(Trust::Mutual(Box::new(leaf)))
}

/// The host that workers must be able to reach.
fn reached_host(target: &Target) -> Option<&str> {
    match &target.route {
        Route::Url => target.url.host_str(),
        Route::ConnectTo { host, .. } => Some(host),
        Route::UnixSocket(_) => None,
    }
}
