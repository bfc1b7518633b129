//! What is asked for and what counts as a good answer: scenario files, and streams event by event.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::process::{Bench, Finished, Running};
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::{Counts, Target};

const A_WHILE: Duration = Duration::from_secs(20);

/// Runs without warm-up, and expects it to go well.
fn run(bench: &Bench, url: &str, flags: &[&str]) -> Finished {
    let finished = bench.run(&[&["run", "--target", url, "--warmup", "none"], flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished
}

/// An `archestra-bench mock` and its URL; it is ended with the test.
fn mock(bench: &Bench, flags: &[&str]) -> (Running, String) {
    let mock = bench.start(&[&["mock", "--listen", "127.0.0.1:0"], flags].concat());
    mock.wait_for("listening on ", A_WHILE);
    let url = mock.stdout().trim().trim_start_matches("listening on ").to_owned();
    (mock, url)
}

#[test]
fn a_scenario_file_is_sent_as_it_says() {
    // Whatever differs is a 400, with which the preflight stops the run.
    let target = Target::scripted(|_, request| {
        let expected = [
            ("x-team", Some("checkout")),
            ("x-both", Some("the user's")),
            ("authorization", None),
            ("content-type", Some("application/x-ndjson")),
            ("accept-encoding", Some("identity")),
            ("content-length", Some("12")),
        ];
        let as_expected = expected.iter().all(|(name, value)| request.header(name) == *value)
            && (request.method.as_str(), request.path.as_str()) == ("PUT", "/v2/things?dry=1")
            && request.body == b"{\"a\":1}\n{}\r\n";
        Reply::json(if as_expected { 201 } else { 400 }, &format!("{request:?}"))
    });
    let bench = Bench::new();
    bench.file("files/things.ndjson", "{\"a\":1}\n{}\r\n");
    bench.file(
        "files/things.toml",
        "method = \"PUT\"\npath = \"/v2/things?dry=1\"\nbody_file = \"things.ndjson\"\n\
         headers = { x-team = \"checkout\", x-both = \"the file's\", content-type = \"application/x-ndjson\" }\n\
         [expect]\nstatus = 201\n",
    );
    bench.file(
        "files/named.json",
        "{\"name\": \"other things\", \"method\": \"PUT\", \"path\": \"/v2/things?dry=1\", \
         \"headers\": {\"x-team\": \"checkout\", \"Content-Type\": \"application/x-ndjson\"}, \
         \"body\": \"{\\\"a\\\":1}\\n{}\\r\\n\"}",
    );
    let scenarios = ["--scenario", "files/things.toml", "--scenario", "files/named.json"];
    let headers = ["--header", "X-Both: the user's", "--header", "Authorization:"];
    run(&bench, &target.url(), &[&scenarios[..], &headers, &["--requests", "30"]].concat());
    assert_eq!(target.counts(), Counts { preflight: 4, load: 60, ..Counts::default() });

    let results = Results::of(&bench);
    let names = [0, 1].map(|block| results.block(block)["scenario"]["name"].clone());
    assert_eq!(names, ["things", "other things"]);
    assert_eq!([0, 1].map(|block| results.count(block, "successes")), [30, 30]);
}

#[test]
fn an_answer_is_good_when_it_is_what_the_scenario_expects() {
    // Of every five answers to the load three are wrong, each in its own way.
    let completion = |finish_reason: &str, model: &str| {
        let choice = format!("{{\"message\":{{\"content\":\"Hi\"}},\"finish_reason\":{finish_reason}}}");
        Reply::json(200, &format!("{{\"model\":\"{model}\",\"choices\":[{choice}]}}"))
    };
    let target = Target::scripted(move |number, request| match (request.purpose(), number % 5) {
        (Purpose::Load, 0) => completion("\"length\"", "m"),
        (Purpose::Load, 1) => completion("\"stop\"", "another"),
        (Purpose::Load, 2) => Reply { bytes: b"HTTP/1.1 204 No Content\r\n\r\n".into(), ..Reply::default() },
        _ => completion("\"stop\"", "m"),
    });
    let bench = Bench::new();
    bench.file(
        "strict.toml",
        "path = \"/v1/chat/completions\"\nbody = { model = \"m\" }\n\
         [expect]\nstatus = 200\nfinish_reason = \"stop\"\nexists = [\"/choices/0/message/content\"]\nequals = { \"/model\" = \"m\" }\n",
    );
    run(&bench, &target.url(), &["--scenario", "strict.toml", "--requests", "100", "--concurrency", "4"]);

    let results = Results::of(&bench);
    assert_eq!(results.count(0, "successes"), 40);
    assert_eq!((results.failures(0, "body"), results.failures(0, "status")), (40, 20));
    for said in ["finish", "/model", "204"] {
        let (_, failures) = results.summary.split_once("## Failures").unwrap();
        assert!(failures.contains(said), "{said}: {failures}");
    }
}

#[test]
fn streams_are_timed_event_by_event() {
    let bench = Bench::new();
    let (_mock, url) = mock(&bench, &["--latency", "30ms", "--chunks", "5", "--chunk-interval", "10ms"]);
    let scenarios = ["--scenario", "simple_chat_stream", "--scenario", "chat_with_tools_stream"];
    run(&bench, &url, &[&scenarios[..], &["--requests", "60"]].concat());

    let results = Results::of(&bench);
    for block in 0..2 {
        let figures = &results.block(block)["figures"];
        let near = |figure: &serde_json::Value, milliseconds: f64| {
            let measured = figure.as_f64().unwrap() / 1e6;
            let plausible = milliseconds - 0.5..milliseconds + 15.0;
            assert!(plausible.contains(&measured), "{measured} for {milliseconds} ms");
        };
        near(&figures["time_to_first_token"]["p50_ns"], 30.0);
        near(&figures["inter_token_gap"]["p50_ns"], 10.0);
        // A tool call has an event for its name, together with the first of five for its arguments.
        let events = if block == 0 { 5 } else { 6 };
        assert_eq!(results.count(block, "content_events"), 60 * events);
        // The mock tells a token for each chunk, and one for each message that it was sent.
        let told = ["usage_reports", "output_tokens", "input_tokens"].map(|name| results.count(block, name));
        assert_eq!(told, [60, 60 * 5, 60 * 2]);
        let rate = figures["output_token_rate"].as_f64().unwrap();
        assert!((rate - 5.0 * figures["throughput"].as_f64().unwrap()).abs() < 1e-6, "{rate}");
        near(&figures["response_time"]["p50_ns"], 30.0 + 4.0 * 10.0);
        let together = figures["coalesced_share"].as_f64().unwrap();
        assert!(together < 0.3, "{together} arrived together");
    }
    assert!(results.summary.contains("TTFT P50"), "{}", results.summary);
}

#[test]
fn tokens_are_told_apart_from_events_and_where_some_streams_do_not_tell_them_it_says_so() {
    let untold = |request: &Request| {
        let mut asked = request.json();
        asked["stream_options"] = serde_json::Value::Null;
        Reply::good(&Request { body: asked.to_string().into_bytes(), ..request.clone() })
    };
    let summary = |every: u64| {
        let target = Target::scripted(move |number, request| match request.purpose() {
            Purpose::Load if number % every == 0 => untold(request),
            _ => Reply::good(request),
        });
        let bench = Bench::new();
        let flags = ["--scenario", "simple_chat_stream", "--requests", "40", "--queueing-check=false"];
        run(&bench, &target.url(), &flags);
        let results = Results::of(&bench);
        let told = ["usage_reports", "output_tokens", "input_tokens"].map(|name| results.count(0, name));
        assert_eq!(results.count(0, "successes"), 40);
        (told, results.block(0)["figures"]["output_token_rate"].is_null(), results.summary)
    };
    let (told, _, some) = summary(4);
    assert_eq!(told, [30, 90, 270]);
    assert!(some.contains("| Output tokens (1/s) |"), "{some}");
    assert!(some.contains("30 of 40 streams told theirs"), "{some}");

    let (told, is_none, none) = summary(1);
    assert_eq!((told, is_none), ([0; 3], true));
    assert!(!none.contains("tokens (1/s)") && none.contains("| Events (1/s) |"), "{none}");
}

#[test]
fn events_that_arrive_together_are_not_taken_for_speed() {
    let bench = Bench::new();
    let (_mock, url) = mock(&bench, &["--chunks", "20"]);
    run(&bench, &url, &["--scenario", "simple_chat_stream", "--requests", "100"]);
    let results = Results::of(&bench);
    assert_eq!(results.count(0, "content_events"), 2000);
    // The mock writes all twenty at once: the first comes with none before it, the others with the one before them.
    let share = results.block(0)["figures"]["coalesced_share"].as_f64().unwrap();
    assert!((0.8..=0.95).contains(&share), "{share}");
    assert!(
        results.summary.contains("arrived together in one read have a gap of zero"),
        "{}",
        results.summary
    );
}

#[test]
fn a_stream_cut_short_is_truncated_and_an_error_within_it_is_no_answer() {
    let stream = |request: &Request, events: &str, close| match request.purpose() {
        Purpose::Load => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
            let length = if close { String::new() } else { format!("content-length: {}\r\n", events.len()) };
            Reply { bytes: format!("{head}{length}\r\n{events}").into_bytes(), close, ..Reply::default() }
        }
        _ => Reply::good(request),
    };
    let token = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let target = Target::scripted(move |number, request| match number % 4 {
        0 => stream(request, token, true),
        1 => stream(request, &format!("{token}{error}data: [DONE]\n\n"), false),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    run(&bench, &target.url(), &["--scenario", "simple_chat_stream", "--requests", "40"]);
    let results = Results::of(&bench);
    let failures = ["truncated", "body"].map(|kind| results.failures(0, kind));
    assert_eq!((failures, results.count(0, "successes")), ([10, 10], 20), "{}", results.summary);
}
