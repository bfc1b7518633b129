//! `verify` against records of real runs of which something was changed: every byte, and every value on its own.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use coordinator::report::json::{from_json, to_json};
use coordinator::report::verify::{Check, verify, verify_file};
use serde_json::Value;

use support::process::Bench;
use support::request::Reply;
use support::results::Results;
use support::target::Target;

/// Values on which nothing else in a record depends, so that only the digest of the whole file finds a change of one: what
/// was asked for and what the machines were, in so far as no count tells. `#` stands for a number; what begins like one of
/// these is meant.
const FACTS: &[&str] = &[
    "run.command_line",
    "run.direct.",
    "run.environment.",
    "run.finished",
    "run.fleet",
    "run.order",
    "run.results_folder",
    "run.seed",
    "run.started",
    "run.target.",
    "run.tool.",
    "run.workers.#.",
    "blocks.#.parts.#.scenario.",
    "blocks.#.keep_alive",
    "blocks.#.scenario.",
    "blocks.#.seed",
    "blocks.#.started",
    "blocks.#.streams",
    "blocks.#.threads",
    "blocks.#.timeout_ns",
    "blocks.#.warm_up.",
    "blocks.#.weight",
    "blocks.#.workers.#.bodies",
    "blocks.#.workers.#.clock_advance_ns",
    "blocks.#.workers.#.end.start_lateness_m",
    "blocks.#.workers.#.host.",
    "blocks.#.workers.#.report_delay_ns",
    // Of one worker it decides how sure the start skew is; of the others, of nothing.
    "blocks.#.workers.#.round_trip_ns",
    "blocks.#.workers.#.start_offset_ns",
    "blocks.#.workers.#.threads",
    "blocks.#.workers.#.warm_up.bytes_",
    "blocks.#.workers.#.warm_up.coalesced_events",
    "blocks.#.workers.#.warm_up.connections_by_address.#.address",
    "blocks.#.workers.#.warm_up.content_events",
    "blocks.#.workers.#.warm_up.failures.#.detail",
    "blocks.#.workers.#.warm_up.failures.#.status",
    "blocks.#.workers.#.warm_up.input_tokens",
    "blocks.#.workers.#.warm_up.late",
    "blocks.#.workers.#.warm_up.output_tokens",
    "blocks.#.workers.#.warm_up.resent",
    "blocks.#.workers.#.warm_up.usage_reports",
];

/// A run with two arms, streams, failures and thresholds, of which everything that a record holds has a value.
fn run(bench: &Bench, flags: &[&str]) -> Results {
    let failing = |number: u64, request: &_| match number % 20 {
        7 => Reply::json(503, "{}"),
        _ => Reply::good(request).after(Duration::from_millis(1)),
    };
    let (gateway, upstream) = (Target::scripted(failing), Target::good());
    let (to, direct) = (gateway.url(), upstream.url());
    let always =
        ["run", "--quiet", "--target", &to, "--direct", &direct, "--cool-down", "1ms", "--warmup", "20ms"];
    let finished = bench.run(&[&always, flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    Results::of(bench)
}

/// A histogram with a value in each of its blocks: some characters that take a quarter of a megabyte when they are read.
const WIDE: &str = "HISTFAAAACl42pNpmSzMwMDUxgABzFA6Bch0M9ixgMH+A0SA6S/jKBpFA4wAuibcOA==";

#[test]
fn a_record_of_many_workers_takes_the_memory_of_few() {
    let (bench, target) = (Bench::new(), Target::good());
    let few = ["--requests", "4", "--workers", "1", "--scenario", "simple_chat"];
    let finished = bench.run(&[&["run", "--quiet", "--target", &target.url()][..], &few].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let mut report = Results::of(&bench).report;
    let mut worker = report["blocks"][0]["workers"][0].take();
    for histogram in worker["latencies"].as_object_mut().unwrap().values_mut() {
        histogram["v2_deflate"] = WIDE.into();
    }
    let workers = (0..200).map(|number| {
        worker["number"] = number.into();
        worker.clone()
    });
    report["blocks"][0]["workers"] = workers.collect::<Vec<_>>().into();
    let path = bench.file("many.json", &report.to_string());
    // All histograms at once take 400 MB.
    let limited = "ulimit -d 200000; exec \"$0\" verify \"$1\"";
    let program = env!("CARGO_BIN_EXE_archestra-bench");
    let verifying = bench.start_program("sh", &["-c", limited, program, path.to_str().unwrap()]);
    let finished = verifying.wait(Duration::from_secs(90));
    assert!(finished.stdout.contains(" checks, "), "{} {}", finished.stdout, finished.stderr);
}

/// Paths of all values within, in the order in which they stand.
fn leaves(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), into));
        }
        Value::Array(values) if !values.is_empty() => {
            values.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{path}/{at}"), into));
        }
        _ => into.push(path.to_owned()),
    }
}

