//! Which workers carry the load.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::{ConfigError, FleetChoice, SshChoice, TargetChoice, hosts};
use crate::cli::{FleetKind, Given, Origin, RunArgs, WorkerAddress};

/// Two.
const LOCAL_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

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
        FleetKind::Ssh => ssh(args, given, target),
    }
}

/// Flags that one fleet alone knows. Their variables may be set for another run.
const FLAGS_OF: [(FleetKind, &str, &[&str]); 2] = [
    (FleetKind::Addresses, "addresses", &["worker_addresses", "plaintext", "fleet_name"]),
    (FleetKind::Ssh, "ssh", &["hosts", "hosts_file", "ssh_program", "worker_binary", "on_partial"]),
];

fn refuse_flags_of_others(chosen: FleetKind, given: &Given) -> Result<(), ConfigError> {
    for (_, fleet, flags) in FLAGS_OF.into_iter().filter(|(kind, ..)| *kind != chosen) {
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
    Ok(FleetChoice::Addresses { addresses, plaintext: args.plaintext, fleet_name: args.fleet_name.clone() })
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
