//! The tables, read back by the `csv` crate.

use super::*;
use crate::report::fixtures;
use crate::report::record::RunRecord;
use std::collections::BTreeMap;

/// Each row by its headers; the reader refuses rows of other lengths.
fn read(text: &str) -> Vec<BTreeMap<String, String>> {
    assert!(text.ends_with("\r\n") && text.lines().count() == text.matches("\r\n").count());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let names: std::collections::BTreeSet<&str> = headers.iter().collect();
    assert_eq!(names.len(), headers.len(), "each header is there once");
    let row = |record: ::csv::StringRecord| {
        headers.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn a_row_for_each_result_holds_its_figures() {
    let record = fixtures::record();
    let rows = read(&results(&record));
    assert_eq!(rows.len(), record.results.len());
    for (row, result) in rows.iter().zip(&record.results) {
        let figures = &result.gateway.figures;
        let number = |header: &str| row[header].parse::<f64>().unwrap();
        assert_eq!((&row["scenario"], row["arm"].as_str()), (&result.scenario, "gateway"));
        assert_eq!(number("successes"), figures.successes as f64);
        assert_eq!(number("failed"), figures.failed as f64);
        let kinds: f64 = FailureKind::ALL.iter().map(|kind| number(&format!("failed_{kind}"))).sum();
        assert_eq!(kinds, figures.failed as f64);
        assert_eq!(number("throughput_per_s"), figures.throughput.unwrap());
        let times = figures.response_time.unwrap();
        assert_eq!((number("response_time_p99_ms") * 1e6).round(), times.p99_ns as f64);
        assert_eq!(number("response_time_count"), times.count as f64);
        assert_eq!(row["tls_handshake_time_p50_ms"], "", "no figure, and no 0");
        assert_eq!(row["added_p50_ms"], "");
    }
}

#[test]
fn a_row_for_each_second_adds_up_to_the_blocks() {
    let record = fixtures::record();
    let rows = read(&seconds(&record));
    assert_eq!(rows.len(), record.blocks.iter().map(|block| block.series.len()).sum::<usize>());
    for block in &record.blocks {
        let of_block = || rows.iter().filter(|row| row["block"] == block.number.to_string());
        for (header, total) in [
            ("successes", block.totals.successes),
            ("offered", block.totals.offered),
            ("failed", block.totals.content().failed()),
            ("failed_status", failures(&block.totals, FailureKind::Status)),
        ] {
            let sum: u64 = of_block().map(|row| row[header].parse::<u64>().unwrap()).sum();
            assert_eq!(sum, total, "{header} of block {}", block.number);
        }
        assert!(of_block().all(|row| row["start_s"].parse::<f64>().unwrap() >= 0.0));
    }
}

#[test]
fn a_name_with_commas_and_quotes_stays_one_cell() {
    let mut record = fixtures::record();
    record.results[0].scenario = "a, \"b\"\r\n=1+1".into();
    assert_eq!(read(&results(&record))[0]["scenario"], "a, \"b\"\u{fffd}\u{fffd}=1+1");
}

#[test]
fn a_name_that_begins_like_a_formula_stays_text_and_a_negative_figure_a_number() {
    for (name, cell) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\u{fffd}=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
    ] {
        let mut record = fixtures::record();
        (record.results[0].scenario, record.blocks[0].scenario.name) = (name.into(), name.into());
        assert_eq!(read(&results(&record))[0]["scenario"], cell);
        assert_eq!(read(&seconds(&record))[0]["scenario"], cell);
    }
    let mut columns = Columns::<f64>::new();
    columns.figure("figure", |figure| Some(*figure));
    columns.number("number", |figure| *figure as i64);
    assert_eq!(columns.write(&[-1.5]), "figure,number\r\n-1.5,-1\r\n");
}

#[test]
fn a_run_without_results_has_its_headers() {
    let record = RunRecord::new(fixtures::head());
    assert!(results(&record).starts_with("run,run_started,run_verdict,scenario,load,arm,blocks,window_s,"));
    assert_eq!(read(&seconds(&record)).len(), 0);
}
