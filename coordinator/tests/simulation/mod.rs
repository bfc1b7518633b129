//! Runs that never took place: a gateway that adds a known delay to an upstream whose answers were recorded.
//!
//! Whoever works out intervals can be held against the truth here, which no real target tells. Everything follows from
//! seeds.

use std::ops::Range;
use std::thread;

use coordinator::statistics::overhead::{Added, ArmBlock, Cell, Estimate, Pair};
use proto::latencies::Latencies;
use statrs::distribution::{ContinuousCDF, Normal};

pub mod random;

use random::{Correlated, Random};

/// Response times of the built-in mock with `--latency 5ms`, four at once, in ascending order, in microseconds.
const RECORDED: &str = include_str!("recorded_micros.txt");

/// How far a request's delay follows the one before it, where they are correlated at all.
const CORRELATION: f64 = 0.9;

/// What the gateway adds to a request, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Nothing: both arms are the same.
    None,
    /// 0.4 ms.
    Constant,
    /// Log-normal, with a median of 0.4 ms.
    LogNormal,
    /// 0.3 ms, and for 2 % of requests 40 ms more.
    Bimodal,
}

/// One kind of run.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// What the gateway adds.
    pub delay: Delay,
    /// Whether a request is like the one before it.
    pub is_correlated: bool,
    /// The standard deviation of what a whole block has more than others, in nanoseconds.
    pub between: f64,
    /// Pairs of blocks.
    pub pairs: usize,
    /// Requests of each block.
    pub requests: usize,
}

/// What came of many runs of one kind, for one figure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// How many runs had the figure.
    pub runs: usize,
    /// In how many of them the truth was in the interval.
    pub covered: usize,
    /// What the gateway really adds, in nanoseconds.
    pub truth: f64,
    /// The mean error of the figure, apart from what the blocks themselves differed by.
    pub bias: f64,
    /// The mean width of the intervals.
    pub width: f64,
}

impl Tally {
    /// The share of runs in which the truth was in the interval.
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.runs.max(1) as f64
    }

    /// No more than one part in a hundred and 20 µs.
    pub fn is_unbiased(&self) -> bool {
        self.bias.abs() <= 0.01 * self.truth.abs() + 20_000.0
    }
}

impl Setup {
    /// Added P50 and added P95 of a run for each seed.
    pub fn tally(&self, seeds: Range<u64>) -> [Tally; 2] {
        let truths = [0.5, 0.95].map(|quantile| self.truth(quantile));
        let parts = thread::scope(|scope| {
            let part = |skipped| {
                let seeds = seeds.clone().skip(skipped).step_by(2);
                scope.spawn(move || self.runs(seeds, truths))
            };
            [part(0), part(1)].map(|part| part.join().unwrap())
        });
        [0, 1].map(|figure| {
            let [one, other] = [parts[0][figure], parts[1][figure]];
            let runs = one.runs + other.runs;
            let mean = |of: fn(&Tally) -> f64| (of(&one) + of(&other)) / runs.max(1) as f64;
            Tally {
                runs,
                covered: one.covered + other.covered,
                truth: truths[figure],
                bias: mean(|tally| tally.bias),
                width: mean(|tally| tally.width),
            }
        })
    }

    /// Sums over runs; errors and widths are not divided yet.
    fn runs(&self, seeds: impl Iterator<Item = u64>, truths: [f64; 2]) -> [Tally; 2] {
        let mut blocks: Vec<[Latencies; 2]> = (0..self.pairs).map(|_| Default::default()).collect();
        let mut tallies = [Tally::default(); 2];
        for seed in seeds {
            let mut random = Random::new(seed ^ (self.requests as u64) << 32);
            let mut own = 0.0;
            for pair in &mut blocks {
                own += self.block(&mut pair[0], true, &mut random)
                    - self.block(&mut pair[1], false, &mut random);
            }
            own /= self.pairs as f64;
            let figures = self.figures(&blocks);
            for ((tally, truth), figure) in tallies.iter_mut().zip(truths).zip(figures) {
                if let Cell::Known(Estimate { added_ns, low_ns, high_ns, .. }) = figure {
                    tally.runs += 1;
                    tally.covered += usize::from((low_ns..=high_ns).contains(&truth));
                    tally.bias += added_ns - own - truth;
                    tally.width += high_ns - low_ns;
                }
            }
        }
        tallies
    }

