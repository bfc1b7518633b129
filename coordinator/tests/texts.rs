//! What commands print that measure nothing, against what somebody has looked at.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::process::Bench;

/// What a command prints. `BLESS=1` writes that anew, to be looked at.
fn holds(name: &str, bench: &Bench, arguments: &[&str]) {
    let finished = bench.run(arguments);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    let told = finished.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn scenarios_and_one_of_them() {
    let bench = Bench::new();
    holds("scenarios.txt", &bench, &["scenarios"]);
    holds("scenario_tools.txt", &bench, &["scenarios", "chat_with_tools_stream", "--model", "a-model"]);
}

#[test]
fn plans_that_are_told_and_not_carried_out() {
    let bench = Bench::new();
    let run = ["run", "--dry-run", "--scenario", "simple_chat,chat_with_tools"];
    let arms = ["--target", "http://gateway:9000", "--direct", "http://upstream:8000", "--workers", "3"];
    holds("dry_run_arms.txt", &bench, &[&run[..], &arms, &["--repeats", "2", "--threads", "2"]].concat());
    let mix = ["run", "--dry-run", "--mix", "simple_chat=7,simple_chat_stream=3", "--threads", "1"];
    let load = ["--target", "http://gateway:9000", "--rate", "50,200", "--duration", "30s", "--workers", "2"];
    holds("dry_run_mix.txt", &bench, &[&mix[..], &load].concat());
    let search = ["capacity", "--dry-run", "--scenario", "simple_chat", "--target", "http://gateway:9000"];
    let bounds = ["--max-rate", "800", "--slo", "p95<50ms", "--workers", "1", "--threads", "1"];
    holds("dry_run_search.txt", &bench, &[&search[..], &bounds].concat());
}

#[test]
fn what_init_tells() {
    holds("init.txt", &Bench::new(), &["init"]);
}

#[test]
fn no_results_yet() {
    holds("list_none.txt", &Bench::new(), &["list"]);
}
