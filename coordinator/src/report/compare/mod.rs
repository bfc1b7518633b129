//! Two runs beside each other: whether they can be compared, and how their figures differ.

use serde::Serialize;

use super::record::{BlockRecord, RecordError, RunRecord, SeriesRecord, pairs};
use crate::plan::{Arm, Purpose};
use crate::statistics::compare::{Block, Difference, Figure, Outcome, Second, compare, compare_added};
use crate::statistics::overhead::{ArmBlock, Pair};

mod comparable;
mod formats;
#[cfg(test)]
mod tests;

pub use comparable::differences;
pub use formats::{json, junit, markdown, text};

/// What came of comparing two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The earlier run's folder.
    pub old: String,
    /// The later run's folder.
    pub new: String,
    /// What makes the runs hard to compare, where that was waved through.
    pub differences: Vec<String>,
    /// One for each scenario, arm and load that both runs have.
    pub scenarios: Vec<ScenarioComparison>,
}

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioComparison {
    /// With its arm and its place among several loads, where it takes that to tell it apart.
    pub name: String,
    /// How many blocks the old and the new run have of it.
    pub blocks: [usize; 2],
    /// Whether it is the upstream's, which is shown and never fails a comparison: it is not what is tested.
    pub is_control: bool,
    /// Each figure; of a gateway with a direct arm beside it also what it adds.
    pub figures: Vec<Difference>,
}

impl ScenarioComparison {
    /// The figures that are worse than tolerated.
    pub fn worse(&self) -> impl Iterator<Item = &Difference> {
        self.figures.iter().filter(|difference| difference.outcome == Outcome::Worse)
    }

    /// Whether not a single figure could be judged.
    pub fn is_unknown(&self) -> bool {
        self.figures.iter().all(|difference| difference.outcome == Outcome::Unknown)
    }
}

impl Comparison {
    /// Whether any figure of the system under test is worse than tolerated.
    pub fn is_worse(&self) -> bool {
        self.scenarios.iter().any(|scenario| !scenario.is_control && scenario.worse().next().is_some())
    }
}

/// Compares two runs; `differences` are those that were waved through, and `tolerance` says how much worse a figure may be,
/// given the gateway's old one.
///
/// # Errors
/// When a histogram cannot be read.
pub fn compare_runs(
    old: &RunRecord,
    new: &RunRecord,
    differences: Vec<String>,
    tolerance: impl Fn(Figure, Option<f64>) -> f64,
) -> Result<Comparison, RecordError> {
    let (was, is) = (groups(old), groups(new));
    let scenarios = was.iter().filter_map(|group| Some((group, group.partner(&was, &is)?)));
    let scenarios = scenarios.map(|(was, is)| scenario(was, is, &tolerance)).collect::<Result<_, _>>()?;
    let [old, new] = [old, new].map(|record| record.run.results_folder.clone());
    Ok(Comparison { old, new, differences, scenarios })
}

fn scenario(
    old: &Group<'_>,
    new: &Group<'_>,
    tolerance: impl Fn(Figure, Option<f64>) -> f64,
) -> Result<ScenarioComparison, RecordError> {
    let contents = |group: &Group<'_>| {
        group.blocks.iter().map(|block| content(block)).collect::<Result<Vec<_>, RecordError>>()
    };
    let (was, is) = (contents(old)?, contents(new)?);
    let mut figures = compare(&was, &is, |figure| tolerance(figure, None));
    let (was, is) = (pairs_of(old)?, pairs_of(new)?);
    if !was.is_empty() && !is.is_empty() {
        let of_gateway: Vec<_> =
            Figure::ADDED.into_iter().zip(&figures).map(|(added, own)| (added, own.old)).collect();
        let allowed = |figure: Figure| {
            let own = of_gateway.iter().find(|(added, _)| *added == figure);
            tolerance(figure, own.and_then(|(_, old)| *old))
        };
        figures.extend(compare_added(&was, &is, allowed));
    }
    Ok(ScenarioComparison {
        name: old.name.clone(),
        blocks: [old, new].map(|group| group.blocks.len()),
        is_control: old.blocks[0].arm == Arm::Direct,
        figures,
    })
}

