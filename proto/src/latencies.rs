//! The histograms: one set of bounds, recording, merging, and the codec (HdrHistogram's V2 encoding with DEFLATE).
//!
//! Histograms are encoded by the `hdrhistogram` crate. They are decoded here, because what arrives may be hostile: the
//! inflated size is bounded, the bounds must be ours, and only the counts that are not zero are touched.
//! The format: <https://github.com/HdrHistogram/HdrHistogram>, `AbstractHistogram.encodeIntoByteBuffer`.

mod fine;
mod span;

use std::io::Read;

use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram as Counts;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

pub use fine::Fine;
pub use span::Latencies;

/// The smallest value that is told apart, in nanoseconds.
pub const LOWEST_NANOS: u64 = 100;
/// The largest value, in nanoseconds: one hour.
pub const HIGHEST_NANOS: u64 = 3_600_000_000_000;
/// Decimal digits to which a value is kept.
pub const SIGNIFICANT_DIGITS: u8 = 3;

const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const V2_COOKIE: u32 = 0x1c84_9313;
/// Cookie, payload length, normalizing offset, digits (4 bytes each); lowest, highest, ratio (8 bytes each).
const HEADER_BYTES: usize = 40;
/// The payload of a histogram in which every count takes nine bytes.
const MAX_PAYLOAD_BYTES: usize = 9 * 32 * 1024;
/// More samples than any run can have, few enough that sums of many histograms cannot overflow.
const MAX_SAMPLES: u64 = 1 << 52;

/// The bucket layout that follows from the bounds: values below 2^UNIT_MAGNITUDE share the first slot.
const UNIT_MAGNITUDE: u32 = LOWEST_NANOS.ilog2();
const SUB_BUCKET_HALF_MAGNITUDE: u32 = 10;

/// Times in nanoseconds, counted in buckets of three significant digits from 100 ns to 1 h.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    counts: Counts<u64>,
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

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram.
    #[allow(clippy::missing_panics_doc, clippy::expect_used)]
    pub fn new() -> Self {
        let counts = Counts::new_with_bounds(LOWEST_NANOS, HIGHEST_NANOS, SIGNIFICANT_DIGITS)
            .expect("the bounds are valid constants");
        Self { counts, below_range: 0, above_range: 0 }
    }

    /// Counts one value; one outside the bounds is counted at the bound and as out of range.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.below_range += u64::from(nanos < LOWEST_NANOS);
        self.above_range += u64::from(nanos > HIGHEST_NANOS);
        self.counts.saturating_record(nanos);
    }

    /// Adds all counts of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        // Of most, a few are empty.
        if other.is_empty() {
            return;
        }
        // Equal bounds: adding cannot fail.
        let added = self.counts.add(&other.counts);
        debug_assert!(added.is_ok());
        self.below_range = self.below_range.saturating_add(other.below_range);
        self.above_range = self.above_range.saturating_add(other.above_range);
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        if !self.counts.is_empty() {
            self.counts.reset();
        }
        self.below_range = 0;
        self.above_range = 0;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
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
        (!self.is_empty()).then(|| self.counts.value_at_quantile(quantile))
    }

    /// The mean in nanoseconds, each value taken at the middle of its bucket. `None` when there are no values.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.counts.mean())
    }

    /// The largest value, to the histogram's precision, in nanoseconds. `None` when there are no values.
    pub fn max(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.counts.max())
    }

    /// The smallest value, to the histogram's precision, in nanoseconds. `None` when there are no values.
    pub fn min(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.counts.min())
    }

    /// How many values are at most `nanos`, to the histogram's precision.
    pub fn count_at_most(&self, nanos: u64) -> u64 {
        self.counts.count_between(0, nanos)
    }

    /// Each bucket that holds values: its upper end in nanoseconds, and how many.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// The V2 encoding, DEFLATE-compressed; nothing at all for an empty histogram.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.is_empty() {
            // Writing to memory cannot fail.
            let written = V2DeflateSerializer::new().serialize(&self.counts, &mut bytes);
            debug_assert!(written.is_ok());
        }
        bytes
    }

    /// Reads what [`Histogram::encode`] wrote. Bounded in time and memory, whatever the bytes.
    ///
    /// # Errors
    /// When the bytes are no histogram with our bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut histogram = Self::new();
        if bytes.is_empty() {
            return Ok(histogram);
        }
        let payload = inflate(bytes)?;
        let mut reader = Varints(&payload);
        let (mut index, mut samples) = (0u64, 0u64);
        while let Some(number) = reader.next().transpose()? {
            if number < 0 {
                index = index.checked_add(number.unsigned_abs()).ok_or(CodecError::Impossible)?;
                continue;
            }
            let count = number.unsigned_abs();
            if count > 0 {
                let value = value_of(index).ok_or(CodecError::Impossible)?;
                samples = samples
                    .checked_add(count)
                    .filter(|sum| *sum <= MAX_SAMPLES)
                    .ok_or(CodecError::Impossible)?;
                histogram.counts.record_n(value, count).map_err(|_| CodecError::Impossible)?;
            }
            index = index.checked_add(1).ok_or(CodecError::Impossible)?;
        }
        Ok(histogram)
    }

    /// Sets the counts of values outside the bounds, which the V2 encoding has no room for.
    pub fn with_out_of_range(mut self, below_range: u64, above_range: u64) -> Self {
        self.below_range = below_range;
        self.above_range = above_range;
        self
    }
}

