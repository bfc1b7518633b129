//! The checks of a record as a whole: that its blocks are those that were planned, and its digests those of its histograms.

use super::blocks::fields;
use crate::plan::Purpose;
use crate::report::record::{
    BlockRecord, CapacityRecord, ConclusionRecord, RunRecord, StepKindRecord, StepRecord,
};

/// Blocks and workers are counted through, and blocks are those that were planned.
pub(super) fn out_of_order(record: &RunRecord) -> Option<String> {
    let machine = (0..).zip(&record.run.workers).find(|(number, worker)| worker.number != *number);
    if let Some((number, worker)) = machine {
        return Some(format!("worker {number} of the fleet has the number {}", worker.number));
    }
    (1..).zip(&record.blocks).enumerate().find_map(|(place, (number, block))| {
        if block.number != number {
            return Some(format!("block {number} has the number {}", block.number));
        }
        let planned = record.run.planned.get(place).filter(|planned| **planned != block.scenario.name);
        if let Some(planned) = planned {
            return Some(format!("block {number} is {}, and {planned} was planned", block.scenario.name));
        }
        let repeat = 1 + likes(&record.blocks[..place], block);
        if block.repeat != repeat {
            return Some(format!(
                "block {number} is said to be number {} of its likes, and is {repeat}",
                block.repeat
            ));
        }
        let mut workers = (0..).zip(&block.workers);
        let (number_of_worker, worker) = workers.find(|(number, worker)| worker.number != *number)?;
        Some(format!("worker {number_of_worker} of block {number} has the number {}", worker.number))
    })
}

/// How many blocks of its kind went before it. A queueing check follows those that it is held against.
fn likes(before: &[BlockRecord], block: &BlockRecord) -> u32 {
    let is_alike = |other: &&BlockRecord| {
        let same = other.scenario.name == block.scenario.name && other.arm == block.arm;
        same && match block.purpose {
            Purpose::Measurement => other.purpose == block.purpose && other.load == block.load,
            Purpose::QueueingCheck => other.purpose == Purpose::Measurement,
            Purpose::CapacityStep => other.purpose == block.purpose,
        }
    };
    before.iter().filter(is_alike).count() as u32
}

/// Each second says how many workers reported it.
pub(super) fn missing_intervals(block: &BlockRecord) -> Option<String> {
    let by_second = block.series.iter().map(|second| u64::from(second.workers)).sum::<u64>();
    let by_worker = block.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(worker.intervals));
    (by_second != by_worker).then(|| {
        format!("the seconds were reported {by_second} times, and the workers sent {by_worker} intervals")
    })
}

/// Since the third version a record that lacks a digest is none of ours.
pub(super) fn digests(version: u32, stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    let workers = stored.workers.iter().zip(&again.workers).map(|(stored, again)| {
        let name = format!("worker {}", stored.number);
        (name, &stored.histograms_sha256, &again.histograms_sha256)
    });
    let of_block = [
        ("the block".to_owned(), &stored.histograms_sha256, &again.histograms_sha256),
        ("the seconds".to_owned(), &stored.seconds_sha256, &again.seconds_sha256),
    ];
    workers.chain(of_block).find_map(|(name, stored, again)| match (stored, again) {
        (Some(stored), Some(again)) if stored != again => {
            Some(format!("{name} should have {stored}, and what is stored has {again}"))
        }
        (Some(_), _) => None,
        (None, _) => (version > 2).then(|| format!("{name} has none, as only older records do")),
    })
}

/// A search says what its steps say, each step is the one that follows from those before it, and the last one is the last.
pub(super) fn searches(stored: &RunRecord, again: &RunRecord) -> Option<String> {
    let is_searched =
        |name: &String| stored.capacities.iter().filter(|one| one.scenario == *name).count() == 1;
    let steps = stored.blocks.iter().filter(|block| block.purpose == Purpose::CapacityStep);
    let mut names =
        steps.map(|block| &block.scenario.name).chain(stored.capacities.iter().map(|one| &one.scenario));
    if let Some(name) = names.find(|name| !is_searched(name)) {
        return Some(format!("there is not one search with {name}"));
    }
    let mut pairs = stored.capacities.iter().zip(&again.capacities);
    pairs.find_map(|(capacity, again)| {
        let problem = wrong_step(capacity, again)
            .or_else(|| wrong_way(stored, capacity))
            .or_else(|| fields(capacity, again))
            .or_else(|| wrong_end(capacity))?;
        Some(format!("{}: {problem}", capacity.scenario))
    })
}

/// Since the third version a search says how far it was allowed to go, so that it can be gone over again.
fn wrong_way(stored: &RunRecord, capacity: &CapacityRecord) -> Option<String> {
    if capacity.bounds.is_none() {
        let problem = "it does not say how far it was allowed to go, as only older records do not";
        return (stored.schema_version > 2).then(|| problem.to_owned());
    }
    let is_too_quick = |step: &&StepRecord| {
        let block = stored.blocks.iter().find(|block| block.number == step.block);
        let workers = block.into_iter().flat_map(|block| &block.workers);
        let lasted = workers.map(|worker| worker.last_interval_end_ns).max();
        !step.was_interrupted && lasted.is_some_and(|lasted| step.took_ns < lasted)
    };
    if let Some(step) = capacity.steps.iter().find(is_too_quick) {
        return Some(format!("block {} went on for longer than its step took", step.block));
    }
    capacity.astray(&stored.blocks)
}

fn wrong_step(stored: &CapacityRecord, again: &CapacityRecord) -> Option<String> {
    if stored.steps.len() != again.steps.len() {
        return Some(format!(
            "there are {} steps, and the blocks make {}",
            stored.steps.len(),
            again.steps.len()
        ));
    }
    let mut pairs = (1..).zip(stored.steps.iter().zip(&again.steps));
    pairs.find_map(|(number, (stored, again))| Some(format!("step {number}: {}", fields(stored, again)?)))
}

fn wrong_end(search: &CapacityRecord) -> Option<String> {
    let (highest, lowest) = (search.highest_passing_millihertz, search.lowest_failing_millihertz);
    let was_the_generator = search.steps.last().is_some_and(|step| step.is_generators_fault);
    let is_confirmed = |rate: Option<u64>| {
        let confirmed = |step: &&StepRecord| step.kind == StepKindRecord::Confirmation;
        search.steps.iter().filter(confirmed).any(|step| Some(step.rate_millihertz) == rate)
    };
    let fits = match search.conclusion? {
        ConclusionRecord::Generator => was_the_generator,
        ConclusionRecord::Found => is_confirmed(highest) && is_confirmed(lowest),
        ConclusionRecord::BeyondMost => lowest.is_none() && is_confirmed(highest),
        ConclusionRecord::NothingPasses => highest.is_none() && lowest.is_some(),
        ConclusionRecord::OutOfBudget => !was_the_generator,
    };
    (!fits).then(|| "it did not end for the reason that it gives".into())
}
