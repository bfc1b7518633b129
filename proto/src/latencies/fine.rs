//! Quantiles and means that are finer than a bucket, for differences of two of them.
//!
//! A bucket is up to a thousandth of its values wide: 65 µs at 100 ms, more than many a gateway adds. So the values of a
//! bucket are taken as spread evenly over it, and quantiles as the ones that are unbiased for the median whatever the
//! distribution (Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996, definition 8). Where all values of a
//! bucket are the same, that is wrong by up to the bucket's width, so each figure has a bound of its error beside it.

use super::Histogram;
use super::counts::{range_of, slot_of};

/// A figure finer than a bucket, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fine {
    /// The figure.
    pub value: f64,
    /// How far from it the figure of the values themselves may be, wherever they lie in their buckets.
    pub error: f64,
}

impl Histogram {
    /// The value at the share `quantile` (0 to 1) of all values; `None` when there are none.
    pub fn fine_quantile(&self, quantile: f64) -> Option<Fine> {
        let count = self.count();
        let third = 1.0 / 3.0;
        let rank =
            ((count as f64 + third) * quantile.clamp(0.0, 1.0) + third).clamp(1.0, count.max(1) as f64);
        let below = self.fine_value(rank as u64)?;
        let above = self.fine_value((rank as u64 + 1).min(count))?;
        let share = rank.fract();
        let between = |below: f64, above: f64| below + share * (above - below);
        Some(Fine { value: between(below.value, above.value), error: between(below.error, above.error) })
    }

    /// The mean, with the values of a bucket taken at its middle; `None` when there are none.
    pub fn fine_mean(&self) -> Option<Fine> {
        let halves = self.buckets().map(|(end, count)| Self::width_of(end) / 2.0 * count as f64).sum::<f64>();
        Some(Fine { value: self.mean()?, error: halves / self.count() as f64 })
    }

    /// How many values are above `nanos`, with a part of those in its own bucket.
    pub fn fine_count_above(&self, nanos: f64) -> f64 {
        let part = |(end, count): (u64, u64)| {
            let above = (end as f64 + 1.0 - nanos) / Self::width_of(end);
            above.clamp(0.0, 1.0) * count as f64
        };
        self.buckets().map(part).fold(0.0, |sum, part| sum + part)
    }

    /// The value of this rank, counted from 1, in ascending order.
    fn fine_value(&self, rank: u64) -> Option<Fine> {
        let mut before = 0u64;
        for (end, count) in self.buckets() {
            if rank <= before.saturating_add(count) {
                let width = Self::width_of(end);
                let share = ((rank - before) as f64 - 0.5) / count as f64;
                let value = end as f64 + 1.0 - width * (1.0 - share);
                return Some(Fine { value, error: width * share.max(1.0 - share) });
            }
            before = before.saturating_add(count);
        }
        None
    }

    fn width_of(bucket_end: u64) -> f64 {
        range_of(slot_of(bucket_end)).1 as f64
    }
}
