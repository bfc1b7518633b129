//! Records of real runs against the schema that is kept in `docs/schema`, read by somebody else's validator.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use support::oracles::python;
use support::process::{BOUND, Bench};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema/report-3.schema.json");

/// Every record is valid; and no record is any more when something is added, to any kind of object, or taken away from it.
const VALIDATE: &str = r#"
import copy, json, sys
from jsonschema import Draft202012Validator

schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
kinds = {}

def short(value):
    """The same with the first of each list alone, so that trying many changes stays cheap."""
    if isinstance(value, list):
        return [short(item) for item in value[:1]]
    return {key: short(item) for key, item in value.items()} if isinstance(value, dict) else value

def objects(value, path):
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from objects(item, path + (key,))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from objects(item, path + (number,))

def at(value, path):
    for step in path:
        value = value[step]
    return value

for name in sys.argv[2:]:
    record = json.load(open(name))
    errors = [f"{name}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(record)]
    assert not errors, "\n".join(errors[:10])
    record = short(record)
    assert validator.is_valid(record)
    for path in objects(record, ()):
        kinds.setdefault((path, tuple(at(record, path))), record)

for (path, keys), record in kinds.items():
    changed = copy.deepcopy(record)
    at(changed, path)["undescribed"] = 1
    assert not validator.is_valid(changed), f"{path} may hold anything"
    for key in keys:
        changed = copy.deepcopy(record)
        del at(changed, path)[key]
        assert not validator.is_valid(changed), f"{path} may be without {key}"
print(len(kinds))
"#;

/// The only run of a bench.
fn report(bench: &Bench) -> String {
    Results::of(bench).report_path.to_str().unwrap().to_owned()
}

fn ran(expected: i32, flags: &[&str]) -> (Bench, String) {
    let bench = Bench::new();
    let finished = bench.run(&[flags, &["--quiet"]].concat());
    assert_eq!(finished.code, Some(expected), "{}", finished.stderr);
    let path = report(&bench);
    (bench, path)
}

/// With failures of several kinds, thresholds that hold, are missed and have no figure, and findings.
fn failing() -> (Bench, String) {
    let target = Target::scripted(|number, request| match number % 4 {
        _ if request.purpose() != Purpose::Load => Reply::good(request),
        0 => Reply::json(503, "{}"),
        1 => Reply::good(request).torn(60),
        _ => Reply::good(request),
    });
    let thresholds = "failed<1%,p95<10s,throughput>1/s,ttft.p95<1s,dropped<=0";
    let flags = ["--requests", "80", "--threshold", thresholds, "--accept", "failures"];
    ran(4, &[&["run", "--target", &target.url(), "--scenario", "simple_chat"], &flags[..]].concat())
}

/// A gateway beside its upstream, which is a mock that counts, at two levels, and streams.
fn compared() -> (Bench, String) {
    let mock = Bench::new();
    let upstream = mock.start(&["mock", "--listen", "127.0.0.1:0"]);
    upstream.wait_for("listening on ", BOUND);
    let url = upstream.stdout().trim().rsplit(' ').next().unwrap().to_owned();
    let flags = ["--requests", "40", "--concurrency", "2,4", "--repeats", "3", "--cool-down", "10ms"];
    let arms = ["run", "--target", &url, "--direct", &url, "--scenario", "simple_chat_stream"];
    ran(0, &[&arms, &flags[..], &["--warmup", "none", "--threshold", "p95<10s"]].concat())
}

/// One of two workers is killed within a load in stages, whose bodies differ.
fn bereft() -> (Bench, String) {
    let target = Target::with_latencies(vec![Duration::from_millis(5)]);
    let (bench, url) = (Bench::new(), target.url());
    let flags =
        ["--stage", "1s:50/s,2s:..100/s", "--input-tokens", "20", "--max-in-flight", "500", "--quiet"];
    let running =
        bench.start(&[&["run", "--target", &url, "--scenario", "simple_chat"], &flags[..]].concat());
    let loaded = support::clock::wait_until(BOUND, || target.counts().load > 20);
    assert!(loaded, "{}", running.stderr());
    let is_worker = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("worker")
    };
    let worker = running.descendants().into_iter().map(|process| process.pid).find(is_worker).unwrap();
    kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    assert_eq!(running.wait(BOUND).code, Some(0));
    let path = report(&bench);
    (bench, path)
}

fn searched() -> (Bench, String) {
    let (limits, target) = (["--start-rate", "50", "--max-rate", "100"], Target::good());
    let search = ["capacity", "--target", &target.url(), "--scenario", "simple_chat", "--step", "1s"];
    ran(0, &[&search, &limits[..], &["--slo", "p99<10s", "--precision", "50%"]].concat())
}

/// A count with think times.
fn thinking() -> (Bench, String) {
    ran(0, &["run", "--requests", "20", "--think-time", "1ms..3ms", "--warmup", "100ms"])
}

#[test]
fn records_of_all_kinds_of_runs_are_what_the_schema_says() {
    let Some(python) = python("records_of_all_kinds_of_runs_are_what_the_schema_says") else { return };
    let runs = [failing(), compared(), bereft(), searched(), thinking()];
    let reports = runs.iter().map(|(_, path)| path.as_str());
    let kinds = python.run(VALIDATE, &std::iter::once(SCHEMA).chain(reports).collect::<Vec<_>>());
    assert!(kinds.trim().parse::<u32>().unwrap() > 100, "{kinds}");
}
