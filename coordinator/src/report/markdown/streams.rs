//! What the summary says of streamed answers: when their content began, how it went on, and how fast.

use std::fmt::Write as _;

use super::format::{NONE, milliseconds, percent, rate};
use super::groups::{Group, Groups};
use crate::statistics::{Distribution, Figures};

/// When the mean gap is no longer than this, content came in so few reads that gaps say nothing.
const SHORTEST_GAP_NS: u64 = 1_000;

/// A row for each result of a scenario that streams.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let columns = [
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
    let streams: Vec<&Group<'_>> = groups.of_results().filter(|group| group.first.scenario.stream).collect();
    let tells_usage = streams.iter().any(|group| group.figures.usage_reports > 0);
    let columns = [&columns[..], if tells_usage { &["Output tokens (1/s)"] } else { &[] }].concat();
    let rows = streams.iter().map(|group| (*group, row(group, tells_usage)));
    let table = groups.table(0, &columns, rows)?;
    let usage = if tells_usage { usage(groups, &streams) } else { String::new() };
    Some(format!(
        "{table}\n\nTTFT is the time to first token. Events are those that carry content, which is a token for most models and \
         several for some: a second over all streams, and a second of one stream once it has begun. Events that arrived \
         together in one read have a gap of zero, which says nothing about speed.{usage}"
    ))
}

/// Where the tokens come from, and of what not all of them are told.
fn usage(groups: &Groups<'_>, streams: &[&Group<'_>]) -> String {
    let mut text =
        " Output tokens are those that the upstream itself tells (`usage`), a second over all streams."
            .to_owned();
    for group in streams {
        let Figures { usage_reports: told, time_to_first_token, .. } = group.figures;
        let all = time_to_first_token.map_or(0, |times| times.count);
        if (1..all).contains(&told) {
            let name = groups.in_words(group);
            let _ =
                write!(text, " {name}: {told} of {all} streams told theirs, and the others' are missing.");
        }
    }
    text
}

fn row(group: &Group<'_>, tells_usage: bool) -> Vec<String> {
    let figures = &group.figures;
    let percentiles = |times: Option<Distribution>| {
        let at = |value: fn(&Distribution) -> u64| milliseconds(times.as_ref().map(value));
        [at(|times| times.p50_ns), at(|times| times.p95_ns), at(|times| times.p99_ns)]
    };
    let mut row = percentiles(figures.time_to_first_token).to_vec();
    row.extend(percentiles(figures.inter_token_gap));
    row.push(rate(events(group)));
    row.push(rate(events_of_a_stream(figures)));
    row.push(figures.coalesced_share.map_or_else(|| NONE.to_owned(), percent));
    row.extend(tells_usage.then(|| rate(figures.output_token_rate)));
    row
}

/// Over the window, as throughput is: events are counted when their stream has ended, and some end after it.
fn events(group: &Group<'_>) -> Option<f64> {
    let Figures { successes, throughput, .. } = group.figures;
    let of_each = group.sum(|block| block.totals.content_events) as f64 / successes as f64;
    throughput.filter(|_| successes > 0).map(|throughput| throughput * of_each)
}

/// From the first to the last; streams with more of them count for more.
fn events_of_a_stream(figures: &Figures) -> Option<f64> {
    let gap = figures.inter_token_gap?.mean_ns;
    (gap > SHORTEST_GAP_NS).then(|| 1e9 / gap as f64)
}
