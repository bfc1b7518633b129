//! The replay of a trace, end to end: what is sent when, and what the record says of it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use proto::trace::Trace;
use serde_json::{Value, json};
use support::process::{Bench, Finished};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// A target, and the bodies of the load.
fn keeping() -> (Target, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let target = Target::scripted(move |_, request| {
        if request.purpose() == Purpose::Load {
            kept.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        }
        Reply::good(request)
    });
    (target, bodies)
}

fn run(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let finished = bench.run(&[&["run", "--target", &url, "--warmup", "none"], flags].concat());
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

/// 60 requests: 20 in a burst, 20 half a second later and 20 after another second, each of another length.
fn trace() -> String {
    let line = |request: u64| {
        let timestamp = 7_000 + [0, 500, 1_500][request as usize / 20] + request % 20;
        json!({ "timestamp": timestamp, "input_length": 10 + request, "output_length": 1_000 + request, "hash_ids": [1] })
    };
    // Not in order.
    (0..60).rev().map(|request| format!("{}\n", line(request))).collect()
}

#[test]
fn a_trace_is_replayed_with_its_moments_and_its_lengths() {
    let (bench, (target, bodies)) = (Bench::new(), keeping());
    bench.file("trace.jsonl", &trace());
    let flags = ["--scenario", "simple_chat", "--trace", "trace.jsonl", "--workers", "3", "--threads", "2"];
    let finished = run(&bench, &target, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    let counts = ["offered", "successes", "dropped"].map(|name| results.count(0, name));
    assert_eq!(counts, [60, 60, 0]);
    let seconds = results.block(0)["series"].as_array().unwrap();
    let offered = seconds.iter().take(2).map(|second| second["counters"]["offered"].clone());
    assert_eq!(offered.collect::<Vec<_>>(), [40, 20]);
    let window = results.block(0)["figures"]["window"]["length_ns"].as_u64().unwrap();
    assert!((1_519_000_000..5_000_000_000).contains(&window), "{window}");
    assert!(results.summary.contains("a trace of 60 requests over 1.519 s"), "{}", results.summary);

    // A record of other moments is found out, although they are as many and end when these do.
    let mut moments = vec![0; 59];
    moments.push(1_519_000_000);
    let other = base64::engine::general_purpose::STANDARD.encode(Trace::new(moments).unwrap().encode());
    let mut record = results.report.clone();
    record["blocks"][0]["load"]["trace"]["gaps_deflate"] = other.into();
    fs::write(&results.report_path, record.to_string()).unwrap();
    let verified = results.verify(&bench);
    assert_eq!(verified.code, Some(1));
    let said = "40 requests were offered from 0 ns, and the trace asks for 59";
    assert!(verified.stdout.contains(said), "{}", verified.stdout);

    // Each request has its own line's lengths.
    let words = |body: &Value| body["messages"][1]["content"].as_str().unwrap().split(' ').count() as u64;
    let lengths =
        bodies.lock().unwrap().iter().map(|body| (words(body), body["max_tokens"].clone())).collect();
    let expected: BTreeMap<u64, Value> =
        (0..60).map(|request| (10 + request, (1_000 + request).into())).collect();
    let lengths: BTreeMap<u64, Value> = lengths;
    assert_eq!(lengths, expected);
}

#[test]
fn a_faster_or_shorter_replay_is_verified_too() {
    let (target, _) = keeping();
    for (flags, requests, over) in [
        (&["--trace-speed", "10x"][..], 60, "0.152 s"),
        (&["--requests", "25"], 25, "0.504 s"),
        (&["--duration", "400ms"], 20, "0.019 s"),
    ] {
        let bench = Bench::new();
        bench.file("trace.jsonl", &trace());
        let finished =
            run(&bench, &target, &[&["--scenario", "simple_chat", "--trace", "trace.jsonl"], flags].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let results = Results::of(&bench);
        assert_eq!(results.count(0, "offered"), requests);
        assert!(
            results.summary.contains(&format!("a trace of {requests} requests over {over}")),
            "{}",
            results.summary
        );

        let path = results.report_path.to_str().unwrap();
        assert_eq!(bench.run(&["verify", path]).code, Some(0));
        // A record of other moments is found out.
        let mut other = results.report.clone();
        other["blocks"][0]["load"]["trace"]["duration_ns"] = 1.into();
        fs::write(path, other.to_string()).unwrap();
        let verified = bench.run(&["verify", path]);
        assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    }
}

#[test]
fn a_request_keeps_its_line_when_others_are_dropped() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    // No answer comes while others of its burst arrive.
    let target = Target::scripted(move |_, request| {
        if request.purpose() == Purpose::Load {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            kept.lock().unwrap().push(body["line"].as_u64().unwrap());
        }
        Reply::good(request).after(std::time::Duration::from_millis(300))
    });
    let bench = Bench::new();
    bench.file("own.toml", "body = '{\"line\": {{ line }}}'\n[expect]\nexists = [\"/choices\"]");
    let line =
        |line: u64| json!({ "timestamp_s": if line < 10 { 0 } else { 2 }, "line": line }).to_string() + "\n";
    bench.file("trace.jsonl", &(0..20).map(line).collect::<String>());
    let flags =
        ["--scenario", "own.toml", "--trace", "trace.jsonl", "--max-in-flight", "3", "--workers", "1"];
    let finished = run(&bench, &target, &[&flags[..], &["--threads", "1"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(Results::of(&bench).count(0, "dropped"), 14);
    let mut sent: Vec<u64> = bodies.lock().unwrap().clone();
    sent.sort_unstable();
    assert_eq!(sent, [0, 1, 2, 10, 11, 12]);
}

#[test]
fn prompts_and_whole_bodies_of_a_trace_are_sent_as_they_are() {
    let (target, bodies) = keeping();
    for (column, expected) in [
        (json!({ "timestamp": 0, "prompt": "Why \"so\"?" }), "/messages/1/content"),
        (json!({ "timestamp": 0, "body": { "model": "x", "prompt": "Why \"so\"?" } }), "/prompt"),
    ] {
        let bench = Bench::new();
        bench.file("trace.jsonl", &column.to_string());
        let finished = run(&bench, &target, &["--scenario", "simple_chat", "--trace", "trace.jsonl"]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let sent = bodies.lock().unwrap().pop().unwrap();
        assert_eq!(sent.pointer(expected), Some(&json!("Why \"so\"?")), "{sent}");
    }
}

#[test]
fn what_contradicts_a_trace_or_is_none_is_a_sentence() {
    let (bench, (target, _)) = (Bench::new(), keeping());
    bench.file("trace.jsonl", &trace());
    bench.file("none.jsonl", "{\"time\": 1}");
    for (flags, said) in [
        (
            &["--rate", "5"][..],
            "--trace and --rate exclude each other; keep the trace for its own times, or leave it out",
        ),
        (&["--stage", "5s:5"], "--trace and --stage exclude each other"),
        (&["--concurrency", "5"], "--trace and --concurrency exclude each other"),
        (&["--think-time", "5s"], "--think-time and --trace exclude each other"),
        (&["--arrivals", "poisson"], "--arrivals and --trace exclude each other"),
        (&["--bodies", "5"], "--trace and --bodies exclude each other; a trace has a row for each request"),
        (&["--input-tokens", "5"], "--trace and --input-tokens exclude each other"),
        (&["--trace", "none.jsonl"], "the file none.jsonl has no `timestamp` (in milliseconds)"),
    ] {
        let trace: &[&str] = if flags[0] == "--trace" { &[] } else { &["--trace", "trace.jsonl"] };
        let finished = run(&bench, &target, &[trace, flags].concat());
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(said), "no {said}: {}", finished.stderr);
    }
    let alone = run(&bench, &target, &["--trace-speed", "2x"]);
    assert!(
        alone.stderr.contains("--trace-speed is for a trace; give --trace as well, or leave it out"),
        "{}",
        alone.stderr
    );
}
