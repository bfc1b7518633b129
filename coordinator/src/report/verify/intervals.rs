//! Whether the interval log adds up to what the record says of each worker and of each second.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use proto::latencies::Histogram;

use super::Check;
use crate::merge::{
    MeasuredPart, Replay, ReplayedWorker, SeriesPoint, completion_problem, counters_difference,
    latencies_difference,
};
use crate::report::interval_log::IntervalRecord;
use crate::report::record::{
    BlockRecord, HostRecord, RecordError, RunRecord, SeriesRecord, WorkerEndRecord, WorkerRecord, nanos,
};

/// By block.
type Log = BTreeMap<u32, Replay>;

/// Checks the lines of an interval log against a record.
pub fn verify_intervals(record: &RunRecord, lines: impl Iterator<Item = io::Result<String>>) -> Vec<Check> {
    let claim = "every line of the interval log can be read";
    let mut log = match read(record, lines) {
        Ok(log) => log,
        Err(problem) => return vec![Check::new(claim, Some(problem))],
    };
    let mut checks = vec![Check::new(claim, None)];
    for block in &record.blocks {
        let Some(replay) = log.remove(&block.number) else { continue };
        let (workers, seconds, parts) = replay.finish();
        let mut pairs = block.workers.iter().zip(&workers);
        let problem = pairs.find_map(|(stored, logged)| disagreement(block, stored, logged));
        checks.push(Check::of_block(block, "the interval log adds up to the workers' totals", problem));
        let problem = seconds_differ(block, &seconds).unwrap_or_else(|error| Some(error.to_string()));
        checks.push(Check::of_block(block, "the interval log adds up to the seconds", problem));
        for (part, logged) in block.parts.iter().zip(&parts) {
            let problem = part_differs(part, logged).unwrap_or_else(|error| Some(error.to_string()));
            checks.push(Check::of_block(part, "the interval log adds up to the scenario", problem));
        }
    }
    checks
}

/// Only blocks and workers that the record knows are looked at, so that a log cannot fill the memory.
fn read(record: &RunRecord, lines: impl Iterator<Item = io::Result<String>>) -> Result<Log, String> {
    let replay = |block: &BlockRecord| {
        let duration = block.extent.duration_ns.map(Duration::from_nanos);
        let intervals = block.workers.iter().map(|worker| worker.intervals);
        (block.number, Replay::new(duration, intervals, block.parts.len()))
    };
    let mut log: Log = record.blocks.iter().map(replay).collect();

    // Whatever ended a run that has not finished may have come in the middle of a block, and of a line.
    let unfinished = record.run.finished.is_none();
    let mut lines = (1u64..).zip(lines).peekable();
    while let Some((number, line)) = lines.next() {
        let in_line = |problem: String| format!("line {number} {problem}");
        let line = line.map_err(|error| in_line(format!("cannot be read: {error}")))?;
        let interval: IntervalRecord = match serde_json::from_str(&line) {
            Ok(interval) => interval,
            Err(_) if unfinished && lines.peek().is_none() => break,
            Err(error) => return Err(in_line(format!("is no interval ({error})"))),
        };
        let block = interval.block;
        match log.get_mut(&block) {
            Some(replay) => add(replay, &interval, number).map_err(in_line)?,
            None if unfinished && block as usize > record.blocks.len() => {}
            None => return Err(in_line(format!("speaks of block {block}, which the record lacks"))),
        }
    }
    Ok(log)
}

fn add(replay: &mut Replay, interval: &IntervalRecord, line: u64) -> Result<(), String> {
    let content = interval.content(&format!("line {line}")).map_err(|error| format!("is broken: {error}"))?;
    replay.add(interval.worker, &content, interval.arrival())
}

fn disagreement(block: &BlockRecord, stored: &WorkerRecord, logged: &ReplayedWorker) -> Option<String> {
    let place = format!("block {}, worker {}", block.number, stored.number);
    let latencies = match stored.latencies.content(&place) {
        Ok(latencies) => latencies,
        Err(error) => return Some(error.to_string()),
    };
    let measured = &logged.measured;
    let difference = (measured.intervals != stored.intervals)
        .then(|| format!("{} intervals against {}", measured.intervals, stored.intervals))
        .or_else(|| counters_difference(&measured.totals, &stored.totals.content()))
        .or_else(|| latencies_difference(&measured.latencies, &latencies))
        .or_else(|| window_differs(stored, logged))
        .or_else(|| completion_differs(stored, logged))
        .or_else(|| {
            let host = HostRecord::from(measured.host);
            (host != stored.host).then(|| format!("highest readings of {host:?} against {:?}", stored.host))
        })?;
    Some(format!("worker {}: the log holds {difference} in the record", stored.number))
}

