//! Rates, latencies and failures of the block that runs.

use proto::outcome::FailureKind;
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::super::state::{BlockState, MINUTE, State};
use super::Frame;
use super::text::{compact, grouped, left, milliseconds, rate, right};
use crate::merge::{Live, Percentiles};

/// The room for what names a row.
const LABEL: usize = 12;
/// The room for the highest rate, beside the picture of all.
const HIGHEST: usize = 6;
const NAMES: [&str; 5] = ["offered/s", "achieved/s", "P50 ms", "P95 ms", "P99 ms"];
const WIDTHS: [usize; 5] = [11, 12, 10, 10, 10];
/// Two columns of figures below each other.
const WIDTHS_NARROW: [usize; 2] = [12, 12];

/// Rates and percentiles, of the last second and of the block so far.
pub(super) fn table(block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let Some(live) = &block.live else { return Vec::new() };
    let (label, strong) = (frame.look.label(), frame.look.strong());
    let rows = [("last second", last_second(live), strong), ("block so far", so_far(live), Style::new())];
    let cell = |figure: &Option<String>, width| right(figure.as_deref().unwrap_or(frame.look.none()), width);
    let named = |name: &str| Span::styled(left(name, LABEL, frame.look), label);
    if frame.is_narrow() {
        let heads = rows.iter().zip(WIDTHS_NARROW).map(|((name, ..), width)| right(name, width + 1));
        let head = [named("")].into_iter().chain(heads.map(|head| Span::styled(head, label)));
        let lines = NAMES.iter().enumerate().map(|(at, name)| {
            let cells = rows.iter().zip(WIDTHS_NARROW);
            let cells =
                cells.map(|((_, figures, style), width)| Span::styled(cell(&figures[at], width + 1), *style));
            [named(name)].into_iter().chain(cells).collect()
        });
        return [head.collect()].into_iter().chain(lines).collect();
    }
    let heads = NAMES.iter().zip(WIDTHS).map(|(name, width)| Span::styled(right(name, width), label));
    let head = [named("")].into_iter().chain(heads).collect();
    let lines = rows.iter().map(|(name, figures, style)| {
        let cells =
            figures.iter().zip(WIDTHS).map(|(figure, width)| Span::styled(cell(figure, width), *style));
        [named(name)].into_iter().chain(cells).collect()
    });
    [head].into_iter().chain(lines).collect()
}

/// Rates and percentiles of the last second.
pub(in crate::screen) fn last_second(live: &Live) -> [Option<String>; 5] {
    let second = live.last_second;
    let rates = [second.map(|second| second.offered), second.map(|second| second.throughput)];
    row(rates, second.and_then(|second| second.response_time))
}

/// The same of the block so far.
pub(in crate::screen) fn so_far(live: &Live) -> [Option<String>; 5] {
    let seconds = live.elapsed.as_secs_f64();
    let a_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
    row([live.offered, live.successes].map(a_second), live.so_far)
}

fn row([offered, achieved]: [Option<f64>; 2], times: Option<Percentiles>) -> [Option<String>; 5] {
    let at = |time: fn(Percentiles) -> std::time::Duration| times.map(|times| milliseconds(time(times)));
    [
        offered.map(rate),
        achieved.map(rate),
        at(|times| times.p50),
        at(|times| times.p95),
        at(|times| times.p99),
    ]
}

/// Successes a second in the last minute, as a picture.
pub(super) fn last_minute(state: &State, block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let seconds = seconds(state, block);
    if seconds.iter().all(|rate| rate.is_nan()) {
        return Vec::new();
    }
    let highest = seconds.iter().copied().filter(|rate| !rate.is_nan()).fold(0.0, f64::max);
    let label = frame.look.label();
    let room = frame.width.saturating_sub(HIGHEST + if frame.is_narrow() { 0 } else { LABEL });
    // Where a minute has no room, two or more seconds share a column.
    let together = MINUTE.div_ceil(room.clamp(1, MINUTE));
    let columns = MINUTE.div_ceil(together);
    let picture: String = seconds.chunks(together).map(|rates| height(rates, highest, frame)).collect();
    let picture = vec![
        Span::styled(left(&picture, columns, frame.look), frame.look.moving()),
        Span::styled(format!(" {}", compact(highest)), label),
    ];
    let name = Span::styled(left("last minute", LABEL, frame.look), label);
    if frame.is_narrow() {
        return vec![Line::from(name), Line::from(picture)];
    }
    vec![[name].into_iter().chain(picture).collect()]
}

/// Those rates, the oldest first, a minute at most; not a number between two blocks.
pub(in crate::screen) fn seconds(state: &State, block: &BlockState) -> Vec<f64> {
    let of_block = block.live.iter().flat_map(|live| &live.last_minute);
    let mut seconds: Vec<f64> = state.before.iter().chain(of_block).copied().collect();
    let too_many = seconds.len().saturating_sub(MINUTE);
    seconds.drain(..too_many);
    seconds
}

/// One column: how high the mean of these rates is.
fn height(rates: &[f64], highest: f64, frame: Frame) -> &'static str {
    let known: Vec<f64> = rates.iter().copied().filter(|rate| !rate.is_nan()).collect();
    if known.is_empty() {
        return " ";
    }
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let heights = frame.look.heights();
    let step = (mean / highest.max(f64::MIN_POSITIVE) * heights.len() as f64).ceil() as usize;
    match step.min(heights.len()).checked_sub(1) {
        Some(step) => heights[step],
        None => frame.look.nothing(),
    }
}

/// Good answers, failures by kind, and what was dropped.
pub(super) fn answers(block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let Some(live) = &block.live else { return Vec::new() };
    let label = frame.look.label();
    let bad = |count: u64| if count == 0 { Style::new() } else { frame.look.bad() };
    let mut spans = vec![
        Span::styled(left("answers", LABEL, frame.look), label),
        Span::raw(grouped(live.successes)),
        Span::styled("   failed ", label),
        Span::styled(grouped(live.failed), bad(live.failed)),
    ];
    if live.dropped > 0 {
        spans.push(Span::styled("   dropped ", label));
        spans.push(Span::styled(grouped(live.dropped), bad(live.dropped)));
    }
    if live.failed == 0 {
        return vec![Line::from(spans)];
    }
    let kinds: Vec<_> =
        by_kind(live).iter().map(|(kind, count)| format!("{kind} {}", grouped(*count))).collect();
    let kinds = Span::styled(kinds.join("  "), frame.look.bad());
    vec![Line::from(spans), Line::from(vec![Span::styled(left("by kind", LABEL, frame.look), label), kinds])]
}

/// Failures of each kind that there are, the most frequent first.
pub(in crate::screen) fn by_kind(live: &Live) -> Vec<(FailureKind, u64)> {
    let of_kind = |kind: &FailureKind| live.failures.get(kind).map(|count| (*kind, *count));
    let mut kinds: Vec<_> = FailureKind::ALL.iter().filter_map(of_kind).collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kinds
}
