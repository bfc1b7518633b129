//! Prints how often intervals of added P50 and P95 hold the truth, over runs that are simulated from seeds.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use simulation::{Delay, Setup, Tally};

fn main() {
    let seeds = std::env::args().nth(1).map_or(1_000, |seeds| seeds.parse().unwrap());
    println!("Overhead, over {seeds} seeds each; blocks of 2000 requests; 95 % intervals. Times in ms.\n");
    println!(
        "| Added | Requests | Between blocks | Pairs | P50: truth | bias | width | covered | P95: truth | bias | width | covered |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut outside = 0;
    for delay in [Delay::None, Delay::Constant, Delay::LogNormal, Delay::Bimodal] {
        for is_correlated in [false, true] {
            for between in [0.0, 0.5e6] {
                for pairs in [3, 5, 10] {
                    let setup = Setup { delay, is_correlated, between, pairs, requests: 2_000 };
                    let tallies = setup.tally(seeds);
                    println!("| {} | {} |", String::from(&setup), tallies.map(cells).join(" | "));
                    let is_good =
                        |tally: &Tally| (0.90..=0.99).contains(&tally.coverage()) && tally.is_unbiased();
                    outside += tallies.iter().filter(|tally| !is_good(tally)).count();
                }
            }
        }
    }
    println!("\n{outside} figures outside 90 to 99 % or biased by more than 1 % + 20 µs.");
    assert_eq!(outside, 0);
}

fn cells(tally: Tally) -> String {
    let Tally { truth, bias, width, .. } = tally;
    let [truth, bias, width] = [truth, bias, width].map(|nanos| nanos / 1e6);
    format!("{truth:.3} | {bias:+.4} | {width:.3} | {:.1} %", tally.coverage() * 100.0)
}
