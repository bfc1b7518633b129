use super::*;
use crate::merge::fixtures::{block, closed, interval, requests, seconds, totals};
use crate::merge::{BlockMerge, MeasuredBlock};
use crate::plan::Block;
use crate::report::fixtures;
use proto::interval::EndReason;
use proto::variety::{Dataset, Field, Variety};
use std::sync::Arc;

const MS: u64 = 1_000_000;

/// 10 seconds of 200 answers that take 10 to 12 ms, times `factor`.
fn run(factor: f64) -> RunRecord {
    fixtures::record_of(&[measured(block(closed(10), requests(2_000)), factor)])
}

/// Pairs of an upstream that takes `upstream` times 10 to 12 ms, and a gateway that adds so many milliseconds to it.
fn paired(upstream: f64, added: &[f64]) -> RunRecord {
    let pair = |(repeat, added): (u32, &f64)| {
        [(Arm::Gateway, upstream + added / 11.0), (Arm::Direct, upstream)].map(|(arm, factor)| {
            measured(Block { arm, repeat, ..block(closed(10), requests(2_000)) }, factor)
        })
    };
    fixtures::record_of(&(1..).zip(added).flat_map(pair).collect::<Vec<_>>())
}

fn measured(planned: Block, factor: f64) -> MeasuredBlock {
    let mut merge = BlockMerge::new(planned, 1);
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
    merge.finish(false)
}

fn compared(old: &RunRecord, new: &RunRecord) -> Comparison {
    compare_runs(old, new, Vec::new(), |_, of_gateway| 0.05 * of_gateway.unwrap_or(1.0)).unwrap()
}

