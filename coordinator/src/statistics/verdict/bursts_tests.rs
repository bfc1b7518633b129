//! Slow answers that came together, and the nearest that did not.

use std::num::NonZeroU32;
use std::time::Duration;

use proto::interval::EndReason;
use proto::load::{Arrivals, Load, Pace};
use proto::random::mix;
use proto::stages::{Stage, Stages};

use super::bursts::bursts;
use super::{Finding, judge};
use crate::merge::fixtures::{block, closed, interval, open, requests, totals};
use crate::merge::{BlockMerge, MeasuredBlock};
use crate::statistics::{Evidence, Figures, Merged, WholeSecond};

const MS: u64 = 1_000_000;

/// A block of 2,000 answers.
fn measured(load: Load) -> MeasuredBlock {
    let mut merge = BlockMerge::new(block(load, requests(2_000)), 1);
    let only = interval(0, (0.0, 1.0), &[10 * MS; 2_000]);
    assert!(merge.interval(0, &only).unwrap());
    merge.finished(0, totals(&[only], EndReason::Requests));
    merge.finish(false)
}

fn seconds(slow: &[u64], answers: u64) -> Vec<WholeSecond> {
    slow.iter().map(|slow| WholeSecond { median_ns: 10 * MS, answers, slow: *slow as f64 }).collect()
}

/// What the rule says of so many slow answers in each second.
fn found(load: Load, slow: &[u64], answers: u64) -> Option<Finding> {
    let (measured, seconds) = (measured(load), seconds(slow, answers));
    let evidence = Evidence::new(&measured, &seconds);
    bursts(&evidence, &Figures::of_block(&evidence, &Merged::of(&measured.workers)))
}

fn of(slow: &[u64]) -> Option<Finding> {
    found(closed(10), slow, 1_000)
}

#[test]
fn slow_answers_of_one_moment_are_a_note() {
    let mut slow = [0; 60];
    slow[17] = 600;
    let note = of(&slow).unwrap();
    assert!(note.is_note() && note.rule == "bursts", "{note:?}");
    assert!(
        note.reason.contains("half of the 600 answers beyond it came within 1 of 60 seconds"),
        "{note:?}"
    );
    assert!(note.reason.contains("as much as 1 that come one by one"), "{note:?}");

    // Eight moments of sixty are too few, and ten are not.
    let moments = |count: usize| {
        let mut slow = [0; 60];
        (0..count).for_each(|at| slow[at * 5] = 50);
        of(&slow).map(|finding| finding.rule)
    };
    assert_eq!(moments(8).as_deref(), Some("bursts"));
    assert_eq!(moments(10), None);
}

#[test]
fn it_speaks_only_where_it_can_know() {
    assert_eq!(of(&[600, 0, 0, 0]), None, "four seconds tell nothing");
    assert!(of(&[600, 0, 0, 0, 0]).is_some());
    assert!(found(open(1_000), &[600, 0, 0, 0, 0], 1_000).is_some());
    let stage = Stage { duration: Duration::from_secs(5), from_millihertz: 0, to_millihertz: 1_000_000 };
    let rising = Load::Open {
        pace: Pace::Stages(Stages::new([stage]).unwrap()),
        arrivals: Arrivals::Constant,
        connections: NonZeroU32::new(64).unwrap(),
        max_in_flight: None,
    };
    assert_eq!(found(rising, &[0, 0, 0, 0, 600], 1_000), None);
}

#[test]
fn a_search_is_not_told_of_them() {
    let mut step = measured(closed(10));
    step.block.purpose = crate::plan::Purpose::CapacityStep;
    let seconds = seconds(&[600, 0, 0, 0, 0], 1_000);
    let evidence = Evidence::new(&step, &seconds);
    assert_eq!(judge(&evidence, &Figures::of_block(&evidence, &Merged::of(&step.workers))), []);
}

/// Slow answers by chance: one in a hundred of each second's.
fn by_chance(seed: u64, seconds: u64, answers: u64, share: impl Fn(u64) -> f64) -> Vec<u64> {
    let even =
        |second: u64, at: u64| (mix(mix(seed) ^ (second << 32) ^ at) >> 11) as f64 / (1u64 << 53) as f64;
    let of_second = |second| (0..answers).filter(|at| even(second, *at) < share(second)).count() as u64;
    (0..seconds).map(of_second).collect()
}

#[test]
fn answers_that_are_slow_by_chance_are_seldom_taken_for_bursts() {
    for (seconds, answers) in [(5, 200), (10, 100), (20, 100), (60, 50), (20, 1_000)] {
        let runs = 300;
        let tripped = |seed: &u64| {
            let slow = by_chance(*seed, seconds, answers, |_| 0.01);
            found(closed(10), &slow, answers).is_some()
        };
        let false_alarms = (0..runs).filter(tripped).count() as u64;
        assert!(false_alarms * 20 <= runs, "{seconds} of {answers}: {false_alarms} of {runs}");
    }
}

#[test]
fn seconds_that_differ_a_little_are_no_bursts_and_those_that_do_it_all_are() {
    let tripped = |share: fn(u64) -> f64| {
        let of = |seed: &u64| of(&by_chance(*seed, 60, 1_000, share)).is_some();
        (0..100).filter(of).count()
    };
    // Half as many again in one second, half in the other.
    assert_eq!(tripped(|second| if second % 2 == 0 { 0.015 } else { 0.005 }), 0);
    assert_eq!(tripped(|second| if second % 15 == 0 { 0.135 } else { 0.001 }), 100);
}
