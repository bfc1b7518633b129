//! Past results as `list` and `open` show them.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use support::process::{BOUND, Bench};
use support::results::Results;

/// A bench with one run in its results.
fn with_a_run() -> (Bench, String) {
    let bench = Bench::new();
    let flags = ["run", "--scenario", "simple_chat", "--requests", "40", "--quiet", "--threshold", "p50<1ns"];
    assert_eq!(bench.run(&flags).code, Some(4));
    let folder = Results::of(&bench).report_path.parent().unwrap().to_owned();
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    (bench, name)
}

#[test]
fn past_runs_are_listed_with_their_figures() {
    let (bench, name) = with_a_run();
    fs::create_dir(bench.folder().join("results/20200101_000000")).unwrap();
    let listed = bench.run(&["list"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    let line = listed.stdout.lines().nth(1).unwrap();
    assert!(
        line.starts_with(&name) && line.contains("simple_chat") && line.contains("1 missed"),
        "{}",
        listed.stdout
    );
    assert!(line.contains("the built-in mock") && line.contains("10 in flight"), "{}", listed.stdout);
    assert!(listed.stdout.contains("20200101_000000: report.json is not there"), "{}", listed.stdout);

    let json: Value = serde_json::from_str(&bench.run(&["list", "--format", "json"]).stdout).unwrap();
    let report = Results::of(&bench).report;
    assert_eq!(
        json["runs"][0]["scenarios"][0]["p95_ns"],
        report["results"][0]["gateway"]["figures"]["response_time"]["p95_ns"]
    );
    assert_eq!(json["unusable"][0]["run"], "20200101_000000");

    // In the zone of whoever asks.
    let elsewhere = Bench::new().variable("TZ", "Asia/Kathmandu");
    let results = bench.folder().join("results");
    let listed = elsewhere.run(&["list", "--results-dir", results.to_str().unwrap()]);
    assert!(listed.stdout.contains(" +05:45  "), "{}", listed.stdout);
    let nothing = elsewhere.run(&["list"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), "no results yet\n"));
}

#[test]
fn the_last_report_is_opened_or_its_path_printed() {
    let (bench, name) = with_a_run();
    let summary = format!("results/summary_{name}.md");
    let page = format!("results/{name}/report.html");
    let last = if bench.folder().join(&page).exists() { &page } else { &summary };
    let printed = bench.run(&["open"]);
    assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), format!("{last}\n").as_str()));
    let wrong = bench.run(&["open", &format!("{name}0")]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains(&format!("did you mean `{name}`?")), "{}", wrong.stderr);

    // On a terminal, by a desktop that notes what it is asked for; and where there is none.
    let opener = bench.file("bin/xdg-open", "#!/bin/sh\necho \"$1\" > opened\n");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let on_terminal = |path: &str| {
        let program = support::process::PROGRAM;
        let script = format!("PATH={path} script -qec '{program} open {name}' /dev/null");
        bench.start_program("bash", &["-c", &script]).wait(BOUND)
    };
    let opened = on_terminal("$PWD/bin:$PATH");
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    assert_eq!(fs::read_to_string(bench.folder().join("opened")).unwrap(), format!("{last}\n"));
    fs::write(&opener, "#!/bin/sh\nexit 3\n").unwrap();
    let printed = on_terminal("$PWD/bin:$PATH");
    assert_eq!(printed.stdout.trim(), last.as_str());
}
