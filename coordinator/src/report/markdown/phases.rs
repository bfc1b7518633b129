//! Where the time goes: making connections, waiting for the first byte, taking the rest.

use super::format::{milliseconds, table};
use super::{RunRecord, scenario};
use crate::report::record::BlockRecord;
use crate::statistics::{Distribution, Figures};

type Phase = (&'static str, fn(&Figures) -> Option<Distribution>);

const PHASES: [Phase; 4] = [
    ("connect", |figures| figures.connect_time),
    ("TLS handshake", |figures| figures.tls_handshake_time),
    ("first byte", |figures| figures.time_to_first_byte),
    ("transfer", |figures| figures.transfer_time),
];

/// A row for each phase that was measured.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    let columns = [
        "Block",
        "Test Scenario",
        "Phase",
        "Count",
        "Mean (ms)",
        "P50 (ms)",
        "P95 (ms)",
        "P99 (ms)",
        "Max (ms)",
    ];
    let rows: Vec<_> = record.with_parts().flat_map(of_block).collect();
    let table = table(3, &columns, &rows)?;
    Some(format!(
        "{table}\n\nConnect and TLS handshake are of connections that were made within the block. First byte is from send to \
         the first byte that came back, transfer from there to the last; where one read brought all, transfer is 0."
    ))
}

fn of_block(block: &BlockRecord) -> impl Iterator<Item = Vec<String>> {
    PHASES.into_iter().filter_map(|(name, of)| {
        let times = of(&block.figures)?;
        let Distribution { count, mean_ns, p50_ns, p95_ns, p99_ns, max_ns, .. } = times;
        let mut row = vec![block.number.to_string(), scenario(block), name.to_owned(), count.to_string()];
        row.extend([mean_ns, p50_ns, p95_ns, p99_ns, max_ns].map(milliseconds));
        Some(row)
    })
}
