//! What figures had to be, and what they are.

use super::format::{NONE, escape, table};
use crate::report::record::RunRecord;
use crate::statistics::thresholds::Judged;

/// One row for each threshold and result; nothing without thresholds.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    let row = |judged: &Judged| {
        vec![
            escape(&judged.threshold),
            judged.scenario.as_deref().map_or_else(|| NONE.to_owned(), escape),
            judged.load.as_deref().map_or_else(|| NONE.to_owned(), escape),
            judged.outcome.name().to_owned(),
            escape(&judged.found),
        ]
    };
    table(
        5,
        &["Threshold", "Test Scenario", "Load", "Outcome", "Found"],
        &record.thresholds.iter().map(row).collect::<Vec<_>>(),
    )
}
