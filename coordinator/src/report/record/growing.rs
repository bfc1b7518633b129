//! The record of a run that goes on. It grows block by block, and what follows from its blocks follows at once, without
//! earlier blocks being read again.

use super::tally::Tally;
use super::{BlockRecord, CapacityRecord, RunHead, RunRecord, StepRecord};
use crate::capacity::{Conclusion, Search};
use crate::merge::MeasuredBlock;

/// A record to which blocks are added.
#[derive(Debug)]
pub struct GrowingRecord {
    record: RunRecord,
    tally: Tally,
}

impl GrowingRecord {
    /// A run of which no block has been measured.
    pub fn new(run: RunHead) -> Self {
        Self { record: RunRecord::new(run), tally: Tally::default() }
    }

    /// The record as it is.
    pub fn so_far(&self) -> &RunRecord {
        &self.record
    }

    /// Adds the next block, with its figures and findings, and brings the verdict up to date.
    pub fn add(&mut self, measured: &MeasuredBlock) -> &BlockRecord {
        let at = self.record.blocks.len();
        self.record.blocks.push(BlockRecord::new(at as u32 + 1, measured));
        self.conclude();
        &self.record.blocks[at]
    }

    /// Begins a search.
    pub fn search(&mut self, capacity: CapacityRecord) {
        self.record.capacities.push(capacity);
    }

    /// Adds a step to the search that goes on, and makes its figures those of the highest rate that has held.
    pub fn add_step(&mut self, step: StepRecord, search: &Search) {
        let Some(capacity) = self.record.capacities.last_mut() else { return };
        capacity.steps.push(step);
        capacity.highest_passing_millihertz = search.highest_passing().map(|rate| rate.millihertz());
        capacity.lowest_failing_millihertz = search.lowest_failing().map(|rate| rate.millihertz());
        let first = capacity.steps.first().map_or(0, |step| step.block.saturating_sub(1));
        self.tally.forget(first as usize);
        self.conclude();
    }

    /// Ends the search that goes on.
    pub fn conclude_search(&mut self, conclusion: Conclusion) {
        self.record.conclude_search(conclusion);
    }

    /// Nothing more will be added.
    pub fn into_record(self) -> RunRecord {
        self.record
    }

    fn conclude(&mut self) {
        // What was just encoded can be decoded.
        let concluded = self.record.conclude(&mut self.tally);
        debug_assert!(concluded.is_ok());
    }
}

#[cfg(test)]
mod tests;
