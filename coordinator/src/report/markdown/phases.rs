//! Where the time goes: making connections, waiting for the first byte, taking the rest.

use super::format::milliseconds;
use super::groups::{Group, Groups};
use crate::statistics::{Distribution, Figures};

type Phase = (&'static str, fn(&Figures) -> Option<Distribution>);

const PHASES: [Phase; 4] = [
    ("connect", |figures| figures.connect_time),
    ("TLS handshake", |figures| figures.tls_handshake_time),
    ("first byte", |figures| figures.time_to_first_byte),
    ("transfer", |figures| figures.transfer_time),
];

const COLUMNS: [&str; 7] = ["Phase", "Count", "Mean (ms)", "P50 (ms)", "P95 (ms)", "P99 (ms)", "Max (ms)"];

/// A row for each phase that was measured.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let rows = groups.of_results().flat_map(|group| of_group(group).map(move |cells| (group, cells)));
    let table = groups.table(1, &COLUMNS, rows)?;
    let of_search = match groups.record.capacities.is_empty() {
        true => "",
        false => " Of a search only the rate that held is here.",
    };
    Some(format!(
        "{table}\n\nConnect and TLS handshake are of connections that were made within a block. First byte is from send to \
         the first byte that came back, transfer from there to the last; where one read brought all, transfer is 0.{of_search}"
    ))
}

fn of_group(group: &Group<'_>) -> impl Iterator<Item = Vec<String>> {
    PHASES.into_iter().filter_map(|(name, of)| {
        let times = of(&group.figures)?;
        let Distribution { count, mean_ns, p50_ns, p95_ns, p99_ns, max_ns, .. } = times;
        let mut row = vec![name.to_owned(), count.to_string()];
        row.extend([mean_ns, p50_ns, p95_ns, p99_ns, max_ns].map(milliseconds));
        Some(row)
    })
}
