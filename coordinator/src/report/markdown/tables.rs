//! The summary's tables.

use std::collections::BTreeMap;

use proto::outcome::FailureKind;
use serde_json::Value;

use super::RunRecord;
use super::format::{NONE, escape, gibibytes, milliseconds, rate, table, window};
use super::groups::{Group, Groups, by_level};
use crate::report::record::{BlockRecord, ConnectionRecord, FleetWorkerRecord, ResultRecord};
use crate::statistics::Distribution;

const COLUMNS: [&str; 7] = [
    "Test Scenario",
    "Throughput (req/s)",
    "Mean Latency (ms)",
    "P50 (ms)",
    "P95 (ms)",
    "P99 (ms)",
    "Failed",
];

/// The table that readers of the old summaries know; it stands there even when nothing was measured. It is about the
/// gateway, and has a further column where a scenario was measured at several levels.
pub(super) fn latency(record: &RunRecord) -> String {
    let has_levels = ResultRecord::has_levels(record);
    let row = |result: &ResultRecord| {
        let figures = &result.gateway.figures;
        let time = |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
        let is_cut = |block: &BlockRecord| block.interrupted && result.gateway.blocks.contains(&block.number);
        let cut = if record.blocks.iter().any(is_cut) { " (interrupted)" } else { "" };
        let mut row = vec![
            format!("{}{cut}", escape(&result.scenario)),
            rate(figures.throughput),
            time(|response_time| response_time.mean_ns),
            time(|response_time| response_time.p50_ns),
            time(|response_time| response_time.p95_ns),
            time(|response_time| response_time.p99_ns),
            figures.failed.to_string(),
        ];
        row.extend(has_levels.then(|| result.load.level()));
        row
    };
    let mut columns = COLUMNS.to_vec();
    columns.extend(has_levels.then_some("Load"));
    let mut rows: Vec<Vec<String>> = by_level(record).into_iter().map(row).collect();
    if rows.is_empty() {
        rows.push(vec![NONE.to_owned(); COLUMNS.len()]);
    }
    table(1, &columns, &rows).unwrap_or_default()
}

/// What was asked of the target and what it was given.
pub(super) fn load(groups: &Groups<'_>) -> Option<String> {
    let columns = [
        "Window",
        "Offered (req/s)",
        "Achieved (req/s)",
        "Offered",
        "Started",
        "Dropped",
        "Unsent",
        "Abandoned",
        "Send lag P99 (ms)",
        "Start skew (ms)",
    ];
    let row = |group: &Group<'_>| {
        let figures = &group.figures;
        let skews = group.blocks.iter().map(|block| block.start_skew);
        let skew = skews.max_by_key(|skew| skew.spread_ns).unwrap_or(group.first.start_skew);
        vec![
            window(figures.window, group.blocks.len()),
            rate(figures.offered_rate),
            rate(figures.achieved_rate),
            figures.offered.to_string(),
            figures.requests.to_string(),
            figures.dropped.to_string(),
            figures.unsent.to_string(),
            figures.abandoned.to_string(),
            milliseconds(figures.send_lag.map(|send_lag| send_lag.p99_ns)),
            format!("{} ± {}", milliseconds(skew.spread_ns), milliseconds(skew.uncertainty_ns)),
        ]
    };
    let table = groups.table(1, &columns, groups.with_parts().map(|group| (group, row(group))))?;
    let of_several = if groups.have_repeats() { ", in the block where it was largest" } else { "" };
    Some(format!(
        "{table}\n\nOffered is what fell due, achieved what was sent in the window. Dropped were beyond the limit of requests \
         in flight, unsent still waited for a connection at the end, abandoned were in flight when a block was stopped. \
         Start skew is how far apart the workers began{of_several}."
    ))
}

