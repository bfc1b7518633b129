//! A plan that is told and not carried out.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use support::process::Bench;
use support::results::{Results, names};
use support::target::{Counts, Target};

#[test]
fn a_dry_run_sends_nothing_makes_nothing_and_tells_what_a_run_then_does() {
    let (bench, target) =
        (Bench::new().variable("ARCHESTRA_BENCHMARK_API_KEY", "sk-very-secret"), Target::good());
    let url = target.url();
    let flags = [
        "run",
        "--target",
        &url,
        "--scenario",
        "simple_chat",
        "--requests",
        "1001",
        "--concurrency",
        "7",
        "--workers",
        "3",
        "--warmup",
        "none",
        "--quiet",
    ];
    let told = bench.run(&[&flags[..], &["--dry-run"]].concat());
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert_eq!(target.counts(), Counts::default());
    assert!(names(&bench).is_empty() && !bench.folder().join("results").exists());
    assert!(!told.stdout.contains("sk-very-secret"));

    let finished = bench.run(&flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let workers = results.block(0)["workers"].as_array().unwrap();
    let requests: Vec<u64> =
        workers.iter().map(|worker| worker["figures"]["requests"].as_u64().unwrap()).collect();
    assert_eq!(requests, [429, 286, 286]);
    assert!(told.stdout.contains("worker 0: 429 requests, 3 in flight, 3 connections"), "{}", told.stdout);
    assert!(told.stdout.contains("workers 1 to 2, each: 286 requests"), "{}", told.stdout);
}

#[test]
fn a_search_and_a_fleet_of_vms_are_told_too() {
    let bench = Bench::new().variable("ARCHESTRA_BENCH_DRY_RUN", "true");
    let search =
        bench.run(&["capacity", "--scenario", "simple_chat", "--max-rate", "800", "--slo", "p95<50ms"]);
    assert_eq!(search.code, Some(0), "{}", search.stderr);
    for part in ["must hold p95<50ms", "at most 3 times, to 800 req/s", "Time:     at most 5m"] {
        assert!(search.stdout.contains(part), "{part} in {}", search.stdout);
    }
    // Nobody is asked and no login is needed.
    let vms =
        bench.run(&["run", "--fleet", "gcp", "--project", "p", "--zone", "z", "--target", "http://a:1"]);
    assert_eq!(vms.code, Some(0), "{}", vms.stderr);
    assert!(vms.stdout.contains("VM-hours:"), "{}", vms.stdout);
    assert!(!bench.folder().join("results").exists());
}
