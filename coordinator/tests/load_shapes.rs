//! Loads that change or pause, end to end: what is sent when, and what the record says of it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::process::{Bench, Finished};
use support::results::Results;
use support::target::Target;

/// Runs `simple_chat` against a target, with more flags.
fn run(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let arguments = [&["run", "--scenario", "simple_chat", "--target", &url], flags].concat();
    let finished = bench.run(&arguments);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

#[test]
fn stages_offer_exactly_what_they_ask_for_and_each_has_its_figures() {
    let (bench, target) = (Bench::new(), Target::good());
    // 50, then 100 on the way from 100 to 300 a second, then nothing, then 40 of a spike.
    let stages = "500ms:100/s,500ms:100..300/s,300ms:0/s,200ms:200/s";
    let flags = ["--stage", stages, "--warmup", "200ms", "--workers", "3"];
    let finished = run(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    assert_eq!((results.count(0, "offered"), target.counts().load), (190, 190));
    // At the lowest rate of all.
    assert_eq!(target.counts().warm_up, 20);
    let stages = results.block(0)["stages"].as_array().unwrap();
    let of_each = |name: &str| stages.iter().map(|stage| stage[name].clone()).collect::<Vec<Value>>();
    assert_eq!(of_each("offered"), [50, 100, 0, 40]);
    assert_eq!(of_each("start_ns"), [0u64, 500_000_000, 1_000_000_000, 1_300_000_000]);
    assert_eq!(of_each("offered_rate"), [100.0, 200.0, 0.0, 200.0]);
    assert_eq!(results.block(0)["figures"]["window"]["length_ns"], 1_500_000_000);
    for said in ["0.5 s from 100 to 300 req/s", "## Stages", "| 4 | 1.3 | 0.2 s at 200 req/s | 200.0 |"] {
        assert!(results.summary.contains(said), "no {said}: {}", results.summary);
    }
    results.assert_verified(&bench);
}

#[test]
fn poisson_arrivals_follow_the_stages_and_a_seed_repeats_them() {
    let target = Target::good();
    let offered = || {
        let bench = Bench::new();
        let shape = ["--stage", "500ms:100/s,500ms:..700/s", "--arrivals", "poisson", "--seed", "5"];
        let finished = run(&bench, &target, &[&shape[..], &["--warmup", "none", "--workers", "3"]].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let results = Results::of(&bench);
        results.assert_verified(&bench);
        [0, 1].map(|stage| results.block(0)["stages"][stage]["offered"].as_u64().unwrap())
    };
    let [low, high] = offered();
    // Within five standard deviations of 50 and 200.
    assert!((15..86).contains(&low) && (130..271).contains(&high), "{low} and {high}");
    assert_eq!(offered(), [low, high]);
}

#[test]
fn beyond_the_limit_in_flight_arrivals_are_dropped_to_the_last_one() {
    // No answer comes while others arrive.
    let target = Target::with_latencies(vec![Duration::from_millis(1500)]);
    let bench = Bench::new();
    let flags = ["--stage", "500ms:100/s,500ms:200/s", "--max-in-flight", "7", "--workers", "2"];
    let finished = run(&bench, &target, &[&flags[..], &["--warmup", "none"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let counts = ["offered", "started", "dropped", "successes"].map(|name| results.count(0, name));
    assert_eq!((counts, target.counts().load), ([150, 7, 143, 7], 7));
    let stages = [0, 1].map(|stage| results.block(0)["stages"][stage]["dropped"].as_u64().unwrap());
    assert_eq!(stages, [43, 100]);
    let said = [", at most 7 in flight, ", "| 150 | 7 | 143 | 0 | 0 |"];
    assert!(said.iter().all(|said| results.summary.contains(said)), "{}", results.summary);
    assert!(results.is_blamed_by("offered_load_not_reached"));
    results.assert_verified(&bench);
}

#[test]
fn a_connection_thinks_before_its_next_request_is_due() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags =
        ["--concurrency", "3", "--requests", "15", "--think-time", "100ms..150ms", "--warmup", "none"];
    let finished = run(&bench, &target, &[&flags[..], &["--workers", "2"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!((results.count(0, "successes"), target.counts().load), (15, 15));
    // Five requests of each connection, and four rests between them.
    let window = results.block(0)["figures"]["window"]["length_ns"].as_u64().unwrap();
    assert!(window >= 400_000_000, "{window}");
    // A rest is no part of a response: one would make all responses at least this long.
    let p50 = results.block(0)["figures"]["response_time"]["p50_ns"].as_u64().unwrap();
    assert!(p50 < 100_000_000, "{p50}");
    assert_eq!(results.block(0)["load"]["think_time"]["max_ns"], 150_000_000);
    let said = "3 connections, each resting 0.1 s to 0.15 s after an answer";
    assert!(results.summary.contains(said), "{}", results.summary);
    results.assert_verified(&bench);
}

#[test]
fn a_duration_ends_a_load_whose_connections_all_think() {
    let (bench, target) = (Bench::new(), Target::good());
    let started = support::clock::now();
    let flags = ["--concurrency", "3", "--duration", "500ms", "--think-time", "1h", "--warmup", "300ms"];
    let finished = run(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(support::clock::now().duration_since(started) < Duration::from_secs(30));
    let results = Results::of(&bench);
    assert_eq!((target.counts().warm_up, results.count(0, "successes")), (3, 3));
    assert_eq!(results.block(0)["figures"]["window"]["length_ns"], 500_000_000);
    results.assert_verified(&bench);
}
