//! The checks of one block.

use proto::counters::Counters;
use proto::interval::EndReason;
use proto::latencies::{Histogram, Latencies};
use proto::load::Arrivals;
use proto::stages::{Stage, Stages};
use serde::Serialize;
use serde_json::Value;

use super::{Check, spans, whole};
use crate::merge::{counters_difference, latencies_difference};
use crate::report::record::{
    BlockRecord, CountersRecord, HttpRecord, LoadRecord, RecordError, StageRecord, TraceRecord,
    WorkerEndRecord, WorkerRecord,
};

/// Compares a block as it is stored with the same block worked out again, and looks at its sums.
pub(super) fn check_block(version: u32, stored: &BlockRecord, again: &BlockRecord) -> Vec<Check> {
    let check = |claim, problem| Check::of_block(stored, claim, problem);
    vec![
        check("the figures follow from the histograms", fields(&stored.figures, &again.figures)),
        check("each worker's figures follow from its histograms", worker_figures(stored, again)),
        check("the findings follow from the figures", findings(stored, again)),
        check("the workers' counts and histograms add up", sums(stored, again)),
        check("the seconds add up", seconds(stored).unwrap_or_else(|error| Some(error.to_string()))),
        check("the seconds' figures follow from their histograms", second_figures(stored, again)),
        check("the stages follow from the seconds", stages(stored, again)),
        check("every interval is accounted for", whole::missing_intervals(stored)),
        check("the digests are those of the histograms", whole::digests(version, stored, again)),
        check("every request is accounted for", of_workers(stored, unaccounted)),
        check(
            "every connection is accounted for",
            of_workers(stored, |worker| unknown_connections(version, worker)),
        ),
        check("the load is what was asked for", not_as_asked(stored)),
        check("the workers' starts and ends fit together", spans::problem(stored)),
        check(
            "the histograms hold one value for each success",
            of_workers(stored, |worker| values(version, stored, worker)),
        ),
    ]
}

