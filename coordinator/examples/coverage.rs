//! Prints how often intervals of added P50 and P95 hold the truth, over runs that are simulated from seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::ops::Range;

#[path = "../tests/simulation/arguments.rs"]
mod arguments;
#[path = "../tests/simulation/mod.rs"]
mod simulation;

use simulation::{Delay, Setup, Tally};

/// Requests of a block.
const REQUESTS: usize = 2_000;
/// Of a block in which slow requests come in bursts: only in many bursts their share is what it is in the long run.
const MANY_REQUESTS: usize = 20_000;

fn main() {
    let seeds = arguments::seeds(1_000);
    println!("Overhead, over the seeds {seeds:?} each; 95 % intervals. Times in ms.\n");
    println!(
        "| Added | Requests | A block | Between blocks | Pairs | P50: truth | bias | width | covered | P95: truth | bias | width | covered |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let (mut figures, mut outside) = (0, 0);
    for delay in [Delay::None, Delay::Constant, Delay::LogNormal, Delay::Bimodal] {
        for is_correlated in [false, true] {
            let in_bursts = delay == Delay::Bimodal && is_correlated;
            let requests = if in_bursts { MANY_REQUESTS } else { REQUESTS };
            for between in [0.0, 0.5e6] {
                for pairs in [3, 5, 10] {
                    let tallies = row(Setup { delay, is_correlated, between, pairs, requests }, &seeds);
                    let is_good =
                        |tally: &Tally| (0.90..=0.99).contains(&tally.coverage()) && tally.is_unbiased();
                    figures += tallies.len();
                    outside += tallies.iter().filter(|tally| !is_good(tally)).count();
                }
            }
        }
    }
    // What blocks that are too short for such bursts come to: shown, and not held to anything.
    let short =
        Setup { delay: Delay::Bimodal, is_correlated: true, between: 0.0, pairs: 5, requests: REQUESTS };
    row(short, &seeds);
    println!(
        "\n{outside} of {figures} figures outside 90 to 99 % or biased by more than 1 % + 20 µs, but for the last row."
    );
    assert_eq!(outside, 0);
}

fn row(setup: Setup, seeds: &Range<u64>) -> [Tally; 2] {
    let tallies = setup.tally(seeds.clone());
    println!("| {} | {} |", String::from(&setup), tallies.map(cells).join(" | "));
    tallies
}

fn cells(tally: Tally) -> String {
    let Tally { truth, bias, width, .. } = tally;
    let [truth, bias, width] = [truth, bias, width].map(|nanos| nanos / 1e6);
    format!("{truth:.3} | {bias:+.4} | {width:.3} | {:.1} %", tally.coverage() * 100.0)
}
