//! What the gateway adds: figures of the gateway's blocks less those of the direct ones, with intervals. Pure.
//!
//! The unit is the pair: a gateway's block and a direct block that ran next to each other. Each pair gives one
//! difference, such as P95(gateway) − P95(direct); the added P95 is their mean, and its interval is Student's t with
//! pairs − 1 degrees of freedom ([`super::student`] has the sources). Requests within a block depend on each other, since
//! they share queues, caches and neighbours, so that an interval over requests would be far too narrow; blocks far apart
//! hardly do (Le Boudec, Performance Evaluation, chapter 2.3, on what independence takes). A difference of quantiles is
//! not a quantile of differences: an added P95 says how much later the slowest twentieth of all answers begins, and not
//! what happened to any one request.
//!
//! Response times count from the due time, so that a gateway that stalls is charged with all that had to wait (G. Tene,
//! How NOT to Measure Latency, on coordinated omission). Quantiles are read between the bounds of buckets
//! ([`proto::latencies::Fine`]; the buckets are HdrHistogram's), and no interval is narrower than what buckets can tell.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::student::Sample;

mod reading;

pub(super) use reading::Statistic;
pub use reading::{ArmBlock, Pair, Readings};

/// With two pairs, the interval is 12.7 standard errors to either side, and their deviation is hardly known.
pub const FEWEST_PAIRS: usize = 3;
/// As many values are expected beyond a quantile in each block; with fewer, what is read is one request's fate.
pub const FEWEST_BEYOND: u64 = 10;

/// What the gateway adds to one scenario under one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overhead {
    /// Due to last byte.
    pub response_time: Added,
    /// Due to first content event; `None` where nothing was streamed.
    pub time_to_first_token: Option<Added>,
    /// Content event to next content event; `None` where nothing was streamed.
    pub inter_token_gap: Option<Added>,
    /// The gateway's throughput ÷ the direct one.
    pub throughput_ratio: Cell<Ratio>,
}

/// What is added to one kind of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Added {
    /// To the mean.
    pub mean: Cell<Estimate>,
    /// To the median.
    pub p50: Cell<Estimate>,
    /// To the 95th percentile.
    pub p95: Cell<Estimate>,
    /// To the 99th percentile.
    pub p99: Cell<Estimate>,
}

/// A figure, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Cell<T> {
    /// There is one.
    Known(T),
    /// There is none.
    Unknown(Reason),
}

/// A difference in nanoseconds, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// The mean of the pairs' differences.
    pub added_ns: f64,
    /// The interval's lower end.
    pub low_ns: f64,
    /// The interval's upper end.
    pub high_ns: f64,
    /// How many pairs it rests on.
    pub pairs: usize,
}

/// A ratio, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ratio {
    /// The geometric mean of the pairs' ratios.
    pub ratio: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// How many pairs it rests on.
    pub pairs: usize,
}

/// Why there is no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Nothing is known about how the pairs vary.
    TooFewPairs {
        /// How many there are.
        pairs: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Too few values lie beyond the quantile.
    TooFewSamples {
        /// How many the block with the fewest has.
        samples: u64,
        /// How many it takes.
        needed: u64,
    },
    /// A block had no success in its window.
    NoThroughput,
}

impl Overhead {
    /// Of all pairs of one scenario under one load.
    pub fn of(pairs: &[Pair]) -> Self {
        let streamed = |times: fn(&ArmBlock) -> &Readings| {
            let any = blocks(pairs).any(|block| times(block).count > 0);
            any.then(|| Added::of(pairs, times))
        };
        Self {
            response_time: Added::of(pairs, |block| &block.response_time),
            time_to_first_token: streamed(|block| &block.time_to_first_token),
            inter_token_gap: streamed(|block| &block.inter_token_gap),
            throughput_ratio: ratio(pairs),
        }
    }
}

impl Added {
    /// Of one kind of time.
    pub fn of(pairs: &[Pair], times: fn(&ArmBlock) -> &Readings) -> Self {
        let of = |statistic| added(pairs, times, statistic);
        Self {
            mean: of(Statistic::Mean),
            p50: of(Statistic::P50),
            p95: of(Statistic::P95),
            p99: of(Statistic::P99),
        }
    }
}

impl<T> Cell<T> {
    /// The figure, where there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(figure) => Some(figure),
            Self::Unknown(_) => None,
        }
    }
}

impl Estimate {
    /// Whether zero lies in the interval, so that nothing is known to be added.
    pub fn contains_zero(&self) -> bool {
        self.low_ns <= 0.0 && 0.0 <= self.high_ns
    }
}

fn blocks(pairs: &[Pair]) -> impl Iterator<Item = &ArmBlock> {
    pairs.iter().flat_map(|pair| [&pair.gateway, &pair.direct])
}

