//! The upstream as a witness, end to end: what the mock was asked for is held against what the workers sent.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use support::process::{Bench, Running};
use support::proxy::forward;
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::Target;

/// Requests of each block, of which there are four: two of each arm.
const REQUESTS: u64 = 60;

struct Upstream {
    mock: Running,
    url: String,
}

impl Upstream {
    fn start(bench: &Bench) -> Self {
        let mock = bench.start(&["mock", "--listen", "127.0.0.1:0", "--latency", "2ms"]);
        mock.wait_for("listening on ", Duration::from_secs(20));
        let url = mock.stdout().trim().trim_start_matches("listening on ").to_owned();
        Self { mock, url }
    }

    fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }
}

/// A run through a gateway that makes answers as `script` does, which is told how many requests of the load came before.
fn run(script: impl Fn(u64, &Request, SocketAddr) -> Reply + Send + Sync + 'static) -> (Bench, Results) {
    let bench = Bench::new();
    let upstream = Upstream::start(&bench);
    let address = upstream.address();
    let gateway = Target::scripted(move |number, request| match request.purpose() {
        Purpose::Load => script(number, request, address),
        // As honest as can be before the load.
        _ => forward(request, address),
    });
    let (gateway, requests) = (gateway.url(), REQUESTS.to_string());
    let flags = [
        "run",
        "--scenario",
        "simple_chat",
        "--target",
        &gateway,
        "--direct",
        &upstream.url,
        "--requests",
        &requests,
        "--repeats",
        "2",
        "--warmup",
        "30ms",
        "--queueing-check=false",
        "--cool-down",
        "10ms",
        "--quiet",
    ];
    let finished = bench.run(&flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    drop(upstream.mock);
    let results = Results::of(&bench);
    (bench, results)
}

fn counts(results: &Results, arm: &str) -> [u64; 3] {
    let upstream = &results.report["results"][0][arm]["upstream"];
    ["sent", "answered", "seen"].map(|name| upstream[name].as_u64().unwrap())
}

fn finding(results: &Results) -> String {
    let findings = results.report["results"][0]["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["rule"] == "upstream_count");
    found.map_or_else(String::new, |finding| {
        assert_eq!(finding["verdict"], "suspect");
        finding["reason"].as_str().unwrap().to_owned()
    })
}

fn verify(bench: &Bench, results: &Results) -> (Option<i32>, String) {
    let verified = results.verify(bench);
    (verified.code, verified.stdout)
}

#[test]
fn an_honest_gateway_is_seen_to_ask_once_for_each_request_and_warm_ups_do_not_count() {
    let (bench, results) = run(|_, request, upstream| forward(request, upstream));
    for arm in ["gateway", "direct"] {
        assert_eq!(counts(&results, arm), [2 * REQUESTS; 3], "{arm}");
        let mean = results.report["results"][0][arm]["upstream"]["service_time_mean_ns"].as_u64().unwrap();
        assert!(mean >= 2_000_000, "it waits for 2 ms: {mean}");
    }
    assert_eq!(finding(&results), "");
    let warmed_up = &results.block(0)["workers"][0]["warm_up"]["successes"];
    assert!(warmed_up.as_u64().unwrap() > 0, "else this shows nothing");
    let rows: Vec<&str> =
        results.summary.split("## Upstream").nth(1).unwrap().lines().skip(4).take(2).collect();
    let sent = 2 * REQUESTS;
    assert!(
        rows[0].contains(&format!("| gateway | {sent} | {sent} | {sent} | "))
            && rows[1].contains(&format!("| direct | {sent} | {sent} | {sent} | ")),
        "{rows:?}"
    );

    assert_eq!(verify(&bench, &results).0, Some(0));
    let mut tampered = results.report.clone();
    tampered["blocks"][0]["witness"]["requests"] = Value::from(7);
    std::fs::write(&results.report_path, tampered.to_string()).unwrap();
    let (code, said) = verify(&bench, &results);
    assert!(code == Some(1) && said.contains("FAILED  the results follow from the blocks"), "{said}");
}

#[test]
fn a_gateway_that_answers_half_by_itself_is_seen() {
    let (_, results) =
        run(
            |number, request, upstream| {
                if number.is_multiple_of(2) { Reply::good(request) } else { forward(request, upstream) }
            },
        );
    assert_eq!(counts(&results, "gateway"), [2 * REQUESTS, 2 * REQUESTS, REQUESTS]);
    assert_eq!(counts(&results, "direct"), [2 * REQUESTS; 3]);
    let said = finding(&results);
    assert!(said.starts_with(&format!("the upstream saw {REQUESTS} of {} requests", 2 * REQUESTS)), "{said}");
    assert!(results.summary.contains("from a cache or without having asked (suspect: upstream_count)"));
}

#[test]
fn a_gateway_that_asks_twice_is_seen() {
    let (_, results) = run(|_, request, upstream| {
        forward(request, upstream);
        forward(request, upstream)
    });
    assert_eq!(counts(&results, "gateway"), [2 * REQUESTS, 2 * REQUESTS, 4 * REQUESTS]);
    let said = finding(&results);
    assert!(said.contains("the gateway asks more than once (retries"), "{said}");
}

/// A run of so many pairs in which the gateway drops its first request, and the upstream is asked for `owed` more that this
/// has left behind: one after each time that it is asked as a witness.
fn run_with_leftovers(owed: u64, repeats: &str) -> Results {
    let (seen, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let gateway = Target::scripted({
        let (seen, left) = (Arc::clone(&seen), Arc::clone(&left));
        move |number, request| match (request.purpose(), number) {
            (Purpose::Load, 0) => {
                left.store(owed, Ordering::SeqCst);
                Reply::good(request).torn(10)
            }
            (Purpose::Load, _) => {
                seen.fetch_add(1, Ordering::SeqCst);
                Reply::good(request)
            }
            _ => Reply::good(request),
        }
    });
    let upstream = Target::scripted(move |_, request| {
        if request.path != "/archestra-bench/witness" {
            seen.fetch_add(u64::from(request.purpose() == Purpose::Load), Ordering::SeqCst);
            return Reply::good(request);
        }
        let count = seen.load(Ordering::SeqCst);
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        let said = format!(
            r#"{{"object":"archestra-bench.witness","requests":{count},"of_load":0,"answered":{count},"service_time_ns":0}}"#
        );
        Reply::json(200, &said)
    });
    let (gateway, direct, requests) = (gateway.url(), upstream.url(), REQUESTS.to_string());
    let flags = ["run", "--scenario", "simple_chat", "--target", &gateway, "--direct", &direct, "--quiet"];
    let shape = ["--requests", &requests, "--repeats", repeats, "--warmup", "30ms", "--queueing-check=false"];
    let bench = Bench::new();
    let finished = bench.run(&[&flags[..], &shape, &["--cool-down", "10ms"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(verify(&bench, &results).0, Some(0));
    results
}

#[test]
fn what_was_given_up_is_not_counted_against_the_next_block() {
    let results = run_with_leftovers(3, "2");
    let sent = 2 * REQUESTS;
    assert_eq!(counts(&results, "gateway"), [sent, sent - 1, sent - 1]);
    assert_eq!(counts(&results, "direct"), [sent; 3]);
    assert_eq!(finding(&results), "");
}

#[test]
fn an_upstream_that_never_stands_still_is_no_witness() {
    let results = run_with_leftovers(u64::MAX, "1");
    let of_direct = results.block(1);
    assert_eq!((&of_direct["arm"], &of_direct["witness"]), (&Value::from("direct"), &Value::Null));
    let why = "requests that had been given up still came to the upstream 3 s after its warm-up";
    assert_eq!(of_direct["unwitnessed"], why);
    assert_eq!(finding(&results), "");
    assert_eq!(counts(&results, "gateway")[1..], [REQUESTS - 1; 2]);
    let said = format!("What it saw of block 2 is left out: {why}.");
    assert!(results.summary.contains(&said), "{}", results.summary);
}

#[test]
fn an_upstream_that_is_not_the_mock_says_nothing() {
    let bench = Bench::new();
    // It answers everything as if it were a chat.
    let (gateway, upstream) = (Target::good(), Target::good());
    let (gateway, direct) = (gateway.url(), upstream.url());
    let flags = ["run", "--scenario", "simple_chat", "--target", &gateway, "--direct", &direct, "--quiet"];
    let finished = bench.run(&[&flags[..], &["--requests", "20", "--repeats", "1"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert!(!results.summary.contains("## Upstream"));
    assert_eq!(results.block(0)["witness"], Value::Null);
    assert_eq!(finding(&results), "");
    // Once for all blocks, and it is asked by each worker for each arm whether it is the right one.
    assert_eq!(upstream.counts().preflight, 2 + 1);
}
