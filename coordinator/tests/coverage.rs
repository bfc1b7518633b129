//! Intervals against the truth, over simulated runs: a small part of what `coordinator/benches/coverage.sh` prints.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod simulation;

use simulation::{Delay, Setup};

const SEEDS: u64 = 200;

fn held_against_the_truth(delay: Delay, is_correlated: bool, between: f64) {
    let setup = Setup { delay, is_correlated, between, pairs: 3, requests: 300 };
    for tally in setup.tally(0..SEEDS) {
        assert_eq!(tally.runs, SEEDS as usize);
        assert!((0.90..=0.99).contains(&tally.coverage()), "{setup:?}: {tally:?}");
        assert!(tally.is_unbiased(), "{setup:?}: {tally:?}");
    }
}

#[test]
fn an_interval_holds_a_log_normal_delay() {
    held_against_the_truth(Delay::LogNormal, false, 0.0);
}

#[test]
fn an_interval_holds_what_is_added_when_blocks_differ_by_more() {
    held_against_the_truth(Delay::Constant, true, 0.5e6);
}

#[test]
fn an_interval_over_the_same_target_twice_holds_zero() {
    held_against_the_truth(Delay::None, true, 0.0);
}
