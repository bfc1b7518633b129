//! VMs in Google Cloud: made, found again, watched and deleted. The only place that knows Google.
//!
//! - [`load_vms`] brings up the machines that carry load, [`platform`] the one that is loaded.
//! - `workshop` makes machines and remembers which, so that they can be unmade; [`journal`] remembers them longer than
//!   the process lives.
//! - `boot` waits for a worker, whose certificate it pins; [`delivery`] and `carrier` bring the worker's binary to the
//!   machines.
//! - [`inventory`] finds everything again by labels, and deletes it.
//! - `scale`, [`bodies`] and [`names`] are pure: what is needed, what Google is asked for, what it is called.

pub mod api;
pub mod bodies;
mod boot;
mod carrier;
pub mod delivery;
mod error;
mod firewall;
mod iap;
pub mod inventory;
pub mod journal;
pub mod load_vms;
pub mod names;
pub mod platform;
mod scale;
mod workshop;

use api::{Client, Endpoints};

use crate::config::gcp::GcpConfig;

pub use error::GcpError;
pub use workshop::Workshop;

/// What a machine that carries load runs when it starts.
const WORKER_SCRIPT: &str = include_str!("../../../../infra/worker-startup.sh");
/// What the platform's machine runs when it starts.
const PLATFORM_SCRIPT: &str = concat!(
    include_str!("../../../../infra/worker-startup.sh"),
    "\n",
    include_str!("../../../../infra/platform-startup.sh")
);

/// Asks Google for one project.
///
/// # Errors
/// When nobody is logged in.
pub fn client(config: &GcpConfig) -> Result<Client, GcpError> {
    let endpoints =
        Endpoints { compute: config.compute_endpoint.clone(), storage: config.storage_endpoint.clone() };
    Ok(Client::new(endpoints, &config.project)?)
}
