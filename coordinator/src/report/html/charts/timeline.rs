//! Throughput and percentiles as time goes on, block after block.

use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, number};
use super::{
    Area, Drawn, Ink, MARGINS, Margins, NUMBERED, Plot, Room, boxes, dots, frame, line, millis, pictures,
    plot, text,
};
use crate::plan::Arm;
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::html::slices::{Slice, Span};
use crate::report::markdown::format::{milliseconds, rate};
use crate::statistics::Distribution;

type Percentile = (&'static str, Ink, fn(&Distribution) -> u64);

const PERCENTILES: [Percentile; 3] = [
    ("P50", Ink::P50, |times| times.p50_ns),
    ("P95", Ink::P95, |times| times.p95_ns),
    ("P99", Ink::P99, |times| times.p99_ns),
];
/// Up to so many slices have dots: one alone makes no line.
const FEW: usize = 60;

/// One result's; `None` where nothing was measured.
pub(in crate::report::html) fn timeline(slices: &[Slice], spans: &[Span]) -> Option<Figure> {
    let end = slices.last()?.end;
    let x = |ticks| Axis::linear(0.0, end, ticks);
    let throughput = |slice: &Slice| slice.throughput;
    let most = slices.iter().filter_map(throughput).fold(0.0, f64::max);
    let times = || slices.iter().filter_map(|slice| slice.times.as_ref());

    let drawn = pictures(410, |area, room| {
        let (upper, lower) = area.split_vertically(180 * super::UNIT);
        let (y, margins) = (Axis::linear(0.0, most * 1.1, 4), Margins { bottom: 8, ..NUMBERED });
        let bare = x(0).with_ticks(Vec::new());
        let mut above = plot(&upper, "Throughput (req/s)", margins, bare, y)?;
        mark_blocks(&mut above, spans)?;
        number_blocks(&above, &upper, spans, room)?;
        series(&mut above, Ink::Gateway, slices, throughput)?;

        let y = Axis::times(times().flat_map(|times| [times.p50_ns, times.p99_ns]).map(millis), 5);
        let title = "Response time (ms) over seconds under load";
        let mut below = plot(&lower, title, MARGINS, x(room.labels()), y)?;
        mark_blocks(&mut below, spans)?;
        for (_, ink, of) in PERCENTILES {
            series(&mut below, ink, slices, |slice| slice.times.as_ref().map(|times| millis(of(times))))?;
        }
        let ([left, top, right, _], [.., bottom]) = (frame(&above), frame(&below));
        Drawn::Ok([left, top, right, bottom])
    });

    let names =
        ["From (s)", "To (s)", "Block", "Throughput (req/s)", "P50 (ms)", "P95 (ms)", "P99 (ms)", "Failed"];
    let mut table = Table::new(names.map(str::to_owned));
    for slice in slices {
        let mut cells =
            vec![seconds(slice.start), seconds(slice.end), slice.block_name(), rate(slice.throughput)];
        cells.extend(PERCENTILES.map(|(_, _, of)| milliseconds(slice.times.as_ref().map(of))));
        cells.push(slice.failed.to_string());
        table.rows.push(Row::at_x(x(1).share((slice.start + slice.end) / 2.0), cells));
    }
    let mut legend = vec![(Ink::Gateway, "throughput".to_owned())];
    legend.extend(PERCENTILES.map(|(name, ink, _)| (ink, name.to_owned())));
    if spans.iter().any(|span| span.arm == Arm::Direct) {
        legend.push((Ink::Shade, "blocks straight to the upstream".into()));
    }
    let slowest = times().map(|times| times.p99_ns).max();
    Some(Figure {
        caption: "Throughput and response time over time".into(),
        said: format!(
            "{} blocks, {} s under load; throughput at most {} a second, P99 at most {} ms",
            spans.len(),
            seconds(end),
            rate(Some(most)),
            milliseconds(slowest)
        ),
        legend,
        pictures: drawn,
        panels: None,
        table,
    })
}

pub(super) fn seconds(seconds: f64) -> String {
    number((seconds * 100.0).round() / 100.0)
}

/// Shades the upstream's blocks, and shows where each begins.
pub(super) fn mark_blocks(plot: &mut Plot<'_, '_>, spans: &[Span]) -> Drawn<()> {
    let y = plot.y_range();
    let direct = spans.iter().filter(|span| span.arm == Arm::Direct);
    let corners = direct.map(|span| [(span.start, y.start), (span.end, y.end)]);
    boxes(plot, Ink::Shade.color(), corners.collect::<Vec<_>>())?;
    mark_beginnings(plot, spans)
}

/// A line where each block after the first begins.
pub(super) fn mark_beginnings(plot: &mut Plot<'_, '_>, spans: &[Span]) -> Drawn<()> {
    let y = plot.y_range();
    for span in spans.iter().skip(1) {
        line(plot, Ink::Grid, vec![(span.start, y.start), (span.start, y.end)])?;
    }
    Ok(())
}

/// Writes over each block which it is, as far as there is room; over a single one nothing.
pub(super) fn number_blocks(plot: &Plot<'_, '_>, area: &Area<'_>, spans: &[Span], room: Room) -> Drawn<()> {
    if spans.len() < 2 {
        return Ok(());
    }
    let every = (spans.len() * 22).div_ceil(room.width.max(1) as usize).max(1);
    for span in spans.iter().step_by(every) {
        let (x, y) = plot.backend_coord(&((span.start + span.end) / 2.0, plot.y_range().end));
        let (left, top) = area.get_base_pixel();
        let style = text(Ink::Label).pos(Pos::new(HPos::Center, VPos::Bottom));
        area.draw(&Text::new(span.number.to_string(), (x - left, y - top), style))?;
    }
    Ok(())
}

/// As [`lines`], with dots where there are few slices.
pub(super) fn series(
    plot: &mut Plot<'_, '_>,
    ink: Ink,
    slices: &[Slice],
    of: impl Fn(&Slice) -> Option<f64>,
) -> Drawn<()> {
    lines(plot, ink, slices, &of)?;
    if slices.len() <= FEW {
        dots(plot, ink, slices.iter().filter_map(|slice| point(slice, &of)).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A line for each block, with gaps where there is no value.
pub(super) fn lines(
    plot: &mut Plot<'_, '_>,
    ink: Ink,
    slices: &[Slice],
    of: impl Fn(&Slice) -> Option<f64>,
) -> Drawn<()> {
    for run in slices.chunk_by(|one, next| one.block == next.block && of(next).is_some()) {
        line(plot, ink, run.iter().filter_map(|slice| point(slice, &of)).collect())?;
    }
    Ok(())
}

/// In the middle of its slice.
fn point(slice: &Slice, of: impl Fn(&Slice) -> Option<f64>) -> Option<(f64, f64)> {
    Some(((slice.start + slice.end) / 2.0, of(slice)?))
}
