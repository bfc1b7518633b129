//! A name with several addresses, end to end: connections go to each that accepts any, and the report says so.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::process::Command;

use support::process::{Bench, PROGRAM};
use support::results::Results;
use support::target::Target;

/// Runs the rest of its arguments where `/etc/hosts` is the file of that name in the current folder.
const WITH_HOSTS: &str = "mount --bind hosts /etc/hosts && exec \"$@\"";

#[test]
fn connections_go_to_every_address_of_a_name_in_turn() {
    let own_mounts = Command::new("unshare").args(["--mount", "true"]).status();
    if !own_mounts.is_ok_and(|status| status.success()) {
        // Past the test runner, which keeps to itself what a test that passes prints.
        std::io::stderr().write_all(b"skipped: a name of the test's own needs root and unshare\n").unwrap();
        return;
    }
    let first = Target::good();
    let port = first.address().port();
    let second = Target::scripted_on(&format!("127.0.0.2:{port}"), |_, request| {
        support::request::Reply::good(request)
    });
    let bench = Bench::new();
    bench.file("hosts", "127.0.0.1 localhost many.example\n127.0.0.2 many.example\n127.0.0.3 many.example\n");
    let target = format!("http://many.example:{port}");
    let shell = ["--mount", "sh", "-c", WITH_HOSTS, "sh", PROGRAM];
    let run = ["run", "--quiet", "--scenario", "simple_chat", "--target", &target, "--workers", "2"];
    let load = ["--requests", "400", "--concurrency", "8", "--threads", "1"];
    let finished =
        bench.start_program("unshare", &[&shell[..], &run, &load].concat()).wait(support::process::BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    let loads = [first.counts().load, second.counts().load];
    assert_eq!(loads[0] + loads[1], 400);
    for worker in results.block(0)["workers"].as_array().unwrap() {
        let made = worker["warm_up"]["connections_by_address"].as_array().unwrap();
        let counts: Vec<_> =
            made.iter().map(|made| (made["address"].as_str(), made["count"].as_u64())).collect();
        let expected = ["127.0.0.1", "127.0.0.2"].map(|address| format!("{address}:{port}"));
        assert_eq!(counts, expected.each_ref().map(|address| (Some(address.as_str()), Some(2))), "{worker}");
    }
    let note = format!("nothing was sent to 127.0.0.3:{port}, which accepted no connection");
    assert!(results.summary.contains(&note), "{}", results.summary);
    assert!(loads.iter().all(|load| *load > 50), "{loads:?}");
}
