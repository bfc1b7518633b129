//! What is saved when: records and summaries after every block, pages at the end and as often as they cost next to nothing.

use std::time::{Duration, Instant};

use super::{Course, RunError, timestamp};
use crate::clock;
use crate::report::files::FilesError;
use crate::report::record::RunRecord;

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
    fn is_due(&self, now: Instant) -> bool {
        let all = self.spent.saturating_add(self.last.saturating_mul(2));
        all.saturating_mul(SHARE) <= now.saturating_duration_since(self.begun)
    }

    fn took(&mut self, time: Duration) {
        self.spent = self.spent.saturating_add(time);
        self.last = time;
    }
}

impl Course<'_> {
    /// Saves what there is, so that whatever goes wrong later loses nothing.
    pub(super) fn save(&mut self, record: &RunRecord) -> Result<(), FilesError> {
        self.results.save(record)?;
        let now = clock::now();
        if self.pages.is_due(now) {
            self.results.save_page(record)?;
            self.pages.took(clock::now().saturating_duration_since(now));
        }
        Ok(())
    }

    /// Ends a run: whatever ended it, there is a page of all that was measured.
    pub(super) fn conclude(
        self,
        mut record: RunRecord,
        ended: Result<(), RunError>,
    ) -> Result<Option<RunRecord>, RunError> {
        if let Err(error) = ended {
            if !record.blocks.is_empty() {
                // What ended the run is what must be told.
                let _ = self.results.save_page(&record);
            }
            return Err(error);
        }
        record.finish(timestamp(&clock::local_now()));
        self.results.save(&record)?;
        self.results.save_page(&record)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
