//! What came of the steps of a search, worked out from the blocks that they ran as.

use std::time::Duration;

use proto::load::Rate;

use super::blame::Shortcoming;
use super::{BlockRecord, CapacityRecord, LoadRecord, StepKindRecord, StepRecord, nanos};
use crate::capacity::{Astray, Bounds, Limit, Search, Step, StepKind, Tried, backlog, replayed};
use crate::plan::Purpose;
use crate::statistics::thresholds::{Judged, Measured, judge};
use crate::threshold::Threshold;

impl BlockRecord {
    /// What came of a step that ran as this block, but for how long it took; `usual` is what an answer takes where the target
    /// keeps up, if that is known.
    pub fn tried(&self, step: Step, objectives: &[String], usual: Option<Duration>) -> Tried {
        let lengths = self.queue_lengths(step.duration);
        let waiting = lengths.last().copied().unwrap_or_default();
        let grows = self.aborted.is_some()
            || backlog::grows(backlog::settled(&lengths, self.slowest()), step.rate.per_second());
        let missed = self.missed(objectives);
        let why = self.aborted.clone().or_else(|| missed.as_ref().map(Judged::sentence)).or_else(|| {
            grows.then(|| format!("the queue grew to {waiting} requests, and more with every second"))
        });
        let short = Shortcoming { grows, missed: missed.as_ref(), waiting, usual };
        let (failure, limit) = match why.map(|why| (self.blame(&short), why)) {
            None => (None, None),
            Some((None, why)) => (Some(why), None),
            Some((Some((limit, reason)), why)) => (Some(format!("{why}; {reason}")), Some(limit)),
        };
        let needs = backlog::needs(self.slowest());
        let is_of_failures = missed.as_ref().is_some_and(Judged::is_of_failures);
        let failed_share = self.figures.failure_rate.filter(|_| is_of_failures && self.aborted.is_none());
        Tried {
            step,
            failure,
            limit,
            failed_share,
            needs,
            took: Duration::ZERO,
            offered: self.figures.offered,
        }
    }

    /// The first objective that was missed. Of a mix they are about all of it, or about the scenario that they name.
    fn missed(&self, objectives: &[String]) -> Option<Judged> {
        objectives.iter().find_map(|objective| {
            let is_of_one =
                objective.parse::<Threshold>().is_ok_and(|objective| objective.scenario.is_some());
            let parts = self.parts.iter().filter(|_| is_of_one);
            self.judged(objective, parts.chain([self])).into_iter().find(Judged::is_missed)
        })
    }

    /// What came of an objective that names this block's scenario; `None` of one that does not.
    pub(in crate::report) fn own(&self, objective: &str) -> Option<Judged> {
        let named = objective.parse::<Threshold>().ok()?.scenario?;
        let own = (named == self.scenario.name).then(|| self.judged(objective, [self]));
        own.into_iter().flatten().next()
    }

    fn judged<'a>(&self, objective: &str, blocks: impl IntoIterator<Item = &'a Self>) -> Vec<Judged> {
        let measured = blocks.into_iter().map(|block| Measured {
            scenario: &block.scenario.name,
            load: None,
            figures: &block.figures,
        });
        judge(&[objective.to_owned()], &measured.collect::<Vec<_>>(), &[])
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
}

impl CapacityRecord {
    /// What an answer took, from send to last byte, at the highest rate below this one that had held; `None` where none had.
    pub fn usual_service_time(&self, blocks: &[BlockRecord], below: Rate) -> Option<Duration> {
        let held = |step: &&StepRecord| {
            let is_lower = step.rate_millihertz < below.millihertz();
            is_lower && step.failure.is_none() && !step.is_too_short && !step.was_interrupted
        };
        let step = self.steps.iter().filter(held).max_by_key(|step| (step.rate_millihertz, step.block))?;
        let block = blocks.iter().find(|block| block.number == step.block)?;
        Some(Duration::from_nanos(block.figures.service_time.as_ref()?.p50_ns))
    }

