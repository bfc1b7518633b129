//! What other programs read of a run, end to end: tables, logs of histograms, test results.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use support::oracles::python;
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

/// What HdrHistogram's Python port reads in a log: of each tag how many lines and values, P50, P99 and the largest, and the
/// largest that the lines say; and when the log starts.
const READ_HLOG: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

said = {}
for line in open(sys.argv[1]):
    if line.startswith("Tag="):
        tag, _, _, most, _ = line[4:].split(",")
        said[tag] = max(said.get(tag, 0), float(most))
merged, last = {}, 0
reader = HistogramLogReader(sys.argv[1], HdrHistogram(100, 3600 * 10**9, 3))
while histogram := reader.get_next_interval_histogram():
    lines, whole = merged.setdefault(histogram.get_tag(), [0, HdrHistogram(100, 3600 * 10**9, 3)])
    whole.add(histogram)
    merged[histogram.get_tag()][0] += 1
    assert histogram.get_start_time_stamp() >= last, "lines are in order"
    last = histogram.get_start_time_stamp()
tags = {
    tag: {"lines": lines, "count": whole.get_total_count(), "said": said[tag], "max": whole.get_max_value(),
          "p50": whole.get_value_at_percentile(50), "p99": whole.get_value_at_percentile(99)}
    for tag, (lines, whole) in merged.items()
}
print(json.dumps({"start": reader.get_start_time_sec(), "base": reader.base_time_sec, "last": last / 1000, "tags": tags}))
"#;

#[test]
fn tools_of_hdrhistogram_read_the_log() {
    let Some(python) = python("tools_of_hdrhistogram_read_the_log") else { return };
    let (bench, results) = compared();
    let path = results.report_path.with_file_name("histograms.hlog");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(report(&bench, &results, "hlog"), text);
    let read: Value = serde_json::from_str(&python.run(READ_HLOG, &[path.to_str().unwrap()])).unwrap();

    let tags = read["tags"].as_object().unwrap();
    let close = |said: &Value, ours: &Value| {
        let (said, ours) = (said.as_f64().unwrap(), ours.as_f64().unwrap());
        assert!((said - ours).abs() <= ours / 1000.0 + 64.0, "{said} and {ours}");
    };
    for arm in ["gateway", "direct"] {
        let of_tag = &tags[&format!("simple_chat/{arm}/response_time")];
        let times = &results.report["results"][0][arm]["figures"]["response_time"];
        assert_eq!((&of_tag["count"], &times["count"]), (&450.into(), &450.into()));
        close(&of_tag["p50"], &times["p50_ns"]);
        close(&of_tag["p99"], &times["p99_ns"]);
        close(&of_tag["max"], &times["max_ns"]);
        assert!((of_tag["said"].as_f64().unwrap() * 1e6 - times["max_ns"].as_f64().unwrap()).abs() < 1e3);
        let seconds = |block: &&Value| block["arm"] == arm && block["purpose"] == "measurement";
        let blocks = results.report["blocks"].as_array().unwrap().iter().filter(seconds);
        assert_eq!(
            of_tag["lines"],
            blocks.map(|block| block["series"].as_array().unwrap().len()).sum::<usize>()
        );
    }
    assert!(tags.contains_key("simple_chat/gateway/5_in_flight/queueing_check/response_time"), "{tags:?}");

    let began: jiff::Timestamp = results.block(0)["started"].as_str().unwrap().parse().unwrap();
    assert_eq!(read["start"].as_f64().unwrap(), began.as_millisecond() as f64 / 1e3);
    assert_eq!(read["base"], read["start"]);
    let last: jiff::Timestamp = results.report["run"]["finished"].as_str().unwrap().parse().unwrap();
    assert!(read["last"].as_f64().unwrap() < last.as_second() as f64 + 1.0);
}
