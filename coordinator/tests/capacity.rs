//! The search for the highest rate, end to end, on targets whose capacity is known.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use coordinator::report::json::from_json;
use coordinator::report::verify::verify;
use rustix::process::Signal;
use serde_json::Value;

use support::clock::{now, wait_until};
use support::process::{BOUND, Bench, Finished};
use support::request::Reply;
use support::results::{self, Results};
use support::target::Target;

/// Answers so many requests a second, one after another, and keeps a queue of those that wait.
fn bucket(per_second: u32) -> Target {
    let each = Duration::from_secs(1) / per_second;
    let free: Arc<Mutex<Option<Instant>>> = Arc::default();
    Target::scripted(move |_, request| {
        let turn = {
            let mut free = free.lock().unwrap();
            let turn = free.unwrap_or_else(now).max(now()) + each;
            *free = Some(turn);
            turn
        };
        Reply::good(request).after(turn.saturating_duration_since(now()))
    })
}

fn search(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let finished =
        bench.run(&[&["capacity", "--scenario", "simple_chat", "--target", &url, "--quiet"], flags].concat());
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

#[test]
fn the_capacity_of_a_token_bucket_is_found() {
    let (bench, target) = (Bench::new(), bucket(400));
    let flags = [
        "--slo",
        "p99<250ms",
        "--slo",
        "failed<0.1%",
        "--start-rate",
        "250",
        "--precision",
        "4%",
        "--workers",
        "1",
    ];
    let finished = search(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let capacity = &results.report["capacities"][0];
    assert_eq!(capacity["conclusion"], "found", "{}", results.summary);
    let found = capacity["highest_passing_millihertz"].as_f64().unwrap() / 1e3;
    assert!((0.95..=1.03).contains(&(found / 400.0)), "{found}\n{}", results.summary);
    assert!(
        results.summary.contains("| simple_chat | ") && results.summary.contains("both rates are confirmed")
    );
    // The seven columns are those of the knee.
    let at_knee = &results.report["results"][0]["load"]["rate_millihertz"];
    assert_eq!(*at_knee, capacity["highest_passing_millihertz"]);
    results.assert_verified(&bench);
    assert_eq!(bench.run(&["report", results.report_path.to_str().unwrap()]).stdout, results.summary);
}

#[test]
fn a_target_that_holds_nothing_is_said_to_and_the_exit_code_says_it_too() {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(20)]));
    let flags = ["--slo", "p50<5ms", "--start-rate", "40", "--step", "1s", "--workers", "1"];
    let finished = search(&bench, &target, &flags);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(results.report["capacities"][0]["conclusion"], "nothing_passes");
    assert!(results.summary.contains("no rate held"), "{}", results.summary);
}

#[test]
fn a_search_ends_at_its_bounds() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags = ["--start-rate", "50", "--max-rate", "100", "--step", "1s", "--workers", "1"];
    let finished = search(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let Results { report, summary, .. } = Results::of(&bench);
    for line in [
        "- **Rate**: searched in 3 steps from 50 to 100 req/s, constant arrivals\n",
        "- **Duration**: 1 s; 2.5 s\n",
        "- **HTTP**: 1.1\n",
        "- **Mode**: open loop, keep-alive, 256 connections a worker, timeout 30 s\n",
        "- **Warm-up**: 0.5 s\n",
    ] {
        assert!(summary.contains(line), "no `{line}` in: {summary}");
    }
    assert_eq!(report["capacities"][0]["conclusion"], "beyond_most");
    // What the search says follows from its steps, and they from their blocks.
    let is_honest = |report: &Value| {
        let checks = verify(&from_json(report.to_string().as_bytes()).unwrap());
        checks.iter().all(|check| check.problem.is_none())
    };
    assert!(is_honest(&report));
    for (place, forged) in [
        ("/highest_passing_millihertz", 50_000.into()),
        ("/lowest_failing_millihertz", 110_000.into()),
        ("/conclusion", "found".into()),
        ("/more_workers", 3.into()),
        ("/steps/0/rate_millihertz", 100_000.into()),
        ("/steps/0/duration_ns", 1.into()),
        ("/steps/1/failure", "too slow".into()),
        ("/steps/1/is_generators_fault", true.into()),
        ("/steps/0/block", 2.into()),
        ("/steps", Value::Array(Vec::new())),
    ] {
        let mut tampered = report.clone();
        *tampered["capacities"][0].pointer_mut(place).unwrap() = forged;
        assert!(!is_honest(&tampered), "{place}");
    }

    let few = Bench::new();
    let finished = search(
        &few,
        &target,
        &["--start-rate", "50", "--max-requests", "60", "--step", "1s", "--workers", "1"],
    );
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&few);
    assert_eq!(results.report["capacities"][0]["conclusion"], "out_of_budget");
    assert_eq!(results.report["blocks"].as_array().unwrap().len(), 1);
}

