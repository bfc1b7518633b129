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
    assert_eq!((again.code, again.stdout), (Some(0), results.summary));
    let verified = bench.run(&["verify", results.report_path.to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn a_record_that_was_tampered_with_is_found_out() {
    let bench = Bench::new();
    run(&bench, &Target::good(), &["--requests", "50"]);
    let results = Results::of(&bench);
    let mut tampered = results.report.clone();
    tampered["blocks"][0]["workers"][0]["totals"]["successes"] = 24.into();
    fs::write(&results.report_path, tampered.to_string()).unwrap();

    let verified = bench.run(&["verify", results.report_path.to_str().unwrap()]);
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    assert!(verified.stdout.contains("FAILED"), "{}", verified.stdout);
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
    assert_eq!(results.rules(), ["offered_load_not_reached"]);
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
    assert_eq!(results.rules(), ["failures"]);
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
    assert!(results.rules().contains(&"no_success".to_owned()));
}

#[test]
fn a_target_that_is_busy_at_first_is_tried_again_and_warned_about() {
    let target = Target::scripted(|number, request| match (request.purpose(), number) {
        (Purpose::Preflight, ..) => Reply::json(503, "{}"),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    let finished = run(&bench, &target, &["--requests", "20", "--workers", "1"]);
    assert_eq!((finished.code, target.counts().preflight, target.counts().load), (Some(0), 3, 20));
    assert!(Results::of(&bench).summary.contains("status 503"), "{}", finished.stdout);
}

#[test]
fn streams_are_timed_event_by_event() {
    let bench = Bench::new();
    let mock = bench.start(&[
        "mock",
        "--listen",
        "127.0.0.1:0",
        "--latency",
        "30ms",
        "--chunks",
        "5",
        "--chunk-interval",
        "10ms",
    ]);
    mock.wait_for("listening on ", Duration::from_secs(10));
    let url = mock.stdout().trim().trim_start_matches("listening on ").to_owned();
    let flags =
        ["--scenario", "simple_chat_stream", "--scenario", "chat_with_tools_stream", "--requests", "60"];
    let finished = bench.run(&[&["run", "--target", &url], &flags[..]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    for block in 0..2 {
        let figures = &results.block(block)["figures"];
        let near = |figure: &serde_json::Value, milliseconds: f64| {
            let measured = figure.as_f64().unwrap() / 1e6;
            assert!(
                (milliseconds - 0.5..milliseconds + 8.0).contains(&measured),
                "{measured} for {milliseconds} ms"
            );
        };
        near(&figures["time_to_first_token"]["p50_ns"], 30.0);
        near(&figures["inter_token_gap"]["p50_ns"], 10.0);
        // A tool call has an event for its name before the five for its arguments.
        let events = if block == 0 { 5 } else { 6 };
        assert_eq!(results.count(block, "content_events"), 60 * events);
    }
    assert!(results.summary.contains("TTFT P50"), "{}", results.summary);
}

#[test]
fn a_stream_cut_short_is_truncated() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                 data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let target = Target::scripted(move |number, request| match (request.purpose(), number % 4) {
        (Purpose::Load, 0) => Reply { bytes: begun.into(), close: true, ..Reply::default() },
        _ => Reply::good(request),
    });
    let (bench, url) = (Bench::new(), target.url());
    let finished =
        bench.run(&["run", "--target", &url, "--scenario", "simple_chat_stream", "--requests", "40"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!((results.failures(0, "truncated"), results.count(0, "successes")), (10, 30));
}
