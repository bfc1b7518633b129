//! The histograms: one set of bounds, recording, merging, quantiles. The layout and the encoding are HdrHistogram's.

mod codec;
mod counts;
mod fine;
mod span;

use counts::{Counts, range_of, slot_of, upper_end};

pub use fine::Fine;
pub use span::Latencies;

/// The smallest value that is told apart, in nanoseconds.
pub const LOWEST_NANOS: u64 = 100;
/// The largest value, in nanoseconds: one hour.
pub const HIGHEST_NANOS: u64 = 3_600_000_000_000;
/// Decimal digits to which a value is kept.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Times in nanoseconds, counted in buckets of three significant digits from 100 ns to 1 h.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    counts: Counts,
    below_range: u64,
    above_range: u64,
}

/// Bytes that are no histogram of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end early, are too many, or are not DEFLATE.
    #[error("the bytes are not one DEFLATE-compressed V2 histogram")]
    Malformed,
    /// Another range or precision.
    #[error(
        "the histogram's bounds are {lowest} ns to {highest} ns with {digits} digits, not 100 ns to 1 h with 3 digits"
    )]
    OtherBounds {
        /// Lowest discernible value.
        lowest: u64,
        /// Highest trackable value.
        highest: u64,
        /// Significant digits.
        digits: u32,
    },
    /// A count beyond the last bucket, or more samples than any run can have.
    #[error("the histogram holds counts that no run can have produced")]
    Impossible,
}

impl Histogram {
    /// An empty histogram, which needs no memory of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value; one outside the bounds is counted at the bound and as out of range.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        if nanos > HIGHEST_NANOS {
            return self.record_above_range();
        }
        self.below_range += u64::from(nanos < LOWEST_NANOS);
        self.counts.count(slot_of(nanos));
    }

    #[cold]
    fn record_above_range(&mut self) {
        self.above_range += 1;
        self.counts.count(slot_of(HIGHEST_NANOS));
    }

    /// Adds all counts of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.merge(&other.counts);
        self.below_range = self.below_range.saturating_add(other.below_range);
        self.above_range = self.above_range.saturating_add(other.above_range);
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.below_range = 0;
        self.above_range = 0;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.total()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.counts.total() == 0
    }

    /// Values below 100 ns.
    pub fn below_range(&self) -> u64 {
        self.below_range
    }

    /// Values above 1 h.
    pub fn above_range(&self) -> u64 {
        self.above_range
    }

    /// The value in nanoseconds at or below which the share `quantile` (0 to 1) of all values lies, as
    /// HdrHistogram defines it: the upper end of the bucket. `None` when there are no values.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let wanted = ((quantile.min(1.0) * self.count() as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let (slot, _) = self.counts.used().find(|(_, count)| {
            seen += count;
            seen >= wanted
        })?;
        Some(if quantile == 0.0 { range_of(slot).0 } else { upper_end(slot) })
    }

    /// The mean in nanoseconds, each value taken at the middle of its bucket. `None` when there are no values.
    pub fn mean(&self) -> Option<f64> {
        let all = self.count() as f64;
        let part = |(slot, count): (usize, u64)| {
            let (lowest, size) = range_of(slot);
            (lowest + size / 2) as f64 * count as f64 / all
        };
        (!self.is_empty()).then(|| self.counts.used().map(part).fold(0.0, |sum, part| sum + part))
    }

    /// The largest value, to the histogram's precision, in nanoseconds. `None` when there are no values.
    pub fn max(&self) -> Option<u64> {
        self.counts.used().next_back().map(|(slot, _)| upper_end(slot))
    }

    /// The smallest value, to the histogram's precision, in nanoseconds. `None` when there are no values.
    pub fn min(&self) -> Option<u64> {
        self.counts.used().next().map(|(slot, _)| range_of(slot).0)
    }

    /// How many values are at most `nanos`, to the histogram's precision.
    pub fn count_at_most(&self, nanos: u64) -> u64 {
        let last = slot_of(nanos.min(HIGHEST_NANOS));
        self.counts.used().take_while(|(slot, _)| *slot <= last).map(|(_, count)| count).sum()
    }

    /// Each bucket that holds values: its upper end in nanoseconds, and how many.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.used().map(|(slot, count)| (upper_end(slot), count))
    }

    /// The V2 encoding, DEFLATE-compressed; nothing at all for an empty histogram.
    pub fn encode(&self) -> Vec<u8> {
        if self.is_empty() { Vec::new() } else { codec::encode(&self.counts) }
    }

    /// Reads what [`Histogram::encode`] wrote. Bounded in time and memory, whatever the bytes.
    ///
    /// # Errors
    /// When the bytes are no histogram with our bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let counts = if bytes.is_empty() { Counts::default() } else { codec::decode(bytes)? };
        Ok(Self { counts, ..Self::default() })
    }

    /// Sets the counts of values outside the bounds, which the V2 encoding has no room for.
    pub fn with_out_of_range(mut self, below_range: u64, above_range: u64) -> Self {
        self.below_range = below_range;
        self.above_range = above_range;
        self
    }
}

#[cfg(test)]
mod tests;