#[test]
fn the_same_run_twice_is_not_worse() {
    let comparison = compared(&run(1.0), &run(1.0));
    assert!(!comparison.is_worse());
    let line = text(&comparison);
    assert!(line.starts_with("ok      simple_chat: mean +0.0 % ["), "{line}");
    assert!(
        line.contains("p99 +0.0 % (the old run: too few samples in whole seconds (2000 of 5000))"),
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
fn a_comparison_reads_like_this() {
    let (old, mut new) = (paired(1.0, &[1.0, 1.1, 1.2]), paired(1.0, &[3.0, 3.1, 3.2]));
    new.run.fleet = "ssh".into();
    let comparison = Comparison { differences: differences(&old, &new), ..compared(&old, &new) };
    fixtures::holds("compare.txt", &text(&comparison));
    fixtures::holds("compare.md", &markdown(&comparison));
    fixtures::holds("compare.json", &json(&comparison).unwrap());
    fixtures::holds("compare.xml", &junit(&comparison));
}

#[test]
fn what_the_gateway_adds_is_compared_and_the_upstream_is_no_ones_failure() {
    // A slower upstream: every figure of both arms is worse, and what the gateway adds is what it was.
    let (old, slower) = (paired(1.0, &[1.0, 1.1, 1.2]), paired(1.2, &[1.2, 1.0, 1.1]));
    let comparison = compared(&old, &slower);
    let [gateway, direct] = &comparison.scenarios[..] else { panic!("{comparison:?}") };
    assert_eq!((gateway.name.as_str(), direct.name.as_str()), ("simple_chat", "simple_chat (direct)"));
    let added = |comparison: &Comparison| {
        let figures = comparison.scenarios[0].figures.iter();
        figures.clone().find(|one| one.figure == Figure::AddedP50).unwrap().clone()
    };
    let p50 = added(&comparison);
    assert_eq!(p50.outcome, Outcome::Tolerated, "{p50:?}");
    assert!(p50.change.unwrap().abs() < 0.05e6 && (p50.old.unwrap() - 1.1e6).abs() < 0.05e6, "{p50:?}");
    let lines = text(&comparison);
    assert!(lines.contains("\ncontrol simple_chat (direct): mean +20.0 % ["), "{lines}");
    let control_alone = Comparison { scenarios: vec![direct.clone()], ..comparison.clone() };
    assert!(!control_alone.is_worse() && !junit(&control_alone).contains("<failure"));

    // A gateway that adds 5 % of its own latency more, beyond doubt; without pairs nothing is said of it.
    let costlier = added(&compared(&old, &paired(1.0, &[3.0, 3.1, 3.2])));
    assert_eq!(costlier.outcome, Outcome::Worse, "{costlier:?}");
    let [low, high] = costlier.interval.unwrap();
    assert!(low < 2.0e6 && 2.0e6 < high && low > 1.5e6, "{costlier:?}");
    assert!((costlier.tolerance - 0.05 * 12.1e6).abs() < 0.05e6, "{costlier:?}");
    let too_few = added(&compared(&old, &paired(1.0, &[9.0, 9.0])));
    assert_eq!(too_few.outcome, Outcome::Unknown);
    assert!(too_few.why.unwrap().contains("the new run: too few pairs (2 of 3)"));

    let table = markdown(&comparison);
    assert!(table.contains(" | failed | added_mean | added_p50 |"), "{table}");
    let of_direct =
        table.lines().find(|line| line.starts_with("| simple_chat (direct) | control |")).unwrap();
    assert!(of_direct.ends_with("| – | – | – | – |"), "{table}");
}

#[test]
fn levels_are_compared_with_their_likes() {
    let at = |concurrency: u32, factor: f64| measured(block(closed(concurrency), requests(2_000)), factor);
    let old = fixtures::record_of(&[at(10, 1.0), at(50, 3.0)]);
    let new = fixtures::record_of(&[at(50, 3.0), at(10, 1.0)]);
    let comparison = compared(&old, &new);
    assert!(!comparison.is_worse(), "{}", text(&comparison));
    let names: Vec<_> = comparison.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names, ["simple_chat at 10 in flight", "simple_chat at 50 in flight"]);

    // Of a run with other levels only what both have; of runs with one level each, that.
    let of_one = compared(&old, &fixtures::record_of(&[at(50, 3.0)]));
    assert_eq!(text(&of_one).lines().count(), 1);
    assert_eq!(of_one.scenarios[0].name, "simple_chat at 50 in flight");
    assert_eq!(compared(&run(1.0), &fixtures::record_of(&[at(50, 3.0)])).scenarios.len(), 1);
    let mut check = run(1.0);
    check.blocks[0].purpose = Purpose::QueueingCheck;
    assert_eq!(compared(&run(1.0), &check).scenarios.len(), 0);
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
fn the_order_of_blocks_is_no_difference() {
    let at = |concurrency: u32| measured(block(closed(concurrency), requests(2_000)), 1.0);
    let (rising, falling) =
        (fixtures::record_of(&[at(1), at(10)]), fixtures::record_of(&[at(10), at(1), at(10)]));
    assert_eq!(differences(&rising, &falling), [""; 0]);
    let other = differences(&rising, &fixtures::record_of(&[at(10), at(2)]));
    assert!(
        other[0].starts_with("the scenarios (simple_chat at 1 in flight, simple_chat at 10 in"),
        "{other:?}"
    );
}

#[test]
fn other_rows_of_the_same_dataset_are_a_difference() {
    let of = |rows: &[&str]| {
        let mut block = block(closed(10), requests(2_000));
        let rows = rows.iter().map(|text| vec![Field::Text((*text).into())]).collect();
        let dataset = Dataset { columns: vec!["prompt".into()], rows };
        let template = "{{ prompt }}".into();
        let variety = Variety { template, escapes_json: true, dataset, bodies: 10 };
        block.scenario.variety = Some(Arc::new(variety));
        fixtures::record_of(&[measured(block, 1.0)])
    };
    let old = of(&["a", "b"]);
    assert_eq!(differences(&old, &of(&["a", "b"])), [""; 0]);
    let other = "simple_chat: the rows of the dataset or the trace";
    assert_eq!(differences(&old, &of(&["a", "c"])), [other]);
    assert_eq!(differences(&old, &of(&["b", "a"])), [other]);
    let more = "simple_chat: what is sent, or what a good answer is";
    assert_eq!(differences(&old, &of(&["a", "b", "c"])), [more]);
    // A record of before digests were kept.
    let mut earlier = old;
    earlier.blocks[0].scenario.variety.as_mut().unwrap().dataset_sha256 = None;
    assert_eq!(differences(&earlier, &of(&["a", "c"])), [""; 0]);
}

#[test]
fn what_is_left_of_a_second_is_none() {
    let of = |last: f64| {
        let mut merge = BlockMerge::new(block(closed(10), requests(2_000)), 1);
        let spans = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, last)];
        let times: Vec<u64> = (0..200u64).map(|at| 10 * MS + at * MS / 100).collect();
        let intervals: Vec<_> = (0..).zip(spans).map(|(at, span)| interval(at, span, &times)).collect();
        intervals.iter().for_each(|interval| assert!(merge.interval(0, interval).unwrap()));
        merge.finished(0, totals(&intervals, EndReason::Requests));
        fixtures::record_of(&[merge.finish(false)])
    };
    let of_throughput = |last: f64| {
        let comparison = compared(&of(5.0), &of(last));
        let mut figures = comparison.scenarios[0].figures.iter();
        figures.find(|one| one.figure == Figure::Throughput).unwrap().why.clone()
    };
    assert_eq!(of_throughput(5.0), None);
    assert_eq!(of_throughput(4.02).as_deref(), Some("the new run: too few seconds (4 of 5)"));
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
