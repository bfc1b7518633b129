//! The summary's tables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::format::{NONE, escape, milliseconds, percent, rate, table, window};
use super::{RunRecord, scenario};
use crate::report::record::{
    BlockRecord, ConnectionRecord, FleetWorkerRecord, ResultRecord, WorkerEndRecord, WorkerRecord,
};
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
    let mut rows: Vec<Vec<String>> = record.results.iter().map(row).collect();
    if rows.is_empty() {
        rows.push(vec![NONE.to_owned(); COLUMNS.len()]);
    }
    table(1, &columns, &rows).unwrap_or_default()
}

/// What was asked of the target and what it was given.
pub(super) fn load(record: &RunRecord) -> Option<String> {
    let columns = [
        "Block",
        "Test Scenario",
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
    let row = |block: &BlockRecord| {
        let (figures, skew) = (&block.figures, &block.start_skew);
        vec![
            block.number.to_string(),
            scenario(block),
            window(figures.window),
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
    table(3, &columns, &record.with_parts().map(row).collect::<Vec<_>>())
}

/// Where connections went, and what TLS they spoke.
pub(super) fn connections(record: &RunRecord) -> Option<String> {
    let mut rows = Vec::new();
    for block in &record.blocks {
        let mut kinds: BTreeMap<(&str, String), [u64; 2]> = BTreeMap::new();
        let before = block.workers.iter().map(|worker| (0, &worker.warm_up));
        for (when, counters) in before.chain(Some((1, &block.totals))) {
            for made in &counters.connections_by_address {
                let count = &mut kinds.entry((&made.address, tls(made))).or_default()[when];
                *count = count.saturating_add(made.count);
            }
        }
        rows.extend(kinds.into_iter().map(|((address, tls), [before, within])| {
            let counts = [before.to_string(), within.to_string()];
            [vec![block.number.to_string(), scenario(block), escape(address), tls], counts.to_vec()].concat()
        }));
    }
    table(4, &["Block", "Test Scenario", "Address", "TLS", "Before the block", "Within it"], &rows)
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
pub(super) fn failures(record: &RunRecord) -> Option<String> {
    let mut rows = Vec::new();
    for block in record.blocks.iter().flat_map(BlockRecord::scenarios) {
        rows.extend(block.totals.failures.iter().map(|failure| {
            vec![
                block.number.to_string(),
                scenario(block),
                failure.kind.name().to_owned(),
                failure.status.map_or_else(|| NONE.to_owned(), |status| status.to_string()),
                if failure.detail.is_empty() { NONE.to_owned() } else { escape(&failure.detail) },
                failure.count.to_string(),
            ]
        }));
    }
    table(5, &["Block", "Test Scenario", "Kind", "Status", "Detail", "Count"], &rows)
}

/// Time to first token and inter-token gaps.
pub(super) fn streams(record: &RunRecord) -> Option<String> {
    let columns = [
        "Block",
        "Test Scenario",
        "TTFT P50 (ms)",
        "TTFT P95 (ms)",
        "TTFT P99 (ms)",
        "Gap P50 (ms)",
        "Gap P95 (ms)",
        "Gap P99 (ms)",
        "Arrived together",
    ];
    let row = |block: &BlockRecord| {
        let percentiles = |times: Option<Distribution>| {
            let at = |value: fn(&Distribution) -> u64| milliseconds(times.as_ref().map(value));
            [at(|times| times.p50_ns), at(|times| times.p95_ns), at(|times| times.p99_ns)]
        };
        let mut row = vec![block.number.to_string(), scenario(block)];
        row.extend(percentiles(block.figures.time_to_first_token));
        row.extend(percentiles(block.figures.inter_token_gap));
        row.push(block.figures.coalesced_share.map_or_else(|| NONE.to_owned(), percent));
        row
    };
    let streams = record.with_parts().filter(|block| block.scenario.stream);
    let table = table(2, &columns, &streams.map(row).collect::<Vec<_>>())?;
    Some(format!(
        "{table}\n\nTTFT is the time to first token. Events that arrived together in one read have a gap of zero, \
         which says nothing about speed."
    ))
}

/// Each worker's share.
pub(super) fn workers(record: &RunRecord) -> Option<String> {
    let columns = [
        "Block",
        "Test Scenario",
        "Worker",
        "State",
        "Requests",
        "Throughput (req/s)",
        "P50 (ms)",
        "P99 (ms)",
        "Failed",
        "Busiest thread",
        "Cores lost",
        "Reporting (ms)",
    ];
    let row = |block: &BlockRecord, worker: &WorkerRecord| {
        let figures = &worker.figures;
        vec![
            block.number.to_string(),
            scenario(block),
            worker.number.to_string(),
            state(&worker.end),
            figures.requests.to_string(),
            rate(figures.throughput),
            milliseconds(figures.response_time.map(|response_time| response_time.p50_ns)),
            milliseconds(figures.response_time.map(|response_time| response_time.p99_ns)),
            figures.failed.to_string(),
            percent(worker.host.busiest_thread),
            worker.host.involuntary_switches.to_string(),
            milliseconds(Some(worker.host.reporting_ns)),
        ]
    };
    let rows =
        record.blocks.iter().flat_map(|block| block.workers.iter().map(move |worker| row(block, worker)));
    let table = table(4, &columns, &rows.collect::<Vec<_>>())?;
    Some(format!(
        "{table}\n\nThe last three are the most of any second: how busy an engine thread was, how often engine threads lost \
         their core to others, and what they spent on reporting."
    ))
}

fn state(end: &WorkerEndRecord) -> String {
    match end {
        WorkerEndRecord::Idle => "idle".into(),
        WorkerEndRecord::Finished { reason, .. } => format!("finished ({})", reason.name()),
        WorkerEndRecord::Lost { why } => format!("lost: {}", escape(why)),
    }
}

/// The software, the coordinator's machine, and the workers' machines.
pub(super) fn environment(record: &RunRecord) -> String {
    let run = &record.run;
    let commit = run.tool.commit.as_deref().unwrap_or("unknown");
    let mut lines = vec![
        format!("- archestra-bench {}, commit {}", escape(&run.tool.version), escape(commit)),
        format!("- seed {}", run.seed),
    ];
    lines.extend(facts(&run.environment));
    lines.extend(run.workers.iter().map(worker_machine));
    lines.join("\n")
}

fn facts(environment: &Value) -> Vec<String> {
    let Some(facts) = environment.as_object() else { return Vec::new() };
    let known = facts.iter().filter(|(_, value)| !value.is_null());
    known
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("- {}: {}", escape(&name.replace('_', " ")), escape(&value))
        })
        .collect()
}

fn worker_machine(worker: &FleetWorkerRecord) -> String {
    let FleetWorkerRecord { number, cores, memory_bytes, .. } = worker;
    let noun = if *cores == 1 { "core" } else { "cores" };
    format!(
        "- worker {number} at {} on {}: {}, {cores} {noun}, {:.1} GiB, {} {}, version {}",
        escape(&worker.address),
        escape(&worker.hostname),
        escape(&worker.cpu_model),
        *memory_bytes as f64 / f64::from(1u32 << 30),
        escape(&worker.architecture),
        escape(&worker.kernel),
        escape(&worker.software_version),
    )
}
