//! Prints how often `compare` calls a run worse that is not, and one that is, over runs that are simulated from seeds.

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use coordinator::statistics::compare::{Block, Figure, Outcome, Second, compare};
use proto::latencies::Histogram;

#[path = "../tests/simulation/arguments.rs"]
mod arguments;
#[path = "../tests/simulation/random.rs"]
mod random;

use random::{Correlated, Random};

/// One kind of run, with one block of about 100,000 answers.
#[derive(Debug, Clone, Copy)]
struct Setup {
    seconds: usize,
    answers_a_second: usize,
    /// The standard deviation of what a second has more than others, as a share; each is half like the one before.
    drift: f64,
    /// How often the target stands still for two seconds in a run, on average.
    freezes: f64,
}

const SHORT: Setup = Setup { seconds: 20, answers_a_second: 5_000, drift: 0.0, freezes: 0.0 };
const LONG: Setup = Setup { seconds: 60, answers_a_second: 1_667, drift: 0.0, freezes: 0.0 };

/// Up to it a tenth more has to be found in every pair of runs, however few seconds they have.
const DRIFT_THAT_HIDES_NOTHING: f64 = 0.005;

fn main() {
    let seeds = arguments::seeds(200);
    println!("Pairs of runs of about 100,000 answers with one block each, over the seeds {seeds:?}.\n");
    println!("The same target twice:\n");
    println!(
        "| Seconds | Differ by | Freezes a run | Tolerance | Called worse: any figure | Mean | P50 | P95 | P99 | Throughput |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for shape in [SHORT, LONG] {
        for (drift, freezes) in [(0.0, 0.0), (0.01, 0.0), (0.02, 0.0), (0.05, 0.0), (0.0, 1.0)] {
            for (tolerance, worse) in (Setup { drift, freezes, ..shape }).pairs(&seeds, 1.0, &[0.0, 0.05]) {
                let name =
                    format!("{} | {} % | {freezes} | {} %", shape.seconds, drift * 100.0, tolerance * 100.0);
                println!("| {name} | {} |", worse[..6].join(" | "));
            }
        }
    }
    println!("\nA P99 that is 10 % higher, with a tolerance of 5 %:\n");
    println!("| Seconds | Differ by | P99 called worse |\n| ---: | ---: | ---: |");
    for shape in [SHORT, LONG] {
        for drift in [0.0, 0.005, 0.01, 0.015, 0.02, 0.03] {
            for (_, worse) in (Setup { drift, ..shape }).pairs(&seeds, 1.1, &[0.05]) {
                println!("| {} | {:.1} % | {} |", shape.seconds, drift * 100.0, worse[4]);
            }
        }
    }
}

impl Setup {
    /// For each tolerance, in how many pairs of runs any figure was called worse, and each of them; the second run's slowest
    /// fortieth is `tail` times slower.
    fn pairs(self, seeds: &std::ops::Range<u64>, tail: f64, tolerances: &[f64]) -> Vec<(f64, Vec<String>)> {
        let mut worse = vec![[0u64; 7]; tolerances.len()];
        for seed in seeds.clone() {
            let [old, new] =
                [(2 * seed, 1.0), (2 * seed + 1, tail)].map(|(seed, tail)| self.block(seed, tail));
            for (tolerance, worse) in tolerances.iter().zip(&mut worse) {
                let differences =
                    compare(std::slice::from_ref(&old), std::slice::from_ref(&new), |_| *tolerance);
                let is_worse = |figure: Figure| {
                    differences.iter().any(|one| one.figure == figure && one.outcome == Outcome::Worse)
                };
                let each = Figure::OF_ARM.map(is_worse);
                worse[0] += u64::from(each.contains(&true));
                worse[1..].iter_mut().zip(each).for_each(|(count, is_worse)| *count += u64::from(is_worse));
            }
        }
        let runs = seeds.end - seeds.start;
        for (tolerance, worse) in tolerances.iter().zip(&worse) {
            // With no tolerance at all, each figure has its own chance: shown, and held to nothing.
            let is_few = *tolerance == 0.0 || worse[0] * 20 <= runs;
            assert!(tail > 1.0 || is_few, "too many false alarms: {self:?} {worse:?}");
            let is_found = worse[4] == runs || self.drift > DRIFT_THAT_HIDES_NOTHING;
            assert!(tail == 1.0 || is_found, "a regression was missed: {self:?} {worse:?}");
        }
        let percent = |count: u64| format!("{:.1} %", count as f64 * 100.0 / runs as f64);
        tolerances
            .iter()
            .zip(worse)
            .map(|(tolerance, worse)| (*tolerance, worse.map(percent).to_vec()))
            .collect()
    }

    /// Log-normal times round 10 ms.
    fn block(self, seed: u64, tail: f64) -> Block {
        let mut random = Random::new(seed);
        let mut level = Correlated::new(0.5, &mut random);
        let mut seconds: Vec<Second> = (0..self.seconds)
            .map(|_| {
                let factor = (self.drift * level.next(&mut random)).exp();
                let mut response_time = Histogram::new();
                for _ in 0..self.answers_a_second {
                    let noise = random.normal();
                    let slower = if noise > 1.96 { tail } else { 1.0 };
                    response_time.record((10e6 * (0.3 * noise).exp() * factor * slower) as u64);
                }
                Second { response_time, length: 1.0, successes: self.answers_a_second as u64, failed: 0 }
            })
            .collect();
        let frozen = (2..self.seconds).filter(|_| random.uniform() < self.freezes / self.seconds as f64);
        frozen.collect::<Vec<_>>().into_iter().for_each(|end| freeze(&mut seconds, end));

        let mut response_time = Histogram::new();
        seconds.iter().for_each(|second| response_time.merge(&second.response_time));
        let successes = response_time.count();
        let throughput = Some(successes as f64 / self.seconds as f64);
        Block { response_time, throughput, successes, failed: 0, seconds }
    }
}

/// What was due in the two seconds before `end` is answered at its beginning, however long it has waited by then.
fn freeze(seconds: &mut [Second], end: usize) {
    for before in [2, 1] {
        let stopped = std::mem::replace(&mut seconds[end - before].response_time, Histogram::new());
        let (count, answer) = (stopped.count(), stopped.mean().unwrap_or_default());
        seconds[end - before].successes = 0;
        seconds[end].successes += count;
        for at in 0..count {
            let waited = before as f64 - at as f64 / count as f64;
            seconds[end].response_time.record((waited * 1e9 + answer) as u64);
        }
    }
}