/// Which fields of two records of the same type differ.
pub(super) fn fields(stored: &impl Serialize, again: &impl Serialize) -> Option<String> {
    let (stored, again) = (serde_json::to_value(stored), serde_json::to_value(again));
    let (Ok(Value::Object(stored)), Ok(Value::Object(again))) = (stored, again) else {
        return Some("they cannot be compared".into());
    };
    let differ = again.iter().filter(|(name, value)| stored.get(*name) != Some(*value));
    let said = differ.map(|(name, value)| {
        let stored = stored.get(name).unwrap_or(&Value::Null);
        format!("{name} is {stored} and should be {value}")
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn worker_figures(stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    let mut pairs = stored.workers.iter().zip(&again.workers);
    pairs.find_map(|(stored, again)| {
        let differ = fields(&stored.figures, &again.figures)?;
        Some(format!("worker {}: {differ}", stored.number))
    })
}

fn second_figures(stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    let mut pairs = stored.series.iter().zip(&again.series);
    pairs.find_map(|(stored, again)| {
        let differ = fields(stored, again)?;
        Some(format!("the second from {} ns: {differ}", stored.start_ns))
    })
}

fn stages(stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    if stored.stages.len() != again.stages.len() {
        return Some(format!("there are {} and should be {}", stored.stages.len(), again.stages.len()));
    }
    let mut pairs = (1..).zip(stored.stages.iter().zip(&again.stages));
    pairs.find_map(|(number, (stored, again))| Some(format!("stage {number}: {}", fields(stored, again)?)))
}

fn findings(stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    let rules = |block: &BlockRecord| {
        let rules: Vec<&str> = block.findings.iter().map(|finding| finding.rule.as_str()).collect();
        if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") }
    };
    (stored.findings != again.findings)
        .then(|| format!("they say {}, and the figures say {}", rules(stored), rules(again)))
}

/// The stored sums against the sums of what the workers' records hold.
fn sums(stored: &BlockRecord, again: &BlockRecord) -> Option<String> {
    let (stored, again) = match (stored.stored_sum(), again.stored_sum()) {
        (Ok(stored), Ok(again)) => (stored, again),
        (Err(error), _) | (_, Err(error)) => return Some(error.to_string()),
    };
    counters_difference(&stored.0, &again.0)
        .or_else(|| latencies_difference(&stored.1, &again.1))
        .map(|difference| format!("the sum holds {difference} of the workers"))
}

fn seconds(stored: &BlockRecord) -> Result<Option<String>, RecordError> {
    let (mut counted, mut measured) = (Counters::default(), Latencies::default());
    for second in &stored.series {
        counted.add(&second.counters.content());
        let place = format!("the second from {} ns", second.start_ns);
        measured.response_time.merge(&second.response_time_histogram.content(&place)?);
        if let Some(histogram) = &second.time_to_first_token_histogram {
            measured.time_to_first_token.merge(&histogram.content(&place)?);
        }
    }

    // The series holds two of the five histograms.
    let (totals, latencies) = stored.stored_sum()?;
    let time_to_first_token =
        if stored.scenario.stream { latencies.time_to_first_token } else { Histogram::new() };
    let kept =
        Latencies { response_time: latencies.response_time, time_to_first_token, ..Latencies::default() };
    let difference =
        counters_difference(&counted, &totals).or_else(|| latencies_difference(&measured, &kept));
    let problem = difference.map(|difference| format!("the seconds hold {difference} in the totals"));
    Ok(problem.or_else(|| window(stored)))
}

/// What rates are worked out from: interval boundaries are the same on all workers, so the seconds say it too.
fn window(stored: &BlockRecord) -> Option<String> {
    let end = stored.extent.duration_ns.unwrap_or(u64::MAX);
    let mut by_second = Counters::default();
    for second in stored.series.iter().filter(|second| second.end_ns <= end) {
        by_second.add(&second.counters.content());
    }
    let sum = |of: fn(&WorkerRecord) -> u64| {
        stored.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(of(worker)))
    };
    let by_second = (by_second.successes, by_second.started);
    let by_worker = (sum(|worker| worker.successes_in_window), sum(|worker| worker.started_in_window));
    (by_second != by_worker).then(|| {
        format!(
            "the window's seconds hold {} successes and {} started, and its workers {} and {}",
            by_second.0, by_second.1, by_worker.0, by_worker.1
        )
    })
}

fn of_workers(stored: &BlockRecord, problem: impl Fn(&WorkerRecord) -> Option<String>) -> Option<String> {
    stored.workers.iter().find_map(|worker| Some(format!("worker {}: {}", worker.number, problem(worker)?)))
}

/// A lost worker may have had requests under way, so that only too many of them are wrong.
fn unaccounted(worker: &WorkerRecord) -> Option<String> {
    let of_warm_up =
        || unbalanced(worker, &worker.warm_up).map(|problem| format!("{problem} in the warm-up"));
    unbalanced(worker, &worker.totals).or_else(of_warm_up)
}

fn unbalanced(worker: &WorkerRecord, counters: &CountersRecord) -> Option<String> {
    let totals = counters.content();
    let ended = totals.successes.saturating_add(totals.failed()).saturating_add(totals.abandoned);
    let begun = totals.started.saturating_add(totals.dropped).saturating_add(totals.unsent);
    let wrong = match worker.end {
        WorkerEndRecord::Finished { .. } => ended != totals.started || begun != totals.offered,
        WorkerEndRecord::Idle | WorkerEndRecord::Lost { .. } => {
            ended > totals.started || begun > totals.offered
        }
    };
    wrong.then(|| {
        format!(
            "{} offered against {begun} started, dropped or unsent; {} started against {ended} ended",
            totals.offered, totals.started
        )
    })
}

/// Where each connection went is known since the second version.
fn unknown_connections(version: u32, worker: &WorkerRecord) -> Option<String> {
    let of = |counters: &CountersRecord| {
        let known = counters.connections_by_address.iter();
        (known.fold(0, |sum: u64, entry| sum.saturating_add(entry.count)), counters.connections_opened)
    };
    let (known, opened) =
        [of(&worker.warm_up), of(&worker.totals)].into_iter().find(|(known, opened)| known != opened)?;
    (version > 1).then(|| format!("it is known where {known} of {opened} connections went"))
}

/// Where every worker came to its own end, the load and its extent are known exactly; of a part of a mix the whole tells it.
fn not_as_asked(stored: &BlockRecord) -> Option<String> {
    if stored.weight.is_some() {
        return None;
    }
    let active: Vec<&WorkerRecord> = stored.workers.iter().filter(|worker| !worker.is_idle()).collect();
    let ended_by = |wanted: &[EndReason]| {
        let so = |worker: &&&WorkerRecord| matches!(worker.end, WorkerEndRecord::Finished { reason, .. } if wanted.contains(&reason));
        !active.is_empty() && active.iter().filter(so).count() == active.len()
    };
    let sum = |of: fn(&WorkerRecord) -> u64| {
        active.iter().fold(0, |sum: u64, worker| sum.saturating_add(of(worker)))
    };

    let offered = sum(|worker| worker.totals.offered);
    if ended_by(&[EndReason::Requests]) && stored.extent.requests != Some(offered) {
        let asked = stored.extent.requests.map_or_else(|| "no number".to_owned(), |asked| asked.to_string());
        return Some(format!(
            "all workers ended with their requests, {offered} together, and {asked} was asked for"
        ));
    }
    match &stored.load {
        LoadRecord::Closed { concurrency, .. } if ended_by(&[EndReason::Requests, EndReason::Duration]) => {
            let held = sum(|worker| worker.connections.into());
            let by = |version| active.iter().filter(|worker| worker.http_version == Some(version)).count();
            // Workers that found different versions held different numbers for the same.
            let wanted = match by(HttpRecord::Http2) {
                0 => *concurrency,
                all if all == active.len() => concurrency.div_ceil(stored.streams.max(1)),
                _ => return None,
            };
            (held != u64::from(wanted)).then(|| {
                format!("{concurrency} were to be in flight, and the workers had {held} connections")
            })
        }
        LoadRecord::Open { trace: Some(trace), .. } if ended_by(&[EndReason::Requests]) => {
            not_as_recorded(stored, trace)
        }
        LoadRecord::Open { stages: asked, arrivals: Arrivals::Constant, .. }
            if ended_by(&[EndReason::Duration]) =>
        {
            not_as_staged(stored, asked)
        }
        LoadRecord::Closed { .. } | LoadRecord::Open { .. } => None,
    }
}

/// Since the second version every success has its phases, and every connection its own.
fn phases(totals: &CountersRecord, latencies: &Latencies) -> Option<String> {
    let made = totals.connections_by_address.iter();
    let over_tls =
        made.filter(|made| made.tls.is_some()).fold(0, |sum: u64, made| sum.saturating_add(made.count));
    let rows = [
        ("time_to_first_byte", &latencies.time_to_first_byte, totals.successes, "successes"),
        ("transfer_time", &latencies.transfer_time, totals.successes, "successes"),
        ("connect_time", &latencies.connect_time, totals.connections_opened, "connections"),
        ("tls_handshake_time", &latencies.tls_handshake_time, over_tls, "connections over TLS"),
    ];
    let (name, histogram, count, of) =
        rows.into_iter().find(|(_, histogram, count, _)| histogram.count() != *count)?;
    Some(format!("{} values of {name} for {count} {of}", histogram.count()))
}

/// Evenly spaced, each stage offers a number of requests that is known exactly.
fn not_as_staged(stored: &BlockRecord, asked: &[StageRecord]) -> Option<String> {
    let asked = Stages::new(asked.iter().map(Stage::from)).ok()?;
    let mut pairs = (1..).zip(asked.requests().zip(&stored.stages));
    pairs.find_map(|(number, (asked, stored))| {
        let offered = stored.offered;
        (offered != asked)
            .then(|| format!("stage {number} offered {offered} requests, and it asks for {asked}"))
    })
}

/// A trace says how many requests fall due in each second.
fn not_as_recorded(stored: &BlockRecord, trace: &TraceRecord) -> Option<String> {
    let trace = trace.content()?;
    stored.series.iter().find_map(|second| {
        // The last span ends with the last answer.
        let last = second.end_ns > trace.duration().as_nanos() as u64;
        let end = if last { u64::MAX } else { second.end_ns };
        let (asked, offered) = (trace.requests_between(second.start_ns, end), second.counters.offered);
        (asked != offered).then(|| {
            format!(
                "{offered} requests were offered from {} ns, and the trace asks for {asked}",
                second.start_ns
            )
        })
    })
}

/// `latencies` must hold what the outcomes say.
fn values(version: u32, block: &BlockRecord, worker: &WorkerRecord) -> Option<String> {
    let latencies =
        match worker.latencies.content(&format!("block {}, worker {}", block.number, worker.number)) {
            Ok(latencies) => latencies,
            Err(error) => return Some(error.to_string()),
        };
    let (successes, started) = (worker.totals.successes, worker.totals.started);
    let exact = [("response_time", &latencies.response_time), ("service_time", &latencies.service_time)];
    let few = [
        ("send_lag", &latencies.send_lag, started),
        ("time_to_first_token", &latencies.time_to_first_token, successes),
    ];
    let wrong_exact = exact.into_iter().find(|(_, histogram)| histogram.count() != successes);
    if let Some((name, histogram)) = wrong_exact {
        return Some(format!("{} values of {name} for {successes} successes", histogram.count()));
    }
    if version > 1
        && let Some(problem) = phases(&worker.totals, &latencies)
    {
        return Some(problem);
    }
    if let Some((name, histogram, most)) =
        few.into_iter().find(|(_, histogram, most)| histogram.count() > *most)
    {
        return Some(format!("{} values of {name}, of which there can be {most}", histogram.count()));
    }
    let (told, streams) = (worker.totals.usage_reports, latencies.time_to_first_token.count());
    (told > streams).then(|| format!("the usage of {told} streams, of which there are {streams}"))
}
