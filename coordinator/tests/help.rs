//! What the program says before it does anything: help, short and long, of every command, and plans that are told. Held
//! against what somebody has read; `BLESS=1` writes that anew, to be read.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::pages::{COMMANDS, root};
use support::process::Bench;

#[test]
fn help_is_what_somebody_has_read() {
    holds("archestra-bench", &["-h", "--help"]);
    for command in COMMANDS {
        holds(command, &[&format!("{command} -h"), &format!("{command} --help")]);
    }
}

#[test]
fn what_a_beginner_is_told_is_what_somebody_has_read() {
    holds("told_init", &["init", "init"]);
    holds("told_scenarios", &["scenarios", "scenarios simple_chat", "scenarios chat_with_tools"]);
    holds("told_mistakes", &["list", "open", "verify results/1", "frobnicate", "run --concurency 3"]);
}

#[test]
fn plans_are_what_somebody_has_read() {
    let plans = [
        "run",
        "run --direct http://127.0.0.1:8 --rate 100 --duration 2s",
        "run --stage 5s:100/s,5s:..500/s --scenario simple_chat_stream",
        "run --fleet gcp --project p --zone z --workers 16 --rate 2000 --duration 60s",
        "capacity --slo p99<250ms",
    ];
    let plans = plans.map(|plan| format!("{plan} --target http://127.0.0.1:9 --seed 7 --dry-run"));
    holds("told_plans", &plans.each_ref().map(String::as_str));
}

/// What these commands write in turn, in one folder, with how they end.
fn holds(name: &str, commands: &[&str]) {
    let bench = Bench::new();
    let mut told = String::new();
    for command in commands {
        let finished = bench.run(&command.split(' ').collect::<Vec<_>>());
        told += &format!("$ archestra-bench {command}\n{}{}", finished.stdout, finished.stderr);
        told += &format!("(exits with {})\n\n", finished.code.unwrap());
    }
    let path = root().join(format!("coordinator/tests/snapshots/help/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &told).unwrap();
    }
    let read = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(told, read, "{}: BLESS=1 writes it anew", path.display());
}
