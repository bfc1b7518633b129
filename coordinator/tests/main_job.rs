//! The main job, end to end: what is sent, what is counted, and what the figures say.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use support::process::{Bench, Finished};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::{Counts, Target};

const COLUMNS: &str =
    "| Test Scenario | Throughput (req/s) | Mean Latency (ms) | P50 (ms) | P95 (ms) | P99 (ms) | Failed |";

/// Runs `simple_chat` against a target, with more flags.
fn run(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let arguments = [&["run", "--scenario", "simple_chat", "--target", &url], flags].concat();
    let finished = bench.run(&arguments);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

#[test]
fn the_first_command_needs_no_configuration() {
    let bench = Bench::new();
    let finished = bench.run(&["run"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    assert!(
        results.summary.contains(COLUMNS) && results.summary.contains("built-in mock"),
        "{}",
        results.summary
    );
    assert!(finished.stdout.starts_with(&results.summary));
    assert!(finished.stdout.contains("results/summary_") && finished.stdout.contains("report.json"));
    for (block, scenario) in ["simple_chat", "chat_with_tools"].into_iter().enumerate() {
        assert_eq!(results.block(block)["scenario"]["name"], scenario);
        assert_eq!((results.count(block, "started"), results.count(block, "successes")), (1000, 1000));
    }
    assert_ne!(results.report["verdict"], "invalid");

    let again = bench.run(&["report", results.report_path.to_str().unwrap()]);
    results.assert_verified(&bench);
    assert_eq!((again.code, again.stdout), (Some(0), results.summary));
}

#[test]
fn the_phases_of_a_request_are_in_the_report_and_only_those_that_were_measured() {
    for (flags, phases) in [
        (&[][..], &["first byte", "transfer"][..]),
        (&["--no-keepalive"], &["connect", "first byte", "transfer"]),
    ] {
        let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(5)]));
        let finished = run(&bench, &target, &[&["--requests", "50", "--quiet"], flags].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let results = Results::of(&bench);
        let figures = &results.block(0)["figures"];
        assert!(figures["time_to_first_byte"]["p50_ns"].as_u64().unwrap() >= 4_995_000, "{figures}");
        assert_eq!(figures["transfer_time"]["count"], 50);
        assert_eq!(figures["connect_time"].is_null(), flags.is_empty(), "{figures}");
        assert!(figures["tls_handshake_time"].is_null(), "{figures}");
        let table = results.summary.split("## Phases").nth(1).unwrap().split("## ").next().unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| 1 |"));
        let named: Vec<&str> = rows.map(|row| row.split(" | ").nth(2).unwrap()).collect();
        assert_eq!(named, phases, "{table}");
        results.assert_verified(&bench);
    }
}

#[test]
fn every_file_of_a_run_is_named_after_its_second_and_is_whole() {
    let (bench, target) = (Bench::new(), Target::good());
    for _ in 0..2 {
        let finished = run(&bench, &target, &["--requests", "20", "--results-dir", "kept/here", "--quiet"]);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    }
    let list = |folder: &str| {
        let entries = fs::read_dir(bench.folder().join(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let names = list("kept/here");
    assert_eq!(names.len(), 4, "{names:?}");
    for (stamp, summary) in names[..2].iter().zip(&names[2..]) {
        assert_eq!(*summary, format!("summary_{stamp}.md"));
        let shape = stamp.replace(|letter: char| letter.is_ascii_digit(), "9");
        assert_eq!(shape, "99999999_999999");
        let files = [
            "histograms.hlog",
            "intervals.jsonl",
            "report.html",
            "report.json",
            "worker-0.log",
            "worker-1.log",
        ];
        assert_eq!(list(&format!("kept/here/{stamp}")), files);
    }
}

#[test]
fn a_record_that_was_tampered_with_is_found_out() {
    let bench = Bench::new();
    run(&bench, &Target::good(), &["--requests", "50"]);
    let results = Results::of(&bench);
    let path = results.report_path.to_str().unwrap();
    let verify = |pointer: &str, value: serde_json::Value| {
        let mut tampered = results.report.clone();
        *tampered.pointer_mut(pointer).unwrap() = value;
        fs::write(path, tampered.to_string()).unwrap();
        bench.run(&["verify", path])
    };
    assert_eq!(verify("/schema_version", 1.into()).code, Some(0));

    let worker = "/blocks/0/workers/0";
    let other_histogram = results.report.pointer(&format!("{worker}/latencies/send_lag")).unwrap();
    for (pointer, value, check) in [
        ("totals/successes", 24.into(), "the workers' counts and histograms add up"),
        ("totals/offered", 24.into(), "every request is accounted for"),
        (
            "latencies/response_time",
            other_histogram.clone(),
            "the interval log adds up to the workers' totals",
        ),
        ("latencies/response_time/v2_deflate", "AAAA".into(), "every histogram can be read"),
        ("end/last_completion_ns", 1_000.into(), "the workers' starts and ends fit together"),
        ("host/busiest_thread", 2.into(), "the interval log adds up to the workers' totals"),
        ("figures/failed", 1.into(), "each worker's figures follow from its histograms"),
    ] {
        let verified = verify(&format!("{worker}/{pointer}"), value);
        assert_eq!(verified.code, Some(1), "{pointer}: {}", verified.stdout);
        let named = verified.stdout.lines().any(|line| line.starts_with("FAILED") && line.contains(check));
        assert!(named, "{pointer} does not fail `{check}`: {}", verified.stdout);
    }
    let verified = verify("/blocks/0/figures/response_time/p99_ns", 1.into());
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.stdout.contains("FAILED  block 1, simple_chat: the figures follow"),
        "{}",
        verified.stdout
    );
}

#[test]
fn exactly_the_requests_that_were_asked_for_are_sent() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags = ["--requests", "1001", "--concurrency", "7", "--workers", "3", "--warmup", "20"];
    assert_eq!(run(&bench, &target, &flags).code, Some(0));
    assert_eq!(target.counts(), Counts { preflight: 3, warm_up: 20, load: 1001, other: 0 });

    let results = Results::of(&bench);
    let started: Vec<_> =
        (0..3).map(|k| results.block(0)["workers"][k]["totals"]["started"].clone()).collect();
    assert_eq!(started, [429, 286, 286]);
    // Seven connections for warm-up and load, one for each preflight.
    assert_eq!(target.connections(), 10);
}

#[test]
fn fewer_connections_than_workers_is_legal_and_said() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags = ["--requests", "101", "--concurrency", "2", "--workers", "3", "--warmup", "none"];
    assert_eq!(run(&bench, &target, &flags).code, Some(0));
    assert_eq!(target.counts().load, 101);
    let results = Results::of(&bench);
    assert_eq!(results.block(0)["workers"][2]["totals"]["started"], 0);
    assert!(results.summary.contains("idle"), "{}", results.summary);
}

#[test]
fn without_keep_alive_every_request_has_a_connection_of_its_own() {
    let (bench, target) = (Bench::new(), Target::good());
    let flags = ["--requests", "200", "--no-keepalive", "--warmup", "none"];
    assert_eq!(run(&bench, &target, &flags).code, Some(0));
    assert_eq!((target.counts().load, target.connections()), (200, 202));
}

#[test]
fn a_duration_alone_lifts_the_count_and_with_a_count_the_first_to_come_ends() {
    let target = Target::with_latencies(vec![Duration::from_millis(5)]);
    let (bench, started) = (Bench::new(), support::clock::now());
    assert_eq!(run(&bench, &target, &["--duration", "1500ms", "--concurrency", "20"]).code, Some(0));
    assert!(target.counts().load > 1000, "{:?}", target.counts());
    let results = Results::of(&bench);
    assert_eq!(results.block(0)["figures"]["window"]["length_ns"], 1_500_000_000);

    let (bench, before) = (Bench::new(), target.counts().load);
    assert_eq!(run(&bench, &target, &["--duration", "30s", "--requests", "300"]).code, Some(0));
    assert_eq!(target.counts().load - before, 300);
    assert!(support::clock::now().duration_since(started) < Duration::from_secs(25));
}

#[test]
fn an_open_loop_offers_what_was_asked_whatever_the_target_does() {
    // The target answers one request after another, each after 20 ms: it cannot keep up with 200 a second.
    let busy = std::sync::Mutex::new(());
    let target = Target::scripted(move |_, request| {
        let _turn = busy.lock().unwrap();
        if request.purpose() == Purpose::Load {
            std::thread::sleep(Duration::from_millis(20));
        }
        Reply::good(request)
    });
    let bench = Bench::new();
    let flags = ["--rate", "200", "--duration", "2s", "--warmup", "none", "--timeout", "10s"];
    assert_eq!(run(&bench, &target, &flags).code, Some(0));
    let results = Results::of(&bench);
    assert_eq!(
        (results.count(0, "offered"), results.count(0, "successes"), target.counts().load),
        (400, 400, 400)
    );
    // The last of 400 is answered after 8 s though it was due after 2: the wait is charged to it.
    let p99 = results.block(0)["figures"]["response_time"]["p99_ns"].as_u64().unwrap();
    assert!(p99 > 5_000_000_000, "{p99}");
}

#[test]
fn arrivals_beyond_the_limit_in_flight_are_dropped_and_counted() {
    let target = Target::with_latencies(vec![Duration::from_millis(100)]);
    let bench = Bench::new();
    let flags =
        ["--rate", "100", "--arrivals", "poisson", "--duration", "2s", "--max-in-flight", "4", "--seed", "7"];
    assert_eq!(run(&bench, &target, &[&flags[..], &["--warmup", "none"]].concat()).code, Some(0));
    let results = Results::of(&bench);
    let [offered, started, dropped] = ["offered", "started", "dropped"].map(|name| results.count(0, name));
    assert!(dropped > 0 && offered == started + dropped && started == target.counts().load);
    assert!(results.is_blamed_by("offered_load_not_reached"));
}

#[test]
fn arrivals_come_at_their_rate_and_a_seed_repeats_them() {
    let target = Target::good();
    let offered = |flags: &[&str]| {
        let (bench, before) = (Bench::new(), target.counts());
        let flags =
            [&["--rate", "200", "--duration", "2s", "--warmup", "500ms", "--workers", "3"], flags].concat();
        assert_eq!(run(&bench, &target, &flags).code, Some(0));
        let results = Results::of(&bench);
        assert_eq!(results.count(0, "offered"), target.counts().load - before.load);
        (results.count(0, "offered"), target.counts().warm_up - before.warm_up)
    };
    assert_eq!(offered(&[]), (400, 100));
    assert_eq!(offered(&["--requests", "301"]).0, 301);
    let poisson = ["--arrivals", "poisson", "--seed", "11"];
    let (first, again) = (offered(&poisson).0, offered(&poisson).0);
    // Five standard deviations.
    assert!(first == again && (300..500).contains(&first), "{first} and {again}");
}

#[test]
fn a_warm_up_of_some_time_is_not_counted() {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(5)]));
    assert_eq!(run(&bench, &target, &["--requests", "100", "--warmup", "400ms"]).code, Some(0));
    let counts = target.counts();
    assert!(counts.warm_up > 100 && counts.load == 100, "{counts:?}");
    let results = Results::of(&bench);
    let warm_up: u64 =
        (0..2).map(|k| results.block(0)["workers"][k]["warm_up"]["started"].as_u64().unwrap()).sum();
    assert_eq!((warm_up, results.count(0, "started")), (counts.warm_up, 100));
}

