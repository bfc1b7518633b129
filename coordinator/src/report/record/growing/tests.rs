//! A record that grows is at each of its blocks what comes of all of them at once, and reads none of them twice.

use std::time::Duration;

use proto::load::Rate;

use super::super::decode::tests::READ;
use super::*;
use crate::capacity::{Bounds, Tried};
use crate::merge::fixtures::{closed, open};
use crate::plan::{Arm, Purpose};
use crate::report::fixtures::{bounds, calm_block, head, paired_block, rough_block, two_scenarios};
use crate::report::hlog::log;
use crate::report::json::to_json;
use crate::report::record::{pairs, recompute};

const ARMS: [Arm; 2] = [Arm::Gateway, Arm::Direct];

fn is_what_comes_of_all_blocks_at_once(growing: &GrowingRecord) {
    let record = growing.so_far();
    let mut again = RunRecord { results: Vec::new(), ..record.clone() };
    again.conclude(&mut Tally::default()).unwrap();
    let files = |record: &RunRecord| (to_json(record).unwrap(), log(record).unwrap());
    assert!(*record == again && files(record) == files(&again), "{:#?}", record.results);
    for result in &record.results {
        let is_of = |block: &&BlockRecord| {
            (&block.scenario.name, &block.load) == (&result.scenario, &result.load) && result.holds(block)
        };
        let blocks: Vec<&BlockRecord> = record.with_parts().filter(is_of).collect();
        let added = result.overhead.as_ref().and_then(|added| added.response_time.mean.known());
        assert!(added.is_none_or(|added| added.pairs == pairs(&blocks, |block| block).len()), "{added:?}");
    }
    // The fixtures' searches have no objectives that steps could be judged by once more.
    assert!(!record.capacities.is_empty() || *record == recompute(record).unwrap());
}

/// Adds the blocks one by one; the rules that had found something in the end.
fn grown(accepted: &[&str], blocks: &[MeasuredBlock]) -> Vec<String> {
    let accepted = accepted.iter().map(|rule| (*rule).to_owned()).collect();
    let thresholds = vec!["p95<40ms".to_owned(), "overhead.p50<1ms".to_owned()];
    let mut growing = GrowingRecord::new(RunHead { accepted, thresholds, ..head() });
    for block in blocks {
        growing.add(block);
        is_what_comes_of_all_blocks_at_once(&growing);
    }
    let record = growing.into_record();
    record.results.iter().flat_map(|result| &result.findings).map(|finding| finding.rule.clone()).collect()
}

fn check(arm: Arm) -> MeasuredBlock {
    let mut block = paired_block(10, 1, arm);
    (block.block.purpose, block.block.load) = (Purpose::QueueingCheck, closed(5));
    block
}

#[test]
fn pairs_of_several_levels_in_any_order() {
    let mut blocks = Vec::new();
    for repeat in 1..=5 {
        for concurrency in [40, 10, 20] {
            let order = if repeat % 2 == 0 { [Arm::Direct, Arm::Gateway] } else { ARMS };
            blocks.extend(order.map(|arm| paired_block(concurrency, repeat, arm)));
        }
    }
    // A gateway that is not there yet, and half a pair.
    blocks.swap(0, 1);
    blocks[8].interrupted = true;
    let found = grown(&["queueing"], &blocks);
    assert!(["queueing", "upstream_saturated"].iter().all(|rule| found.iter().any(|found| found == rule)));
}

#[test]
fn a_check_that_comes_late_is_held_against_what_is_there() {
    let mut blocks: Vec<_> =
        (1..=3).flat_map(|repeat| ARMS.map(|arm| paired_block(10, repeat, arm))).collect();
    blocks.extend(ARMS.map(check));
    assert!(grown(&[], &blocks).contains(&"queueing".to_owned()));
    blocks.rotate_right(2);
    grown(&[], &blocks);
}

#[test]
fn medians_that_climb_from_block_to_block_are_drift_from_the_fourth_on() {
    let blocks: Vec<_> = (1..=6).map(|repeat| paired_block(10, 10 * repeat, Arm::Gateway)).collect();
    assert_eq!(grown(&[], &blocks), ["drift"]);
}

#[test]
fn mixes_beside_their_scenarios_alone_and_blocks_that_went_wrong() {
    let mut blocks: Vec<_> =
        (1..=3).flat_map(|repeat| ARMS.map(|arm| paired_block(10, repeat, arm))).collect();
    for repeat in 1..=3 {
        let mut mixed = two_scenarios();
        mixed.block.repeat = repeat;
        blocks.extend([mixed, calm_block(), rough_block()]);
    }
    blocks.push(check(Arm::Gateway));
    grown(&["failures"], &blocks);
}

#[test]
fn searches_whose_highest_rate_becomes_another_with_every_step() {
    let mut growing = GrowingRecord::new(head());
    for most in [300, 700] {
        let rate = |per_second: u64| Rate::from_millihertz(per_second * 1_000).unwrap();
        let bounds = Bounds { precision: 0.05, time: Duration::from_secs(90), ..bounds() };
        let mut search = Search::new(bounds);
        growing.search(CapacityRecord::new("simple_chat", &[], bounds));
        let mut highest = Vec::new();
        let conclusion = loop {
            let step = match search.next() {
                Ok(step) => step,
                Err(conclusion) => break conclusion,
            };
            let mut measured = calm_block();
            measured.block.purpose = Purpose::CapacityStep;
            measured.block.load = open(step.rate.millihertz() / 1_000);
            let tried = Tried {
                step,
                failure: (step.rate > rate(most)).then(|| "too slow".into()),
                limit: None,
                failed_share: None,
                needs: Duration::ZERO,
                took: step.duration,
                offered: 100,
            };
            let of_step = StepRecord::new(growing.add(&measured), &tried);
            search.took(tried);
            growing.add_step(of_step, &search);
            is_what_comes_of_all_blocks_at_once(&growing);
            highest.extend(growing.so_far().capacities.last().unwrap().highest_passing_millihertz);
        };
        growing.conclude_search(conclusion);
        highest.dedup();
        assert!(highest.len() > 2, "{highest:?}");
    }
    assert!(!growing.so_far().results.is_empty());
}

#[test]
fn a_block_costs_the_same_however_many_there_were_before_it() {
    let mut growing = GrowingRecord::new(head());
    let mut saved = (crate::report::json::GrowingJson::default(), crate::report::hlog::GrowingLog::default());
    let mut read = Vec::new();
    for repeat in 1..=12 {
        for arm in ARMS {
            let before = READ.get();
            growing.add(&paired_block(10, repeat, arm));
            saved.0.to_json(growing.so_far()).unwrap();
            saved.1.log(growing.so_far()).unwrap();
            read.push(READ.get() - before);
        }
    }
    assert!(read[0] > 0 && read.iter().all(|count| *count == read[0]), "{read:?}");
}
