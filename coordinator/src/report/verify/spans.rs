//! Whether a block's moments fit together: when its workers began, and when the last of their requests ended.

use proto::interval::EndReason;

use crate::report::record::{BlockRecord, SeriesRecord, SkewRecord, WorkerEndRecord, WorkerRecord};

const SECOND: u64 = 1_000_000_000;

/// Of a part of a mix the whole tells it.
pub(super) fn problem(stored: &BlockRecord) -> Option<String> {
    if stored.weight.is_some() {
        return None;
    }
    let of_worker =
        |worker: &WorkerRecord| Some(format!("worker {}: {}", worker.number, off_the_end(stored, worker)?));
    skew(stored).or_else(|| stored.workers.iter().find_map(of_worker)).or_else(|| not_in_its_second(stored))
}

/// The skew follows from when each worker's first thread began, and how much later its last one did.
fn skew(stored: &BlockRecord) -> Option<String> {
    let last_thread = |worker: &WorkerRecord| match worker.end {
        WorkerEndRecord::Finished { start_lateness_min_ns, start_lateness_max_ns, .. } => {
            let within = start_lateness_max_ns.saturating_sub(start_lateness_min_ns);
            Some(worker.start_offset_ns?.saturating_add(within))
        }
        WorkerEndRecord::Idle | WorkerEndRecord::Lost { .. } => None,
    };
    let round_trip = stored.workers.iter().map(|worker| worker.round_trip_ns).max().unwrap_or_default();
    let should_be = SkewRecord {
        spread_ns: stored.workers.iter().filter_map(last_thread).max().unwrap_or_default(),
        uncertainty_ns: round_trip / 2,
    };
    let first = stored.workers.iter().filter_map(|worker| worker.start_offset_ns).min();
    if let Some(offset) = first.filter(|offset| *offset > 0) {
        return Some(format!("the first worker began {offset} ns after the first worker"));
    }
    (stored.start_skew != should_be).then(|| {
        let SkewRecord { spread_ns, uncertainty_ns } = stored.start_skew;
        format!(
            "the start skew is {spread_ns} ± {uncertainty_ns} ns, and the workers' starts make it {} ± {} ns",
            should_be.spread_ns, should_be.uncertainty_ns
        )
    })
}

/// A worker's last completion lies within its intervals. Where all its requests were made and answered it ends the last of
/// them, unless that had to end with a second, or with the duration, before the worker saw that nothing more was to come.
fn off_the_end(block: &BlockRecord, worker: &WorkerRecord) -> Option<String> {
    let (completion, end) = (last_completion(worker)?, worker.last_interval_end_ns);
    let by_requests = matches!(worker.end, WorkerEndRecord::Finished { reason: EndReason::Requests, .. });
    let all_answered = by_requests && worker.totals.abandoned == 0 && worker.totals.unsent == 0;
    let ends_a_stage = block.stages.iter().any(|stage| stage.end_ns == end);
    let had_to_end = end.is_multiple_of(SECOND) || ends_a_stage || block.extent.duration_ns == Some(end);
    let fits = if all_answered && !had_to_end { completion == end } else { completion <= end };
    (!fits)
        .then(|| format!("its last completion is at {completion} ns, and its last interval ends at {end} ns"))
}

/// The last completion of all lies in the last second in which a request ended; a lost worker's is not known.
fn not_in_its_second(stored: &BlockRecord) -> Option<String> {
    if stored.workers.iter().any(|worker| matches!(worker.end, WorkerEndRecord::Lost { .. })) {
        return None;
    }
    let ended = |second: &&SeriesRecord| {
        let counters = second.counters.content();
        counters.successes > 0 || counters.failed() > 0
    };
    let span = stored.series.iter().rfind(ended).map(|second| (second.start_ns, second.end_ns));
    let completion = stored.workers.iter().filter_map(last_completion).max();
    let fits = match (span, completion) {
        (Some((start, end)), Some(completion)) => (start..=end).contains(&completion),
        (None, None) => true,
        _ => false,
    };
    (!fits).then(|| {
        let (span, completion) = (format!("{span:?}"), completion.unwrap_or_default());
        format!("the last completion is at {completion} ns, and the last second with one is {span} ns")
    })
}

fn last_completion(worker: &WorkerRecord) -> Option<u64> {
    match worker.end {
        WorkerEndRecord::Finished { last_completion_ns, .. } => last_completion_ns,
        WorkerEndRecord::Idle | WorkerEndRecord::Lost { .. } => None,
    }
}
