//! A trace: the moments at which requests were due, as they were recorded somewhere.

use std::io::{Read, Write as _};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::assignment::MAX_SPAN;
use crate::load::Rate;

/// Moments in order, the first at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(Arc<[u64]>);

impl Trace {
    /// The most requests.
    pub const MOST: usize = 1_000_000;

    /// From moments in nanoseconds.
    ///
    /// # Errors
    /// What is wrong, to be read after the trace ("holds …").
    pub fn new(due: Vec<u64>) -> Result<Self, String> {
        if due.is_empty() || due.len() > Self::MOST {
            return Err(format!("holds {} requests, and may hold 1 to {}", due.len(), Self::MOST));
        }
        if !due.is_sorted() {
            return Err("goes back in time".into());
        }
        if due.last().is_some_and(|last| Duration::from_nanos(*last) > MAX_SPAN) {
            return Err("is longer than 7 days".into());
        }
        Ok(Self(due.into()))
    }

    /// How many requests there are.
    pub fn requests(&self) -> u64 {
        self.0.len() as u64
    }

    /// When request `item` (from 0) is due, in nanoseconds from the start; `None` when there are not so many.
    #[inline]
    pub fn due(&self, item: u64) -> Option<u64> {
        self.0.get(usize::try_from(item).ok()?).copied()
    }

    /// How many are due from `start` until before `end`, in nanoseconds.
    pub fn requests_between(&self, start: u64, end: u64) -> u64 {
        let before = |moment: u64| self.0.partition_point(|due| *due < moment) as u64;
        before(end).saturating_sub(before(start))
    }

    /// When the last is due.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.0.last().copied().unwrap_or_default())
    }

    /// Requests a second on average: what a warm-up goes by.
    pub fn mean_rate(&self) -> Option<Rate> {
        let nanos = self.duration().as_nanos().max(1_000_000_000);
        Rate::from_millihertz((u128::from(self.requests()) * 1_000_000_000_000 / nanos).max(1) as u64)
    }

    /// The gaps between them as variable-length numbers (LEB128), DEFLATE-compressed.
    pub fn encode(&self) -> Vec<u8> {
        let (mut bytes, mut before) = (Vec::new(), 0);
        for due in self.0.iter() {
            let mut gap = due - before;
            while gap >= 0x80 {
                bytes.push(gap as u8 | 0x80);
                gap >>= 7;
            }
            bytes.push(gap as u8);
            before = *due;
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory cannot fail.
        let _ = encoder.write_all(&bytes);
        encoder.finish().unwrap_or_default()
    }

    /// Reads what [`Trace::encode`] wrote.
    ///
    /// # Errors
    /// What is wrong, to be read after the trace.
    pub fn decode(deflated: &[u8]) -> Result<Self, String> {
        const MOST_BYTES: u64 = 10 * Trace::MOST as u64;
        let mut bytes = Vec::new();
        let inflated = DeflateDecoder::new(deflated).take(MOST_BYTES + 1).read_to_end(&mut bytes);
        if inflated.is_err() || bytes.len() as u64 > MOST_BYTES {
            return Err("is broken".into());
        }
        let (mut due, mut now, mut gap, mut shift) = (Vec::new(), 0u64, 0u64, 0);
        for byte in bytes {
            // 63 bits are three hundred years.
            if shift > 56 {
                return Err("is broken".into());
            }
            gap |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                now = now.saturating_add(gap);
                due.push(now);
                (gap, shift) = (0, 0);
            }
        }
        if shift == 0 { Self::new(due) } else { Err("is broken".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_known_by_their_number() {
        let trace = Trace::new(vec![0, 5, 5, 2_000_000_000]).unwrap();
        assert_eq!(
            (0..5).map(|item| trace.due(item)).collect::<Vec<_>>(),
            [Some(0), Some(5), Some(5), Some(2_000_000_000), None]
        );
        assert_eq!(
            [(0, 5), (5, 6), (6, u64::MAX), (9, 2)].map(|(from, to)| trace.requests_between(from, to)),
            [1, 2, 1, 0]
        );
        assert_eq!(
            (trace.duration(), trace.mean_rate()),
            (Duration::from_secs(2), Rate::from_millihertz(2_000))
        );
        assert_eq!(Trace::new(vec![0]).unwrap().mean_rate(), Rate::from_millihertz(1_000));
    }

    #[test]
    fn nonsense_is_refused() {
        let problem = |due: Vec<u64>| Trace::new(due).unwrap_err();
        assert_eq!(problem(Vec::new()), "holds 0 requests, and may hold 1 to 1000000");
        assert_eq!(problem(vec![2, 1]), "goes back in time");
        assert_eq!(problem(vec![u64::MAX]), "is longer than 7 days");
        assert_eq!(problem(vec![0; Trace::MOST + 1]), "holds 1000001 requests, and may hold 1 to 1000000");
        assert!(Trace::decode(b"").is_err());
    }

    proptest! {
        #[test]
        fn it_survives_being_encoded(mut due in prop::collection::vec(0u64..600_000_000_000_000, 1..50)) {
            due.sort_unstable();
            let trace = Trace::new(due).unwrap();
            prop_assert_eq!(Trace::decode(&trace.encode()), Ok(trace));
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Trace::decode(&bytes);
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).unwrap();
            let _ = Trace::decode(&encoder.finish().unwrap());
        }
    }
}
