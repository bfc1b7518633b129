//! The checks of a mix: each scenario as a block of its own, that they add up to the whole, and that they were dealt by
//! their weights.

use proto::interval::EndReason;

use super::{Check, check_block};
use crate::merge::{counters_difference, whole_difference};
use crate::report::record::{
    BlockRecord, CountersRecord, LoadRecord, RecordError, SeriesRecord, WorkerEndRecord, WorkerRecord,
};

/// Nothing for a block without a mix.
pub(super) fn check(version: u32, stored: &BlockRecord, again: &BlockRecord) -> Vec<Check> {
    if stored.parts.is_empty() {
        let problem = stored.weight.map(|_| "it is a part, and there is no whole".to_owned());
        return problem
            .map(|problem| Check::of_block(stored, "it is whole", Some(problem)))
            .into_iter()
            .collect();
    }
    let pairs = stored.parts.iter().zip(&again.parts);
    let mut checks: Vec<Check> = pairs.flat_map(|(part, again)| check_block(version, part, again)).collect();
    let check = |claim, problem| Check::of_block(stored, claim, problem);
    checks.push(check(
        "the scenarios are parts of this block",
        stored.parts.iter().find_map(|part| not_of(stored, part)),
    ));
    checks.push(check(
        "the scenarios add up to the whole",
        sums(stored).unwrap_or_else(|error| Some(error.to_string())),
    ));
    checks.push(check("the scenarios were dealt by their weights", misdealt(stored)));
    checks
}

/// A part has all from the whole but what its own requests did.
fn not_of(whole: &BlockRecord, part: &BlockRecord) -> Option<String> {
    let name = &part.scenario.name;
    if part.weight.is_none() {
        return Some(format!("{name} has no weight"));
    }
    let mut workers = whole.workers.iter().zip(&part.workers);
    let differs = |(whole, part): &(&WorkerRecord, &WorkerRecord)| {
        let WorkerRecord { totals, latencies, figures, histograms_sha256, .. } = (*part).clone();
        let should_be = WorkerRecord {
            totals,
            latencies,
            figures,
            histograms_sha256,
            bodies: 0,
            warm_up: CountersRecord::default(),
            mismatch: None,
            successes_in_window: part.successes_in_window,
            started_in_window: part.started_in_window,
            ..(*whole).clone()
        };
        should_be != **part
    };
    if let Some((worker, _)) = workers.find(differs) {
        return Some(format!("{name}: worker {} is not the one of the whole", worker.number));
    }
    let BlockRecord { scenario, totals, latencies, figures, findings, workers, series, stages, .. } =
        part.clone();
    let should_be = BlockRecord {
        scenario,
        totals,
        latencies,
        figures,
        findings,
        workers,
        series,
        stages,
        weight: part.weight,
        histograms_sha256: part.histograms_sha256.clone(),
        seconds_sha256: part.seconds_sha256.clone(),
        witness: None,
        unwitnessed: None,
        parts: Vec::new(),
        ..whole.clone()
    };
    let is_same = should_be == *part && part.workers.len() == whole.workers.len();
    (!is_same).then(|| format!("{name} was another block"))
}

/// Worker by worker and second by second; bytes and connections are of the whole alone.
fn sums(stored: &BlockRecord) -> Result<Option<String>, RecordError> {
    for (at, whole) in stored.workers.iter().enumerate() {
        let place = format!("block {}, worker {}", stored.number, whole.number);
        let parts = stored.parts.iter().filter_map(|part| part.workers.get(at));
        let parts = parts.map(|part| Ok((part.totals.content(), part.latencies.content(&place)?)));
        let parts = parts.collect::<Result<Vec<_>, RecordError>>()?;
        let (totals, latencies) = (whole.totals.content(), whole.latencies.content(&place)?);
        let pairs = parts.iter().map(|(totals, latencies)| (totals, latencies));
        if let Some(difference) = whole_difference(pairs, (&totals, &latencies)) {
            return Ok(Some(format!(
                "worker {}: the scenarios hold {difference} in the whole",
                whole.number
            )));
        }
        let in_window = |worker: &WorkerRecord| [worker.successes_in_window, worker.started_in_window];
        let summed = stored.parts.iter().filter_map(|part| part.workers.get(at)).map(in_window);
        let summed =
            summed.fold([0u64; 2], |sum, of| [sum[0].saturating_add(of[0]), sum[1].saturating_add(of[1])]);
        if summed != in_window(whole) {
            return Ok(Some(format!(
                "worker {}: the scenarios have others in the window than the whole",
                whole.number
            )));
        }
    }
    for (at, whole) in stored.series.iter().enumerate() {
        let seconds: Vec<&SeriesRecord> =
            stored.parts.iter().filter_map(|part| part.series.get(at)).collect();
        if let Some(difference) = second(stored.parts.len(), &seconds, whole)? {
            return Ok(Some(format!(
                "the second from {} ns: the scenarios hold {difference} in the whole",
                whole.start_ns
            )));
        }
    }
    Ok(None)
}

fn second(
    parts: usize,
    seconds: &[&SeriesRecord],
    whole: &SeriesRecord,
) -> Result<Option<String>, RecordError> {
    let is_same =
        |second: &&&SeriesRecord| (second.start_ns, second.end_ns) == (whole.start_ns, whole.end_ns);
    if seconds.iter().filter(is_same).count() != parts {
        return Ok(Some("other spans than are".into()));
    }
    let totals = whole.counters.content();
    let mut summed = proto::counters::Counters {
        bytes_sent: totals.bytes_sent,
        bytes_received: totals.bytes_received,
        connections_opened: totals.connections_opened,
        connections: totals.connections.clone(),
        ..Default::default()
    };
    let place = format!("the second from {} ns", whole.start_ns);
    let mut measured = proto::latencies::Histogram::new();
    for second in seconds {
        summed.add(&second.counters.content());
        measured.merge(&second.response_time_histogram.content(&place)?);
    }
    let differs = measured != whole.response_time_histogram.content(&place)?;
    let of_times = differs.then(|| "other response times than are".to_owned());
    Ok(counters_difference(&summed, &totals).or(of_times))
}

/// Where every request is known that there was to be, so is how many each scenario had of them.
fn misdealt(stored: &BlockRecord) -> Option<String> {
    let Some(deal) = stored.deal() else { return Some("no mix has such weights".into()) };
    let is_open = matches!(stored.load, LoadRecord::Open { .. });
    let is_known = |worker: &WorkerRecord| match worker.end {
        WorkerEndRecord::Idle | WorkerEndRecord::Finished { reason: EndReason::Requests, .. } => true,
        WorkerEndRecord::Finished { reason: EndReason::Duration, .. } => is_open,
        WorkerEndRecord::Finished { .. } | WorkerEndRecord::Lost { .. } => false,
    };
    if !stored.workers.iter().all(is_known) {
        return None;
    }
    stored.parts.iter().enumerate().find_map(|(number, part)| {
        let (offered, dealt) = (part.totals.offered, deal.between(number, 0, stored.totals.offered));
        (offered != dealt).then(|| {
            format!("{offered} requests were of {}, and by its weight {dealt} are", part.scenario.name)
        })
    })
}