    fn figures(&self, blocks: &[[Latencies; 2]]) -> [Cell<Estimate>; 2] {
        let arm = |latencies| ArmBlock::new(latencies, None);
        let pairs: Vec<Pair> = blocks
            .iter()
            .map(|[gateway, direct]| Pair { gateway: arm(gateway), direct: arm(direct) })
            .collect();
        let added = Added::of(&pairs, |block| &block.response_time);
        [added.p50, added.p95]
    }

    /// Fills one block, and says what it has more than others.
    fn block(&self, latencies: &mut Latencies, is_gateway: bool, random: &mut Random) -> f64 {
        latencies.clear();
        let own = self.between * random.normal();
        let correlation = if self.is_correlated { CORRELATION } else { 0.0 };
        let [mut upstream, mut delay] = [(); 2].map(|()| Correlated::new(correlation, random));
        let (normal, recorded) = (standard(), recorded());
        for _ in 0..self.requests {
            let mut nanos = quantile_of(&recorded, normal.cdf(upstream.next(random))) + own;
            if is_gateway {
                nanos += self.delay.at(delay.next(random));
            }
            latencies.response_time.record(nanos.max(0.0) as u64);
        }
        own
    }

    /// The difference of the two distributions' quantiles.
    fn truth(&self, quantile: f64) -> f64 {
        let recorded = recorded();
        let direct = quantile_of(&recorded, quantile);
        let delays = self.delay.weighted();
        let share = |nanos: f64| {
            delays.iter().map(|(delay, weight)| weight * share_below(&recorded, nanos - delay)).sum::<f64>()
        };
        let (mut low, mut high) = (direct, direct + 50e6);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if share(middle) < quantile { low = middle } else { high = middle }
        }
        high - direct
    }
}

impl Delay {
    /// The delay where a normal variable has this value.
    fn at(self, normal: f64) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Constant => 400_000.0,
            Self::LogNormal => 400_000.0 * (0.5 * normal).exp(),
            // One in fifty is above it.
            Self::Bimodal if normal > 2.053_749 => 40_300_000.0,
            Self::Bimodal => 300_000.0,
        }
    }

    /// All delays with their shares, in as many steps as it takes.
    fn weighted(self) -> Vec<(f64, f64)> {
        match self {
            Self::None | Self::Constant => vec![(self.at(0.0), 1.0)],
            Self::Bimodal => vec![(self.at(0.0), 0.98), (self.at(3.0), 0.02)],
            Self::LogNormal => {
                let share = |step: u32| (f64::from(step) + 0.5) / 2_000.0;
                (0..2_000).map(|step| (self.at(standard().inverse_cdf(share(step))), 1.0 / 2_000.0)).collect()
            }
        }
    }
}

fn standard() -> Normal {
    Normal::new(0.0, 1.0).unwrap()
}

/// How many neighbours on each side a recorded time is smoothed with: 400 times are lumpier than what they came from.
const NEIGHBOURS: usize = 8;

/// In nanoseconds.
fn recorded() -> Vec<f64> {
    let micros = RECORDED.split([',', '\n']).map(str::trim).filter(|text| !text.is_empty());
    let nanos: Vec<f64> = micros.map(|text| text.parse::<f64>().unwrap() * 1e3).collect();
    let smooth = |at: usize| {
        // The tail is as steep as it is.
        let reach = NEIGHBOURS.min(at).min((nanos.len() - 1 - at) / 4);
        let near = &nanos[at - reach..=at + reach];
        near.iter().sum::<f64>() / near.len() as f64
    };
    (0..nanos.len()).map(smooth).collect()
}

/// In straight lines from one recorded time to the next.
fn quantile_of(recorded: &[f64], share: f64) -> f64 {
    let at = share * (recorded.len() - 1) as f64;
    let below = recorded[at as usize];
    let above = recorded[(at as usize + 1).min(recorded.len() - 1)];
    below + at.fract() * (above - below)
}

/// The inverse of [`quantile_of`].
fn share_below(recorded: &[f64], nanos: f64) -> f64 {
    let above = recorded.partition_point(|time| *time <= nanos);
    if above == 0 || above == recorded.len() {
        return (above > 0).into();
    }
    let (before, after) = (recorded[above - 1], recorded[above]);
    ((above - 1) as f64 + (nanos - before) / (after - before)) / (recorded.len() - 1) as f64
}

impl From<&Setup> for String {
    fn from(setup: &Setup) -> Self {
        let order = if setup.is_correlated { "correlated" } else { "independent" };
        let Setup { delay, requests, between, pairs, .. } = setup;
        format!("{delay:?} | {order} | {requests} | {:.1} | {pairs}", between / 1e6)
    }
}
