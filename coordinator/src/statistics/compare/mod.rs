//! How a scenario's figures differ between two runs, with intervals. Pure.
//!
//! Where a run has several blocks of a scenario, they are the unit, and the interval is Welch's t over them. Where it has
//! one, its seconds have to do: of means and rates, how much slow waves there are in them ([`seconds::variance_of_mean`]); of
//! quantiles, the same of the share of answers that took longer ([`quantile::Beyond`]). Intervals from order statistics would
//! take requests for independent, which they are not. What seconds cannot know is how the same target differs from one run to
//! the next: only repeated blocks tell.
//!
//! Times and throughputs are compared by the logarithm of their ratio, failure rates by their difference. Few failures vary
//! by chance more than so few blocks or seconds show, so that no interval of a failure rate is narrower than that of as many
//! independent requests ([`Reading::at_least_chance`]). Where both runs have a direct arm, what the gateway adds is compared
//! as well ([`added`]).

use proto::latencies::Histogram;
use serde::Serialize;

use super::overhead::Statistic;
use super::student;

mod added;
mod quantile;
mod reading;
mod seconds;
mod single;
#[cfg(test)]
mod tests;

pub use added::compare_added;
pub use seconds::Second;

use reading::{Reading, Spread};

/// One block of a scenario.
#[derive(Debug, Clone)]
pub struct Block {
    /// Due to last byte, of successes.
    pub response_time: Histogram,
    /// Successes a second.
    pub throughput: Option<f64>,
    /// Good answers.
    pub successes: u64,
    /// All others that came to an end.
    pub failed: u64,
    /// What lies within the window, in order.
    pub seconds: Vec<Second>,
}

impl Block {
    /// Requests that came to an end.
    fn ended(&self) -> f64 {
        self.successes.saturating_add(self.failed) as f64
    }

    /// Failures among them; `None` when there were none.
    fn failure_rate(&self) -> Option<f64> {
        (self.ended() > 0.0).then(|| self.failed as f64 / self.ended())
    }
}

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Of response times.
    Mean,
    /// Of response times.
    P50,
    /// Of response times.
    P95,
    /// Of response times.
    P99,
    /// Successes a second.
    Throughput,
    /// Failures among the requests that came to an end.
    Failed,
    /// What the gateway adds to the mean.
    AddedMean,
    /// What the gateway adds to the median.
    AddedP50,
    /// What the gateway adds to the 95th percentile.
    AddedP95,
    /// What the gateway adds to the 99th percentile.
    AddedP99,
}

impl Figure {
    /// Those of one arm, in the order in which they are shown.
    pub const OF_ARM: [Self; 6] =
        [Self::Mean, Self::P50, Self::P95, Self::P99, Self::Throughput, Self::Failed];
    /// Those of both arms, in the order in which they are shown.
    pub const ADDED: [Self; 4] = [Self::AddedMean, Self::AddedP50, Self::AddedP95, Self::AddedP99];

    /// The name in flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Failed => "failed",
            Self::AddedMean => "added_mean",
            Self::AddedP50 => "added_p50",
            Self::AddedP95 => "added_p95",
            Self::AddedP99 => "added_p99",
        }
    }

    fn statistic(self) -> Option<Statistic> {
        match self {
            Self::Mean | Self::AddedMean => Some(Statistic::Mean),
            Self::P50 | Self::AddedP50 => Some(Statistic::P50),
            Self::P95 | Self::AddedP95 => Some(Statistic::P95),
            Self::P99 | Self::AddedP99 => Some(Statistic::P99),
            Self::Throughput | Self::Failed => None,
        }
    }
}

/// How one figure differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which.
    pub figure: Figure,
    /// Of the old run: nanoseconds, requests a second, or a share.
    pub old: Option<f64>,
    /// Of the new run.
    pub new: Option<f64>,
    /// New ÷ old − 1; of failures and of what is added, new − old.
    pub change: Option<f64>,
    /// Between these it lies with a confidence of 95 %.
    pub interval: Option<[f64; 2]>,
    /// How much worse it may be, in the unit of the change.
    pub tolerance: f64,
    /// What follows.
    pub outcome: Outcome,
    /// Why there is no interval.
    pub why: Option<String>,
}

/// What follows from a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole interval is worse than the tolerance.
    Worse,
    /// The interval reaches into what is tolerated.
    Tolerated,
    /// There is no interval, so nothing can be held against the new run.
    Unknown,
}

/// Every figure of one arm of a scenario, with its tolerance.
pub fn compare(old: &[Block], new: &[Block], tolerance: impl Fn(Figure) -> f64) -> Vec<Difference> {
    Figure::OF_ARM.map(|figure| difference(figure, old, new, tolerance(figure))).to_vec()
}

