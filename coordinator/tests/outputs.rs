//! What other programs read of a run, end to end: tables, logs of histograms, test results.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use support::process::Bench;
use support::results::Results;
use support::target::Target;

/// A gateway beside its upstream, in three pairs of blocks.
fn compared() -> (Bench, Results) {
    let bench = Bench::new();
    let gateway = Target::with_latencies(vec![Duration::from_millis(8)]);
    let direct = Target::with_latencies(vec![Duration::from_millis(2)]);
    let arms = ["run", "--target", &gateway.url(), "--direct", &direct.url(), "--scenario", "simple_chat"];
    let flags = ["--requests", "150", "--repeats", "3", "--cool-down", "10ms", "--warmup", "4", "--quiet"];
    let finished = bench.run(&[&arms, &flags[..]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    (bench, results)
}

/// What `report` prints of the run in this format.
fn report(bench: &Bench, results: &Results, format: &str) -> String {
    let folder = results.report_path.parent().unwrap().to_str().unwrap();
    let finished = bench.run(&["report", folder, "--format", format]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.stdout
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| row.unwrap()).collect()
}

fn number(row: &BTreeMap<String, String>, header: &str) -> f64 {
    row[header].parse().unwrap()
}

#[test]
fn tables_hold_what_the_record_holds() {
    let (bench, results) = compared();
    let table = rows(&report(&bench, &results, "csv"));
    let arms: Vec<&str> = table.iter().map(|row| row["arm"].as_str()).collect();
    assert_eq!(arms, ["gateway", "direct"]);
    let result = &results.report["results"][0];
    for row in &table {
        let figures = &result[&row["arm"]]["figures"];
        assert_eq!((number(row, "successes"), number(row, "blocks")), (450.0, 3.0));
        assert_eq!(number(row, "throughput_per_s"), figures["throughput"].as_f64().unwrap());
        let p95 = (number(row, "response_time_p95_ms") * 1e6).round();
        assert_eq!(p95, figures["response_time"]["p95_ns"].as_f64().unwrap());
    }
    let added = result["overhead"]["response_time"]["p50"]["added_ns"].as_f64().unwrap() / 1e6;
    assert_eq!((number(&table[0], "added_p50_ms"), table[1]["added_p50_ms"].as_str()), (added, ""));

    let seconds = rows(&report(&bench, &results, "csv-seconds"));
    let successes = |arm: &str| -> f64 {
        let of_arm = seconds.iter().filter(|row| row["arm"] == arm && row["purpose"] == "measurement");
        of_arm.map(|row| number(row, "successes")).sum()
    };
    assert_eq!((successes("gateway"), successes("direct")), (450.0, 450.0));
    let (started, run) = (&seconds[0]["block_started"], results.report["run"]["started"].as_str().unwrap());
    assert_eq!(started[..13], run[..13], "the hour in which the run began; tests begin at no other");

    let record: Value = serde_json::from_str(&report(&bench, &results, "json")).unwrap();
    assert_eq!(record, results.report);
    assert_eq!(report(&bench, &results, "markdown"), results.summary);
}
