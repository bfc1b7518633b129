//! How a figure varies within a block: over batches of its seconds.

use proto::latencies::Histogram;

use super::{Figure, of_times};
use crate::statistics::overhead::Statistic;
use crate::statistics::student::Sample;

/// A second of all workers.
#[derive(Debug, Clone)]
pub struct Second {
    /// Due to last byte, of successes.
    pub response_time: Histogram,
    /// In seconds.
    pub length: f64,
    /// Good answers.
    pub successes: u64,
    /// All others that came to an end.
    pub failed: u64,
}

/// With more, batches are shorter than what makes seconds depend on each other.
const MOST_BATCHES: usize = 20;
/// With fewer, their variance is hardly known.
const FEWEST_BATCHES: usize = 5;

/// How the figure varies from batch to batch, on the scale on which it is compared; where that begins does not matter.
pub(super) fn of(figure: Figure, seconds: &[Second]) -> Result<Vec<f64>, String> {
    if seconds.len() < FEWEST_BATCHES {
        return Err(format!("too few seconds ({} of {FEWEST_BATCHES})", seconds.len()));
    }
    match figure.statistic() {
        Some(statistic) => of_histograms(statistic, seconds),
        None => of_counts(figure, &cut(seconds, seconds.len().min(MOST_BATCHES))),
    }
}

/// As many batches as have enough values each.
fn of_histograms(statistic: Statistic, seconds: &[Second]) -> Result<Vec<f64>, String> {
    let all = sum(seconds, |second| second.response_time.count());
    let needed = statistic.needed();
    for count in (FEWEST_BATCHES..=MOST_BATCHES.min(seconds.len())).rev() {
        if all / (count as u64) < needed {
            continue;
        }
        let batches = cut(seconds, count).into_iter().map(|batch| {
            let mut times = Histogram::new();
            batch.iter().for_each(|second| times.merge(&second.response_time));
            times
        });
        let read = |times: Histogram| of_times(statistic, &times).filter(|_| times.count() >= needed);
        let values: Option<Vec<f64>> = batches.map(|times| Some(read(times)?.0)).collect();
        if let Some(values) = values {
            return Ok(values);
        }
    }
    Err(format!(
        "too few samples for {FEWEST_BATCHES} parts of the block ({all} of {})",
        needed * FEWEST_BATCHES as u64
    ))
}

/// What each batch has more than its part of the whole, in parts of the whole figure's.
///
/// Both figures are ratios of sums, of failures to requests and of successes to time, and this is what the variance of such
/// a ratio rests on (Cochran, Sampling Techniques, section 2.11). A batch in which nothing succeeded or nothing ended counts
/// like any other, where its own figure, or its logarithm, would be none.
fn of_counts(figure: Figure, batches: &[&[Second]]) -> Result<Vec<f64>, String> {
    let is_share = figure == Figure::Failed;
    let of_batch = |batch: &&[Second]| {
        let (successes, failed) = (sum(batch, |second| second.successes), sum(batch, |second| second.failed));
        let length: f64 = batch.iter().map(|second| second.length).sum();
        if is_share {
            (failed as f64, successes.saturating_add(failed) as f64)
        } else {
            (successes as f64, length)
        }
    };
    let batches: Vec<(f64, f64)> = batches.iter().map(of_batch).collect();
    let (parts, wholes) = batches.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.0, sum.1 + batch.1));
    let ratio = parts / wholes;
    // A small change of a logarithm is a share of what changes.
    let unit = if is_share { wholes } else { parts } / batches.len() as f64;
    if unit > 0.0 && ratio.is_finite() {
        Ok(batches.iter().map(|(part, whole)| (part - ratio * whole) / unit).collect())
    } else if is_share {
        Err("no request came to its end in a whole second".to_owned())
    } else {
        Err("no request succeeded in a whole second".to_owned())
    }
}

/// A report may hold any counts.
fn sum(seconds: &[Second], count: fn(&Second) -> u64) -> u64 {
    seconds.iter().map(count).fold(0, u64::saturating_add)
}

/// Neighbouring seconds together, in `count` parts whose lengths differ by one at most.
fn cut(seconds: &[Second], count: usize) -> Vec<&[Second]> {
    let start = |part: usize| part * seconds.len() / count;
    (0..count).map(|part| &seconds[start(part)..start(part + 1)]).collect()
}

/// The variance of the batches' mean, and its degrees of freedom.
///
/// Batches that take after the one before count as fewer: of a process in which the correlation of neighbours is r, n are
/// worth n (1 − r) ÷ (1 + r).
pub(super) fn variance_of_mean(values: &[f64]) -> Option<(f64, f64)> {
    let sample = Sample::of(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| value - sample.mean).collect();
    let squares: f64 = deviations.iter().map(|deviation| deviation * deviation).sum();
    let products: f64 = deviations.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let seen = if squares > 0.0 { products / squares } else { 0.0 };
    // What is seen in few values is too small on average (Marriott and Pope, and Kendall, Biometrika 1954).
    let correlation = (seen + (1.0 + 3.0 * seen) / values.len() as f64).clamp(0.0, 0.9);
    let factor = (1.0 + correlation) / (1.0 - correlation);
    Some((sample.variance_of_mean * factor, ((values.len() as f64 / factor) - 1.0).max(1.0)))
}
