//! What follows from a record's blocks and results: what they were found to be, and what that makes of the run.

use super::tally::Tally;
use super::{BlockRecord, CapacityRecord, RecordError, RunHead, RunRecord, SCHEMA_VERSION, thresholds};
use crate::plan::Purpose;
use crate::statistics::verdict::{Finding, Verdict};

impl RunRecord {
    /// A run of which no block has been measured.
    pub fn new(run: RunHead) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run,
            verdict: Verdict::Invalid,
            interrupted: false,
            results: Vec::new(),
            capacities: Vec::new(),
            blocks: Vec::new(),
            thresholds: Vec::new(),
        }
    }

    /// All the rest of it.
    pub(in crate::report) fn without_blocks(&self) -> Self {
        Self {
            schema_version: self.schema_version,
            run: self.run.clone(),
            verdict: self.verdict,
            interrupted: self.interrupted,
            results: self.results.clone(),
            capacities: self.capacities.clone(),
            blocks: Vec::new(),
            thresholds: self.thresholds.clone(),
        }
    }

    /// Nothing more will be added: at `finished`, in RFC 3339.
    pub fn finish(&mut self, finished: String) {
        self.run.finished = Some(finished);
        self.judge_all();
    }

    /// The scenarios of the blocks that were planned and have not been measured.
    pub fn missing(&self) -> &[String] {
        self.run.planned.get(self.blocks.len()..).unwrap_or_default()
    }

    /// Every finding that counts: of each judged block, then of each result.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_blocks = self.judged().flat_map(|block| &block.findings);
        of_blocks.chain(self.results.iter().flat_map(|result| &result.findings))
    }

    /// Brings up to date what follows from the blocks, of which `tally` knows those that were there before.
    ///
    /// # Errors
    /// When a histogram or a number cannot be read.
    pub(super) fn conclude(&mut self, tally: &mut Tally) -> Result<(), RecordError> {
        tally.take(&self.blocks, &self.capacities)?;
        tally.bring_up_to_date(&mut self.results)?;
        self.judge_all();
        Ok(())
    }

    fn judge_all(&mut self) {
        let of_blocks = self.blocks.iter_mut().flat_map(|block| {
            let of_parts = block.parts.iter_mut().flat_map(|part| &mut part.findings);
            of_parts.chain(&mut block.findings)
        });
        for finding in of_blocks.chain(self.results.iter_mut().flat_map(|result| &mut result.findings)) {
            finding.accepted = self.run.accepted.contains(&finding.rule);
        }
        self.verdict = self.judge();
        self.interrupted = self.was_interrupted();
        self.thresholds = thresholds::of(self);
    }

    /// A run that came to its end without all of its blocks was interrupted between two of them.
    fn was_interrupted(&self) -> bool {
        let was_aborted = self.blocks.iter().any(|block| block.aborted.is_some());
        let between = self.run.finished.is_some() && !self.missing().is_empty() && !was_aborted;
        let is_searching = |capacity: &CapacityRecord| capacity.conclusion.is_none();
        let within_search = self.run.finished.is_some() && self.capacities.iter().any(is_searching);
        between || within_search || self.blocks.iter().any(|block| block.interrupted)
    }

    /// Whether nothing was measured: no block was, or every one was interrupted before its first answer.
    pub fn is_empty(&self) -> bool {
        let is_empty = |block: &BlockRecord| {
            block.interrupted && block.figures.successes == 0 && block.figures.failed == 0
        };
        self.blocks.iter().all(is_empty)
    }

    /// The condition of the user's that came true and ended the run.
    pub fn abort_reason(&self) -> Option<&str> {
        let blocks = self.blocks.iter().filter(|block| block.purpose != Purpose::CapacityStep);
        blocks.filter_map(|block| block.aborted.as_deref()).next()
    }

    /// Whether it was ended because a condition of the user's came true, or a search found no rate that holds.
    pub fn is_hopeless(&self) -> bool {
        self.abort_reason().is_some() || self.capacities.iter().any(CapacityRecord::holds_nothing)
    }

    /// The verdict that follows from the findings.
    fn judge(&self) -> Verdict {
        if self.is_empty() {
            return Verdict::Invalid;
        }
        Verdict::of(self.findings())
    }
}
