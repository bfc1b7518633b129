//! The documents against the program: `.env.example` names what help names, and what the README shows can be typed.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use support::process::Bench;

#[test]
fn the_example_file_holds_every_variable_and_no_other() {
    let example = include_str!("../../.env.example");
    let listed: Vec<&str> = example.lines().filter_map(variable).collect();

    // Three that have no flag.
    let keys = ["ARCHESTRA_BENCHMARK_API_KEY", "OPENAI_API_KEY", "DIRECT_API_KEY"];
    let mut known: BTreeSet<String> = keys.map(str::to_owned).into();
    for command in ["run", "capacity", "setup", "pki", "worker", "mock"] {
        let help = Bench::new().run(&[command, "--help"]).stdout;
        let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split([']', '=']).next());
        let before = known.len();
        known.extend(named.map(str::to_owned));
        assert!(known.len() > before || command == "pki", "{help}");
    }
    // Two that no file may set.
    for program in ["ARCHESTRA_BENCH_SSH", "ARCHESTRA_BENCH_WORKER_BINARY"] {
        assert!(known.remove(program) && example.contains(program), "{program}");
    }
    assert_eq!(listed.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), known);
    assert_eq!(listed.len(), known.len(), "each is listed once");
}

#[test]
fn the_readmes_scenario_file_can_be_run() {
    let bench = Bench::new();
    bench.file("capital.toml", block("```toml\n"));
    let finished = bench.run(&["run", "--requests", "20", "--scenario", "capital.toml", "--quiet"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("| capital |"), "{}", finished.stdout);
}

#[test]
fn the_readmes_flags_exist() {
    let help = ["run", "capacity", "report", "compare", "setup", "pki", "worker", "mock"]
        .map(|command| Bench::new().run(&[command, "--help"]).stdout);
    let known: BTreeSet<&str> = help.iter().flat_map(|text| flags(text)).chain(CARGOS).collect();
    let commands = README.lines().filter(|line| line.contains("archestra-bench") || line.starts_with("| "));
    let named: BTreeSet<&str> = commands.flat_map(flags).collect();
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(named.len() > 15, "only {named:?} were found");
}

fn flags(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !(character.is_ascii_lowercase() || character == '-'));
    words.filter(|word| word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_alphabetic)))
}

const README: &str = include_str!("../../README.md");

/// Flags of cargo, which the README shows as well.
const CARGOS: [&str; 2] = ["--release", "--workspace"];

/// The README's first block of this kind.
fn block(start: &str) -> &'static str {
    README.split(start).nth(1).unwrap().split("```").next().unwrap()
}

/// The variable that a line sets, commented out or not.
fn variable(line: &'static str) -> Option<&'static str> {
    let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then_some(name)
}
