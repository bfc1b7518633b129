//! Which workers carry the load.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::gcp::GcpConfig;
use super::{ConfigError, FleetChoice, TargetChoice, state_dir};
use crate::cli::{FleetArgs, FleetKind, Given, Origin, RunArgs, WorkerAddress};

/// Two.
const LOCAL_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// Four.
const GCP_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// Flags that mean nothing for workers that are there already.
const FOR_GCP: [&str; 19] = [
    "project",
    "zones",
    "machine_type",
    "image",
    "network",
    "subnet",
    "spot",
    "max_run_duration",
    "source_ranges",
    "own_address_url",
    "reach",
    "service_account",
    "labels",
    "worker_url",
    "worker_sha256",
    "boot_timeout",
    "keep",
    "yes",
    "cleanup_after",
];

/// The fleet that was asked for, able to reach the target.
pub(super) fn choose(
    args: &RunArgs,
    given: &Given,
    target: &TargetChoice,
) -> Result<FleetChoice, ConfigError> {
    if args.fleet != FleetKind::Gcp
        && let Some(id) = FOR_GCP.into_iter().find(|id| given.origin(id) == Origin::Flag)
    {
        return Err(ConfigError::NeedsGcpFleet { flag: given.place(id).into() });
    }
    match args.fleet {
        FleetKind::Local => local(args, given),
        FleetKind::Addresses => addresses(args, given, target),
        FleetKind::Gcp => gcp(args, given, target),
    }
}

fn local(args: &RunArgs, given: &Given) -> Result<FleetChoice, ConfigError> {
    let for_addresses = ["worker_addresses", "plaintext", "fleet_name"];
    if let Some(id) = for_addresses.into_iter().find(|id| given.origin(id) == Origin::Flag) {
        return Err(ConfigError::NeedsAddressesFleet { flag: given.place(id).into() });
    }
    Ok(FleetChoice::Local { workers: args.workers.unwrap_or(LOCAL_WORKERS) })
}

fn addresses(args: &RunArgs, given: &Given, target: &TargetChoice) -> Result<FleetChoice, ConfigError> {
    let addresses = args.worker_addresses.clone();
    if addresses.is_empty() {
        return Err(ConfigError::NoAddresses { place: given.place("fleet").into() });
    }
    check_each_named_once(&addresses, given)?;
    check_count(args.workers, addresses.len(), given)?;

    if let Some(beyond) = addresses.iter().find(|address| !address.is_loopback()) {
        let address = beyond.to_string();
        if args.plaintext {
            return Err(ConfigError::PlaintextBeyondLoopback {
                place: given.place("plaintext").into(),
                address,
            });
        }
        if *target == TargetChoice::BuiltInMock {
            return Err(ConfigError::MockOutOfReach { address });
        }
    }
    Ok(FleetChoice::Addresses {
        addresses,
        plaintext: args.plaintext,
        fleet_name: args.fleet_name.clone(),
        state_dir: state_dir(args.state_dir.as_deref(), given)?,
    })
}

fn gcp(args: &RunArgs, given: &Given, target: &TargetChoice) -> Result<FleetChoice, ConfigError> {
    if let Some(id) =
        ["worker_addresses", "plaintext"].into_iter().find(|id| given.origin(id) == Origin::Flag)
    {
        return Err(ConfigError::NeedsAddressesFleet { flag: given.place(id).into() });
    }
    let fleet = FleetArgs { fleet_name: args.fleet_name.clone(), state_dir: args.state_dir.clone() };
    let config = GcpConfig::to_make(&args.gcp, &args.machines, &fleet, given)?;
    if *target == TargetChoice::BuiltInMock {
        return Err(ConfigError::MockOutOfReachOfVms);
    }
    let workers = args.workers.unwrap_or(GCP_WORKERS);
    Ok(FleetChoice::Gcp { workers, config: Box::new(config), cleanup_after: args.cleanup_after })
}

fn check_each_named_once(addresses: &[WorkerAddress], given: &Given) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    match addresses.iter().find(|address| !seen.insert(*address)) {
        None => Ok(()),
        Some(twice) => Err(ConfigError::DuplicateAddress {
            place: given.place("worker_addresses").into(),
            address: twice.to_string(),
        }),
    }
}

/// A number that was given further down (WORKERS in a file, addresses as flags) is overridden, not contradicted.
fn check_count(workers: Option<NonZeroU32>, addresses: usize, given: &Given) -> Result<(), ConfigError> {
    let counts = given.origin("workers") >= given.origin("worker_addresses");
    match workers {
        Some(workers) if counts && workers.get() as usize != addresses => {
            Err(ConfigError::WorkersAndAddresses {
                place: given.place("workers").into(),
                workers: workers.get(),
                addresses,
            })
        }
        _ => Ok(()),
    }
}