fn part_differs(part: &BlockRecord, logged: &MeasuredPart) -> Result<Option<String>, RecordError> {
    for (stored, logged) in part.workers.iter().zip(&logged.workers) {
        let place = format!("block {}, worker {}", part.number, stored.number);
        let latencies = stored.latencies.content(&place)?;
        let in_window = (stored.successes_in_window, stored.started_in_window)
            == (logged.successes_in_window, logged.started_in_window);
        let difference = counters_difference(&logged.totals, &stored.totals.content())
            .or_else(|| latencies_difference(&logged.latencies, &latencies))
            .or_else(|| (!in_window).then(|| "other counts in the window than are".to_owned()));
        if let Some(difference) = difference {
            return Ok(Some(format!("worker {}: the log holds {difference} in the record", stored.number)));
        }
    }
    seconds_differ(part, &logged.series)
}

fn window_differs(stored: &WorkerRecord, logged: &ReplayedWorker) -> Option<String> {
    let measured = &logged.measured;
    let rows = [
        ("ns of delay at most", nanos(measured.report_delay), stored.report_delay_ns),
        ("ns ahead at most", nanos(measured.clock_advance), stored.clock_advance_ns),
        ("successes in the window", measured.successes_in_window, stored.successes_in_window),
        ("started in the window", measured.started_in_window, stored.started_in_window),
        (
            "ns to the end of the last interval",
            nanos(measured.last_interval_end),
            stored.last_interval_end_ns,
        ),
    ];
    let (name, log, record) = rows.into_iter().find(|(_, log, record)| log != record)?;
    Some(format!("{log} {name} against {record}"))
}

fn completion_differs(stored: &WorkerRecord, logged: &ReplayedWorker) -> Option<String> {
    match &stored.end {
        WorkerEndRecord::Finished { last_completion_ns, .. } => {
            completion_problem(logged.last_ended, last_completion_ns.map(Duration::from_nanos))
        }
        WorkerEndRecord::Idle | WorkerEndRecord::Lost { .. } => None,
    }
}

fn seconds_differ(block: &BlockRecord, logged: &[SeriesPoint]) -> Result<Option<String>, RecordError> {
    if logged.len() != block.series.len() {
        return Ok(Some(format!(
            "the log holds {} seconds, and the record {}",
            logged.len(),
            block.series.len()
        )));
    }
    for (stored, logged) in block.series.iter().zip(logged) {
        let logged = SeriesRecord::new(block.scenario.stream, logged);
        let place = format!("the second from {} ns", stored.start_ns);
        if span(stored) != span(&logged) {
            return Ok(Some(format!("{place} has another span, or other workers, than the log says")));
        }
        let (by_worker, logged_by_worker) = (&stored.successes_by_worker, &logged.successes_by_worker);
        if !by_worker.is_empty() && by_worker != logged_by_worker {
            return Ok(Some(format!(
                "{place}: the log holds successes of {logged_by_worker:?} and the record of {by_worker:?}"
            )));
        }
        let difference = counters_difference(&logged.counters.content(), &stored.counters.content());
        if let Some(difference) = difference {
            return Ok(Some(format!("{place}: the log holds {difference} in the record")));
        }
        if histograms(stored, &place)? != histograms(&logged, &place)? {
            return Ok(Some(format!("{place}: the log holds other latencies than the record")));
        }
    }
    Ok(None)
}

fn span(second: &SeriesRecord) -> (u64, u64, u32) {
    (second.start_ns, second.end_ns, second.workers)
}

/// Decoded, because equal histograms may be encoded in more than one way.
fn histograms(second: &SeriesRecord, place: &str) -> Result<(Histogram, Option<Histogram>), RecordError> {
    let first_token = second.time_to_first_token_histogram.as_ref();
    let first_token = first_token.map(|histogram| histogram.content(place)).transpose()?;
    Ok((second.response_time_histogram.content(place)?, first_token))
}
