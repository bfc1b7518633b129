//! What the blocks of one scenario and load come to: the figures of each arm over all its blocks, and what the gateway
//! adds.

use proto::load::Load;
use serde::{Deserialize, Serialize};

use super::decode::{impossible, load};
use super::{
    BlockRecord, CapacityRecord, LoadRecord, RecordError, RunRecord, WitnessRecord, WorkerEndRecord,
    WorkerRecord,
};
use crate::plan::{Arm, Purpose};
use crate::statistics::overhead::{ArmBlock, Overhead, Pair};
use crate::statistics::verdict::{Finding, ResultEvidence, Side, judge_result};
use crate::statistics::{Figures, Merged, Upstream, UpstreamPart};

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

/// A block with what it adds to a result.
struct Part<'a> {
    block: &'a BlockRecord,
    merged: Merged,
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

/// The results of the blocks, in the order in which they began.
///
/// # Errors
/// When a histogram or a number cannot be read.
pub(super) fn results(
    blocks: &[BlockRecord],
    capacities: &[CapacityRecord],
) -> Result<Vec<ResultRecord>, RecordError> {
    let is_measurement = |block: &&BlockRecord| match block.purpose {
        Purpose::Measurement => true,
        Purpose::QueueingCheck => false,
        // Of a search the highest rate that held is the answer.
        Purpose::CapacityStep => capacities.iter().any(|capacity| capacity.is_knee(block)),
    };
    let measurements = || blocks.iter().filter(is_measurement).flat_map(BlockRecord::with_parts);
    let mut results: Vec<ResultRecord> = Vec::new();
    for block in measurements() {
        let is_known =
            |result: &ResultRecord| result.scenario == block.scenario.name && result.load == block.load;
        if results.iter().any(is_known) {
            continue;
        }
        let same =
            |other: &&BlockRecord| other.scenario.name == block.scenario.name && other.load == block.load;
        let parts = measurements().filter(same).map(Part::new).collect::<Result<Vec<_>, _>>()?;
        results.extend(result(&parts));
    }
    judge_all(&mut results, blocks)?;
    Ok(results)
}

impl<'a> Part<'a> {
    fn new(block: &'a BlockRecord) -> Result<Self, RecordError> {
        let (totals, latencies) = block.stored_sum()?;
        let sum = |of: fn(&super::WorkerRecord) -> u64| {
            block.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(of(worker)))
        };
        let successes_in_window = sum(|worker| worker.successes_in_window);
        let started_in_window = sum(|worker| worker.started_in_window);
        Ok(Self { block, merged: Merged { totals, latencies, successes_in_window, started_in_window } })
    }

    /// What the upstream says of it.
    fn upstream(&self) -> Option<UpstreamPart<'_>> {
        let WitnessRecord { requests, answered, service_time_mean_ns } = self.block.testimony()?;
        Some(UpstreamPart { totals: &self.merged.totals, seen: requests, answered, service_time_mean_ns })
    }

    fn arm(&self) -> ArmBlock<'_> {
        ArmBlock { latencies: &self.merged.latencies, throughput: self.block.figures.throughput }
    }
}