/// Where connections went, and what TLS they spoke.
pub(super) fn connections(groups: &Groups<'_>) -> Option<String> {
    let rows = groups.whole().flat_map(|group| {
        let mut kinds: BTreeMap<(&str, String), [u64; 2]> = BTreeMap::new();
        for block in &group.blocks {
            let before = block.workers.iter().map(|worker| (0, &worker.warm_up));
            for (when, counters) in before.chain(Some((1, &block.totals))) {
                for made in &counters.connections_by_address {
                    let count = &mut kinds.entry((made.address.as_str(), tls(made))).or_default()[when];
                    *count = count.saturating_add(made.count);
                }
            }
        }
        kinds.into_iter().map(move |((address, tls), [before, within])| {
            (group, vec![escape(address), tls, before.to_string(), within.to_string()])
        })
    });
    groups.table(2, &["Address", "TLS", "Before the load", "Within it"], rows)
}

fn tls(made: &ConnectionRecord) -> String {
    match &made.tls {
        None => NONE.to_owned(),
        Some(tls) => {
            let resumed = if tls.resumed { ", resumed" } else { "" };
            format!("{} {}{resumed}", escape(&tls.version), escape(&tls.cipher_suite))
        }
    }
}

/// Every failure by kind, status and detail.
pub(super) fn failures(groups: &Groups<'_>) -> Option<String> {
    let rows = groups.scenarios().flat_map(|group| {
        let mut kinds: BTreeMap<(FailureKind, Option<u16>, &str), u64> = BTreeMap::new();
        for failure in group.blocks.iter().flat_map(|block| &block.totals.failures) {
            let count = kinds.entry((failure.kind, failure.status, failure.detail.as_str())).or_default();
            *count = count.saturating_add(failure.count);
        }
        kinds.into_iter().map(move |((kind, status, detail), count)| {
            let status = status.map_or_else(|| NONE.to_owned(), |status| status.to_string());
            let detail = if detail.is_empty() { NONE.to_owned() } else { escape(detail) };
            (group, vec![kind.name().to_owned(), status, detail, count.to_string()])
        })
    });
    groups.table(3, &["Kind", "Status", "Detail", "Count"], rows)
}

/// The software, the coordinator's machine, and the workers' machines.
pub(super) fn environment(record: &RunRecord) -> String {
    let run = &record.run;
    let commit = run.tool.commit.as_deref().unwrap_or("unknown");
    let mut lines = vec![
        format!("- archestra-bench {}, commit {}", escape(&run.tool.version), escape(commit)),
        format!("- seed {}", run.seed),
    ];
    lines.extend(coordinator(&run.environment));
    lines.extend(run.workers.iter().map(worker_machine));
    lines.join("\n")
}

/// The machine that the run was started on.
fn coordinator(environment: &Value) -> Option<String> {
    let known = environment.as_object()?.iter().filter(|(_, value)| !value.is_null());
    let facts = known.map(|(name, value)| {
        let (name, value) = match (name.strip_suffix("_bytes"), value.as_u64()) {
            (Some(name), Some(0)) => (name, "unknown".to_owned()),
            (Some(name), Some(bytes)) => (name, gibibytes(bytes)),
            _ => (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        };
        format!("{}: {}", escape(&name.replace('_', " ")), escape(&value))
    });
    let facts: Vec<String> = facts.collect();
    (!facts.is_empty()).then(|| format!("- the coordinator: {}", facts.join(", ")))
}

fn worker_machine(worker: &FleetWorkerRecord) -> String {
    let FleetWorkerRecord { number, cores, memory_bytes, .. } = worker;
    let noun = if *cores == 1 { "core" } else { "cores" };
    format!(
        "- worker {number} at {} on {}: {}, {cores} {noun}, {}, {} {}, version {}",
        escape(&worker.address),
        escape(&worker.hostname),
        escape(&worker.cpu_model),
        gibibytes(*memory_bytes),
        escape(&worker.architecture),
        escape(&worker.kernel),
        escape(&worker.software_version),
    )
}
