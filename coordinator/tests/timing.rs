//! Claims about time: in a binary of their own, and one after another, so that no other test takes the cores meanwhile.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use support::process::Bench;
use support::results::Results;
use support::target::Target;

/// Held while a test needs the machine for itself.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn percentiles_are_those_of_the_target() {
    let _alone = alone();
    // Of a hundred requests 90 take 10 ms, 7 take 30 and 3 take 60: P50, P95 and P99 each lie well within one of them.
    let of = |count, milliseconds| vec![Duration::from_millis(milliseconds); count];
    let target = Target::with_latencies([of(90, 10), of(7, 30), of(3, 60)].concat());
    let bench = Bench::new();
    let flags = ["--requests", "3000", "--concurrency", "12", "--workers", "3"];
    let url = target.url();
    let finished = bench.run(&[&["run", "--scenario", "simple_chat", "--target", &url], &flags[..]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let mut measured_by_target = target.service_times();
    measured_by_target.sort_unstable();
    assert_eq!(measured_by_target.len(), 3000);
    let figures = Results::of(&bench).block(0)["figures"].clone();
    for (name, quantile) in [("p50_ns", 0.5), ("p95_ns", 0.95), ("p99_ns", 0.99)] {
        let truth = measured_by_target[(3000.0 * quantile) as usize - 1].as_nanos() as f64;
        let measured = figures["response_time"][name].as_f64().unwrap();
        let error = (measured - truth).abs();
        assert!(error < 0.01 * truth + 300_000.0, "{name}: {measured} against {truth}");
    }
}

#[test]
fn workers_begin_together() {
    let _alone = alone();
    let target = Target::good();
    let mut skews: Vec<u64> = (0..20)
        .map(|_| {
            let bench = Bench::new();
            let flags = ["run", "--scenario", "simple_chat", "--requests", "20", "--warmup", "none"];
            let finished = bench.run(&[&flags[..], &["--target", &target.url()]].concat());
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            Results::of(&bench).block(0)["start_skew"]["spread_ns"].as_u64().unwrap()
        })
        .collect();
    skews.sort_unstable();
    assert!(skews[10] <= 1_000_000, "median of 20: {skews:?}");
}
