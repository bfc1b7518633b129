//! What the summary says of streamed answers: when their content began, how it went on, and how fast.

use std::fmt::Write as _;

use super::format::{NONE, milliseconds, percent, rate, table};
use super::{RunRecord, scenario};
use crate::report::record::BlockRecord;
use crate::statistics::{Distribution, Figures};

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
    let streams: Vec<_> = record.with_parts().filter(|block| block.scenario.stream).collect();
    let tells_usage = streams.iter().any(|block| block.figures.usage_reports > 0);
    let columns = [&columns[..], if tells_usage { &["Output tokens (1/s)"] } else { &[] }].concat();
    let rows = streams.iter().map(|block| row(block, tells_usage));
    let table = table(2, &columns, &rows.collect::<Vec<_>>())?;
    let usage = if tells_usage { usage(&streams) } else { String::new() };
    Some(format!(
        "{table}\n\nTTFT is the time to first token. Events are those that carry content, which is a token for most models and \
         several for some: a second over all streams, and a second of one stream once it has begun. Events that arrived \
         together in one read have a gap of zero, which says nothing about speed.{usage}"
    ))
}

/// Where the tokens come from, and which blocks have not told all of them.
fn usage(streams: &[&BlockRecord]) -> String {
    let mut text =
        " Output tokens are those that the upstream itself tells (`usage`), a second over all streams."
            .to_owned();
    for block in streams {
        let Figures { usage_reports: told, time_to_first_token, .. } = block.figures;
        let all = time_to_first_token.map_or(0, |times| times.count);
        if (1..all).contains(&told) {
            let (number, scenario) = (block.number, scenario(block));
            let _ = write!(
                text,
                " In block {number} ({scenario}) {told} of {all} streams told theirs: the others' are missing."
            );
        }
    }
    text
}

fn row(block: &BlockRecord, tells_usage: bool) -> Vec<String> {
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
    row.extend(tells_usage.then(|| rate(block.figures.output_token_rate)));
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
