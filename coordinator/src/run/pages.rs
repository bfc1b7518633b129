//! How often there is a page while a run goes on: as often as that costs next to nothing.

use std::time::{Duration, Instant};

/// Pages may take one part in so many of the time since the run began.
const SHARE: u32 = 100;

/// What the pages of a run have cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages {
    begun: Instant,
    spent: Duration,
    last: Duration,
}

impl Pages {
    /// None so far.
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: now, spent: Duration::ZERO, last: Duration::ZERO }
    }

    /// Whether another one keeps to the share. With more blocks it takes longer than the last, but not twice as long; what
    /// the first one takes is not known, and it is always due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let all = self.spent.saturating_add(self.last.saturating_mul(2));
        all.saturating_mul(SHARE) <= now.saturating_duration_since(self.begun)
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.spent = self.spent.saturating_add(time);
        self.last = time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// How many of so many blocks of a second have a page, when a page takes so long for each block.
    fn pages(blocks: u32, of_block: Duration) -> (u32, Duration) {
        let (begun, mut count) = (clock::now(), 0);
        let mut pages = Pages::begin(begun);
        for block in 1..=blocks {
            if pages.is_due(begun + Duration::from_secs(block.into())) {
                pages.took(of_block * block);
                count += 1;
            }
        }
        (count, pages.spent)
    }

    #[test]
    fn pages_take_no_more_than_a_hundredth_of_the_time() {
        assert_eq!(pages(50, Duration::ZERO).0, 50, "what costs nothing is always made");
        let (count, spent) = pages(1_000, Duration::from_micros(100));
        assert!(count > 20 && count < 500 && spent <= Duration::from_secs(10), "{count} in {spent:?}");
        // The first one's cost is not known before.
        assert_eq!(pages(60, Duration::from_secs(1)), (1, Duration::from_secs(1)));
    }
}
