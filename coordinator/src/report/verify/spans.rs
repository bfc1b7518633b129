//! Whether a block's moments fit together: when its workers began, and when the last of their requests ended.

use crate::report::record::{BlockRecord, SeriesRecord, SkewRecord, WorkerEndRecord, WorkerRecord};

pub(super) fn problem(stored: &BlockRecord) -> Option<String> {
    let of_worker =
        |worker: &WorkerRecord| Some(format!("worker {}: {}", worker.number, beyond_the_end(worker)?));
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
    (stored.start_skew != should_be).then(|| {
        let SkewRecord { spread_ns, uncertainty_ns } = stored.start_skew;
        format!(
            "the start skew is {spread_ns} ± {uncertainty_ns} ns, and the workers' starts make it {} ± {} ns",
            should_be.spread_ns, should_be.uncertainty_ns
        )
    })
}

fn beyond_the_end(worker: &WorkerRecord) -> Option<String> {
    let completion =
        last_completion(worker).filter(|completion| *completion > worker.last_interval_end_ns)?;
    let end = worker.last_interval_end_ns;
    Some(format!("its last completion is at {completion} ns, and its last interval ends at {end} ns"))
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
