//! Keeps what is measured on the disk as it comes. Files that cannot be written end no run: it has everything in memory, and a
//! disk may get room again before the end.

use proto::interval::Interval;

use super::pages::Pages;
use crate::causes::sentence;
use crate::clock;
use crate::merge::Arrival;
use crate::report::files::{FilesError, ResultsFolder, Saved};
use crate::report::interval_log::IntervalLog;
use crate::report::record::RunRecord;

/// The files of one run.
#[derive(Debug)]
pub(super) struct Keeper {
    results: ResultsFolder,
    saved: Saved,
    log: IntervalLog,
    /// Why the log ends before the run does.
    cut: Option<FilesError>,
    /// Why the other files are not as the record is.
    unsaved: Option<FilesError>,
    has_warned: bool,
    pages: Pages,
}

impl Keeper {
    /// # Errors
    /// When nothing can be written from the beginning.
    pub(super) fn open(results: &ResultsFolder) -> Result<Self, FilesError> {
        let log = IntervalLog::open(&results.interval_log_path())?;
        Ok(Self {
            results: results.clone(),
            saved: Saved::default(),
            log,
            cut: None,
            unsaved: None,
            has_warned: false,
            pages: Pages::begin(clock::now()),
        })
    }

    /// One more interval. After the first that cannot be written there are no more: a log has no gaps.
    pub(super) fn interval(&mut self, block: u32, worker: u32, interval: &Interval, arrival: Arrival) {
        if self.cut.is_none() {
            self.cut = self.log.append(block, worker, interval, arrival).err();
            self.warn();
        }
    }

    /// The record as it stands, in the place of what was saved before; with a page of it where one is wanted, or costs next
    /// to nothing.
    pub(super) fn save(&mut self, record: &RunRecord, wants_page: bool) {
        self.unsaved = self.try_save(record, wants_page).err();
        self.warn();
    }

    fn try_save(&mut self, record: &RunRecord, wants_page: bool) -> Result<(), FilesError> {
        self.results.save(record, &mut self.saved)?;
        let now = clock::now();
        if wants_page || self.pages.is_due(now) {
            self.results.save_page(record)?;
            self.pages.took(clock::now().saturating_duration_since(now));
        }
        Ok(())
    }

    /// Saves the record for the last time. Why the files do not hold everything; `None` where they do.
    pub(super) fn end(mut self, record: &RunRecord) -> Option<FilesError> {
        let saved = self.results.save(record, &mut self.saved);
        let page = self.results.save_page(record);
        saved.and(page).err().or(self.cut)
    }

    /// Once: whoever follows the run may make room, and the end says what came of it.
    fn warn(&mut self) {
        if let (Some(error), false) = (self.unsaved.as_ref().or(self.cut.as_ref()), self.has_warned) {
            tracing::warn!("{}; the run goes on, and tries again after each block", sentence(error));
            self.has_warned = true;
        }
    }
}