/// Something else of the same kind.
fn changed(value: &Value) -> Value {
    match value {
        Value::Null => 1.into(),
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => match number.as_u64() {
            Some(number) => (number + 1).into(),
            None => (number.as_f64().unwrap() * 1.5 + 1.0).into(),
        },
        Value::String(text) => match text.as_bytes().last() {
            Some(b'a') => format!("{}b", &text[..text.len() - 1]).into(),
            // Within a histogram its bytes change, and it may still be one.
            Some(b'=') => text.replacen(['A', 'e'], "B", 1).into(),
            Some(_) if text.is_ascii() => format!("{}a", &text[..text.len() - 1]).into(),
            _ => format!("{text}a").into(),
        },
        Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

/// Without its numbers, so that the same value of another block has the same.
fn shape(path: &str) -> String {
    let names = path.split('/').skip(1);
    names.map(|name| if name.parse::<u32>().is_ok() { "#" } else { name }).collect::<Vec<_>>().join(".")
}

fn is_found(json: &Value) -> bool {
    let Ok(record) = from_json(json.to_string().as_bytes()) else { return true };
    verify(&record).iter().any(|check| check.problem.is_some())
}

fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| check.problem.is_some()).map(Check::to_string).collect()
}

#[test]
fn a_byte_that_is_flipped_anywhere_in_a_real_record_is_found() {
    let bench = Bench::new();
    let results = run(&bench, &["--scenario", "simple_chat", "--requests", "40", "--repeats", "1"]);
    let json = fs::read(&results.report_path).unwrap();
    assert_eq!(failed(&verify_file(&results.report_path).unwrap()), [""; 0]);
    // Alone, without the log of the intervals.
    fs::remove_file(results.report_path.with_file_name("intervals.jsonl")).unwrap();
    assert_eq!(failed(&verify_file(&results.report_path).unwrap()), [""; 0]);

    let text = String::from_utf8(json).unwrap();
    let step = text.len() / 400;
    for at in (0..text.len()).step_by(step) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        fs::write(&results.report_path, &bytes).unwrap();
        let found = match verify_file(&results.report_path) {
            Ok(checks) => !failed(&checks).is_empty(),
            Err(_) => true,
        };
        assert!(found, "byte {at}: {}", &text[at.saturating_sub(60)..(at + 60).min(text.len())]);
    }
}

#[test]
fn a_value_that_is_changed_is_found_also_by_whoever_works_out_the_files_digest_anew() {
    let bench = Bench::new();
    let flags = [
        "--scenario",
        "simple_chat_stream",
        "--requests",
        "60",
        "--concurrency",
        "4",
        "--repeats",
        "3",
        "--queueing-check=false",
        "--threshold",
        "p95<5s",
        "--accept",
        "failures",
    ];
    let results = run(&bench, &flags);
    let shapes = no_change_is_missed(&results.report, |_| true);
    assert!(shapes > 500, "only {shapes} shapes");
}

#[test]
fn a_value_of_a_scenario_of_a_mix_that_is_changed_is_found() {
    let bench = Bench::new();
    let flags = ["--mix", "simple_chat_stream=2,simple_chat=1", "--requests", "60", "--concurrency", "4"];
    let results =
        run(&bench, &[&flags[..], &["--repeats", "1", "--queueing-check=false", "--workers", "1"]].concat());
    let shapes = no_change_is_missed(&results.report, |shape| shape.starts_with("blocks.#.parts."));
    assert!(shapes > 250, "only {shapes} shapes");
}

/// Changes one value of each shape, and asserts that `verify` finds it, unless it is a mere fact; how many shapes there were.
fn no_change_is_missed(report: &Value, is_wanted: impl Fn(&str) -> bool) -> usize {
    let honest = from_json(&to_json(&from_json(report.to_string().as_bytes()).unwrap()).unwrap()).unwrap();
    assert_eq!(failed(&verify(&honest)), [""; 0]);

    let mut paths = Vec::new();
    leaves(report, "", &mut paths);
    // One value of each shape, in another block each time: there are thousands, and a check takes its time.
    let shapes: BTreeSet<String> =
        paths.iter().map(|path| shape(path)).filter(|shape| is_wanted(shape)).collect();
    let paths = &paths;
    let is_missed = |number: usize, wanted: &String| {
        let alike: Vec<&String> = paths.iter().filter(|path| shape(path) == *wanted).collect();
        let mut json = report.clone();
        let value = json.pointer_mut(alike[number % alike.len()]).unwrap();
        *value = changed(value);
        !is_found(&json)
    };
    let wanted: Vec<_> = shapes.iter().enumerate().filter(|(_, shape)| *shape != "sha256").collect();
    let missed: Vec<&String> = std::thread::scope(|scope| {
        let halves = wanted.chunks(wanted.len().div_ceil(2)).map(|half| {
            let missed = move || half.iter().filter(move |(number, shape)| is_missed(*number, shape));
            scope.spawn(move || missed().map(|(_, shape)| *shape).collect::<Vec<_>>())
        });
        let halves: Vec<_> = halves.collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let is_known = |shape: &&String| FACTS.iter().any(|fact| shape.starts_with(fact));
    let unknown: Vec<_> = missed.iter().filter(|shape| !is_known(shape)).collect();
    assert!(unknown.is_empty(), "{} of {} shapes: {unknown:#?}", unknown.len(), shapes.len());
    shapes.len()
}
