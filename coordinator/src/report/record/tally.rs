//! What blocks come to, block by block: the histograms of each are read once, when it is taken in, and results are worked
//! out anew only where a block has changed them. A record that is read goes the same way, with all of its blocks at once.

use std::collections::{BTreeMap, BTreeSet};

use super::results::Carried;
use super::{ArmRecord, BlockRecord, CapacityRecord, LoadRecord, RecordError, ResultRecord, WitnessRecord};
use crate::plan::{Arm, Purpose};
use crate::statistics::overhead::{ArmBlock, Overhead, Pair};
use crate::statistics::{Figures, Merged, UpstreamPart, UpstreamSum, Window};

/// What the results of some blocks rest on.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// How many blocks it knows.
    taken: usize,
    groups: Vec<Group>,
    pub(super) checks: Vec<Check>,
    /// Scenarios that are parts of mixes.
    pub(super) of_mixes: BTreeSet<String>,
    /// Scenarios of which a block has come since they were judged.
    unjudged: BTreeSet<String>,
}

/// The blocks of one scenario at one load.
#[derive(Debug, Clone)]
struct Group {
    scenario: String,
    load: LoadRecord,
    /// The place of its first block.
    first: usize,
    /// The place of its last block.
    last: usize,
    gateway: ArmSum,
    direct: ArmSum,
    is_of_search: bool,
    /// Its result is not up to date.
    is_changed: bool,
}

/// The blocks of one arm.
#[derive(Debug, Clone, Default)]
pub(super) struct ArmSum {
    members: Vec<Member>,
    /// The place among the members of the first one of each repeat.
    by_repeat: BTreeMap<u32, usize>,
    merged: Merged,
    window: Option<Window>,
    upstream: UpstreamSum,
}

/// One block of an arm, without its histograms.
#[derive(Debug, Clone)]
struct Member {
    number: u32,
    repeat: u32,
    carried: Carried,
    median_ns: Option<u64>,
    read: ArmBlock,
}

/// A block at half the concurrency that came to its end.
#[derive(Debug, Clone)]
pub(super) struct Check {
    /// The place of its block.
    at: usize,
    pub(super) scenario: String,
    pub(super) arm: Arm,
    pub(super) load: LoadRecord,
    pub(super) throughput: Option<f64>,
}

/// What the rules ask of a result's blocks.
pub(super) struct Course<'a> {
    pub(super) is_of_search: bool,
    gateway: &'a ArmSum,
    direct: &'a ArmSum,
}

impl Tally {
    /// Takes in the blocks that it does not know yet.
    ///
    /// # Errors
    /// When a histogram or a number cannot be read.
    pub(super) fn take(
        &mut self,
        blocks: &[BlockRecord],
        capacities: &[CapacityRecord],
    ) -> Result<(), RecordError> {
        for (at, block) in blocks.iter().enumerate().skip(self.taken) {
            self.taken = at + 1;
            self.note(at, block);
            let is_measurement = match block.purpose {
                Purpose::Measurement => true,
                Purpose::QueueingCheck => false,
                // Of a search the highest rate that held is the answer.
                Purpose::CapacityStep => capacities.iter().any(|capacity| capacity.is_knee(block)),
            };
            for part in block.with_parts().filter(|_| is_measurement) {
                self.group(at, part).add(at, part)?;
            }
        }
        Ok(())
    }

    /// What is to be known of a block whatever it was for.
    fn note(&mut self, at: usize, block: &BlockRecord) {
        self.unjudged.extend(block.with_parts().map(|part| part.scenario.name.clone()));
        self.of_mixes.extend(block.parts.iter().map(|part| part.scenario.name.clone()));
        if block.purpose == Purpose::QueueingCheck && !block.is_cut() {
            self.checks.push(Check {
                at,
                scenario: block.scenario.name.clone(),
                arm: block.arm,
                load: block.load.clone(),
                throughput: block.figures.throughput,
            });
        }
    }

