//! Two runs beside each other: whether they can be compared, and how their figures differ.

use serde::Serialize;

use super::record::{BlockRecord, RecordError, RunRecord, SeriesRecord};
use crate::plan::Arm;
use crate::statistics::compare::{Block, Difference, Figure, Outcome, Second, compare};

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
    /// Each figure.
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
    /// Whether any figure is worse than tolerated.
    pub fn is_worse(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.worse().next().is_some())
    }
}

/// Compares two runs; `differences` are those that were waved through.
///
/// # Errors
/// When a histogram cannot be read.
pub fn compare_runs(
    old: &RunRecord,
    new: &RunRecord,
    differences: Vec<String>,
    tolerance: impl Fn(Figure) -> f64,
) -> Result<Comparison, RecordError> {
    let mut scenarios = Vec::new();
    for group in groups(old) {
        let others = groups(new).into_iter().find(|other| other.name == group.name);
        let Some(others) = others else { continue };
        let blocks = |group: &Group<'_>| {
            group.blocks.iter().map(|block| content(block)).collect::<Result<Vec<_>, _>>()
        };
        let (was, is) = (blocks(&group)?, blocks(&others)?);
        let figures = compare(&was, &is, &tolerance);
        scenarios.push(ScenarioComparison { name: group.name, blocks: [was.len(), is.len()], figures });
    }
    let [old, new] = [old, new].map(|record| record.run.results_folder.clone());
    Ok(Comparison { old, new, differences, scenarios })
}

/// Blocks of the same scenario, arm and load.
struct Group<'a> {
    name: String,
    blocks: Vec<&'a BlockRecord>,
}

fn groups(record: &RunRecord) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for block in &record.blocks {
        let name = match block.arm {
            Arm::Gateway => block.scenario.name.clone(),
            Arm::Direct => format!("{} (direct)", block.scenario.name),
        };
        let is_same = |group: &Group<'_>| {
            let first = group.blocks[0];
            (&first.scenario.name, first.arm, &first.load) == (&block.scenario.name, block.arm, &block.load)
        };
        if let Some(at) = groups.iter().position(is_same) {
            groups[at].blocks.push(block);
            continue;
        }
        let before = groups.iter().filter(|group| {
            (&group.blocks[0].scenario.name, group.blocks[0].arm) == (&block.scenario.name, block.arm)
        });
        let name = match before.count() {
            0 => name,
            loads => format!("{name} (load {})", loads + 1),
        };
        groups.push(Group { name, blocks: vec![block] });
    }
    groups
}

fn content(block: &BlockRecord) -> Result<Block, RecordError> {
    let (_, latencies) = block.stored_sum()?;
    // What ended after the window is drained: fewer and fewer requests are in flight there.
    let within = |second: &&SeriesRecord| {
        second.end_ns > second.start_ns && second.end_ns <= block.figures.window.length_ns
    };
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
        failure_rate: block.figures.failure_rate,
        seconds: seconds.collect::<Result<_, RecordError>>()?,
    })
}
