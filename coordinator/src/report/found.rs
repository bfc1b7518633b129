//! What speaks against the figures of a run that goes on, for whoever watches it: of each scenario and rule a line.

use super::record::{BlockRecord, RunRecord};
use crate::plan::Arm;
use crate::statistics::verdict::Finding;

/// More would be no help to anybody.
const MOST: usize = 50;

/// One line. Nothing in it is markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is about: a scenario, with its block or how many of them.
    pub about: String,
    /// What the rule makes of it, and its name.
    pub judged: String,
    /// In a sentence without its full stop: of the last block that it is about.
    pub reason: String,
    /// Whether it counts in the verdict.
    pub is_bad: bool,
}

/// Those of a scenario, rule and verdict.
struct Alike<'a> {
    scenario: String,
    blocks: Vec<u32>,
    last: &'a Finding,
}

/// Everything that was found so far, in the order in which it was found first: of blocks, then of results.
pub fn found(record: &RunRecord) -> Vec<Found> {
    let of_blocks = record.judged().flat_map(|block| {
        block.findings.iter().map(move |finding| (scenario(block), Some(block.number), finding))
    });
    let of_results = record.results.iter().flat_map(|result| {
        let name = format!("{}, {}", result.scenario, result.load.level());
        result.findings.iter().map(move |finding| (name.clone(), None, finding))
    });
    let mut found: Vec<Alike<'_>> = Vec::new();
    for (scenario, block, finding) in of_blocks.chain(of_results) {
        let is_alike = |alike: &&mut Alike<'_>| {
            alike.scenario == scenario
                && (&alike.last.rule, alike.last.verdict) == (&finding.rule, finding.verdict)
        };
        match found.iter_mut().find(is_alike) {
            Some(alike) => {
                alike.blocks.extend(block);
                alike.last = finding;
            }
            None => found.push(Alike { scenario, blocks: Vec::from_iter(block), last: finding }),
        }
    }
    found.iter().take(MOST).map(Alike::line).collect()
}

impl Alike<'_> {
    fn line(&self) -> Found {
        let about = match self.blocks.as_slice() {
            [] => self.scenario.clone(),
            [only] => format!("block {only}, {}", self.scenario),
            [.., last] => format!("{} blocks, the last one {last}, {}", self.blocks.len(), self.scenario),
        };
        let Finding { rule, verdict, reason, accepted } = self.last;
        let judged = match (self.last.is_note(), accepted) {
            (true, _) => format!("note: {rule}"),
            (false, true) => format!("accepted: {rule}"),
            (false, false) => format!("{verdict}: {rule}"),
        };
        Found { about, judged, reason: reason.clone(), is_bad: !self.last.is_note() && !accepted }
    }
}

fn scenario(block: &BlockRecord) -> String {
    match block.arm {
        Arm::Gateway => block.scenario.name.clone(),
        Arm::Direct => format!("{} (direct)", block.scenario.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{calm_block, record_of, rough_block};

    #[test]
    fn a_rule_has_a_line_for_each_scenario_however_many_blocks_there_are() {
        let mut record = record_of(&[rough_block(), calm_block(), rough_block(), rough_block()]);
        let lost = |found: &[Found]| {
            let of_rule: Vec<Found> =
                found.iter().filter(|found| found.judged.ends_with(": worker_lost")).cloned().collect();
            assert_eq!(of_rule.len(), 1, "{found:?}");
            of_rule[0].clone()
        };
        let line = lost(&found(&record));
        assert_eq!(line.about, "3 blocks, the last one 4, simple_chat_stream");
        assert!(line.is_bad && line.reason.contains("worker 1"), "{line:?}");
        record.blocks.truncate(2);
        for finding in &mut record.blocks[0].findings {
            finding.accepted = true;
        }
        let line = lost(&found(&record));
        assert_eq!((line.about.as_str(), line.is_bad), ("block 1, simple_chat_stream", false));
        assert_eq!(line.judged, "accepted: worker_lost");
    }
}