    fn group(&mut self, at: usize, block: &BlockRecord) -> &mut Group {
        let is_of = |group: &Group| group.scenario == block.scenario.name && group.load == block.load;
        let place = self.groups.iter().position(is_of).unwrap_or(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group::new(at, block));
        }
        &mut self.groups[place]
    }

    /// Knows no more of the blocks from `at` on, of which others may count now: those of a search, whose highest rate has
    /// become another one.
    pub(super) fn forget(&mut self, at: usize) {
        self.groups.retain(|group| group.first < at);
        if self.groups.iter().any(|group| group.last >= at) {
            return *self = Self::default();
        }
        self.taken = self.taken.min(at);
        self.checks.retain(|check| check.at < at);
    }

    /// Brings results up to date that were made of what it knew before, in the order in which they began. Whatever is found
    /// of them is still to be accepted.
    ///
    /// # Errors
    /// When a load cannot be read.
    pub(super) fn bring_up_to_date(&mut self, results: &mut Vec<ResultRecord>) -> Result<(), RecordError> {
        let mut place = 0;
        for group in &mut self.groups {
            // The gateway may not have been measured yet, as after the first block of a pair that begins with the upstream.
            if group.gateway.members.is_empty() {
                continue;
            }
            let known = results.get(place);
            let is_known =
                known.is_some_and(|known| known.scenario == group.scenario && known.load == group.load);
            if !is_known || group.is_changed {
                results.splice(place..place + usize::from(is_known), group.result());
                self.unjudged.insert(group.scenario.clone());
            }
            group.is_changed = false;
            place += 1;
        }
        results.truncate(place);
        self.judge(results)
    }

    fn judge(&mut self, results: &mut [ResultRecord]) -> Result<(), RecordError> {
        let groups = self.groups.iter().filter(|group| !group.gateway.members.is_empty());
        let mut found = Vec::new();
        for (place, group) in groups.enumerate().filter(|(_, group)| self.unjudged.contains(&group.scenario))
        {
            let Some(result) = results.get(place) else { continue };
            let course =
                Course { is_of_search: group.is_of_search, gateway: &group.gateway, direct: &group.direct };
            found.push((place, super::results::judge(result, results, self, &course)?));
        }
        for (place, findings) in found {
            results[place].findings = findings;
        }
        self.unjudged.clear();
        Ok(())
    }
}

impl Group {
    fn new(at: usize, block: &BlockRecord) -> Self {
        Self {
            scenario: block.scenario.name.clone(),
            load: block.load.clone(),
            first: at,
            last: at,
            gateway: ArmSum::default(),
            direct: ArmSum::default(),
            is_of_search: false,
            is_changed: true,
        }
    }

    fn add(&mut self, at: usize, block: &BlockRecord) -> Result<(), RecordError> {
        (self.last, self.is_changed) = (at, true);
        match block.arm {
            Arm::Gateway => {
                self.is_of_search |= block.purpose == Purpose::CapacityStep;
                self.gateway.add(block)
            }
            Arm::Direct => self.direct.add(block),
        }
    }

    /// `None` without a gateway.
    fn result(&self) -> Option<ResultRecord> {
        let direct = self.direct.record();
        Some(ResultRecord {
            scenario: self.scenario.clone(),
            load: self.load.clone(),
            overhead: direct.is_some().then(|| Overhead::of(&self.pairs())),
            gateway: self.gateway.record()?,
            direct,
            findings: Vec::new(),
        })
    }

    /// As [`super::pairs`] finds them.
    fn pairs(&self) -> Vec<Pair> {
        let pairs = self.gateway.members.iter().filter_map(|gateway| {
            let direct = &self.direct.members[*self.direct.by_repeat.get(&gateway.repeat)?];
            let is_pair = gateway.carried.is_pair_with(&direct.carried);
            is_pair.then_some(Pair { gateway: gateway.read, direct: direct.read })
        });
        pairs.collect()
    }
}

impl ArmSum {
    pub(super) fn add(&mut self, block: &BlockRecord) -> Result<(), RecordError> {
        let (totals, latencies) = block.stored_sum()?;
        let sum = |of: fn(&super::WorkerRecord) -> u64| {
            block.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(of(worker)))
        };
        let successes_in_window = sum(|worker| worker.successes_in_window);
        let started_in_window = sum(|worker| worker.started_in_window);
        self.by_repeat.entry(block.repeat).or_insert(self.members.len());
        self.members.push(Member {
            number: block.number,
            repeat: block.repeat,
            carried: Carried::of(block),
            median_ns: block.figures.response_time.map(|times| times.p50_ns),
            read: ArmBlock::new(&latencies, block.figures.throughput),
        });
        if let Some(WitnessRecord { requests, answered, service_time_mean_ns }) = block.testimony() {
            self.upstream.add(&UpstreamPart {
                totals: &totals,
                seen: requests,
                answered,
                service_time_mean_ns,
            });
        }
        self.merged.add(&Merged { totals, latencies, successes_in_window, started_in_window });
        self.window = Some(block.figures.window.after(self.window));
        Ok(())
    }

    /// `None` without blocks.
    pub(super) fn record(&self) -> Option<ArmRecord> {
        Some(ArmRecord {
            blocks: self.members.iter().map(|member| member.number).collect(),
            figures: Figures::of_blocks(self.window?, &self.merged),
            upstream: self.upstream.together(),
        })
    }
}

impl Course<'_> {
    /// The median of each block of an arm that has one, in the order in which they ran.
    pub(super) fn medians_ns(&self, arm: Arm) -> Vec<u64> {
        let of = match arm {
            Arm::Gateway => self.gateway,
            Arm::Direct => self.direct,
        };
        of.members.iter().filter_map(|member| member.median_ns).collect()
    }
}
