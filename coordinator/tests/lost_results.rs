//! Results that cannot be written: what was measured is shown all the same.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::process::{BOUND, Bench, PROGRAM};
use support::request::{Purpose, Reply};
use support::results::{Results, names};
use support::target::Target;

/// A good target that does something else at some requests of its load, which are counted from 0.
fn target_that_meanwhile(does: impl Fn(u64) + Send + Sync + 'static) -> Target {
    Target::scripted(move |number, request| {
        if request.purpose() == Purpose::Load {
            does(number);
        }
        Reply::good(request)
    })
}

/// Where results are, and where they are hidden.
fn folders(bench: &Bench) -> (PathBuf, PathBuf) {
    (bench.folder().join("results"), bench.folder().join("elsewhere"))
}

/// A file in the place of the folder of results.
fn hide((results, elsewhere): &(PathBuf, PathBuf)) {
    fs::rename(results, elsewhere).unwrap();
    fs::write(results, "a file").unwrap();
}

/// Three blocks of 40 requests.
const THREE: [&str; 12] = [
    "--scenario",
    "simple_chat",
    "--concurrency",
    "2,4,8",
    "--requests",
    "40",
    "--queueing-check=false",
    "--cool-down",
    "10ms",
    "--warmup",
    "none",
    "--quiet",
];

#[test]
fn a_folder_that_vanishes_takes_the_files_along_and_not_the_figures() {
    let bench = Bench::new().variable("GITHUB_STEP_SUMMARY", "page.md");
    let of_target = folders(&bench);
    let target = target_that_meanwhile(move |number| {
        if number == 41 {
            hide(&of_target)
        }
    });
    let url = target.url();
    let finished = bench.run(&[&["run", "--target", &url, "--junit", "junit.xml"], &THREE[..]].concat());
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(target.counts().load, 120, "it goes on");
    assert!(finished.stderr.contains("the run goes on"), "{}", finished.stderr);
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: results/") && last.contains("cannot be written: check that"), "{last}");
    for level in ["2 in flight", "4 in flight", "8 in flight"] {
        assert!(finished.stdout.contains(level), "no {level} in {}", finished.stdout);
    }
    assert!(!finished.stdout.contains("Summary: "), "nothing is where it would be");
    assert_eq!(fs::read_to_string(bench.folder().join("page.md")).unwrap(), format!("{}\n", finished.stdout));
    assert!(fs::read_to_string(bench.folder().join("junit.xml")).unwrap().contains("<testcase"));
    assert_eq!(names(&bench), [""; 0]);
}

#[test]
fn a_folder_that_is_there_again_has_everything() {
    let bench = Bench::new();
    let of_target = folders(&bench);
    let target = target_that_meanwhile(move |number| match number {
        41 => hide(&of_target),
        81 => {
            fs::remove_file(&of_target.0).unwrap();
            fs::rename(&of_target.1, &of_target.0).unwrap();
        }
        _ => {}
    });
    let url = target.url();
    let finished = bench.run(&[&["run", "--target", &url], &THREE[..]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("the run goes on"), "{}", finished.stderr);
    let report = Results::of(&bench).report_path;
    let verified = bench.run(&["verify", report.to_str().unwrap()]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn a_search_goes_on_without_its_folder() {
    let bench = Bench::new();
    let of_target = folders(&bench);
    // The first step asks for 20 a second over some seconds.
    let target = target_that_meanwhile(move |number| {
        if number == 5 {
            hide(&of_target)
        }
    });
    let url = target.url();
    let search =
        ["capacity", "--target", &url, "--scenario", "simple_chat", "--slo", "p99<1ns", "--start-rate", "20"];
    let finished = bench
        .run(&[&search[..], &["--step", "1s", "--workers", "1", "--quiet", "--junit", "junit.xml"]].concat());
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("the run goes on"), "{}", finished.stderr);
    assert!(finished.stdout.contains("p99<1ns"), "{}", finished.stdout);
    assert!(bench.folder().join("junit.xml").exists());
}

#[test]
fn a_disk_without_room_leaves_whole_lines_and_the_summary() {
    let (bench, target) = (Bench::new(), Target::good());
    let url = target.url();
    // 16 KiB for each file stand for the room on the disk; a pipe has all that it needs.
    let limited = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let run = [
        "-c",
        limited,
        PROGRAM,
        "run",
        "--target",
        &url,
        "--scenario",
        "simple_chat",
        "--junit",
        "junit.xml",
    ];
    let flags = [
        "--concurrency",
        "2,4",
        "--duration",
        "2s",
        "--queueing-check=false",
        "--cool-down",
        "10ms",
        "--quiet",
    ];
    let finished = bench.start_program("sh", &[&run[..], &flags].concat()).wait(BOUND);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.lines().last().unwrap().contains("cannot be written"), "{}", finished.stderr);
    for level in ["2 in flight", "4 in flight"] {
        assert!(finished.stdout.contains(level), "no {level} in {}", finished.stdout);
    }
    assert!(bench.folder().join("junit.xml").exists());
    let folder = names(&bench).into_iter().find(|name| !name.starts_with("summary_")).unwrap();
    let log =
        fs::read_to_string(bench.folder().join("results").join(folder).join("intervals.jsonl")).unwrap();
    assert!(log.ends_with('\n'), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!((1..8).contains(&lines.len()), "{} of 8 lines or more have room", lines.len());
}

#[test]
fn test_cases_are_there_where_standard_output_has_no_room() {
    let (bench, target) = (Bench::new(), Target::good());
    let url = target.url();
    let full = "exec \"$0\" \"$@\" > /dev/full";
    let run = [
        "-c",
        full,
        PROGRAM,
        "run",
        "--target",
        &url,
        "--scenario",
        "simple_chat",
        "--requests",
        "40",
        "--quiet",
    ];
    let finished = bench.start_program("sh", &[&run[..], &["--junit", "junit.xml"]].concat()).wait(BOUND);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("standard output cannot be written"), "{}", finished.stderr);
    assert!(finished.stderr.contains("the results are in results/summary_"), "{}", finished.stderr);
    assert!(fs::read_to_string(bench.folder().join("junit.xml")).unwrap().contains("<testcase"));
}
