//! Two runs beside each other, end to end.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::process::{Bench, Finished};
use support::results::Results;
use support::target::Target;

/// A run in a folder of its own, against a target that takes so long.
fn run(millis: u64, flags: &[&str]) -> (Bench, String) {
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(millis)]));
    let url = target.url();
    let common = ["run", "--scenario", "simple_chat", "--quiet", "--target", &url, "--concurrency", "4"];
    let finished = bench.run(&[&common[..], flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let path = Results::of(&bench).report_path;
    (bench, path.to_str().unwrap().to_owned())
}

fn compare(old: &str, new: &str, flags: &[&str]) -> Finished {
    let finished = Bench::new().run(&[&["compare", old, new], flags].concat());
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

#[test]
fn a_slower_target_fails_and_the_same_one_does_not() {
    // As short as it may be: an interval takes five whole seconds.
    let duration = ["--duration", "5s"];
    let ((old_bench, old), (_new_bench, new)) = (run(10, &duration), run(30, &duration));

    let worse = compare(&old, &new, &["--format", "junit"]);
    assert_eq!(worse.code, Some(4), "{}{}", worse.stdout, worse.stderr);
    assert!(
        worse.stdout.contains("<failure message=") && worse.stdout.contains("WORSE than 5 %"),
        "{}",
        worse.stdout
    );
    let tolerated = "mean=900%,p50=900%,p95=900%,p99=900%,throughput=99%";
    assert_eq!(compare(&old, &new, &["--tolerance", tolerated]).code, Some(0));
    assert_eq!(compare(&new, &old, &[]).code, Some(0), "faster is no failure");

    // By its folder, and by its summary.
    let folder = old.trim_end_matches("/report.json");
    let (results, stamp) = folder.rsplit_once('/').unwrap();
    let same = compare(folder, &format!("{results}/summary_{stamp}.md"), &[]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.starts_with("ok      simple_chat: mean +0.0 % ["), "{}", same.stdout);
    drop(old_bench);
}

#[test]
fn runs_that_differ_in_more_than_their_figures_are_refused_with_the_list() {
    let ((_one, old), (_other, new)) =
        (run(0, &["--requests", "40"]), run(0, &["--requests", "30", "--workers", "1"]));
    let refused = compare(&old, &new, &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    for said in ["the number of workers (2 and 1)", "simple_chat: the extent (", "--force"] {
        assert!(refused.stderr.contains(said), "no {said}: {}", refused.stderr);
    }
    let forced = compare(&old, &new, &["--force"]);
    assert_eq!(forced.code, Some(0), "a short run fails nobody: {}{}", forced.stdout, forced.stderr);
    assert!(forced.stdout.contains("differs: the number of workers (2 and 1)\n"), "{}", forced.stdout);
    assert!(forced.stdout.contains("unknown simple_chat: mean "), "{}", forced.stdout);

    let missing = compare("nowhere", &new, &[]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("there is no nowhere: name a run's folder"), "{}", missing.stderr);
    assert_eq!(compare(&old, &new, &["--tolerance", "p90=5%"]).code, Some(2));
}
