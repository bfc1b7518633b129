//! What came of the steps of a search, worked out from the blocks that they ran as.

use std::time::Duration;

use proto::load::Rate;

use super::{BlockRecord, CapacityRecord, ConclusionRecord, LoadRecord, StepKindRecord, StepRecord, nanos};
use crate::capacity::{Bounds, Search, Step, StepKind, Tried, backlog};
use crate::plan::Purpose;
use crate::statistics::thresholds::{Measured, judge};

/// An engine thread that is this busy has room for bursts.
const COMFORTABLE: f64 = 0.6;

impl BlockRecord {
    /// What came of a step that ran as this block.
    pub fn tried(&self, step: Step, objectives: &[String]) -> Tried {
        let (failure, is_generators_fault) = self.came_of(step, objectives);
        let needs = backlog::needs(self.slowest());
        Tried {
            step,
            failure,
            is_generators_fault,
            needs,
            took: Duration::ZERO,
            offered: self.figures.offered,
        }
    }

    /// Why a step that ran as this block failed, if it did, and whether that was the fault of the machines that carry the
    /// load.
    fn came_of(&self, step: Step, objectives: &[String]) -> (Option<String>, bool) {
        let is_of_machines = |rule: &str| ["generator_cpu", "starved"].contains(&rule);
        let busy = self.findings.iter().find(|finding| is_of_machines(&finding.rule));
        match (self.failure(step, objectives), busy) {
            (Some(failure), Some(busy)) => (Some(format!("{failure}; {}", busy.reason)), true),
            (failure, _) => (failure, false),
        }
    }

    fn failure(&self, step: Step, objectives: &[String]) -> Option<String> {
        if let Some(why) = &self.aborted {
            return Some(why.clone());
        }
        let measured = Measured { scenario: &self.scenario.name, load: None, figures: &self.figures };
        if let Some(missed) = judge(objectives, &[measured], &[]).iter().find(|judged| judged.is_missed()) {
            return Some(missed.sentence());
        }
        let lengths = self.queue_lengths(step.duration);
        if backlog::grows(backlog::settled(&lengths, self.slowest()), step.rate.per_second()) {
            let waiting = lengths.last().copied().unwrap_or_default();
            return Some(format!("the queue grew to {waiting} requests, and more with every second"));
        }
        None
    }

    /// The 99th percentile of the response time.
    fn slowest(&self) -> Duration {
        Duration::from_nanos(self.figures.response_time.as_ref().map_or(0, |times| times.p99_ns))
    }

    /// How many requests were due and not answered at the end of each whole second within the block's first `duration`.
    fn queue_lengths(&self, duration: Duration) -> Vec<u64> {
        let within = self.series.iter().filter(|second| second.end_ns <= nanos(duration));
        let mut waiting = 0u64;
        let lengths = within.map(|second| {
            let counters = second.counters.content();
            let ended = counters.successes.saturating_add(counters.failed()).saturating_add(counters.dropped);
            waiting = waiting.saturating_add(counters.offered).saturating_sub(ended);
            waiting
        });
        lengths.collect()
    }

    /// How many more workers would have carried this step with room to spare.
    pub(super) fn more_workers(&self) -> u32 {
        let busiest =
            self.workers.iter().map(|worker| worker.host.busiest_thread + worker.host.scheduler_lag);
        let workers = self.workers.len() as f64;
        let needed = (workers * busiest.fold(0.0, f64::max) / COMFORTABLE).ceil();
        (needed - workers).max(1.0) as u32
    }
}

impl CapacityRecord {
    /// The same search with its steps, and the rates that follow from them, worked out again from the blocks. Why each rate
    /// was tried, and why the search ended, follows from bounds that no record holds, and is taken as it is.
    pub(super) fn again(&self, blocks: &[BlockRecord]) -> Self {
        let is_step = |block: &&BlockRecord| {
            block.purpose == Purpose::CapacityStep && block.scenario.name == self.scenario
        };
        let kinds = self.steps.iter().map(|step| step.kind).chain(std::iter::repeat(StepKindRecord::Coarse));
        let ran = blocks.iter().filter(is_step).zip(kinds);
        let steps: Vec<(StepRecord, Tried)> =
            ran.filter_map(|(block, kind)| step(block, kind, &self.objectives)).collect();
        let whole = steps.iter().filter(|(record, _)| !record.was_interrupted);
        let search = replayed(whole.map(|(_, tried)| tried.clone()));
        let is_generators = self.conclusion == Some(ConclusionRecord::Generator);
        let last = blocks.iter().rfind(is_step).filter(|_| is_generators);
        Self {
            highest_passing_millihertz: search
                .as_ref()
                .and_then(Search::highest_passing)
                .map(Rate::millihertz),
            lowest_failing_millihertz: search.as_ref().and_then(Search::lowest_failing).map(Rate::millihertz),
            more_workers: last.map(BlockRecord::more_workers),
            steps: steps.into_iter().map(|(step, _)| step).collect(),
            ..self.clone()
        }
    }
}

/// A block as a step; `None` for one that has no rate or no duration.
fn step(block: &BlockRecord, kind: StepKindRecord, objectives: &[String]) -> Option<(StepRecord, Tried)> {
    let LoadRecord::Open { rate_millihertz: Some(rate), .. } = block.load else { return None };
    let duration = Duration::from_nanos(block.extent.duration_ns?);
    let step = Step { rate: Rate::from_millihertz(rate)?, duration, kind: kind.into() };
    let tried = block.tried(step, objectives);
    Some((StepRecord::new(block, &tried), tried))
}

/// Where a search stands after these steps; `None` without any. Its bounds decide what is tried next, and nothing is.
fn replayed(tried: impl Iterator<Item = Tried>) -> Option<Search> {
    let mut search: Option<Search> = None;
    for tried in tried {
        let Step { rate, duration, .. } = tried.step;
        let bounds =
            Bounds { start: rate, most: rate, precision: 0.0, step: duration, time: duration, requests: 0 };
        search.get_or_insert_with(|| Search::new(bounds)).took(tried);
    }
    search
}

impl From<StepKindRecord> for StepKind {
    fn from(kind: StepKindRecord) -> Self {
        match kind {
            StepKindRecord::Coarse => Self::Coarse,
            StepKindRecord::Fine => Self::Fine,
            StepKindRecord::Confirmation => Self::Confirmation,
        }
    }
}