#[test]
fn every_failure_is_counted_by_its_kind() {
    let target = Target::scripted(|number, request| match (request.purpose(), number % 10) {
        (Purpose::Load, 0) => Reply::json(500, "{}"),
        (Purpose::Load, 1) => Reply::json(429, "{}"),
        (Purpose::Load, 2) => Reply::json(200, r#"{"choices":[]}"#),
        (Purpose::Load, 3) => Reply { close: true, ..Reply::nothing() },
        (Purpose::Load, 4) => Reply::with_body(200, "application/json", "no json"),
        (Purpose::Load, 5) => Reply { bytes: b"gibberish\r\n\r\n".to_vec(), close: true, ..Reply::default() },
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    assert_eq!(run(&bench, &target, &["--requests", "200", "--concurrency", "5"]).code, Some(0));
    let results = Results::of(&bench);
    assert_eq!(target.counts().load, 200);
    assert_eq!((results.count(0, "started"), results.count(0, "successes")), (200, 80));
    let counts = ["status", "body", "reset", "protocol"].map(|kind| results.failures(0, kind));
    assert_eq!(counts, [40, 40, 20, 20]);
    assert!(results.summary.contains("429") && results.summary.contains("| 120 |"), "{}", results.summary);
    assert!(results.is_blamed_by("failures"));
}

#[test]
fn a_request_out_of_time_is_a_timeout_and_the_run_goes_on() {
    let target = Target::scripted(|number, request| match (request.purpose(), number) {
        (Purpose::Load, 3) => Reply::good(request).after(Duration::from_secs(5)),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    assert_eq!(run(&bench, &target, &["--requests", "100", "--timeout", "300ms"]).code, Some(0));
    let results = Results::of(&bench);
    assert_eq!((results.failures(0, "timeout"), results.count(0, "successes")), (1, 99));
}

#[test]
fn a_block_without_one_success_is_invalid() {
    let target = Target::scripted(|_, request| match request.purpose() {
        Purpose::Load => Reply::json(503, "{}"),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    assert_eq!(run(&bench, &target, &["--requests", "20"]).code, Some(3));
    let results = Results::of(&bench);
    assert_eq!(results.report["verdict"], "invalid");
    assert!(results.is_blamed_by("no_success"));
}

#[test]
fn a_target_that_is_busy_at_first_is_tried_again_and_warned_about() {
    let late = || Reply::json(200, "{}").after(Duration::from_secs(60));
    for (busy, said) in [
        (Reply::json(503, "{}"), "status 503"),
        (Reply::json(429, "{}"), "status 429"),
        (late(), "no answer in time"),
    ] {
        let target = Target::scripted(move |_, request| match request.purpose() {
            Purpose::Preflight => busy.clone(),
            _ => Reply::good(request),
        });
        let bench = Bench::new();
        let finished = run(&bench, &target, &["--requests", "20", "--workers", "1", "--timeout", "1s"]);
        assert_eq!((finished.code, target.counts().preflight, target.counts().load), (Some(0), 3, 20));
        assert!(Results::of(&bench).summary.contains(said), "{}", finished.stdout);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
}

#[test]
fn a_target_on_ipv6_is_loaded_as_any_other() {
    let target = Target::scripted_on("[::1]:0", |_, request| Reply::good(request));
    let bench = Bench::new();
    assert!(target.url().starts_with("http://[::1]:"));
    let finished = run(&bench, &target, &["--requests", "60"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!((results.count(0, "successes"), target.counts().load), (60, 60));
    assert!(results.summary.contains(&target.url()), "{}", results.summary);
}

#[test]
fn a_connection_that_is_torn_down_in_an_answer_is_a_reset_and_counts_once() {
    // The reset may overtake the bytes before it, or not; either way the request has failed by it.
    let target = Target::scripted(|number, request| match request.purpose() {
        Purpose::Load if number % 10 == 3 => Reply::good(request).torn(120),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    let finished = run(&bench, &target, &["--requests", "200"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!((results.failures(0, "reset"), results.count(0, "successes")), (20, 180));
    assert_eq!((results.count(0, "started"), target.counts().load), (200, 200));
    assert!(results.is_blamed_by("failures"), "{}", results.summary);
}
