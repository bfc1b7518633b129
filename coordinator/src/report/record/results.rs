//! What the blocks of one scenario and load come to: the figures of each arm over all its blocks, and what the gateway
//! adds.

use proto::load::Load;
use serde::{Deserialize, Serialize};

use super::decode::{impossible, load};
use super::tally::{ArmSum, Check, Course, Tally};
use super::{BlockRecord, LoadRecord, RecordError, RunRecord, WorkerEndRecord, WorkerRecord};
use crate::plan::Arm;
use crate::statistics::overhead::Overhead;
use crate::statistics::verdict::{Finding, ResultEvidence, Side, judge_result};
use crate::statistics::{Figures, Upstream};

/// All blocks of one scenario at one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResultRecord {
    /// The scenario's name.
    pub scenario: String,
    /// How requests came about, over the whole fleet.
    pub load: LoadRecord,
    /// The system under test.
    pub gateway: ArmRecord,
    /// The upstream; `None` where it was not measured.
    pub direct: Option<ArmRecord>,
    /// What the gateway adds; `None` without the upstream.
    pub overhead: Option<Overhead>,
    /// What speaks against the figures, beside what is found in the single blocks.
    pub findings: Vec<Finding>,
}

/// One arm, over all its blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmRecord {
    /// Their numbers.
    pub blocks: Vec<u32>,
    /// All of them together, over the sum of their windows.
    pub figures: Figures,
    /// What the upstream saw of it; `None` where it does not say.
    #[serde(default)]
    pub upstream: Option<Upstream>,
}

impl LoadRecord {
    /// How it is told from other loads of the same scenario.
    pub fn level(&self) -> String {
        match self {
            Self::Closed { concurrency, .. } => format!("{concurrency} in flight"),
            Self::Open { rate_millihertz: Some(rate), .. } => format!("{} req/s", *rate as f64 / 1e3),
            Self::Open { trace: Some(_), .. } => "a trace".into(),
            Self::Open { .. } => "stages".into(),
        }
    }
}

impl BlockRecord {
    /// Whether it came to no end of its own.
    pub(in crate::report) fn is_cut(&self) -> bool {
        self.interrupted || self.aborted.is_some()
    }
}

impl ResultRecord {
    /// Whether a block is one of its blocks.
    pub fn holds(&self, block: &BlockRecord) -> bool {
        let direct = self.direct.iter().flat_map(|arm| &arm.blocks);
        self.gateway.blocks.iter().chain(direct).any(|number| *number == block.number)
    }

    /// How many levels of load the record has of this scenario, as tables need it to tell them apart.
    pub fn has_levels(record: &RunRecord) -> bool {
        record.results.iter().enumerate().any(|(place, result)| {
            record.results[..place].iter().any(|before| before.scenario == result.scenario)
        })
    }
}

/// The pairs among blocks of the same scenario and load: gateway and direct.
pub(in crate::report) fn pairs<T>(all: &[T], block: impl Fn(&T) -> &BlockRecord) -> Vec<(&T, &T)> {
    let of = |arm: Arm| all.iter().map(|one| (one, block(one))).filter(move |(_, block)| block.arm == arm);
    of(Arm::Gateway)
        .filter_map(|(gateway, own)| {
            let (direct, other) = of(Arm::Direct).find(|(_, other)| other.repeat == own.repeat)?;
            Carried::of(own).is_pair_with(&Carried::of(other)).then_some((gateway, direct))
        })
        .collect()
}

/// Who carried a block.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    /// It came to its end, and with the workers that it began with.
    is_whole: bool,
    /// The numbers of the workers that had been lost before.
    without: Vec<u32>,
}

impl Carried {
    pub(super) fn of(block: &BlockRecord) -> Self {
        let is_lost = |worker: &&WorkerRecord| matches!(worker.end, WorkerEndRecord::Lost { .. });
        let lost = || block.workers.iter().filter(is_lost);
        Self {
            is_whole: !block.is_cut() && lost().all(|worker| worker.intervals == 0),
            without: lost().map(|worker| worker.number).collect(),
        }
    }

    /// Half a block is no half of a pair, and neither is one under another load than the other: the same workers carried
    /// both, each from the beginning to the end or not at all.
    pub(super) fn is_pair_with(&self, other: &Self) -> bool {
        self.is_whole && other.is_whole && self.without == other.without
    }
}

/// The figures of several blocks of one arm together, over the sum of their windows; `None` without blocks.
///
/// # Errors
/// When a histogram cannot be read.
pub(in crate::report) fn figures_of(blocks: &[&BlockRecord]) -> Result<Option<Figures>, RecordError> {
    let mut sum = ArmSum::default();
    for block in blocks {
        sum.add(block)?;
    }
    Ok(sum.record().map(|arm| arm.figures))
}

