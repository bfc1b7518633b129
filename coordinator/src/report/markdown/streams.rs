//! What the summary says of streamed answers: when their content began, how it went on, and how fast.

use super::format::{NONE, milliseconds, percent, rate, table};
use super::{RunRecord, scenario};
use crate::report::record::BlockRecord;
use crate::statistics::Distribution;

/// When the mean gap is no longer than this, content came in so few reads that gaps say nothing.
const SHORTEST_GAP_NS: u64 = 1_000;

/// A row for each block of a scenario that streams.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    let columns = [
        "Block",
        "Test Scenario",
        "TTFT P50 (ms)",
        "TTFT P95 (ms)",
        "TTFT P99 (ms)",
        "Gap P50 (ms)",
        "Gap P95 (ms)",
        "Gap P99 (ms)",
        "Events (1/s)",
        "Of a stream (1/s)",
        "Arrived together",
    ];
    let streams = record.with_parts().filter(|block| block.scenario.stream);
    let table = table(2, &columns, &streams.map(row).collect::<Vec<_>>())?;
    Some(format!(
        "{table}\n\nTTFT is the time to first token. Events are those that carry content, which is a token for most models and \
         several for some: a second over all streams, and a second of one stream once it has begun. Events that arrived \
         together in one read have a gap of zero, which says nothing about speed."
    ))
}

fn row(block: &BlockRecord) -> Vec<String> {
    let percentiles = |times: Option<Distribution>| {
        let at = |value: fn(&Distribution) -> u64| milliseconds(times.as_ref().map(value));
        [at(|times| times.p50_ns), at(|times| times.p95_ns), at(|times| times.p99_ns)]
    };
    let mut row = vec![block.number.to_string(), scenario(block)];
    row.extend(percentiles(block.figures.time_to_first_token));
    row.extend(percentiles(block.figures.inter_token_gap));
    row.push(rate(events(block)));
    row.push(rate(events_of_a_stream(block)));
    row.push(block.figures.coalesced_share.map_or_else(|| NONE.to_owned(), percent));
    row
}

/// Over the window, as throughput is: events are counted when their stream has ended, and some end after it.
fn events(block: &BlockRecord) -> Option<f64> {
    let of_each = block.totals.content_events as f64 / block.figures.successes as f64;
    block.figures.throughput.filter(|_| block.figures.successes > 0).map(|throughput| throughput * of_each)
}

/// From the first to the last; streams with more of them count for more.
fn events_of_a_stream(block: &BlockRecord) -> Option<f64> {
    let gap = block.figures.inter_token_gap?.mean_ns;
    (gap > SHORTEST_GAP_NS).then(|| 1e9 / gap as f64)
}