/// `None` when the gateway was not measured yet, as after the first block of a pair that begins with the upstream.
fn result(parts: &[Part<'_>]) -> Option<ResultRecord> {
    let of = |arm: Arm| parts.iter().filter(move |part| part.block.arm == arm);
    let gateway = arm(of(Arm::Gateway))?;
    let direct = arm(of(Arm::Direct));
    let pairs: Vec<Pair<'_>> = pairs(parts, |part| part.block)
        .into_iter()
        .map(|(gateway, direct)| Pair { gateway: gateway.arm(), direct: direct.arm() })
        .collect();
    let first = &parts.first()?.block;
    Some(ResultRecord {
        scenario: first.scenario.name.clone(),
        load: first.load.clone(),
        overhead: direct.is_some().then(|| Overhead::of(&pairs)),
        gateway,
        direct,
        findings: Vec::new(),
    })
}

/// The pairs among blocks of the same scenario and load: gateway and direct.
pub(in crate::report) fn pairs<T>(all: &[T], block: impl Fn(&T) -> &BlockRecord) -> Vec<(&T, &T)> {
    let of = |arm: Arm| all.iter().map(|one| (one, block(one))).filter(move |(_, block)| block.arm == arm);
    of(Arm::Gateway)
        .filter_map(|(gateway, own)| {
            let (direct, other) = of(Arm::Direct).find(|(_, other)| other.repeat == own.repeat)?;
            // Half a block is no half of a pair, and neither is one under another load than the other.
            (!own.is_cut() && !other.is_cut() && are_under_one_load(own, other)).then_some((gateway, direct))
        })
        .collect()
}

/// Whether the same workers carried both blocks, each from the beginning to the end or not at all.
fn are_under_one_load(own: &BlockRecord, other: &BlockRecord) -> bool {
    let is_lost = |worker: &WorkerRecord| matches!(worker.end, WorkerEndRecord::Lost { .. });
    let went_on = |worker: &WorkerRecord| is_lost(worker) && worker.intervals > 0;
    let lost = |block: &BlockRecord| {
        block.workers.iter().filter(|worker| is_lost(worker)).map(|worker| worker.number).collect::<Vec<_>>()
    };
    let both = || own.workers.iter().chain(&other.workers);
    !both().any(went_on) && lost(own) == lost(other)
}

/// The figures of several blocks of one arm together, over the sum of their windows; `None` without blocks.
///
/// # Errors
/// When a histogram cannot be read.
pub(in crate::report) fn figures_of(blocks: &[&BlockRecord]) -> Result<Option<Figures>, RecordError> {
    let parts = blocks.iter().map(|block| Part::new(block)).collect::<Result<Vec<_>, _>>()?;
    Ok(arm(parts.iter()).map(|arm| arm.figures))
}

/// `None` without blocks.
fn arm<'a>(parts: impl Iterator<Item = &'a Part<'a>> + Clone) -> Option<ArmRecord> {
    let upstream = Upstream::of(parts.clone().filter_map(Part::upstream));
    let (mut blocks, mut merged, mut window) = (Vec::new(), Merged::default(), None);
    for Part { block, merged: part } in parts {
        blocks.push(block.number);
        merged.add(part);
        window = Some(block.figures.window.after(window));
    }
    Some(ArmRecord { blocks, figures: Figures::of_blocks(window?, &merged), upstream })
}

/// Adds what speaks against the results. A level is held against the next lower one, a single level against the blocks
/// at half of it.
fn judge_all(results: &mut [ResultRecord], blocks: &[BlockRecord]) -> Result<(), RecordError> {
    let found = results.iter().map(|result| judge(result, results, blocks)).collect::<Result<Vec<_>, _>>()?;
    for (result, findings) in results.iter_mut().zip(found) {
        result.findings = findings;
    }
    Ok(())
}

fn judge(
    result: &ResultRecord,
    results: &[ResultRecord],
    blocks: &[BlockRecord],
) -> Result<Vec<Finding>, RecordError> {
    let of = |arm: &ArmRecord| -> Vec<&Figures> {
        let is_of = |block: &&BlockRecord| {
            block.scenario.name == result.scenario && arm.blocks.contains(&block.number)
        };
        let all = blocks.iter().flat_map(BlockRecord::with_parts);
        all.filter(is_of).map(|block| &block.figures).collect()
    };
    let read = |record: &LoadRecord| load(record).ok_or_else(|| impossible("a result", "load"));
    let lower = lower_level(result, results);
    let check = |arm: Arm| {
        blocks.iter().find(|block| {
            block.purpose == Purpose::QueueingCheck
                && block.arm == arm
                && block.scenario.name == result.scenario
                && !block.is_cut()
        })
    };
    let side = |arm: &ArmRecord, which: Arm| -> Result<Side, RecordError> {
        let of_level = lower.and_then(|lower| match which {
            Arm::Gateway => Some((&lower.load, lower.gateway.figures.throughput)),
            Arm::Direct => lower.direct.as_ref().map(|arm| (&lower.load, arm.figures.throughput)),
        });
        let of_check = check(which).map(|block| (&block.load, block.figures.throughput));
        let below = match of_level.or(of_check) {
            Some((load, Some(throughput))) => Some((read(load)?, throughput)),
            _ => None,
        };
        let blocks = of(arm).into_iter().cloned().collect();
        Ok(Side { figures: arm.figures.clone(), blocks, below, upstream: arm.upstream })
    };
    // The blocks of a search differ in their lengths, and are judged step by step.
    let is_of_search = blocks
        .iter()
        .any(|block| block.purpose == Purpose::CapacityStep && result.gateway.blocks.contains(&block.number));
    if is_of_search {
        return Ok(Vec::new());
    }
    let load: Load = read(&result.load)?;
    let gateway = side(&result.gateway, Arm::Gateway)?;
    let direct = result.direct.as_ref().map(|arm| side(arm, Arm::Direct)).transpose()?;
    let evidence = ResultEvidence { load: &load, gateway, direct, overhead: result.overhead.as_ref() };
    let mut found = judge_result(&evidence);
    let mut parts = blocks.iter().flat_map(|block| &block.parts);
    if parts.any(|part| part.scenario.name == result.scenario) {
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
