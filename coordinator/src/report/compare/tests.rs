use super::*;
use crate::merge::BlockMerge;
use crate::merge::fixtures::{block, closed, interval, requests, seconds, totals};
use crate::report::fixtures;
use proto::interval::EndReason;

const MS: u64 = 1_000_000;

/// 10 seconds of 200 answers that take 10 to 12 ms, times `factor`.
fn run(factor: f64) -> RunRecord {
    let mut merge = BlockMerge::new(block(closed(10), requests(2_000)), 1);
    let intervals: Vec<_> = (0..10u64)
        .map(|second| {
            let times: Vec<u64> = (0..200u64)
                .map(|at| ((10 * MS + (at * 37 + second) % 200 * MS / 100) as f64 * factor) as u64)
                .collect();
            interval(second, (second as f64, second as f64 + 1.0), &times)
        })
        .collect();
    intervals.iter().for_each(|interval| assert!(merge.interval(0, interval).unwrap()));
    merge.started(0, seconds(0.0), seconds(0.000_2));
    merge.finished(0, totals(&intervals, EndReason::Requests));
    fixtures::record_of(&[merge.finish(false)])
}

fn compared(old: &RunRecord, new: &RunRecord) -> Comparison {
    compare_runs(old, new, Vec::new(), |_| 0.05).unwrap()
}

#[test]
fn the_same_run_twice_is_not_worse() {
    let comparison = compared(&run(1.0), &run(1.0));
    assert!(!comparison.is_worse());
    let line = text(&comparison);
    assert!(line.starts_with("ok      simple_chat: mean +0.0 % ["), "{line}");
    assert!(
        line.contains("p99 +0.0 % (the old run: too few samples for 5 parts of the block (2000 of 5000))"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn a_slower_run_is_worse_in_every_format() {
    let comparison = compared(&run(1.0), &run(1.2));
    assert!(comparison.is_worse());
    let line = text(&comparison);
    assert!(
        line.starts_with("WORSE   simple_chat: mean +20.0 % [") && line.contains(", WORSE than 5 %"),
        "{line}"
    );
    let table = markdown(&comparison);
    assert!(table.contains("| simple_chat | WORSE | +20.0 % ["), "{table}");
    let xml = junit(&comparison);
    assert!(
        xml.contains("tests=\"1\" failures=\"1\"") && xml.contains("<failure message=\"mean +20.0 % ["),
        "{xml}"
    );
    let json: serde_json::Value = serde_json::from_str(&json(&comparison).unwrap()).unwrap();
    assert_eq!(json["scenarios"][0]["figures"][1]["outcome"], "worse");
    assert!(!compared(&run(1.2), &run(1.0)).is_worse());
}

#[test]
fn what_differs_beside_the_figures_is_listed() {
    let old = run(1.0);
    assert_eq!(differences(&old, &run(1.3)), [""; 0]);
    let mut new = run(1.0);
    new.run.workers.pop();
    new.run.fleet = "ssh".into();
    new.blocks[0].scenario.body += " ";
    new.blocks[0].load = crate::report::record::LoadRecord::Closed { concurrency: 20, think_time: None };
    new.run.finished = None;
    let found = differences(&old, &new);
    for said in [
        "the kind of fleet (local and ssh)",
        "the number of workers (2 and 1)",
        "simple_chat: what is sent, or what a good answer is",
        "simple_chat: the load (Closed { concurrency: 10",
        "the new run did not come to its end",
    ] {
        assert!(found.iter().any(|found| found.starts_with(said)), "no {said}: {found:?}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn hostile_names_stay_where_they_are() {
    let [old, new] = [1.0, 2.0].map(|factor| {
        let mut record = run(factor);
        record.blocks[0].scenario.name = "a\"<b>&|\u{1b}\n".into();
        record
    });
    let comparison = compared(&old, &new);
    assert!(junit(&comparison).contains("name=\"a&quot;&lt;b&gt;&amp;|\u{fffd}\u{fffd}\""));
    assert_eq!(text(&comparison).lines().count(), 1);
    assert!(markdown(&comparison).contains("\n| a\"&lt;b&gt;&amp;\\|\u{fffd}\u{fffd} | WORSE |"));
}
