//! The spans into which a block is cut: every second from its start, and at the end of its duration.

use crate::clock::Nanos;

const SECOND: u64 = 1_000_000_000;

/// The current span of a block, and where it ends.
#[derive(Debug)]
pub struct Spans {
    /// The block's duration, where it has one.
    duration: Option<Nanos>,
    index: u64,
    start: Nanos,
    /// Spans of unlimited length: nothing is cut.
    endless: bool,
}

impl Spans {
    /// For a block with this duration, if it has one.
    pub fn new(duration: Option<Nanos>) -> Self {
        Self { duration, index: 0, start: Nanos::ZERO, endless: false }
    }

    /// One span without an end.
    pub fn endless() -> Self {
        Self { duration: None, index: 0, start: Nanos::ZERO, endless: true }
    }

    /// Where the current span began.
    pub fn start(&self) -> Nanos {
        self.start
    }

    /// Where the current span ends: at the next whole second, or at the block's duration if that comes first.
    #[inline]
    pub fn next_boundary(&self) -> Option<Nanos> {
        if self.endless {
            return None;
        }
        let second = Nanos((self.start.0 / SECOND + 1) * SECOND);
        let end = self.duration.filter(|duration| *duration > self.start);
        Some(end.map_or(second, |end| end.min(second)))
    }

    /// Ends the current span at `end` and says which number it had and where it began.
    pub fn cut(&mut self, end: Nanos) -> (u64, Nanos) {
        let span = (self.index, self.start);
        self.index += 1;
        self.start = end;
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundaries(duration: Option<u64>, count: usize) -> Vec<u64> {
        let mut spans = Spans::new(duration.map(Nanos));
        (0..count)
            .filter_map(|_| {
                let end = spans.next_boundary()?;
                spans.cut(end);
                Some(end.0 / 1_000_000)
            })
            .collect()
    }

    #[test]
    fn spans_end_at_whole_seconds_and_at_the_duration() {
        assert_eq!(boundaries(None, 3), [1000, 2000, 3000]);
        assert_eq!(boundaries(Some(2_500_000_000), 4), [1000, 2000, 2500, 3000]);
        assert_eq!(boundaries(Some(2_000_000_000), 3), [1000, 2000, 3000]);
        assert_eq!(Spans::endless().next_boundary(), None);
    }
}
