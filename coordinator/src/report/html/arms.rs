//! What charts of a result are drawn from: each arm's histograms and counts, and each worker's part of the gateway's.

use std::collections::BTreeMap;

use proto::latencies::{Histogram, Latencies};
use proto::outcome::FailureKind;

use super::charts::Ink;
use crate::report::record::{ArmRecord, BlockRecord, ResultRecord, RunRecord, WorkerEndRecord};
use crate::statistics::{Figures, Merged, Window};

/// A result's arms.
pub(super) struct Arms<'a> {
    pub(super) gateway: Measured<'a>,
    pub(super) direct: Option<Measured<'a>>,
}

/// All blocks of one arm.
pub(super) struct Measured<'a> {
    blocks: Vec<&'a BlockRecord>,
    is_direct: bool,
    /// Whether there is no other arm.
    is_alone: bool,
    /// Of all workers.
    pub(super) latencies: Latencies,
}

/// One worker over all of an arm's blocks.
pub(super) struct WorkerPart {
    pub(super) number: u32,
    pub(super) is_lost: bool,
    pub(super) throughput: Option<f64>,
    pub(super) response_times: Histogram,
}

impl<'a> Arms<'a> {
    pub(super) fn of(record: &'a RunRecord, result: &'a ResultRecord) -> Self {
        let is_alone = result.direct.is_none();
        let measured = |arm, is_direct| Measured::of(record, &result.scenario, arm, is_direct, is_alone);
        Self {
            gateway: measured(&result.gateway, false),
            direct: result.direct.as_ref().map(|arm| measured(arm, true)),
        }
    }

    /// The gateway's, then the upstream's.
    pub(super) fn each(&self) -> impl Iterator<Item = &Measured<'a>> {
        std::iter::once(&self.gateway).chain(&self.direct)
    }
}

impl<'a> Measured<'a> {
    fn of(record: &'a RunRecord, scenario: &str, arm: &ArmRecord, is_direct: bool, is_alone: bool) -> Self {
        // Of a mix each scenario's part.
        let is_of =
            |block: &&BlockRecord| block.scenario.name == scenario && arm.blocks.contains(&block.number);
        let blocks: Vec<_> = record.with_parts().filter(is_of).collect();
        let mut latencies = Latencies::default();
        // A record whose histograms cannot be read has been refused by whoever read it.
        for (_, of_block) in blocks.iter().filter_map(|block| block.stored_sum().ok()) {
            latencies.merge(&of_block);
        }
        Self { blocks, is_direct, is_alone, latencies }
    }

    pub(super) fn title(&self) -> &'static str {
        match (self.is_direct, self.is_alone) {
            (true, _) => "direct",
            (false, false) => "gateway",
            (false, true) => "target",
        }
    }

    pub(super) fn ink(&self) -> Ink {
        if self.is_direct { Ink::Direct } else { Ink::Gateway }
    }

    pub(super) fn failures(&self) -> BTreeMap<FailureKind, u64> {
        let mut kinds = BTreeMap::new();
        for failure in self.blocks.iter().flat_map(|block| &block.totals.failures) {
            let count: &mut u64 = kinds.entry(failure.kind).or_default();
            *count = count.saturating_add(failure.count);
        }
        kinds
    }

    /// Those that had something to do.
    pub(super) fn workers(&self) -> Vec<WorkerPart> {
        let mut parts: BTreeMap<u32, (Merged, Option<Window>, bool)> = BTreeMap::new();
        for block in &self.blocks {
            for worker in block.workers.iter().filter(|worker| !worker.is_idle()) {
                let (merged, window, is_lost) = parts.entry(worker.number).or_default();
                let place = format!("worker {}", worker.number);
                let response_time = worker.latencies.response_time.content(&place).unwrap_or_default();
                merged.add(&Merged {
                    totals: worker.totals.content(),
                    latencies: Latencies { response_time, ..Latencies::default() },
                    successes_in_window: worker.successes_in_window,
                    started_in_window: worker.started_in_window,
                });
                *window = Some(block.figures.window.after(*window));
                *is_lost |= matches!(worker.end, WorkerEndRecord::Lost { .. });
            }
        }
        let part = |(number, (merged, window, is_lost)): (u32, (Merged, Option<Window>, bool))| WorkerPart {
            number,
            is_lost,
            throughput: window.and_then(|window| Figures::of_blocks(window, &merged).throughput),
            response_times: merged.latencies.response_time,
        };
        parts.into_iter().map(part).collect()
    }
}