fn difference(figure: Figure, old: &[Block], new: &[Block], tolerance: f64) -> Difference {
    let [was, is] = [old, new].map(|blocks| whole(figure, blocks));
    let change =
        was.zip(is).map(|(was, is)| if figure == Figure::Failed { is - was } else { is / was - 1.0 });
    let (interval, why) = match interval(figure, old, new) {
        Ok(interval) => (Some(interval), None),
        Err(why) => (None, Some(why)),
    };
    let outcome = Outcome::of(figure, interval, tolerance);
    Difference { figure, old: was, new: is, change, interval, tolerance, outcome, why }
}

impl Outcome {
    fn of(figure: Figure, interval: Option<[f64; 2]>, tolerance: f64) -> Self {
        match interval {
            None => Self::Unknown,
            // Where less is worse, as far below as the tolerance reaches above elsewhere.
            Some([_, high]) if figure == Figure::Throughput && high < -tolerance => Self::Worse,
            Some([low, _]) if figure != Figure::Throughput && low > tolerance => Self::Worse,
            Some(_) => Self::Tolerated,
        }
    }
}

/// The mean over the blocks; of times and rates, the geometric one.
fn whole(figure: Figure, blocks: &[Block]) -> Option<f64> {
    let values = blocks.iter().map(|block| of_block(figure, block).map(|(value, _)| value));
    let values = values.collect::<Option<Vec<f64>>>().filter(|values| !values.is_empty())?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some(if figure == Figure::Failed { mean } else { mean.exp() })
}

/// The figure on its scale, and what the bounds of buckets hide.
fn of_block(figure: Figure, block: &Block) -> Option<(f64, f64)> {
    match figure.statistic() {
        Some(statistic) => of_times(statistic, &block.response_time),
        None if figure == Figure::Failed => Some((block.failure_rate()?, 0.0)),
        None => block.throughput.filter(|rate| *rate > 0.0).map(|rate| (rate.ln(), 0.0)),
    }
}

fn of_times(statistic: Statistic, times: &Histogram) -> Option<(f64, f64)> {
    let fine = statistic.read(times).filter(|fine| fine.value > 0.0)?;
    Some((fine.value.ln(), fine.error / fine.value))
}

fn interval(figure: Figure, old: &[Block], new: &[Block]) -> Result<[f64; 2], String> {
    let old = reading(figure, old).map_err(|why| format!("the old run: {why}"))?;
    let new = reading(figure, new).map_err(|why| format!("the new run: {why}"))?;
    let ends = new.less(&old).ok_or("its seconds vary in no way that is known")?;
    Ok(if figure == Figure::Failed { ends } else { ends.map(f64::exp_m1) })
}

fn reading(figure: Figure, blocks: &[Block]) -> Result<Reading<'_>, String> {
    let reading = match blocks {
        [block] => single::reading(figure, block),
        _ => over_blocks(figure, blocks),
    }?;
    Ok(if figure == Figure::Failed { reading.at_least_chance(blocks) } else { reading })
}

fn over_blocks(figure: Figure, blocks: &[Block]) -> Result<Reading<'static>, String> {
    let readings = blocks.iter().map(|block| of_block(figure, block)).collect::<Option<Vec<_>>>();
    let readings = readings.ok_or("a block has no figure")?;
    if let Some(statistic) = figure.statistic() {
        let fewest = blocks.iter().map(|block| block.response_time.count()).min().unwrap_or_default();
        if fewest < statistic.needed() {
            return Err(format!("too few samples in a block ({fewest} of {})", statistic.needed()));
        }
    }
    let values: Vec<f64> = readings.iter().map(|(value, _)| *value).collect();
    let sample = student::Sample::of(&values).ok_or("there is no block")?;
    let error = readings.iter().map(|(_, error)| error).sum::<f64>() / readings.len() as f64;
    let degrees = (sample.count - 1) as f64;
    let spread = Spread::Even { variance: sample.variance_of_mean };
    Ok(Reading { value: sample.mean, spread, degrees, error })
}

impl Reading<'_> {
    /// The same failure rate, no surer than if each request had failed by chance and for itself.
    ///
    /// Two blocks of two failures each vary in nothing, and so do two of none; that the next ones will be like them does not
    /// follow. Of k failures among n requests the chance of one is taken as (k + ½) ÷ (n + 1), the mean of what is known of it
    /// where nothing was before (Jeffreys' prior; Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion,
    /// Statistical Science 2001), which is not 0 where none was seen.
    fn at_least_chance(self, blocks: &[Block]) -> Self {
        let failed = blocks.iter().fold(0, |sum: u64, block| sum.saturating_add(block.failed));
        let ended: f64 = blocks.iter().map(Block::ended).sum();
        let chance = (failed as f64 + 0.5) / (ended + 1.0);
        let parts: f64 = blocks.iter().map(|block| chance * (1.0 - chance) / block.ended()).sum();
        let spread = Spread::Even { variance: parts / (blocks.len() as f64).powi(2) };
        let by_chance = Self { spread, degrees: f64::INFINITY, ..self };
        if by_chance.half_width() > self.half_width() { by_chance } else { self }
    }
}
