//! Each scenario by level of load, lowest first: how throughput, latency and what the gateway adds change with it.

use super::format::{NONE, escape, milliseconds, rate, table};
use super::groups::by_level;
use crate::report::record::{ResultRecord, RunRecord};
use crate::statistics::Distribution;

/// `None` where each scenario was measured at one level.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    if !ResultRecord::has_levels(record) {
        return None;
    }
    let has_overhead = record.results.iter().any(|result| result.overhead.is_some());
    let mut columns =
        vec!["Test Scenario", "Load", "Throughput (req/s)", "P50 (ms)", "P95 (ms)", "P99 (ms)", "Failed"];
    if has_overhead {
        columns.extend(["Added P50", "Added P95", "Added P99"]);
    }
    let row = |result: &ResultRecord| {
        let figures = &result.gateway.figures;
        let time = |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
        let mut row = vec![
            escape(&result.scenario),
            result.load.level(),
            rate(figures.throughput),
            time(|response_time| response_time.p50_ns),
            time(|response_time| response_time.p95_ns),
            time(|response_time| response_time.p99_ns),
            figures.failed.to_string(),
        ];
        if has_overhead {
            let added = result.overhead.as_ref().map(|overhead| &overhead.response_time);
            row.extend(added.map_or([NONE; 3].map(String::from), |added| {
                [added.p50, added.p95, added.p99].map(|cell| cell.to_string())
            }));
        }
        row
    };
    table(2, &columns, &by_level(record).into_iter().map(row).collect::<Vec<_>>())
}
