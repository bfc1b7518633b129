//! Workers that somebody started elsewhere.

use std::path::Path;

use super::{Fleet, FleetError, Machines, Trust, WorkerAccess, trust_of};
use crate::cli::WorkerAddress;
use crate::trust::{Authority, FleetName, TrustError};

/// Finds the workers' addresses and what proves both sides.
///
/// Plain text is spoken where the user asked for it, and where no authority has been made and all workers are on
/// loopback: there a worker without credentials speaks nothing else.
pub(super) fn open(
    addresses: &[WorkerAddress],
    plaintext: bool,
    state_dir: &Path,
    fleet: &FleetName,
) -> Result<Fleet, FleetError> {
    let all_on_loopback = addresses.iter().all(WorkerAddress::is_loopback);
    let trust = if plaintext {
        Trust::Plaintext
    } else {
        match Authority::load(state_dir, fleet) {
            Err(TrustError::NoAuthority { .. }) if all_on_loopback => Trust::Plaintext,
            authority => trust_of(&authority?)?,
        }
    };
    let access = |(number, address): (usize, &WorkerAddress)| {
        WorkerAccess::new(number as u32, address.to_string(), &trust)
    };
    let workers = addresses.iter().enumerate().map(access).collect::<Result<_, _>>()?;
    Ok(Fleet { kind: "addresses", workers, threads: None, machines: Machines::Elsewhere })
}
