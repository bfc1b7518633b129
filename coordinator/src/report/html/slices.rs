//! A result's seconds, one block after another, put together where there are more than a chart can show.

use proto::latencies::Histogram;

use crate::plan::Arm;
use crate::report::record::{BlockRecord, ResultRecord, RunRecord, SeriesRecord};
use crate::statistics::Distribution;

/// More would be narrower than what can be seen, and make the page large.
const MOST: f64 = 200.0;

/// A part of a block. Times are seconds under load: what lies between blocks is left out.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) start: f64,
    pub(super) end: f64,
    /// The block's number.
    pub(super) block: u32,
    arm: Arm,
    /// Successes a second; `None` where it has no length.
    pub(super) throughput: Option<f64>,
    pub(super) failed: u64,
    /// What each worker had of the throughput, from worker 0 on.
    pub(super) by_worker: Vec<f64>,
    pub(super) times: Option<Distribution>,
    pub(super) histogram: Histogram,
}

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) number: u32,
    pub(super) arm: Arm,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Slice {
    pub(super) fn block_name(&self) -> String {
        let arm = if self.arm == Arm::Direct { " (direct)" } else { "" };
        format!("{}{arm}", self.block)
    }
}

/// All of a result's, and where its blocks lie.
pub(super) fn of_result(record: &RunRecord, result: &ResultRecord) -> (Vec<Slice>, Vec<Span>) {
    let blocks: Vec<&BlockRecord> = {
        let is_of = |block: &&BlockRecord| block.scenario.name == result.scenario && result.holds(block);
        record.with_parts().filter(is_of).collect()
    };
    let length = |block: &BlockRecord| block.series.last().map_or(0.0, |second| second.end_ns as f64 / 1e9);
    let all: f64 = blocks.iter().map(|block| length(block)).sum();
    let width = (all / MOST).ceil().max(1.0);
    let (mut slices, mut spans, mut start) = (Vec::new(), Vec::new(), 0.0);
    for block in blocks {
        let end = start + length(block);
        if end > start {
            spans.push(Span { number: block.number, arm: block.arm, start, end });
            slices.extend(of_block(block, start, width));
        }
        start = end;
    }
    (slices, spans)
}

/// What ends a block within half a width belongs to the slice before: a rate over a few milliseconds says nothing.
fn of_block(block: &BlockRecord, start: f64, width: f64) -> Vec<Slice> {
    let mut parts: Vec<Vec<&SeriesRecord>> = Vec::new();
    for second in &block.series {
        let from = |part: &[&SeriesRecord]| part.first().map_or(0, |first| first.start_ns);
        match parts.last_mut() {
            Some(part) if ((second.end_ns - from(part).min(second.end_ns)) as f64) < (width + 0.5) * 1e9 => {
                part.push(second);
            }
            _ => parts.push(vec![second]),
        }
    }
    parts.into_iter().map(|part| slice(block, start, &part)).collect()
}

fn slice(block: &BlockRecord, offset: f64, seconds: &[&SeriesRecord]) -> Slice {
    let ends = |second: &&SeriesRecord| (second.start_ns as f64 / 1e9, second.end_ns as f64 / 1e9);
    let (start, end) =
        (seconds.first().map_or(0.0, |first| ends(first).0), seconds.last().map_or(0.0, |last| ends(last).1));
    let mut histogram = Histogram::new();
    let (mut successes, mut failed) = (0u64, 0u64);
    let mut by_worker: Vec<u64> = Vec::new();
    for second in seconds {
        by_worker.resize(by_worker.len().max(second.successes_by_worker.len()), 0);
        for (sum, count) in by_worker.iter_mut().zip(&second.successes_by_worker) {
            *sum = sum.saturating_add(*count);
        }
        histogram.merge(&second.response_time_histogram.content("a second").unwrap_or_default());
        successes = successes.saturating_add(second.counters.successes);
        failed = failed.saturating_add(second.counters.content().failed());
    }
    Slice {
        start: offset + start,
        end: offset + end,
        block: block.number,
        arm: block.arm,
        throughput: (end > start).then(|| successes as f64 / (end - start)),
        failed,
        by_worker: by_worker
            .iter()
            .map(|count| *count as f64 / (end - start))
            .filter(|rate| rate.is_finite())
            .collect(),
        times: Distribution::of(&histogram),
        histogram,
    }
}