/// The lower end of the bucket at `index`; `None` beyond the bounds.
fn value_of(index: u64) -> Option<u64> {
    let half = 1u64 << SUB_BUCKET_HALF_MAGNITUDE;
    let (bucket, sub_bucket) = match (index >> SUB_BUCKET_HALF_MAGNITUDE).checked_sub(1) {
        None => (0, index),
        Some(bucket) => (bucket, (index & (half - 1)) + half),
    };
    let shift = u32::try_from(bucket).ok().filter(|bucket| *bucket < 40)? + UNIT_MAGNITUDE;
    Some(sub_bucket << shift)
}

/// The payload of the encoding, after its header has been checked.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let word = |at: usize, from: &[u8]| -> Result<u32, CodecError> {
        let word = from.get(at..at + 4).and_then(|word| word.try_into().ok()).ok_or(CodecError::Malformed)?;
        Ok(u32::from_be_bytes(word))
    };
    let long = |at: usize, from: &[u8]| -> Result<u64, CodecError> {
        Ok(u64::from(word(at, from)?) << 32 | u64::from(word(at + 4, from)?))
    };

    let compressed = bytes.get(8..).ok_or(CodecError::Malformed)?;
    if word(0, bytes)? != COMPRESSED_COOKIE || word(4, bytes)? as usize != compressed.len() {
        return Err(CodecError::Malformed);
    }
    let mut inflated = Vec::new();
    let most = (HEADER_BYTES + MAX_PAYLOAD_BYTES) as u64;
    ZlibDecoder::new(compressed)
        .take(most + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| CodecError::Malformed)?;
    if inflated.len() as u64 > most || word(0, &inflated)? != V2_COOKIE {
        return Err(CodecError::Malformed);
    }

    let (digits, lowest, highest) = (word(12, &inflated)?, long(16, &inflated)?, long(24, &inflated)?);
    if (lowest, highest, digits) != (LOWEST_NANOS, HIGHEST_NANOS, u32::from(SIGNIFICANT_DIGITS)) {
        return Err(CodecError::OtherBounds { lowest, highest, digits });
    }
    let (payload_bytes, offset, ratio) =
        (word(4, &inflated)?, word(8, &inflated)?, f64::from_bits(long(32, &inflated)?));
    let payload = inflated.split_off(HEADER_BYTES);
    if payload.len() != payload_bytes as usize || offset != 0 || ratio != 1.0 {
        return Err(CodecError::Malformed);
    }
    Ok(payload)
}

/// ZigZag LEB128 numbers of at most nine bytes, as HdrHistogram writes them (the ninth byte has eight bits).
struct Varints<'a>(&'a [u8]);

impl Iterator for Varints<'_> {
    type Item = Result<i64, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut value = 0u64;
        for position in 0..9 {
            let Some((&byte, rest)) = self.0.split_first() else {
                return Some(Err(CodecError::Malformed));
            };
            self.0 = rest;
            if position == 8 {
                value |= u64::from(byte) << 56;
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(Ok((value >> 1) as i64 ^ -((value & 1) as i64)))
    }
}

#[cfg(test)]
mod tests;
