//! Every text that is made of records, against what somebody has looked at. The summaries' and comparisons' are beside those.

use std::fs;

use jiff::tz::TimeZone;

use super::files::tests::TemporaryFolder;
use super::fixtures::{
    holds, mixed_record, paired_record, record, record_of, rough_block, search_record, small_record,
    staged_block,
};
use super::json::to_json;
use super::{REPORT_FILE, csv, history, hlog, junit, verify};

#[test]
fn results_as_a_table() {
    holds("results.csv", &csv::results(&paired_record()));
    holds("results_mix.csv", &csv::results(&mixed_record()));
}

#[test]
fn seconds_as_a_table() {
    holds("seconds.csv", &csv::seconds(&record_of(&[rough_block(), staged_block()])));
}

#[test]
fn the_log_of_histograms() {
    holds("histograms.hlog", &hlog::log(&small_record()).unwrap());
}

#[test]
fn thresholds_and_rules_as_test_cases() {
    let mut record = record();
    record.run.thresholds = ["p95<80ms", "throughput>5000/s", "failed<1%"].map(str::to_owned).into();
    record.finish("2026-10-01T12:00:04+02:00".into());
    holds("junit_run.xml", &junit::run(&record));
    holds("junit_search.xml", &junit::run(&search_record()));
}

#[test]
fn what_verify_says() {
    let mut record = record();
    record.blocks[1].figures.successes += 1;
    let lines: Vec<String> = verify::verify(&record).iter().map(|check| format!("{check}\n")).collect();
    holds("verify.txt", &lines.concat());
}

#[test]
fn past_results_as_a_list() {
    let folder = TemporaryFolder::new("texts_list");
    let mut interrupted = record();
    interrupted.interrupted = true;
    interrupted.run.started = "2026-10-01T11:00:00+02:00".into();
    for (name, record) in [("20261001_120000", paired_record()), ("20261001_110000", interrupted)] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join(REPORT_FILE), to_json(&record).unwrap()).unwrap();
    }
    fs::create_dir_all(folder.path().join("20260930_090000")).unwrap();
    let history = history::read(folder.path(), &TimeZone::fixed(jiff::tz::offset(2))).unwrap();
    holds("list.txt", &history::text(&history));
    holds("list.json", &history::to_json(&history).unwrap());
}
