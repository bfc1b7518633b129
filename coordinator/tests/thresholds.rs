//! Thresholds, end to end: from a flag or a file to the exit code.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use support::process::{Bench, Finished};
use support::results::{Results, names};
use support::target::Target;

fn run(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let common = ["run", "--scenario", "simple_chat", "--requests", "20", "--quiet", "--target", &url];
    bench.run(&[&common[..], flags].concat())
}

#[test]
fn thresholds_that_hold_are_reported_and_change_nothing() {
    let (bench, target) = (Bench::new(), Target::good());
    let finished = run(
        &bench,
        &target,
        &["--threshold", "p95<20s,failed<=0", "--threshold", "simple_chat:throughput>0.01/s"],
    );
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let judged = results.report["thresholds"].as_array().unwrap();
    let outcomes: Vec<_> = judged
        .iter()
        .map(|judged| (judged["threshold"].as_str().unwrap(), judged["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        outcomes,
        [("p95<20s", "passed"), ("failed<=0", "passed"), ("simple_chat:throughput>0.01/s", "passed")]
    );
    assert!(judged[0]["measured"]["nanos"].as_f64().unwrap() > 0.0);
    let row = "| failed&lt;=0 | simple_chat | – | passed | 0 |";
    assert!(
        results.summary.contains("## Thresholds\n") && results.summary.contains(row),
        "{}",
        results.summary
    );

    let path = results.report_path.to_str().unwrap();
    assert_eq!(bench.run(&["report", path]).stdout, results.summary);
    assert_eq!(bench.run(&["verify", path]).code, Some(0));
    let forged = std::fs::read_to_string(path).unwrap().replacen(
        "\"outcome\": \"passed\"",
        "\"outcome\": \"missed\"",
        1,
    );
    std::fs::write(path, forged).unwrap();
    let verified = bench.run(&["verify", path]);
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.stdout.contains("FAILED  the thresholds are judged by the figures"),
        "{}",
        verified.stdout
    );
}

#[test]
fn a_missed_threshold_exits_with_4_and_says_by_what() {
    let (bench, target) = (Bench::new(), Target::good());
    bench.file(".env", "ARCHESTRA_BENCH_THRESHOLDS='p50<1ns, failed<1%, ttft.p95<1s'\n");
    let finished = run(&bench, &target, &[]);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let said = &finished.stderr;
    assert!(said.contains("error: 2 of 3 thresholds missed: `p50<1ns` of simple_chat is missed ("), "{said}");
    assert!(said.contains("`ttft.p95<1s` of simple_chat cannot be judged (nothing was streamed)"), "{said}");
    assert!(Results::of(&bench).summary.contains("| p50&lt;1ns | simple_chat | – | missed | "));
    // A flag takes the place of the file.
    assert_eq!(run(&bench, &target, &["--threshold", "failed<1%"]).code, Some(0));
}

#[test]
fn figures_that_mean_nothing_neither_pass_nor_miss_a_threshold() {
    let bench = Bench::new();
    let target = Target::scripted(|_, request| {
        use support::request::{Purpose, Reply};
        if request.purpose() == Purpose::Preflight { Reply::good(request) } else { Reply::json(500, "") }
    });
    let finished = run(&bench, &target, &["--threshold", "failed<=0"]);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert_eq!(Results::of(&bench).report["thresholds"][0]["outcome"], "missed");
}

#[test]
fn what_cannot_be_judged_is_refused_before_anything_is_sent() {
    let (bench, target) = (Bench::new(), Target::good());
    for (threshold, said) in [
        ("simple_chat:p59<80ms", "did you mean `p50`?\n  simple_chat:p59<80ms\n              ^\n"),
        ("p95<80", "expected ns, us, ms or s after the number\n  p95<80\n        ^\n"),
        (
            "simple_chta:p95<1s",
            "--threshold names the scenario `simple_chta`, which is not run; did you mean `simple_chat`?",
        ),
        ("overhead.p50<5ms", "--threshold: `overhead.p50<5ms` needs --direct"),
    ] {
        let finished = run(&bench, &target, &["--threshold", threshold]);
        assert_eq!(finished.code, Some(2), "{threshold}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{threshold}: {}", finished.stderr);
    }
    assert_eq!((target.counts().preflight, names(&bench)), (0, vec![]));
}
