//! Hosts as they are in the wild: shells that talk, files of other projects, servers that allow little, and clients that
//! go round about. Against real OpenSSH servers in network namespaces.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::network::Network;
use support::request::{Reply, Request};
use support::results::Results;
use support::ssh_fleet::{bench, nothing_is_left, run};

fn at_once(_: u64, request: &Request) -> Reply {
    Reply::good(request)
}

#[test]
fn a_host_whose_worker_does_not_start_is_left_out_and_the_others_begin_again() {
    let Some(network) = Network::new("does_not_start", 3) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    network.allow_at(0, "no-port-forwarding");
    let finished = run(&network, &bench, &target, &["--requests", "40", "--on-partial", "continue"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let expected = format!("warning: {} lets nothing through to its worker", network.host(0).name());
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("warning: ").count(), 1, "{}", finished.stderr);
    assert_eq!(target.counts().load, 40);
    let workers = &Results::of(&bench).report["run"]["workers"];
    let names: Vec<_> = workers.as_array().unwrap().iter().map(|worker| &worker["address"]).collect();
    assert_eq!(names, [network.host(1).name().as_str(), network.host(2).name().as_str()]);
    nothing_is_left(&network, &[0, 1, 2], Duration::from_secs(5));
}
