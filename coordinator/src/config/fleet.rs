//! Which workers carry the load.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::gcp::GcpConfig;
use super::{ConfigError, FleetChoice, SshChoice, TargetChoice, hosts, state_dir};
use crate::cli::{FleetArgs, FleetKind, Given, Origin, RunArgs, WorkerAddress};

/// Two.
const LOCAL_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// Four.
const GCP_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// The fleet that was asked for, able to reach the target.
pub(super) fn choose(
    args: &RunArgs,
    given: &Given,
    target: &TargetChoice,
) -> Result<FleetChoice, ConfigError> {
    refuse_flags_of_others(args.fleet, given)?;
    match args.fleet {
        FleetKind::Local => Ok(FleetChoice::Local { workers: args.workers.unwrap_or(LOCAL_WORKERS) }),
        FleetKind::Addresses => addresses(args, given, target),
        FleetKind::Gcp => gcp(args, given, target),
        FleetKind::Ssh => ssh(args, given, target),
    }
}

/// Flags that some fleets alone know, and which. Their variables may be set for another run.
const FLAGS_OF: [(&[FleetKind], &str, &[&str]); 5] = [
    (&[FleetKind::Addresses], "addresses", &["worker_addresses", "plaintext"]),
    (&[FleetKind::Addresses, FleetKind::Gcp], "addresses or --fleet gcp", &["fleet_name"]),
    (&[FleetKind::Ssh], "ssh", &["hosts", "hosts_file", "ssh_program"]),
    (&[FleetKind::Ssh, FleetKind::Gcp], "ssh or --fleet gcp", &["worker_binary", "on_partial"]),
    (
        &[FleetKind::Gcp],
        "gcp",
        &[
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
            "worker_delivery",
            "worker_url",
            "worker_sha256",
            "boot_timeout",
            "keep",
            "yes",
            "cleanup_after",
        ],
    ),
];

fn refuse_flags_of_others(chosen: FleetKind, given: &Given) -> Result<(), ConfigError> {
    for (_, fleet, flags) in FLAGS_OF.into_iter().filter(|(kinds, ..)| !kinds.contains(&chosen)) {
        if let Some(id) = flags.iter().find(|id| given.origin(id) == Origin::Flag) {
            return Err(ConfigError::NeedsFleet { flag: given.place(id).into(), fleet });
        }
    }
    Ok(())
}

fn ssh(args: &RunArgs, given: &Given, target: &TargetChoice) -> Result<FleetChoice, ConfigError> {
    let mut hosts = hosts::named(args, given)?;
    if *target == TargetChoice::BuiltInMock {
        return Err(ConfigError::MockOutOfReach { address: hosts[0].to_string() });
    }
    let workers = args.workers.or(NonZeroU32::new(hosts.len() as u32)).unwrap_or(NonZeroU32::MIN);
    hosts.truncate(workers.get() as usize);
    Ok(FleetChoice::Ssh(SshChoice {
        hosts,
        workers,
        program: args.ssh.ssh_program.clone(),
        worker_binary: args.machines.worker_binary.clone(),
        on_partial: args.machines.on_partial,
    }))
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
