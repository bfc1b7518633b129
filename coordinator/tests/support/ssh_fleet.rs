//! Runs of the ssh fleet, and what they leave.

use std::time::Duration;

use super::clock::wait_until;
use super::network::Network;
use super::process::{BOUND, Bench, Finished, Running};
use super::target::Target;

/// Runs on all hosts to the end.
pub fn run(network: &Network, bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    start(network, bench, target, flags).wait(BOUND)
}

/// Starts a run on all hosts.
pub fn start(network: &Network, bench: &Bench, target: &Target, flags: &[&str]) -> Running {
    let names = network.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    network.start(bench, &names, &target.url(), flags)
}

/// A run on all hosts that is under way; its sockets are where [`no_sockets_are_left`] looks.
pub fn under_way(network: &Network, bench: &Bench, target: &Target, flags: &[&str]) -> Running {
    let running = start(network, bench, target, flags);
    let loaded = wait_until(BOUND, || target.counts().load > 20);
    assert!(loaded, "{}", running.stderr());
    assert!(sockets(bench) > 0, "the folder of sockets is elsewhere");
    running
}

/// Nothing of a run is left on any host, nor where the coordinator was.
pub fn nothing_is_left(network: &Network, hosts: &[usize], bound: Duration) {
    let left = || {
        let on_hosts = hosts.iter().flat_map(|host| network.host(*host).processes());
        on_hosts.chain(network.processes()).collect::<Vec<_>>()
    };
    wait_until(bound, || left().is_empty());
    let left: Vec<_> =
        left().into_iter().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline"))).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The folder of sockets is gone.
pub fn no_sockets_are_left(bench: &Bench) {
    assert_eq!(sockets(bench), 0, "the folder of sockets is still there");
}

fn sockets(bench: &Bench) -> usize {
    std::fs::read_dir(bench.folder().join("tmp")).unwrap().count()
}

/// A bench whose folder of sockets can be looked at.
pub fn bench(network: &Network) -> Bench {
    let bench = network.bench();
    let folder = bench.folder().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    bench.variable("TMPDIR", folder.to_str().unwrap())
}
