//! Requests that keep to a goal, and those that do not, end to end.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::process::Bench;
use support::request::Reply;
use support::results::Results;
use support::target::Target;

#[test]
fn half_of_the_requests_are_late_and_a_threshold_says_so() {
    // Every other answer takes far longer than the goal allows, and the others far less.
    let target = Target::scripted(|number, request| {
        Reply::good(request).after(Duration::from_millis(if number % 2 == 0 { 400 } else { 0 }))
    });
    let (bench, url) = (Bench::new(), target.url());
    let flags = [
        "run",
        "--target",
        &url,
        "--scenario",
        "simple_chat",
        "--requests",
        "40",
        "--concurrency",
        "4",
        "--warmup",
        "none",
        "--workers",
        "2",
        "--quiet",
        "--goodput",
        "response<300ms",
        "--threshold",
        "goodput>90%",
    ];
    let finished = bench.run(&flags);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert!(finished.stderr.contains("`goodput>90%` of simple_chat is missed"), "{}", finished.stderr);
    let results = Results::of(&bench);
    let late = results.count(0, "late");
    assert!((18..=30).contains(&late), "{late} of 40 were late");
    assert_eq!(results.block(0)["figures"]["late"], late);
    assert_eq!(results.block(0)["scenario"]["goal"]["response_time_ns"], 299_999_999);
    assert_eq!(results.count(0, "successes"), 40, "a late success is one");
    let row = results.summary.lines().find(|line| line.contains("response up to")).unwrap().to_owned();
    assert!(row.contains(&format!("| {late} | {:.1} % |", (40 - late) as f64 / 0.4)), "{row}");
    results.assert_verified(&bench);
}

#[test]
fn goals_that_nothing_can_be_held_to_are_refused() {
    let bench = Bench::new();
    for (flags, part) in [
        (
            &["--goodput", "ttft<1s", "--scenario", "simple_chat"][..],
            "--goodput bounds what only streams have",
        ),
        (&["--threshold", "goodput>9%"], "give --goodput as well"),
        (&["--goodput", "tfft<1s"], "did you mean `ttft`?"),
        (&["--threshold", "goodput>9", "--goodput", "response<1s"], "expected % after the number"),
    ] {
        let refused = bench.run(&[&["run"], flags].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
}
