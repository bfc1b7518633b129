//! What came of a search for the highest rate.

use serde::{Deserialize, Serialize};

use super::{BlockRecord, LoadRecord, RunRecord, nanos};
use crate::capacity::{Conclusion, Search, Step, StepKind};

/// The search with one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacityRecord {
    /// The scenario's name.
    pub scenario: String,
    /// What had to hold, as it was written.
    pub objectives: Vec<String>,
    /// The highest rate that held, in thousandths of a request a second; `None` when none did.
    pub highest_passing_millihertz: Option<u64>,
    /// The lowest rate that did not; `None` when all did.
    pub lowest_failing_millihertz: Option<u64>,
    /// Why the search ended; `None` when it was interrupted.
    pub conclusion: Option<ConclusionRecord>,
    /// How many workers more it would take to go on, where the workers were the limit.
    pub more_workers: Option<u32>,
    /// Every step, in order.
    pub steps: Vec<StepRecord>,
}

/// One step of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepRecord {
    /// The block's number.
    pub block: u32,
    /// What was offered, in thousandths of a request a second.
    pub rate_millihertz: u64,
    /// For how long.
    pub duration_ns: u64,
    /// Why the rate was tried.
    pub kind: StepKindRecord,
    /// Why it failed; `None` when every objective held.
    pub failure: Option<String>,
    /// It failed because of the machines that carried the load.
    pub is_generators_fault: bool,
    /// The user ended it.
    pub was_interrupted: bool,
}

/// Why a rate was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepKindRecord {
    /// Twice the one before.
    Coarse,
    /// Between one that passed and one that failed.
    Fine,
    /// Once more, for longer.
    Confirmation,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConclusionRecord {
    /// Both sides are confirmed and close together.
    Found,
    /// Even the highest rate that was allowed held.
    BeyondMost,
    /// Not even the lowest rate held.
    NothingPasses,
    /// The machines that carried the load were the limit.
    Generator,
    /// The time, or the requests, were used up.
    OutOfBudget,
}

impl CapacityRecord {
    /// Of a search that has not begun.
    pub fn new(scenario: &str, objectives: &[String]) -> Self {
        Self {
            scenario: scenario.to_owned(),
            objectives: objectives.to_vec(),
            highest_passing_millihertz: None,
            lowest_failing_millihertz: None,
            conclusion: None,
            more_workers: None,
            steps: Vec::new(),
        }
    }

    /// Whether a block was a step at the highest rate that held.
    pub(super) fn is_knee(&self, block: &BlockRecord) -> bool {
        let rate = match &block.load {
            LoadRecord::Open { rate_millihertz, .. } => *rate_millihertz,
            LoadRecord::Closed { .. } => None,
        };
        block.scenario.name == self.scenario && rate.is_some() && rate == self.highest_passing_millihertz
    }
}

impl StepRecord {
    /// Of a step that ran as this block.
    pub fn new(block: u32, step: Step, failure: Option<String>, is_generators_fault: bool) -> Self {
        Self {
            block,
            rate_millihertz: step.rate.millihertz(),
            duration_ns: nanos(step.duration),
            kind: match step.kind {
                StepKind::Coarse => StepKindRecord::Coarse,
                StepKind::Fine => StepKindRecord::Fine,
                StepKind::Confirmation => StepKindRecord::Confirmation,
            },
            failure,
            is_generators_fault,
            was_interrupted: false,
        }
    }
}

impl RunRecord {
    /// Adds a step to the search that goes on.
    pub fn add_step(&mut self, step: StepRecord) {
        if let Some(capacity) = self.capacities.last_mut() {
            capacity.steps.push(step);
        }
    }

    /// Ends the search that goes on, and makes its figures those of the highest rate that held.
    pub fn conclude_search(&mut self, search: &Search, conclusion: Conclusion) {
        let last = self.blocks.last().filter(|_| conclusion == Conclusion::Generator);
        let more_workers = last.map(BlockRecord::more_workers);
        let Some(capacity) = self.capacities.last_mut() else { return };
        capacity.highest_passing_millihertz = search.highest_passing().map(|rate| rate.millihertz());
        capacity.lowest_failing_millihertz = search.lowest_failing().map(|rate| rate.millihertz());
        capacity.more_workers = more_workers;
        capacity.conclusion = Some(match conclusion {
            Conclusion::Found => ConclusionRecord::Found,
            Conclusion::BeyondMost => ConclusionRecord::BeyondMost,
            Conclusion::NothingPasses => ConclusionRecord::NothingPasses,
            Conclusion::Generator => ConclusionRecord::Generator,
            Conclusion::OutOfBudget => ConclusionRecord::OutOfBudget,
        });
        let concluded = self.conclude();
        debug_assert!(concluded.is_ok());
    }
}
