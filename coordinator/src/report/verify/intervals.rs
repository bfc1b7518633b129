//! Whether the interval log adds up to what the record says of each worker.

use std::collections::BTreeMap;
use std::io;

use proto::counters::Counters;
use proto::latencies::Latencies;

use super::Check;
use crate::merge::{counters_difference, latencies_difference};
use crate::report::interval_log::IntervalRecord;
use crate::report::record::{BlockRecord, RunRecord, WorkerRecord};

/// What the log holds of one worker in one block.
#[derive(Default)]
struct Logged {
    intervals: u64,
    counters: Counters,
    latencies: Latencies,
}

/// By block and worker.
type Log = BTreeMap<(u32, u32), Logged>;

/// Checks the lines of an interval log against a record.
pub fn verify_intervals(record: &RunRecord, lines: impl Iterator<Item = io::Result<String>>) -> Vec<Check> {
    let claim = "every line of the interval log can be read";
    let log = match read(record, lines) {
        Ok(log) => log,
        Err(problem) => return vec![Check::new(claim, Some(problem))],
    };
    let of_block = |block: &BlockRecord| {
        let problem = block.workers.iter().find_map(|worker| disagreement(&log, block, worker));
        Check::of_block(block, "the interval log adds up to the workers' totals", problem)
    };
    let mut checks = vec![Check::new(claim, None)];
    checks.extend(record.blocks.iter().map(of_block));
    checks
}

fn read(record: &RunRecord, lines: impl Iterator<Item = io::Result<String>>) -> Result<Log, String> {
    // Only workers that the record knows are looked at, so that a log cannot fill the memory.
    let known =
        |block: &BlockRecord, worker: &WorkerRecord| ((block.number, worker.number), Logged::default());
    let workers =
        record.blocks.iter().flat_map(|block| block.workers.iter().map(move |worker| known(block, worker)));
    let mut log: Log = workers.collect();

    for (number, line) in (1u64..).zip(lines) {
        let in_line = |problem: String| format!("line {number} {problem}");
        let line = line.map_err(|error| in_line(format!("cannot be read: {error}")))?;
        let interval: IntervalRecord =
            serde_json::from_str(&line).map_err(|error| in_line(format!("is no interval ({error})")))?;
        let (block, worker) = (interval.block, interval.worker);
        let logged = log.get_mut(&(block, worker)).ok_or_else(|| {
            in_line(format!("speaks of worker {worker} in block {block}, which the record lacks"))
        })?;
        if interval.sequence != logged.intervals {
            let (found, due) = (interval.sequence, logged.intervals);
            return Err(in_line(format!("holds interval {found} of worker {worker} where {due} was due")));
        }
        let latencies = interval.latencies.content(&format!("line {number}"));
        logged.latencies.merge(&latencies.map_err(|error| in_line(format!("is broken: {error}")))?);
        logged.counters.add(&interval.counters.content());
        logged.intervals += 1;
    }
    Ok(log)
}

fn disagreement(log: &Log, block: &BlockRecord, worker: &WorkerRecord) -> Option<String> {
    let logged = log.get(&(block.number, worker.number))?;
    let latencies =
        match worker.latencies.content(&format!("block {}, worker {}", block.number, worker.number)) {
            Ok(latencies) => latencies,
            Err(error) => return Some(error.to_string()),
        };
    let difference = (logged.intervals != worker.intervals)
        .then(|| format!("{} intervals against {}", logged.intervals, worker.intervals))
        .or_else(|| counters_difference(&logged.counters, &worker.totals.content()))
        .or_else(|| latencies_difference(&logged.latencies, &latencies))?;
    Some(format!("worker {}: the log holds {difference} in the record", worker.number))
}