#[test]
fn answers_that_take_their_time_are_no_queue() {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(1_200)]));
    let flags =
        ["--slo", "p99<5s", "--start-rate", "20", "--max-rate", "20", "--step", "3s", "--workers", "1"];
    let finished = search(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let capacity = &results.report["capacities"][0];
    assert_eq!(capacity["conclusion"], "beyond_most", "{}", results.summary);
    assert_eq!(capacity["steps"][0]["is_too_short"], true, "{}", results.summary);
    assert_eq!(capacity["steps"][1]["is_too_short"], false, "{}", results.summary);
    assert!(results.summary.contains("too short to tell: tried again"), "{}", results.summary);
    let verified = bench.run(&["verify", results.report_path.to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn a_search_that_is_interrupted_says_how_far_it_came() {
    let (bench, target) = (Bench::new(), Target::good());
    let url = target.url();
    let running = bench.start(&[
        "capacity",
        "--scenario",
        "simple_chat",
        "--target",
        &url,
        "--workers",
        "1",
        "--step",
        "1s",
        "--start-rate",
        "10",
    ]);
    let is_saved = || results::names(&bench).iter().any(|name| name.starts_with("summary_"));
    assert!(wait_until(BOUND, is_saved), "no step was saved: {}", running.stderr());
    running.signal(Signal::INT);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    let results = Results::of(&bench);
    let capacity = &results.report["capacities"][0];
    assert_eq!(capacity["conclusion"], Value::Null);
    assert!(capacity["highest_passing_millihertz"].as_u64() >= Some(10_000), "{}", results.summary);
    assert_eq!(
        results.report["results"][0]["load"]["rate_millihertz"],
        capacity["highest_passing_millihertz"]
    );
    let verified = bench.run(&["verify", results.report_path.to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn a_search_finds_the_load_itself() {
    for flag in [
        ["--rate", "5"],
        ["--concurrency", "5"],
        ["--requests", "5"],
        ["--stage", "1s:5/s"],
        ["--abort-on", "failed>5%"],
    ] {
        let finished = Bench::new().run(&[&["capacity"], flag.as_slice()].concat());
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains("has no meaning in a search"), "{}", finished.stderr);
    }
}

#[test]
fn what_a_gateway_adds_is_no_objective_of_a_search() {
    let finished = Bench::new().run(&["capacity", "--slo", "overhead.p50<5ms"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    let cure = "archestra-bench run --direct URL --rate RATE --threshold 'overhead.p50<5ms'";
    assert!(finished.stderr.contains("--slo") && finished.stderr.contains(cure), "{}", finished.stderr);
    // The cure can be typed: only the target is missing.
    let flags = ["run", "--direct", "http://127.0.0.1:9", "--rate", "50", "--threshold", "overhead.p50<5ms"];
    let cured =
        Bench::new().run(&[&flags[..], &["--target", "http://127.0.0.1:9", "--duration", "1s"]].concat());
    assert_eq!(cured.code, Some(1), "it gets as far as the targets: {}", cured.stderr);
}

#[test]
fn a_run_that_is_hopeless_ends_early_and_says_why() {
    let bench = Bench::new();
    let target = Target::scripted(|_, request| {
        if request.purpose() == support::request::Purpose::Load {
            Reply::json(500, "{}")
        } else {
            Reply::good(request)
        }
    });
    let url = target.url();
    let flags =
        ["run", "--target", &url, "--rate", "50", "--duration", "30s", "--abort-on", "failed>50%", "--quiet"];
    let begun = now();
    let finished = bench.run(&flags);
    let took = now().saturating_duration_since(begun);
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(results.report["blocks"].as_array().unwrap().len(), 1, "the second scenario is not begun");
    assert_eq!(results.report["interrupted"], false);
    assert!(
        results.summary.contains("`failed>50%` came true (100%)") || results.summary.contains("came true"),
        "{}",
        results.summary
    );
    let unknown = Bench::new().run(&["run", "--abort-on", "ttft.p95>1s"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
}
