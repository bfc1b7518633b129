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

/// Changes values of each search, one at a time, and expects `verify` to find it, but for what only says what was asked for.
fn assert_no_change_is_missed(report: &Value) {
    let is_honest = |report: &Value| {
        let checks = verify(&from_json(report.to_string().as_bytes()).unwrap());
        checks.iter().all(|check| check.problem.is_none())
    };
    assert!(is_honest(report));
    let mut changes: Vec<(String, Value)> = Vec::new();
    for (number, search) in report["capacities"].as_array().unwrap().iter().enumerate() {
        let mut change = |place: &str, to: Value| {
            let path = format!("/capacities/{number}{place}");
            if *report.pointer(&path).unwrap() != to {
                changes.push((path, to));
            }
        };
        for conclusion in ["found", "beyond_most", "nothing_passes", "generator", "out_of_budget"] {
            change("/conclusion", conclusion.into());
        }
        change("/conclusion", Value::Null);
        for rate in [Value::Null, 50_000.into(), 110_000.into()] {
            change("/highest_passing_millihertz", rate.clone());
            change("/lowest_failing_millihertz", rate);
        }
        change("/more_workers", 3.into());
        change("/bounds", Value::Null);
        change("/bounds/start_millihertz", 1.into());
        change("/bounds/step_ns", 1.into());
        change("/steps", Value::Array(Vec::new()));
        // Of each step another value: each change takes a while to look at.
        let steps = search["steps"].as_array().unwrap();
        for (number, name) in steps[0].as_object().unwrap().keys().enumerate() {
            let place = number % steps.len();
            let to = match &steps[place][name] {
                // Where nothing was offered for long, how long the step took hangs on nothing else.
                Value::Number(_) if name == "took_ns" => vec![0.into()],
                Value::Number(number) => vec![(number.as_u64().unwrap() / 2).into()],
                Value::Bool(value) => vec![Value::from(!value)],
                Value::Null => vec!["cores".into()],
                _ => ["coarse", "fine", "confirmation"].map(Value::from).to_vec(),
            };
            to.into_iter().for_each(|to| change(&format!("/steps/{place}/{name}"), to));
        }
    }
    assert!(changes.len() > 20, "{}", changes.len());
    for (path, to) in changes {
        let mut changed = report.clone();
        *changed.pointer_mut(&path).unwrap() = to.clone();
        assert!(from_json(changed.to_string().as_bytes()).is_err() || !is_honest(&changed), "{path}: {to}");
    }
}

#[test]
fn the_capacity_of_a_token_bucket_is_found() {
    let (bench, target) = (Bench::new(), bucket(400));
    let objectives = ["--slo", "p99<250ms", "--slo", "failed<0.1%"];
    // 230, 460; 325, 387, 422; both of the last again.
    let bounds = ["--start-rate", "230", "--precision", "10%", "--step", "2s", "--workers", "1"];
    let finished = search(&bench, &target, &[&objectives[..], &bounds].concat());
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let capacity = &results.report["capacities"][0];
    assert_eq!(capacity["conclusion"], "found", "{}", results.summary);
    let of = |rate: &str| capacity[rate].as_f64().unwrap() / 1e3 / 400.0;
    let (found, fails) = (of("highest_passing_millihertz"), of("lowest_failing_millihertz"));
    assert!(found <= 1.03 && fails > 1.0 && fails / found <= 1.1, "{found} {fails}\n{}", results.summary);
    // Long before 250 ms: the queue was seen to grow.
    assert!(results.summary.contains("and more with every second"), "{}", results.summary);
    assert!(
        results.summary.contains("| simple_chat | ") && results.summary.contains("both rates are confirmed")
    );
    // The seven columns are those of the knee.
    let at_knee = &results.report["results"][0]["load"]["rate_millihertz"];
    assert_eq!(*at_knee, capacity["highest_passing_millihertz"]);
    results.assert_verified(&bench);
    assert_no_change_is_missed(&results.report);
    assert_eq!(bench.run(&["report", results.report_path.to_str().unwrap()]).stdout, results.summary);
}

#[test]
fn where_all_connections_are_taken_the_target_is_not_said_to_be_at_its_limit() {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(400)]));
    // 8 connections carry 20 a second of it.
    let bounds = ["--start-rate", "15", "--connections", "8", "--step", "2s", "--workers", "1"];
    let finished = search(&bench, &target, &[&["--slo", "p99<1s"], &bounds[..]].concat());
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let capacity = &results.report["capacities"][0];
    assert_eq!(capacity["conclusion"], "generator", "{}", results.summary);
    assert_eq!(capacity["steps"][1]["limit"], "connections", "{}", results.summary);
    // 30 a second take 12 places, and with room to spare 20: two workers more than the one.
    assert_eq!(capacity["more_workers"], 2, "{}", results.summary);
    assert!(results.summary.contains("or as many times more --connections"), "{}", results.summary);
    results.assert_verified(&bench);
    assert_no_change_is_missed(&results.report);
}

#[test]
fn each_scenario_is_searched_with_the_objectives_that_are_about_it() {
    let (bench, target) = (Bench::new(), Target::good());
    let both = ["--scenario", "chat_with_tools", "--start-rate", "20", "--max-rate", "20", "--step", "1s"];
    let one = search(&bench, &target, &[&both[..], &["--slo", "simple_chat:p99<5s"]].concat());
    assert_eq!(one.code, Some(2), "{}", one.stderr);
    assert!(one.stderr.contains("--slo says nothing of chat_with_tools"), "{}", one.stderr);
    let slos = ["--slo", "simple_chat:p99<5s", "--slo", "chat_with_tools:p99<6s", "--slo", "failed<1%"];
    let finished = search(&bench, &target, &[&both[..], &slos].concat());
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    for (search, own) in results.report["capacities"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["simple_chat:p99<5s", "chat_with_tools:p99<6s"])
    {
        assert_eq!(search["objectives"], serde_json::json!([own, "failed<1%"]));
        assert_eq!(search["conclusion"], "beyond_most", "{}", results.summary);
    }
    results.assert_verified(&bench);
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
    assert_no_change_is_missed(&results.report);
}

#[test]
fn a_search_ends_at_its_bounds() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags = ["--start-rate", "50", "--max-rate", "100", "--step", "1s", "--workers", "1"];
    let finished = search(&bench, &target, &[&flags[..], &["--input-tokens", "8"]].concat());
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
    // No step sends one body more often than a run at the highest rate would.
    assert_eq!(report["blocks"][0]["workers"][0]["bodies"], 100);
    assert_no_change_is_missed(&report);

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
    assert_no_change_is_missed(&results.report);
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
