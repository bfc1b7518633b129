//! The scenarios as `scenarios` lists and shows them, against what a target really gets.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};

use support::process::Bench;
use support::request::{Purpose, Reply, Request};
use support::target::Target;

#[test]
fn the_list_names_each_with_its_size_its_way_and_what_is_good() {
    let listed = Bench::new().run(&["scenarios"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    for part in [
        "simple_chat\n  sends   a short question to a chat model, ",
        "chat_with_tools_stream\n",
        "in one piece; good when it has a status of 2xx, /choices/0/message/content\n",
        "streamed; good when it has a status of 2xx, events with content, up to data: [DONE]\n",
        " bytes\n",
    ] {
        assert!(listed.stdout.contains(part), "{part:?} in\n{}", listed.stdout);
    }
}

#[test]
fn what_is_shown_is_what_is_sent_without_secrets() {
    let bench = Bench::new().variable("ARCHESTRA_BENCHMARK_API_KEY", "sk-very-secret");
    let sent: Arc<Mutex<Vec<Request>>> = Arc::default();
    let target = Target::scripted({
        let sent = Arc::clone(&sent);
        move |_, request| {
            sent.lock().unwrap().push(request.clone());
            Reply::good(request)
        }
    });
    let url = target.url();
    let flags = [
        "--target",
        &url,
        "--model",
        "my-model",
        "--header",
        "x-team: checkout",
        "--header",
        "x-token: opensesame",
    ];
    let shown = bench.run(&[&["scenarios", "chat_with_tools"][..], &flags].concat());
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    assert!(
        !shown.stdout.contains("sk-very-secret") && !shown.stdout.contains("opensesame"),
        "{}",
        shown.stdout
    );
    for line in ["authorization: Bearer [redacted]", "x-token: [redacted]", "x-team: checkout"] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line} in\n{}", shown.stdout);
    }

    let run = [
        "run",
        "--scenario",
        "chat_with_tools",
        "--requests",
        "1",
        "--concurrency",
        "1",
        "--warmup",
        "none",
        "--quiet",
    ];
    assert_eq!(bench.run(&[&run[..], &flags].concat()).code, Some(0));
    let sent =
        sent.lock().unwrap().iter().find(|request| request.purpose() == Purpose::Load).unwrap().clone();
    let body = String::from_utf8(sent.body.clone()).unwrap();
    assert!(
        body.contains("my-model") && shown.stdout.contains(&format!("\n\n{body}\n")),
        "{body}\nin\n{}",
        shown.stdout
    );
    for (name, _) in &sent.headers {
        let is_shown = shown
            .stdout
            .lines()
            .any(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
        assert!(is_shown, "{name} in\n{}", shown.stdout);
    }
}

#[test]
fn files_are_shown_and_what_is_not_there_is_named() {
    let bench = Bench::new();
    bench
        .file("varied.toml", "body = '{\"n\": {{ seq }}, \"id\": \"{{ uuid }}\"}'\n[expect]\nstatus = 201\n");
    let shown = bench.run(&["scenarios", "varied.toml", "--bodies", "7"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown.stdout.contains("the load has 7 others") && shown.stdout.contains("status 201"),
        "{}",
        shown.stdout
    );
    let unknown = bench.run(&["scenarios", "simple_chta"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean `simple_chat`?"), "{}", unknown.stderr);
}
