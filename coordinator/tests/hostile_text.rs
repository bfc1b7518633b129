//! Text of others in what a terminal and a page get to see, end to end: it is shown, and does nothing.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use support::process::Bench;
use support::request::{Purpose, Reply};
use support::target::Target;

/// Fails where anything in it steers a terminal.
fn steers_nothing(text: &str) {
    let steering: Vec<char> = text
        .chars()
        .filter(|character| (character.is_control() && *character != '\n') || *character == '\u{202e}')
        .collect();
    assert!(steering.is_empty(), "{steering:?} in {text:?}");
}

#[test]
fn a_record_of_somebody_else_steers_no_terminal() {
    let bench = Bench::new();
    bench.file(
        "theirs/report.json",
        r#"{"verdict": "\u001b]52;c;ZWNobw==\u0007\u009b2J\u202e", "schema_version": 3}"#,
    );
    for arguments in
        [&["report", "theirs"][..], &["verify", "theirs/report.json"], &["compare", "theirs", "theirs"]]
    {
        let finished = bench.run(arguments);
        assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("\u{fffd}]52;c;ZWNobw==\u{fffd}"), "{:?}", finished.stderr);
        steers_nothing(&finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1);
    }
}

#[test]
fn an_answer_of_a_target_steers_no_terminal() {
    const ANSWER: &str = "no\r\n\u{1b}]52;c;ZWNobw==\u{7}\u{202e}yek";
    let refusing = Target::status(401, ANSWER);
    let refused = Bench::new().run(&["run", "--target", &refusing.url()]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("the answer begins: no  \u{fffd}]52;"), "{:?}", refused.stderr);
    steers_nothing(&refused.stderr);

    let busy = Target::scripted(|_, request| match request.purpose() {
        Purpose::Preflight => Reply::json(503, ANSWER),
        _ => Reply::good(request),
    });
    let warned =
        Bench::new().run(&["run", "--target", &busy.url(), "--scenario", "simple_chat", "--requests", "20"]);
    assert_eq!(warned.code, Some(0), "{}", warned.stderr);
    assert!(
        warned.stderr.contains("warning: the preflight of simple_chat from worker 0"),
        "{:?}",
        warned.stderr
    );
    steers_nothing(&warned.stderr);
    steers_nothing(&warned.stdout);
}
