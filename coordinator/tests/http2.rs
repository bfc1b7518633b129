//! HTTP/2, end to end: what flags ask for is spoken, shared as asked, and named in what a run writes.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::process::Bench;
use support::results::Results;
use support::target::Target;

/// Of all workers of the first block.
fn sum(results: &Results, of: impl Fn(&serde_json::Value) -> u64) -> u64 {
    results.block(0)["workers"].as_array().unwrap().iter().map(of).sum()
}

#[test]
fn requests_share_the_connections_that_flags_ask_for() {
    let bench = Bench::new();
    // The mock of its own that a user would start.
    let mock = bench.start(&["mock", "--listen", "127.0.0.1:0", "--latency", "2ms"]);
    mock.wait_for("listening on ", Duration::from_secs(20));
    let url = mock.stdout().trim().trim_start_matches("listening on ").to_owned();
    let load =
        ["--requests", "1000", "--concurrency", "20", "--streams", "5", "--workers", "2", "--warmup", "none"];
    let arguments =
        ["run", "--target", &url, "--http-version", "2", "--scenario", "simple_chat,simple_chat_stream"];
    let finished = bench.run(&[&arguments[..], &load].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    for block in 0..2 {
        assert_eq!((results.count(block, "started"), results.count(block, "successes")), (1000, 1000));
        assert_eq!(
            (&results.block(block)["http_version"], &results.block(block)["streams"]),
            (&"2".into(), &5.into())
        );
    }
    let spoken = |worker: &serde_json::Value| u64::from(worker["http_version"] == "2");
    assert_eq!(sum(&results, spoken), 2);
    assert_eq!(sum(&results, |worker| worker["connections"].as_u64().unwrap()), 4);
    assert_eq!(sum(&results, |worker| worker["warm_up"]["connections_opened"].as_u64().unwrap()), 4);
    let line = "- **HTTP**: 2, at most 5 streams a connection";
    assert!(results.summary.contains(line), "{}", results.summary);
    results.assert_verified(&bench);
}

#[test]
fn the_built_in_mock_and_an_open_loop_speak_it_too() {
    let bench = Bench::new();
    let flags =
        ["--rate", "400", "--duration", "1s", "--connections", "2", "--streams", "8", "--workers", "1"];
    let arguments = ["run", "--http-version", "2", "--scenario", "chat_with_tools"];
    let finished = bench.run(&[&arguments[..], &flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(results.count(0, "successes"), 400);
    assert_eq!(sum(&results, |worker| worker["connections"].as_u64().unwrap()), 2);
}

#[test]
fn what_a_target_chooses_is_named_beside_what_was_asked_for() {
    let (bench, target) = (Bench::new(), Target::good());
    let arguments = ["run", "--target", &target.url(), "--scenario", "simple_chat", "--requests", "60"];
    let flags = ["--http-version", "auto", "--streams", "5", "--workers", "1"];
    let finished = bench.run(&[&arguments[..], &flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert!(results.summary.contains("- **HTTP**: 1.1 (auto asked for)\n"), "{}", results.summary);
    // Over HTTP/1.1 no request shares a connection.
    assert_eq!(sum(&results, |worker| worker["connections"].as_u64().unwrap()), 10);
    results.assert_verified(&bench);
}

#[test]
fn a_target_that_speaks_only_http_1_is_found_before_the_load() {
    let (bench, target) = (Bench::new(), Target::good());
    let arguments = ["run", "--target", &target.url(), "--scenario", "simple_chat", "--http-version", "2"];
    let finished = bench.run(&[&arguments[..], &["--timeout", "3s"]].concat());
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("--http-version 1.1"), "{}", finished.stderr);
}