/// Measured blocks of the same scenario, arm and load.
struct Group<'a> {
    name: String,
    blocks: Vec<&'a BlockRecord>,
    /// Those of the other arm.
    direct: Vec<&'a BlockRecord>,
}

impl Group<'_> {
    fn is_of(&self, block: &BlockRecord) -> bool {
        self.is_like(block) && self.blocks[0].load == block.load
    }

    fn is_like(&self, block: &BlockRecord) -> bool {
        (&self.blocks[0].scenario.name, self.blocks[0].arm) == (&block.scenario.name, block.arm)
    }

    /// What it is compared with: the same load; where both runs have only one, whatever that is.
    fn partner<'b, 'c>(&self, own: &[Self], others: &'b [Group<'c>]) -> Option<&'b Group<'c>> {
        let like: Vec<_> = others.iter().filter(|other| other.is_like(self.blocks[0])).collect();
        let is_only_one = own.iter().filter(|group| group.is_like(self.blocks[0])).count() == 1;
        match like[..] {
            [other] if is_only_one => Some(other),
            _ => like.into_iter().find(|other| other.is_of(self.blocks[0])),
        }
    }
}

fn groups(record: &RunRecord) -> Vec<Group<'_>> {
    let is_measured = |block: &&BlockRecord| block.purpose == Purpose::Measurement;
    let mut groups: Vec<Group<'_>> = Vec::new();
    for block in record.with_parts().filter(is_measured) {
        match groups.iter_mut().find(|group| group.is_of(block)) {
            Some(group) => group.blocks.push(block),
            None => groups.push(Group { name: String::new(), blocks: vec![block], direct: Vec::new() }),
        }
    }
    let names: Vec<String> = groups.iter().map(|group| name(group, &groups)).collect();
    for (group, name) in groups.iter_mut().zip(names) {
        group.name = name;
        let is_other = |block: &&BlockRecord| {
            let first = group.blocks[0];
            let is_pair = (first.arm, block.arm) == (Arm::Gateway, Arm::Direct);
            is_pair && (&first.scenario.name, &first.load) == (&block.scenario.name, &block.load)
        };
        group.direct = record.with_parts().filter(is_measured).filter(is_other).collect();
    }
    groups
}

/// The scenario, with what it takes to tell it from others of the same name.
fn name(group: &Group<'_>, all: &[Group<'_>]) -> String {
    let first = group.blocks[0];
    let has_levels = all.iter().filter(|other| other.is_like(first)).count() > 1;
    let level = if has_levels { format!(" at {}", first.load.level()) } else { String::new() };
    let arm = if first.arm == Arm::Direct { " (direct)" } else { "" };
    format!("{}{level}{arm}", first.scenario.name)
}

/// Whole pairs of a gateway's blocks with those of the other arm.
fn pairs_of(group: &Group<'_>) -> Result<Vec<Pair>, RecordError> {
    let all: Vec<&BlockRecord> = group.blocks.iter().chain(&group.direct).copied().collect();
    let read = |block: &BlockRecord| Ok(ArmBlock::new(&block.stored_sum()?.1, None));
    let read = |(gateway, direct): (&&BlockRecord, &&BlockRecord)| {
        Ok(Pair { gateway: read(gateway)?, direct: read(direct)? })
    };
    pairs(&all, |block| block).into_iter().map(read).collect()
}

fn content(block: &BlockRecord) -> Result<Block, RecordError> {
    let (_, latencies) = block.stored_sum()?;
    // What ended after the window is drained: fewer and fewer requests are in flight there. What is left of the last second,
    // or of one that a stage cuts, is no second like the others.
    let within =
        |second: &&SeriesRecord| second.is_whole() && second.end_ns <= block.figures.window.length_ns;
    let seconds = block.series.iter().filter(within).map(|second| {
        let counters = second.counters.content();
        let place = format!("block {}, the second from {} ns", block.number, second.start_ns);
        Ok(Second {
            response_time: second.response_time_histogram.content(&place)?,
            length: (second.end_ns - second.start_ns) as f64 / 1e9,
            successes: counters.successes,
            failed: counters.failed(),
        })
    });
    Ok(Block {
        response_time: latencies.response_time,
        throughput: block.figures.throughput,
        successes: block.figures.successes,
        failed: block.figures.failed,
        seconds: seconds.collect::<Result<_, RecordError>>()?,
    })
}
