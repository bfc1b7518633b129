//! Workers on machines that ssh reaches, against real OpenSSH servers in network namespaces.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use rustix::process::Signal;
use support::clock::wait_until;
use support::network::Network;
use support::process::{BOUND, Bench};
use support::request::{Purpose, Reply, Request};
use support::results::{Results, names};
use support::ssh_fleet::{bench, no_sockets_are_left, nothing_is_left, run, start, under_way};

/// Enough for a lease, and for what follows it on a machine that is busy.
const AFTER_THE_LEASE: Duration = Duration::from_secs(20);
const AN_ADDRESS_OF_NOBODY: &str = "root@10.98.0.99";

fn at_once(_: u64, request: &Request) -> Reply {
    Reply::good(request)
}

fn slowly(_: u64, request: &Request) -> Reply {
    let reply = Reply::good(request);
    if request.purpose() == Purpose::Load { reply.after(Duration::from_millis(20)) } else { reply }
}

#[test]
fn two_hosts_send_exactly_what_was_asked_for_and_are_copied_to_once() {
    let Some(network) = Network::new("two_hosts", 2) else { return };
    let target = network.target(at_once);
    let first = bench(&network);
    let finished = run(&network, &first, &target, &["--requests", "300"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(target.counts().load, 300);

    let results = Results::of(&first);
    assert_eq!((results.count(0, "successes"), &results.report["run"]["fleet"]), (300, &"ssh".into()));
    for (number, name) in network.names().iter().enumerate() {
        assert_eq!(results.report["run"]["workers"][number]["address"], name.as_str());
        assert_eq!(results.block(0)["workers"][number]["totals"]["successes"], 150);
        let log = results.report_path.with_file_name(format!("worker-{number}.log"));
        assert!(log.exists(), "{}", log.display());
    }
    nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
    no_sockets_are_left(&first);

    for name in network.names() {
        assert!(
            finished.stderr.contains(&format!("{name} gets the worker's program (")),
            "{}",
            finished.stderr
        );
    }
    let copied: Vec<_> = [0, 1].map(|host| network.host(host).programs()).into();
    assert!(copied.iter().all(|programs| programs.len() == 1), "{copied:?}");
    let second = bench(&network);
    let finished = run(&network, &second, &target, &["--requests", "100"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let still: Vec<_> = [0, 1].map(|host| network.host(host).programs()).into();
    assert_eq!(still, copied, "a second run copies nothing");
    assert!(!finished.stderr.contains("gets the worker's program"), "{}", finished.stderr);
}

#[test]
fn three_workers_are_dealt_out_to_two_hosts() {
    let Some(network) = Network::new("three_workers", 2) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let finished =
        run(&network, &bench, &target, &["--requests", "300", "--concurrency", "3", "--workers", "3"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let names = network.names();
    for (number, name) in [&names[0], &names[1], &names[0]].into_iter().enumerate() {
        assert_eq!(results.report["run"]["workers"][number]["address"], name.as_str());
        assert_eq!(results.block(0)["workers"][number]["totals"]["successes"], 100);
    }
    assert_eq!(target.counts().load, 300);
    nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
}

#[test]
fn a_host_that_dies_is_named_and_the_run_goes_on() {
    let Some(network) = Network::new("a_host_that_dies", 2) else { return };
    let (bench, target) = (bench(&network), network.target(slowly));
    let running = under_way(&network, &bench, &target, &["--duration", "6s", "--concurrency", "4"]);
    network.host(1).kill();
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert!(results.is_blamed_by("worker_lost"), "{}", results.summary);
    let reason = format!("the ssh connection to `{}` broke", network.host(1).name());
    assert!(results.summary.contains(&reason), "{}", results.summary);
    let of = |k: usize| results.block(0)["workers"][k]["totals"]["successes"].as_u64().unwrap();
    assert!(of(0) > of(1), "the other goes on to the end: {} and {}", of(0), of(1));
    nothing_is_left(&network, &[0], Duration::from_secs(5));
}

#[test]
fn a_host_that_is_cut_off_is_named_and_its_worker_ends_by_itself() {
    let Some(network) = Network::new("a_host_that_is_cut_off", 2) else { return };
    let (bench, target) = (bench(&network), network.target(slowly));
    let flags = ["--duration", "8s", "--lease", "2s", "--concurrency", "4"];
    let running = under_way(&network, &bench, &target, &flags);
    network.host(1).unplug();
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert!(results.is_blamed_by("worker_lost"), "{}", results.summary);
    nothing_is_left(&network, &[0], Duration::from_secs(5));
    no_sockets_are_left(&bench);

    // Nobody can tell the worker, nor its host's sshd.
    let works = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("--listen")
    };
    let gone = wait_until(BOUND, || !network.host(1).processes().iter().any(works));
    assert!(gone, "its worker still waits");
}

#[test]
fn a_wrong_or_unknown_host_key_is_refused_and_nothing_is_sent() {
    let Some(network) = Network::new("a_wrong_host_key", 2) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let other = network.known_host(1).replace(&network.host(1).address, &network.host(0).address);
    network.know(&[other]);
    let finished = run(&network, &bench, &target, &["--requests", "10"]);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
    let [first, second] = [0, 1].map(|host| network.host(host));
    let wrong =
        format!("{} shows another host key than the one in known_hosts, so nothing was sent", first.name());
    let unknown =
        format!("{} shows a host key that is not in known_hosts, so nothing was sent", second.name());
    assert!(finished.stderr.contains(&wrong) && finished.stderr.contains(&unknown), "{}", finished.stderr);
    let by_hand = format!("connect once by hand with `ssh {}`", second.name());
    assert!(finished.stderr.contains(&by_hand), "{}", finished.stderr);
    // Some builds of ssh print the command; all say where the key is.
    let is_found = ["(ssh-keygen -f ", "known_hosts:1)"].into_iter().any(|way| finished.stderr.contains(way));
    assert!(is_found, "{}", finished.stderr);
    assert_eq!((first.programs(), second.programs()), (vec![], vec![]));
    assert_eq!((target.counts().preflight, names(&bench)), (0, vec![]));
    nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
    no_sockets_are_left(&bench);
}

#[test]
fn a_host_out_of_reach_ends_the_run_or_is_left_out_as_asked() {
    let Some(network) = Network::new("a_host_out_of_reach", 1) else { return };
    let target = network.target(at_once);
    let hosts = [AN_ADDRESS_OF_NOBODY, &network.host(0).name()];
    let unreachable = format!("{AN_ADDRESS_OF_NOBODY} does not answer (");

    let failing = bench(&network);
    let flags = ["--requests", "40", "--quiet"];
    let finished = network.start(&failing, &hosts, &target.url(), &flags).wait(BOUND);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
    assert!(finished.stderr.starts_with(&format!("error: {unreachable}")), "{}", finished.stderr);
    assert_eq!(target.counts().preflight, 0);
    nothing_is_left(&network, &[0], Duration::from_secs(5));

    let going_on = bench(&network);
    let flags = ["--requests", "40", "--on-partial", "continue", "--workers", "3"];
    let finished = network.start(&going_on, &hosts, &target.url(), &flags).wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("warning: {unreachable}")), "{}", finished.stderr);
    assert_eq!(target.counts().load, 40);
    let workers = &Results::of(&going_on).report["run"]["workers"];
    assert_eq!(workers.as_array().unwrap().len(), 1, "of three it had been dealt one");

    let nobody = bench(&network);
    let flags = ["--on-partial", "continue"];
    let finished = network.start(&nobody, &hosts[..1], &target.url(), &flags).wait(BOUND);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.starts_with(&format!("error: {unreachable}")), "{}", finished.stderr);
    no_sockets_are_left(&nobody);
}

#[test]
fn every_other_trouble_is_named_with_its_cure() {
    let Some(network) = Network::new("every_other_trouble", 1) else { return };
    let (target, host) = (network.target(at_once), network.host(0));
    let refused = |bench: &Bench, name: &str, flags: &[&str]| {
        let flags = [flags, &["--quiet"]].concat();
        let finished = network.start(bench, &[name], &target.url(), &flags).wait(BOUND);
        assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
        nothing_is_left(&network, &[0], Duration::from_secs(5));
        finished.stderr.trim_start_matches("error: ").trim_start_matches(name).to_owned()
    };
    let bench = bench(&network);
    let name = host.name();
    let starts = |words: String, start: &str| assert!(words.starts_with(start), "{words}");

    starts(refused(&bench, &format!("{name}:2"), &[]), " refuses connections; start its ssh server");
    let missing = refused(&bench, &name, &["--ssh", "/nowhere/ssh"]);
    starts(missing, " cannot be reached, because /nowhere/ssh cannot be started; install an OpenSSH client");

    // Bytes 18 and 19 of a program say for which processor it is.
    let mut program = std::fs::read(support::process::PROGRAM).unwrap();
    let other = if program[18] == 62 { 183 } else { 62 };
    program[18] = other;
    let foreign = bench.folder().join("foreign");
    std::fs::write(&foreign, program).unwrap();
    let words = refused(&bench, &name, &["--worker-binary", foreign.to_str().unwrap()]);
    starts(words, if other == 183 { " is an x86_64 machine, but " } else { " is an aarch64 machine, but " });

    network.allow(Some("no-port-forwarding"));
    let words = refused(&bench, &name, &[]);
    starts(words, " lets nothing through to its worker (no handshake); allow TCP forwarding");
    network.allow(Some("command=\"echo no shell here\""));
    starts(refused(&bench, &name, &[]), " does not say what it is (");

    std::fs::remove_dir_all(&host.cache).unwrap();
    network.allow(Some("pty"));
    std::fs::write(&host.cache, "no folder").unwrap();
    starts(refused(&bench, &name, &[]), " lets this user not write the worker's program (");

    network.allow(None);
    starts(
        refused(&bench, &name, &[]),
        " accepts none of this user's keys; put one into its authorized_keys",
    );
    assert_eq!(target.counts().preflight, 0);
}

#[test]
fn a_host_with_too_little_space_is_named() {
    let Some(network) = Network::with_cache("too_little_space", 1, Some("size=1m")) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let finished = run(&network, &bench, &target, &["--requests", "10", "--quiet"]);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
    let expected = format!("error: {} has too little space for the worker's program", network.host(0).name());
    assert!(finished.stderr.starts_with(&expected), "{}", finished.stderr);
    assert_eq!(target.counts().preflight, 0);
    nothing_is_left(&network, &[0], Duration::from_secs(5));
}

#[test]
fn a_coordinator_that_is_killed_leaves_nothing_on_any_host() {
    let Some(network) = Network::new("a_coordinator_that_is_killed", 2) else { return };
    let (bench, target) = (bench(&network), network.target(slowly));
    let flags = ["--duration", "60s", "--workers", "3", "--lease", "5s"];
    let running = under_way(&network, &bench, &target, &flags);
    assert!(!network.host(0).processes().is_empty());
    running.signal(Signal::KILL);
    nothing_is_left(&network, &[0, 1], AFTER_THE_LEASE);
    let count = target.counts().load;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(target.counts().load, count, "requests still arrive");
}

#[test]
fn a_coordinator_that_ends_while_it_copies_leaves_nothing_either() {
    for (signal, code) in [(Signal::KILL, None), (Signal::INT, Some(130))] {
        let Some(network) = Network::new("ends_while_it_copies", 1) else { return };
        let (bench, target) = (bench(&network), network.target(at_once));
        let running = start(&network, &bench, &target, &["--requests", "10"]);
        let host = network.host(0);
        assert!(wait_until(BOUND, || !host.programs().is_empty()), "{}", running.stderr());
        running.signal(signal);
        assert_eq!(running.wait(BOUND).code, code);
        nothing_is_left(&network, &[0], AFTER_THE_LEASE);
        assert_eq!(
            host.programs(),
            [],
            "neither half a program nor, had the signal come too late, a whole one"
        );
        if code.is_some() {
            no_sockets_are_left(&bench);
        }
    }
}

#[test]
fn every_way_to_ask_for_an_end_ends_the_run_in_order_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let Some(network) = Network::new("asked_for_an_end", 2) else { return };
        let (bench, target) = (bench(&network), network.target(slowly));
        let running = under_way(&network, &bench, &target, &["--duration", "60s"]);
        running.signal_group(signal);
        let finished = running.wait(BOUND);
        assert_eq!(finished.code, Some(130), "{signal:?}: {}", finished.stderr);
        let results = Results::of(&bench);
        assert!(results.summary.contains("interrupted") && results.count(0, "successes") > 0);
        assert!(!results.is_blamed_by("worker_lost"), "{}", results.summary);
        nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
        no_sockets_are_left(&bench);
    }
}

#[test]
fn sockets_that_a_killed_coordinator_left_are_taken_away_by_the_next_run() {
    let Some(network) = Network::new("asked_twice", 1) else { return };
    let (first, target) = (bench(&network), network.target(slowly));
    let running = under_way(&network, &first, &target, &["--duration", "60s"]);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(BOUND).code, None);
    nothing_is_left(&network, &[0], AFTER_THE_LEASE);
    let other = first.file("tmp/ab-0000000f/of-somebody", "");
    let finished = run(&network, &first, &target, &["--requests", "10"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    std::fs::remove_dir_all(other.parent().unwrap()).unwrap();
    no_sockets_are_left(&first);
}
