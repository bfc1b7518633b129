//! The machines that carry the load: brought up, reached, taken down again.

mod access;
mod addresses;
mod binary;
mod child;
mod elf;
mod local;
mod mock;
mod ssh;

use std::num::NonZeroU32;
use std::path::Path;

use crate::config::{FleetChoice, RunConfig};
use crate::trust::{Authority, Role, TrustError};

pub use access::{Trust, WorkerAccess};
pub use binary::{Architecture, BinaryError, ElfProblem, WorkerBinary};
pub use child::ChildError;
pub use mock::Mock;
pub use ssh::{HostError, HostProblem, SshError};

use crate::clock;
use child::Child;

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
}

/// Why there is no fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A process of this machine did not start.
    #[error(transparent)]
    Child(#[from] ChildError),
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
    /// Brings the workers up, or finds those that are. What workers log that are started here
    /// goes to `logs`.
    ///
    /// # Errors
    /// What could not be brought up; whatever was is taken down again.
    pub async fn open(config: &RunConfig, logs: &Path) -> Result<Self, FleetError> {
        match &config.fleet {
            FleetChoice::Local { workers } => local::open(*workers, logs).await,
            FleetChoice::Addresses { addresses, plaintext, fleet_name } => {
                addresses::open(addresses, *plaintext, &config.state_dir, fleet_name)
            }
            FleetChoice::Ssh(choice) => ssh::open(choice, logs).await,
        }
    }

    /// What became of the process behind a lost worker, where it was started here.
    pub fn epitaph(&mut self, worker: u32) -> Option<String> {
        match &mut self.machines {
            Machines::Elsewhere => None,
            Machines::Here(children) => children.get_mut(worker as usize)?.epitaph(),
            Machines::Ssh(machines) => machines.epitaph(worker),
        }
    }

    /// Takes down what [`Fleet::open`] brought up.
    pub async fn close(self) {
        match self.machines {
            Machines::Elsewhere => {}
            Machines::Here(children) => {
                for child in children {
                    child.end().await;
                }
            }
            Machines::Ssh(machines) => machines.end().await,
        }
    }
}

/// The coordinator's own certificate of a fleet's authority.
fn trust_of(authority: &Authority) -> Result<Trust, TrustError> {
    let leaf = authority.issue(Role::Coordinator, &clock::local_now())?;
    Ok(Trust::Mutual(Box::new(leaf)))
}
