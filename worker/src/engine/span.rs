//! The spans into which a block is cut: every second from its start, at the end of each stage, and at the end of its
//! duration.

use crate::clock::Nanos;

const SECOND: u64 = 1_000_000_000;

/// The current span of a block, and where it ends.
#[derive(Debug)]
pub struct Spans {
    /// Where a span ends beside every whole second, the next one last.
    cuts: Vec<Nanos>,
    index: u64,
    start: Nanos,
    /// Where it ends; `Nanos::MAX` for a span without an end.
    boundary: Nanos,
}

impl Spans {
    /// Cut at every whole second and at these moments, which are in order.
    pub fn new(mut cuts: Vec<Nanos>) -> Self {
        cuts.reverse();
        let mut spans = Self { cuts, index: 0, start: Nanos::ZERO, boundary: Nanos::ZERO };
        spans.boundary = spans.end();
        spans
    }

    /// One span without an end.
    pub fn endless() -> Self {
        Self { cuts: Vec::new(), index: 0, start: Nanos::ZERO, boundary: Nanos::MAX }
    }

    /// Where the current span began.
    pub fn start(&self) -> Nanos {
        self.start
    }

    /// Where the current span ends: at the next whole second, or at a cut that comes first.
    #[inline]
    pub fn next_boundary(&self) -> Option<Nanos> {
        (self.boundary < Nanos::MAX).then_some(self.boundary)
    }

    /// Ends the current span at `end` and says which number it had and where it began.
    pub fn cut(&mut self, end: Nanos) -> (u64, Nanos) {
        let span = (self.index, self.start);
        self.index += 1;
        self.start = end;
        while self.cuts.pop_if(|cut| *cut <= end).is_some() {}
        if self.boundary < Nanos::MAX {
            self.boundary = self.end();
        }
        span
    }

    fn end(&self) -> Nanos {
        let second = Nanos((self.start.0 / SECOND + 1) * SECOND);
        self.cuts.last().map_or(second, |cut| second.min(*cut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundaries(cuts: &[u64], count: usize) -> Vec<u64> {
        let mut spans = Spans::new(cuts.iter().map(|cut| Nanos(cut * 1_000_000)).collect());
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
        assert_eq!(boundaries(&[], 3), [1000, 2000, 3000]);
        assert_eq!(boundaries(&[2500], 4), [1000, 2000, 2500, 3000]);
        assert_eq!(boundaries(&[2000], 3), [1000, 2000, 3000]);
        assert_eq!(Spans::endless().next_boundary(), None);
    }

    #[test]
    fn spans_end_with_each_stage() {
        assert_eq!(boundaries(&[100, 200, 1000, 1250], 6), [100, 200, 1000, 1250, 2000, 3000]);
    }
}
