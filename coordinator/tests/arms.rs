//! A gateway beside its upstream, end to end: who is sent what, in which order, and what the gateway is said to add.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use support::process::{Bench, Finished};
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::Target;

/// What a target was sent for the load: the header of that name, the path, the body.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// Answers after a while, and remembers the bodies and the headers that it was sent.
fn listening(delay: Duration) -> (Target, Seen) {
    let seen = Seen::default();
    let noting = Arc::clone(&seen);
    let target = Target::scripted(move |_, request: &Request| {
        if request.purpose() == Purpose::Load {
            let headers = ["authorization", "x-gateway", "x-upstream", "x-api-key"];
            let values = headers.map(|name| format!("{name}={}", request.header(name).unwrap_or("none")));
            let head = format!("{} {}", request.path, values.join(" "));
            noting.lock().unwrap().push((head, String::from_utf8(request.body.clone()).unwrap()));
        }
        Reply::good(request).after(delay)
    });
    (target, seen)
}

fn compare(bench: &Bench, gateway: &Target, upstream: &Target, flags: &[&str]) -> Finished {
    let (gateway, upstream) = (gateway.url(), upstream.url());
    let arms = ["run", "--scenario", "simple_chat", "--target", &gateway, "--direct", &upstream, "--quiet"];
    bench.run(&[&arms, flags].concat())
}

fn arms(results: &Results) -> String {
    let blocks = results.report["blocks"].as_array().unwrap();
    blocks.iter().map(|block| if block["arm"] == "gateway" { 'G' } else { 'D' }).collect()
}

