//! What came of a search for the highest rate.

use serde::{Deserialize, Serialize};

use super::{BlockRecord, BoundsRecord, RunRecord, nanos};
use crate::capacity::{Bounds, Conclusion, Limit, StepKind, Tried};

/// The search with one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacityRecord {
    /// The scenario's name.
    pub scenario: String,
    /// What had to hold, as it was written.
    pub objectives: Vec<String>,
    /// How far it was allowed to go; `None` in older records.
    #[serde(default)]
    pub bounds: Option<BoundsRecord>,
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
    /// What of them; `None` where it was not, or in older records.
    #[serde(default)]
    pub limit: Option<LimitRecord>,
    /// It held every objective, and was over before a queue could be seen to grow.
    #[serde(default)]
    pub is_too_short: bool,
    /// The user ended it.
    pub was_interrupted: bool,
    /// How long it took, with what it takes to begin and to end it, and the rest after it; 0 where it was interrupted.
    #[serde(default)]
    pub took_ns: u64,
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

/// What kept the machines that carried the load from carrying more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitRecord {
    /// An engine thread had no room left.
    Threads,
    /// Something else wanted the cores of the engine threads.
    Cores,
    /// Every connection waited for its answer.
    Connections,
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
    pub fn new(scenario: &str, objectives: &[String], bounds: Bounds) -> Self {
        Self {
            scenario: scenario.to_owned(),
            objectives: objectives.to_vec(),
            bounds: Some(bounds.into()),
            highest_passing_millihertz: None,
            lowest_failing_millihertz: None,
            conclusion: None,
            more_workers: None,
            steps: Vec::new(),
        }
    }

    /// Whether a block was a step at the highest rate that held, and held there.
    pub(super) fn is_knee(&self, block: &BlockRecord) -> bool {
        self.steps.iter().any(|step| {
            step.block == block.number
                && Some(step.rate_millihertz) == self.highest_passing_millihertz
                && step.failure.is_none()
                && !step.is_too_short
                && !step.was_interrupted
        })
    }

    /// Whether it came to its end without a rate that held.
    pub fn holds_nothing(&self) -> bool {
        self.conclusion.is_some() && self.highest_passing_millihertz.is_none()
    }

    /// Whether a block was a step that told nothing of the target, so that it was tried again.
    pub fn was_tried_again(&self, block: u32) -> bool {
        let but_the_last = self.steps.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let mut told_nothing =
            but_the_last.iter().filter(|step| step.is_generators_fault || step.is_too_short);
        told_nothing.any(|step| step.block == block)
    }
}

impl StepRecord {
    /// Of a step that ran as this block.
    pub fn new(block: &BlockRecord, tried: &Tried) -> Self {
        let step = tried.step;
        Self {
            block: block.number,
            rate_millihertz: step.rate.millihertz(),
            duration_ns: nanos(step.duration),
            kind: step.kind.into(),
            failure: tried.failure.clone(),
            is_generators_fault: tried.limit.is_some(),
            limit: tried.limit.map(LimitRecord::from),
            is_too_short: tried.is_too_short(),
            was_interrupted: block.interrupted,
            took_ns: nanos(tried.took),
        }
    }
}

impl RunRecord {
    /// The blocks that the run's figures can come from, parts of mixes before the whole: all but the steps of a search that
    /// were tried again.
    pub fn judged(&self) -> impl Iterator<Item = &BlockRecord> {
        let was_tried_again =
            |block: u32| self.capacities.iter().any(|capacity| capacity.was_tried_again(block));
        self.with_parts().filter(move |block| !was_tried_again(block.number))
    }

    /// Ends the search that goes on.
    pub(super) fn conclude_search(&mut self, conclusion: Conclusion) {
        let Some(capacity) = self.capacities.last_mut() else { return };
        capacity.conclusion = Some(conclusion.into());
        capacity.more_workers = capacity.wanted_workers(&self.blocks);
    }
}

impl StepKindRecord {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coarse => "coarse",
            Self::Fine => "fine",
            Self::Confirmation => "confirmation",
        }
    }
}

impl From<StepKind> for StepKindRecord {
    fn from(kind: StepKind) -> Self {
        match kind {
            StepKind::Coarse => Self::Coarse,
            StepKind::Fine => Self::Fine,
            StepKind::Confirmation => Self::Confirmation,
        }
    }
}

impl From<LimitRecord> for Limit {
    fn from(limit: LimitRecord) -> Self {
        match limit {
            LimitRecord::Threads => Self::Threads,
            LimitRecord::Cores => Self::Cores,
            LimitRecord::Connections => Self::Connections,
        }
    }
}

impl From<Limit> for LimitRecord {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Threads => Self::Threads,
            Limit::Cores => Self::Cores,
            Limit::Connections => Self::Connections,
        }
    }
}

impl From<Conclusion> for ConclusionRecord {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Found => Self::Found,
            Conclusion::BeyondMost => Self::BeyondMost,
            Conclusion::NothingPasses => Self::NothingPasses,
            Conclusion::Generator => Self::Generator,
            Conclusion::OutOfBudget => Self::OutOfBudget,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::load::Rate;

    use super::*;
    use crate::capacity::Step;
    use crate::report::fixtures;
    use crate::statistics::verdict::{Finding, Verdict};

    /// A search whose blocks came out as the functions make them of a step that held.
    fn searched(outcomes: &[fn(Tried) -> Tried]) -> RunRecord {
        let blocks: Vec<_> = outcomes.iter().map(|_| fixtures::calm_block()).collect();
        let mut record = fixtures::record_of(&blocks);
        let mut capacity = CapacityRecord::new("simple_chat", &[], fixtures::bounds());
        capacity.highest_passing_millihertz = Some(1_000);
        let step = Step {
            rate: Rate::from_millihertz(1_000).unwrap(),
            duration: Duration::from_secs(1),
            kind: StepKind::Fine,
        };
        for (block, outcome) in record.blocks.iter().zip(outcomes) {
            let (needs, took) = (Duration::ZERO, Duration::ZERO);
            let held =
                Tried { step, failure: None, limit: None, failed_share: None, needs, took, offered: 1 };
            capacity.steps.push(StepRecord::new(block, &outcome(held)));
        }
        record.capacities.push(capacity);
        record
    }

    fn spoilt(tried: Tried) -> Tried {
        Tried { failure: Some("busy".into()), limit: Some(Limit::Cores), ..tried }
    }

    fn too_short(tried: Tried) -> Tried {
        Tried { needs: Duration::from_secs(9), ..tried }
    }

    fn failed(tried: Tried) -> Tried {
        Tried { failure: Some("too slow".into()), ..tried }
    }

    #[test]
    fn what_told_nothing_and_was_tried_again_leaves_the_verdict_alone() {
        let mut record = searched(&[spoilt, too_short, |held| held, spoilt]);
        for block in &mut record.blocks {
            block.findings = vec![Finding {
                rule: "starved".into(),
                verdict: Verdict::Suspect,
                reason: "too much else runs".into(),
                accepted: false,
            }];
        }
        let judged: Vec<u32> = record.judged().map(|block| block.number).collect();
        assert_eq!(judged, [3, 4], "what spoilt the last attempt counts");
    }

    #[test]
    fn only_steps_that_held_give_the_figures_of_the_highest_rate() {
        let record = searched(&[spoilt, failed, too_short, |held| held]);
        let knees = record.blocks.iter().filter(|block| record.capacities[0].is_knee(block));
        assert_eq!(knees.map(|block| block.number).collect::<Vec<_>>(), [4]);
    }
}