    /// The same search with its steps, and what follows from them, worked out again from the blocks.
    pub(super) fn again(&self, blocks: &[BlockRecord]) -> Self {
        let (mut again, tried) = self.gone_over(blocks);
        let search = match self.bounds() {
            None => standing(tried),
            Some(bounds) => match replayed(bounds, tried.clone()) {
                Ok(search) => {
                    let ended = search.next().err().map(Into::into);
                    // A search that was interrupted has no end.
                    again.conclusion = self.conclusion.and(ended);
                    Some(search)
                }
                Err(_) => standing(tried),
            },
        };
        again.highest_passing_millihertz =
            search.as_ref().and_then(Search::highest_passing).map(Rate::millihertz);
        again.lowest_failing_millihertz =
            search.as_ref().and_then(Search::lowest_failing).map(Rate::millihertz);
        again.more_workers = again.wanted_workers(blocks);
        again
    }

    /// The first step that does not follow from those before it, in a sentence without its full stop.
    pub(in crate::report) fn astray(&self, blocks: &[BlockRecord]) -> Option<String> {
        let Astray { number, wanted } = replayed(self.bounds()?, self.gone_over(blocks).1).err()?;
        Some(match wanted {
            Err(_) => format!("the search was over before step {number}"),
            Ok(Step { rate, duration, kind }) => {
                let (seconds, kind) = (duration.as_secs_f64(), StepKindRecord::from(kind).name());
                format!("step {number} should have been a {kind} one of {rate} req/s for {seconds} s")
            }
        })
    }

    fn bounds(&self) -> Option<Bounds> {
        self.bounds.as_ref()?.content()
    }

    /// The steps as the blocks make them, and what came of those that were not interrupted.
    fn gone_over(&self, blocks: &[BlockRecord]) -> (Self, Vec<Tried>) {
        let (mut again, mut whole) = (Self { steps: Vec::new(), ..self.clone() }, Vec::new());
        let stored = self.steps.iter().map(Some).chain(std::iter::repeat(None));
        for (block, stored) in self.ran(blocks).zip(stored) {
            let Some(tried) = again.tried(block, blocks, stored) else { continue };
            let step = StepRecord::new(block, &tried);
            if !step.was_interrupted {
                whole.push(tried);
            }
            again.steps.push(step);
        }
        (again, whole)
    }

    /// The blocks that were its steps.
    fn ran<'a>(&self, blocks: &'a [BlockRecord]) -> impl DoubleEndedIterator<Item = &'a BlockRecord> {
        let scenario = self.scenario.clone();
        blocks
            .iter()
            .filter(move |block| block.purpose == Purpose::CapacityStep && block.scenario.name == scenario)
    }

    /// What came of the step that a block was; why it was tried and how long that took, no block says. `None` for a block that
    /// has no rate or no duration.
    fn tried(
        &self,
        block: &BlockRecord,
        blocks: &[BlockRecord],
        stored: Option<&StepRecord>,
    ) -> Option<Tried> {
        let LoadRecord::Open { rate_millihertz: Some(rate), .. } = block.load else { return None };
        let (rate, duration) =
            (Rate::from_millihertz(rate)?, Duration::from_nanos(block.extent.duration_ns?));
        let kind = stored.map_or(StepKind::Coarse, |step| step.kind.into());
        let usual = self.usual_service_time(blocks, rate);
        let tried = block.tried(Step { rate, duration, kind }, &self.objectives, usual);
        Some(Tried { took: Duration::from_nanos(stored.map_or(0, |step| step.took_ns)), ..tried })
    }

    /// How many more workers it would have taken to go on, where they were the limit.
    pub(super) fn wanted_workers(&self, blocks: &[BlockRecord]) -> Option<u32> {
        let last =
            self.steps.last().filter(|_| self.conclusion == Some(super::ConclusionRecord::Generator))?;
        let block = blocks.iter().find(|block| block.number == last.block)?;
        Some(block.more_workers(last.limit.map(Limit::from)))
    }
}

/// Where a search stands after these steps; `None` without any. Older records hold no bounds, which decide what is tried next,
/// and nothing is.
fn standing(tried: Vec<Tried>) -> Option<Search> {
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