fn added(pairs: &[Pair], times: fn(&ArmBlock) -> &Readings, statistic: Statistic) -> Cell<Estimate> {
    let estimate = differences(pairs, times, statistic).and_then(|Differences { sample, resolution }| {
        let interval = sample.interval().ok_or_else(|| too_few_pairs(pairs))?;
        let half_width = interval.half_width.hypot(resolution);
        Ok(Estimate {
            added_ns: interval.mean,
            low_ns: interval.mean - half_width,
            high_ns: interval.mean + half_width,
            pairs: sample.count,
        })
    });
    estimate.map_or_else(Cell::Unknown, Cell::Known)
}

/// What pairs say of one statistic, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Differences {
    /// Gateway less direct.
    pub(super) sample: Sample,
    /// What the bounds of buckets hide.
    pub(super) resolution: f64,
}

/// # Errors
/// Why they say nothing.
pub(super) fn differences(
    pairs: &[Pair],
    times: fn(&ArmBlock) -> &Readings,
    statistic: Statistic,
) -> Result<Differences, Reason> {
    if pairs.len() < FEWEST_PAIRS {
        return Err(too_few_pairs(pairs));
    }
    let samples = blocks(pairs).map(|block| times(block).count).min().unwrap_or_default();
    let needed = statistic.needed();
    if samples < needed {
        return Err(Reason::TooFewSamples { samples, needed });
    }

    let read = |block: &ArmBlock| times(block).get(statistic);
    let readings = pairs.iter().filter_map(|pair| Some((read(&pair.gateway)?, read(&pair.direct)?)));
    let (differences, errors): (Vec<f64>, Vec<f64>) = readings
        .map(|(gateway, direct)| (gateway.value - direct.value, gateway.error + direct.error))
        .unzip();
    // Blocks of answers that all take the same time agree to the nanosecond, and are wrong by the same part of a bucket.
    let resolution = errors.iter().sum::<f64>() / errors.len() as f64;
    let sample = Sample::of(&differences).ok_or_else(|| too_few_pairs(pairs))?;
    Ok(Differences { sample, resolution })
}

fn too_few_pairs(pairs: &[Pair]) -> Reason {
    Reason::TooFewPairs { pairs: pairs.len(), needed: FEWEST_PAIRS }
}

/// On the scale of logarithms, where twice and half as much are equally far from the same.
fn ratio(pairs: &[Pair]) -> Cell<Ratio> {
    if pairs.len() < FEWEST_PAIRS {
        return Cell::Unknown(too_few_pairs(pairs));
    }
    let throughput = |block: &ArmBlock| block.throughput.filter(|rate| rate.is_normal() && *rate > 0.0);
    let logarithm = |pair: &Pair| Some((throughput(&pair.gateway)? / throughput(&pair.direct)?).ln());
    let Some(logarithms) = pairs.iter().map(logarithm).collect::<Option<Vec<f64>>>() else {
        return Cell::Unknown(Reason::NoThroughput);
    };
    let interval = Sample::of(&logarithms).and_then(|sample| sample.interval());
    interval.map_or(Cell::Unknown(too_few_pairs(pairs)), |interval| {
        Cell::Known(Ratio {
            ratio: interval.mean.exp(),
            low: (interval.mean - interval.half_width).exp(),
            // A number that JSON knows, however far apart the pairs are.
            high: (interval.mean + interval.half_width).exp().min(f64::MAX),
            pairs: logarithms.len(),
        })
    })
}

/// `+0.412 ms [0.398, 0.431]`.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [added, low, high] = [self.added_ns, self.low_ns, self.high_ns].map(|nanos| nanos / 1e6);
        let decimals = match added.abs().max(low.abs()).max(high.abs()) {
            ..0.1 => 4,
            ..10.0 => 3,
            ..100.0 => 2,
            _ => 1,
        };
        // What rounds to nothing has no sign.
        let scale = 10f64.powi(decimals);
        let [added, low, high] = [added, low, high].map(|millis| (millis * scale).round() / scale + 0.0);
        let decimals = decimals as usize;
        write!(f, "{added:+.decimals$} ms [{low:.decimals$}, {high:.decimals$}]")
    }
}

/// `0.982 [0.975, 0.990]`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} [{:.3}, {:.3}]", self.ratio, self.low, self.high)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewPairs { pairs, needed } => write!(f, "too few pairs ({pairs} of {needed})"),
            Self::TooFewSamples { samples, needed } => write!(f, "too few samples ({samples} of {needed})"),
            Self::NoThroughput => f.write_str("a block without a success"),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(figure) => figure.fmt(f),
            Self::Unknown(reason) => reason.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
