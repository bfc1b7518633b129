//! Prints how often `compare` calls a run worse that is not, and one that is, over runs that are simulated from seeds.

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use coordinator::statistics::compare::{Block, Figure, Outcome, Second, compare};
use proto::latencies::Histogram;

#[path = "../tests/simulation/arguments.rs"]
mod arguments;
#[path = "../tests/simulation/random.rs"]
mod random;

use random::{Correlated, Random};

/// Seconds of a block, and answers of a second.
const SHAPE: (usize, usize) = (20, 5_000);

fn main() {
    let seeds = arguments::seeds(200);
    let runs = seeds.end - seeds.start;
    println!("Pairs of runs of 100,000 answers with one block each, over the seeds {seeds:?}.\n");
    println!(
        "| Second run | Seconds differ by | Tolerance | Called worse: any figure | P99 |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for (name, tail) in [("the same", 1.0), ("P99 10 % higher", 1.1)] {
        for drift in [0.0, 0.02] {
            for tolerance in [0.0, 0.05] {
                let (mut any, mut p99) = (0u64, 0u64);
                for seed in seeds.clone() {
                    let [old, new] =
                        [(2 * seed, 1.0), (2 * seed + 1, tail)].map(|(seed, tail)| block(seed, drift, tail));
                    let differences = compare(&[old], &[new], |_| tolerance);
                    let is_worse = |figure: Figure| {
                        differences.iter().any(|one| one.figure == figure && one.outcome == Outcome::Worse)
                    };
                    any += u64::from(Figure::OF_ARM.into_iter().any(is_worse));
                    p99 += u64::from(is_worse(Figure::P99));
                }
                let percent = |count: u64| count as f64 * 100.0 / runs as f64;
                println!(
                    "| {name} | {} % | {} % | {:.1} % | {:.1} % |",
                    drift * 100.0,
                    tolerance * 100.0,
                    percent(any),
                    percent(p99)
                );
                // With no tolerance at all, each figure has its own chance: shown, and held to nothing.
                let few = if tolerance > 0.0 { 5.0 } else { 100.0 };
                assert!(tail > 1.0 || percent(any) <= few, "too many false alarms");
                assert!(tail == 1.0 || drift > 0.0 || p99 == runs, "a regression was missed");
            }
        }
    }
}

/// Log-normal times round 10 ms; seconds differ by `drift` and take after the one before, and `tail` makes the slowest
/// fortieth slower.
fn block(seed: u64, drift: f64, tail: f64) -> Block {
    let mut random = Random::new(seed);
    let mut level = Correlated::new(0.5, &mut random);
    let mut whole = Histogram::new();
    let seconds: Vec<Second> = (0..SHAPE.0)
        .map(|_| {
            let factor = (drift * level.next(&mut random)).exp();
            let mut response_time = Histogram::new();
            for _ in 0..SHAPE.1 {
                let noise = random.normal();
                let slower = if noise > 1.96 { tail } else { 1.0 };
                response_time.record((10e6 * (0.3 * noise).exp() * factor * slower) as u64);
            }
            whole.merge(&response_time);
            Second { response_time, length: 1.0, successes: SHAPE.1 as u64, failed: 0 }
        })
        .collect();
    let successes = (SHAPE.0 * SHAPE.1) as u64;
    Block { response_time: whole, throughput: Some(SHAPE.1 as f64), successes, failed: 0, seconds }
}