#[test]
fn what_a_gateway_adds_is_measured_in_pairs_and_holds_the_truth() {
    let bench = Bench::new();
    let gateway = Target::with_latencies(vec![Duration::from_millis(12)]);
    let upstream = Target::with_latencies(vec![Duration::from_millis(7)]);
    let flags =
        ["--requests", "220", "--rate", "400", "--repeats", "4", "--warmup", "100ms", "--cool-down", "20ms"];
    let finished = compare(&bench, &gateway, &upstream, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    assert_eq!(arms(&results), "GDDGGDDG");
    let result = &results.report["results"][0];
    let added = &result["overhead"]["response_time"]["p50"];
    let at = |name: &str| added[name].as_f64().unwrap() / 1e6;
    // Not how narrow it is, which is the machine's affair.
    assert!(at("low_ns") < 5.2 && at("high_ns") > 4.8, "{added}");
    assert_eq!(added["pairs"], 4);
    assert_eq!(result["overhead"]["response_time"]["p99"]["reason"], "too_few_samples");
    assert_eq!(
        (result["gateway"]["figures"]["requests"].as_u64(), result["direct"]["figures"]["requests"].as_u64()),
        (Some(880), Some(880))
    );

    let table =
        results.summary.split("## What the gateway adds").nth(1).unwrap().split("\n- ").next().unwrap();
    assert!(
        table.contains("| simple_chat | 400 req/s | +") && table.contains("too few samples (220 of 1000)"),
        "{table}"
    );
    let seven = results.summary.lines().find(|line| line.starts_with("| simple_chat |")).unwrap();
    assert_eq!(seven.matches(" | ").count(), 6, "{seven}");
    let path = results.report_path.to_str().unwrap();
    let verified = bench.run(&["verify", path]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    assert_eq!(bench.run(&["report", path]).stdout, results.summary);

    let mut tampered = results.report.clone();
    tampered["results"][0]["overhead"]["response_time"]["p50"]["added_ns"] = 1.0.into();
    std::fs::write(&results.report_path, tampered.to_string()).unwrap();
    let verified = bench.run(&["verify", path]);
    assert!(
        verified.code == Some(1) && verified.stdout.contains("the results follow from the blocks"),
        "{}",
        verified.stdout
    );
}

#[test]
fn each_arm_has_its_own_path_key_and_headers_and_both_are_sent_the_same_prompts() {
    let bench = Bench::new()
        .variable("ARCHESTRA_BENCHMARK_API_KEY", "sk-of-the-gateway")
        .variable("DIRECT_API_KEY", "sk-of-the-upstream");
    let ((gateway, to_gateway), (upstream, to_upstream)) =
        (listening(Duration::ZERO), listening(Duration::ZERO));
    let scenario = "name = \"own\"\nheaders = { x-api-key = \"secret-of-the-gateway\" }\nbody = { id = \"{{ uuid }}\" }\n";
    bench.file("own.toml", scenario);
    let flags = [
        "--scenario",
        "own.toml",
        "--path",
        "/gateway/chat",
        "--direct-path",
        "/chat",
        "--direct-model",
        "upstream-model",
        "--header",
        "x-gateway: g",
        "--direct-header",
        "x-upstream: u",
        "--requests",
        "30",
        "--repeats",
        "2",
        "--queueing-check=false",
        "--cool-down",
        "10ms",
    ];
    let finished = compare(&bench, &gateway, &upstream, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let heads =
        |seen: &Seen| seen.lock().unwrap().iter().map(|(head, _)| head.clone()).collect::<BTreeSet<_>>();
    let of_gateway =
        "/gateway/chat authorization=Bearer sk-of-the-gateway x-gateway=g x-upstream=none x-api-key=";
    assert_eq!(
        heads(&to_gateway),
        BTreeSet::from([format!("{of_gateway}none"), format!("{of_gateway}secret-of-the-gateway")])
    );
    assert_eq!(
        heads(&to_upstream),
        BTreeSet::from([
            "/chat authorization=Bearer sk-of-the-upstream x-gateway=none x-upstream=u x-api-key=none"
                .to_owned()
        ])
    );

    let prompts = |seen: &Seen, model: &str| {
        let bodies: Vec<Value> =
            seen.lock().unwrap().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
        let chats: Vec<&Value> = bodies.iter().filter(|body| body["model"] == model).collect();
        assert_eq!(chats.len(), 60, "two blocks of 30");
        chats
            .iter()
            .map(|body| body["messages"][1]["content"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (asked, asked_directly) = (prompts(&to_gateway, "gpt-4o"), prompts(&to_upstream, "upstream-model"));
    assert_eq!(asked.len(), 60, "no prompt is sent twice to an arm");
    assert_eq!(asked, asked_directly);
    assert_eq!(asked.iter().map(String::len).collect::<BTreeSet<_>>().len(), 1, "all are equally long");

    let results = Results::of(&bench);
    for secret in ["sk-of-the-gateway", "sk-of-the-upstream", "secret-of-the-gateway"] {
        assert!(!results.report.to_string().contains(secret) && !finished.stderr.contains(secret));
    }
}

#[test]
fn identical_prompts_are_sent_when_asked_for() {
    let bench = Bench::new();
    let ((gateway, to_gateway), (upstream, _)) = (listening(Duration::ZERO), listening(Duration::ZERO));
    let flags = ["--requests", "20", "--repeats", "1", "--identical-prompts", "--queueing-check=false"];
    let finished = compare(&bench, &gateway, &upstream, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let bodies: BTreeSet<String> = to_gateway.lock().unwrap().iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies.len(), 1);
    assert!(Results::of(&bench).summary.contains("too few pairs (1 of 3)"));
}

#[test]
fn a_saturated_gateway_is_said_to_queue_and_one_with_room_is_not() {
    // One at a time, 2 ms each: 500 a second however many wait.
    let one = Arc::new(Mutex::new(()));
    let saturated = Target::scripted(move |_, request| {
        let _turn = one.lock().unwrap();
        std::thread::sleep(Duration::from_millis(2));
        Reply::good(request)
    });
    let roomy = Target::with_latencies(vec![Duration::from_millis(20)]);
    for (target, queues) in [(saturated, true), (roomy, false)] {
        let bench = Bench::new();
        let url = target.url();
        let flags = [
            "run",
            "--scenario",
            "simple_chat",
            "--target",
            &url,
            "--duration",
            "1s",
            "--concurrency",
            "8",
            "--queueing-check",
            "--quiet",
        ];
        let finished = bench.run(&flags);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let results = Results::of(&bench);
        assert_eq!(results.report["blocks"].as_array().unwrap().len(), 2);
        let rules: Vec<&Value> = results.report["results"][0]["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| &finding["rule"])
            .collect();
        assert_eq!(rules.contains(&&Value::from("queueing")), queues, "{rules:?}\n{}", results.summary);
    }
}

#[test]
fn levels_are_measured_one_after_another_and_told_apart() {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(2)]));
    let url = target.url();
    let flags = [
        "run",
        "--scenario",
        "simple_chat",
        "--target",
        &url,
        "--requests",
        "40",
        "--concurrency",
        "1,4",
        "--repeats",
        "2",
        "--quiet",
    ];
    let finished = bench.run(&flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(target.counts().load, 160);
    let loads: Vec<_> = results.report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            (result["load"]["concurrency"].as_u64().unwrap(), result["gateway"]["blocks"].to_string())
        })
        .collect();
    assert_eq!(loads, [(1, "[1,2]".to_owned()), (4, "[3,4]".to_owned())]);
    let rows: Vec<&str> =
        results.summary.lines().filter(|line| line.starts_with("| simple_chat | ")).collect();
    let section = results.summary.split("\n## By level\n\n").nth(1).unwrap();
    assert!(section.starts_with("| Test Scenario | Load | ") && !section.contains("Added P50"), "{section}");
    assert!(rows[0].ends_with("| 1 in flight |") && rows[1].ends_with("| 4 in flight |"), "{rows:?}");
}

#[test]
fn levels_have_a_table_with_what_the_gateway_adds_at_each() {
    let bench = Bench::new();
    let gateway = Target::with_latencies(vec![Duration::from_millis(6)]);
    let upstream = Target::with_latencies(vec![Duration::from_millis(2)]);
    let flags = [
        "--rate",
        "400,200",
        "--requests",
        "200",
        "--repeats",
        "3",
        "--warmup",
        "20ms",
        "--cool-down",
        "1ms",
    ];
    let finished = compare(&bench, &gateway, &upstream, &flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let section = results.summary.split("\n## By level\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> =
        section.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert_eq!(rows[0].last(), Some(&"Added P99"), "{section}");
    assert_eq!(rows.iter().skip(2).map(|row| row[1]).collect::<Vec<_>>(), ["200 req/s", "400 req/s"]);
    // What stands there is what the record says of that level.
    let low = &results.report["results"][1];
    assert_eq!(low["load"]["rate_millihertz"], 200_000);
    let added = &low["overhead"]["response_time"]["p50"];
    let added = format!("{:+.3} ms [", added["added_ns"].as_f64().unwrap() / 1e6);
    assert!(rows[2][7].starts_with(&added), "{added} in {section}");
    assert!(rows[2][8].contains(" ms ["), "{section}");
    assert!(rows[2][9].contains("too few samples"), "2 of 200 are beyond it: {section}");
}

#[test]
fn a_rule_that_is_accepted_leaves_the_verdict_alone() {
    let target = || {
        Target::scripted(
            |number, request| if number % 10 == 0 { Reply::json(500, "{}") } else { Reply::good(request) },
        )
    };
    for (flags, verdict) in
        [(&[][..], "suspect"), (&["--accept", "failures,starved,stalled,start_skew,generator_cpu"], "valid")]
    {
        let (bench, target) = (Bench::new(), target());
        let url = target.url();
        let arguments =
            ["run", "--scenario", "simple_chat", "--target", &url, "--requests", "100", "--quiet"];
        let finished = bench.run(&[&arguments, flags].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let results = Results::of(&bench);
        assert_eq!(results.report["verdict"], verdict, "{}", results.summary);
        assert!(
            results.summary.contains(" requests failed ("),
            "it is told all the same: {}",
            results.summary
        );
    }
    let unknown = Bench::new().run(&["run", "--accept", "failure"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean `failures`?"), "{}", unknown.stderr);
}

#[test]
fn flags_about_the_upstream_need_one() {
    for (flags, problem) in [
        (
            &["--direct-path", "/x"][..],
            "--direct-path is about the upstream beside the gateway; give --direct, or leave it out",
        ),
        (
            &["--direct", "http://127.0.0.1:1"],
            "--direct is about a target of your own, and the built-in mock is none",
        ),
        (&["--concurrency", "2,2"], "--concurrency names a level twice"),
    ] {
        let finished = Bench::new().run(&[&["run"], flags].concat());
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(problem), "{}", finished.stderr);
    }
}

#[test]
fn an_upstream_that_refuses_is_found_before_the_load() {
    let (bench, gateway) = (Bench::new(), Target::good());
    let upstream = Target::scripted(|_, _| Reply::json(401, r#"{"error":"no key"}"#));
    let finished = compare(&bench, &gateway, &upstream, &["--requests", "10"]);
    assert_eq!((finished.code, gateway.counts().load), (Some(1), 0));
    assert!(
        finished.stderr.contains("status 401 (check the upstream's key in DIRECT_API_KEY)"),
        "{}",
        finished.stderr
    );
}
