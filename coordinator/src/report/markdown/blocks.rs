//! The single blocks, where a result has several: enough to see which of them was unlike the others.

use super::format::{folded, milliseconds, percent, rate, table};
use super::groups::Groups;
use crate::report::record::BlockRecord;

/// `None` where each result is of one block, whose figures stand in every table.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    if !groups.have_repeats() {
        return None;
    }
    let names = groups.columns();
    let figures = ["Throughput (req/s)", "P50 (ms)", "P99 (ms)", "Failed", "Busiest thread"];
    let columns = [&["Block"], names.as_slice(), &figures].concat();
    let rows = groups.record.blocks.iter().map(|block| row(groups, block));
    let table = table(1 + names.len(), &columns, &rows.collect::<Vec<_>>())?;
    Some(folded(
        &format!("Each of the {} blocks, in the order in which they ran", groups.record.blocks.len()),
        &table,
    ))
}

fn row(groups: &Groups<'_>, block: &BlockRecord) -> Vec<String> {
    let figures = &block.figures;
    let busiest = block.workers.iter().map(|worker| worker.host.busiest_thread).fold(0.0, f64::max);
    let cells = [
        rate(figures.throughput),
        milliseconds(figures.response_time.map(|times| times.p50_ns)),
        milliseconds(figures.response_time.map(|times| times.p99_ns)),
        figures.failed.to_string(),
        percent(busiest),
    ];
    [vec![block.number.to_string()], groups.names_of(block), cells.to_vec()].concat()
}