/// What speaks against a result. A level is held against the next lower one, a single level against the blocks at half of
/// it.
///
/// # Errors
/// When a load cannot be read.
pub(super) fn judge(
    result: &ResultRecord,
    results: &[ResultRecord],
    tally: &Tally,
    course: &Course<'_>,
) -> Result<Vec<Finding>, RecordError> {
    // The blocks of a search differ in their lengths, and are judged step by step.
    if course.is_of_search {
        return Ok(Vec::new());
    }
    let read = |record: &LoadRecord| load(record).ok_or_else(|| impossible("a result", "load"));
    let lower = lower_level(result, results);
    let side = |of: &ArmRecord, arm: Arm| -> Result<Side, RecordError> {
        let of_level = lower.and_then(|lower| match arm {
            Arm::Gateway => Some((&lower.load, lower.gateway.figures.throughput)),
            Arm::Direct => lower.direct.as_ref().map(|arm| (&lower.load, arm.figures.throughput)),
        });
        let is_own = |check: &&Check| check.arm == arm && check.scenario == result.scenario;
        let of_check = tally.checks.iter().find(is_own).map(|check| (&check.load, check.throughput));
        let below = match of_level.or(of_check) {
            Some((load, Some(throughput))) => Some((read(load)?, throughput)),
            _ => None,
        };
        let medians_ns = course.medians_ns(arm);
        Ok(Side { figures: of.figures.clone(), medians_ns, below, upstream: of.upstream })
    };
    let load: Load = read(&result.load)?;
    let gateway = side(&result.gateway, Arm::Gateway)?;
    let direct = result.direct.as_ref().map(|arm| side(arm, Arm::Direct)).transpose()?;
    let evidence = ResultEvidence { load: &load, gateway, direct, overhead: result.overhead.as_ref() };
    let mut found = judge_result(&evidence);
    if tally.of_mixes.contains(&result.scenario) {
        // What else is found of a part is found of the whole as well.
        found.retain(|finding| OF_A_PART.contains(&finding.rule.as_str()));
    }
    Ok(found)
}

/// Rules about one scenario's own answers.
const OF_A_PART: [&str; 2] = ["drift", "gateway_faster"];

/// The same scenario with the highest concurrency below.
fn lower_level<'a>(result: &ResultRecord, results: &'a [ResultRecord]) -> Option<&'a ResultRecord> {
    let concurrency = |result: &ResultRecord| match &result.load {
        LoadRecord::Closed { concurrency, think_time: None } => Some(*concurrency),
        LoadRecord::Closed { .. } | LoadRecord::Open { .. } => None,
    };
    let own = concurrency(result)?;
    let others = results.iter().filter(|other| other.scenario == result.scenario);
    others
        .filter(|other| concurrency(other).is_some_and(|other| other < own))
        .max_by_key(|other| concurrency(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::fixtures::{block, closed, interval, requests, totals};
    use crate::merge::{BlockMerge, MeasuredBlock};
    use crate::plan::Block;
    use crate::report::fixtures::record_of;
    use proto::interval::EndReason;

    /// What becomes of the second of two workers.
    #[derive(Clone, Copy, PartialEq)]
    enum Second {
        Finishes,
        IsLost,
        WasLost,
    }

    fn measured(arm: Arm, repeat: u32, second: Second) -> MeasuredBlock {
        let only = interval(0, (0.0, 1.0), &[10_000_000; 50]);
        let mut merge = BlockMerge::new(Block { arm, repeat, ..block(closed(2), requests(100)) }, 2);
        merge.interval(0, &only).unwrap();
        merge.finished(0, totals(std::slice::from_ref(&only), EndReason::Requests));
        if second != Second::WasLost {
            merge.interval(1, &only).unwrap();
        }
        match second {
            Second::Finishes => merge.finished(1, totals(&[only], EndReason::Requests)),
            Second::IsLost | Second::WasLost => merge.lost(1, "it was killed"),
        }
        merge.finish(false)
    }

    #[test]
    fn blocks_that_other_workers_carried_are_no_pair() {
        let ends = [
            [Second::Finishes; 2],
            // The direct block before it was under the whole load; from then on both are under the same.
            [Second::IsLost, Second::Finishes],
            [Second::IsLost, Second::WasLost],
            [Second::WasLost; 2],
            [Second::Finishes, Second::WasLost],
        ];
        let blocks = (1..).zip(ends).flat_map(|(repeat, [gateway, direct])| {
            [measured(Arm::Gateway, repeat, gateway), measured(Arm::Direct, repeat, direct)]
        });
        let record = record_of(&blocks.collect::<Vec<_>>());
        let found: Vec<u32> =
            pairs(&record.blocks, |block| block).iter().map(|(gateway, _)| gateway.repeat).collect();
        assert_eq!(found, [1, 4]);
    }
}
