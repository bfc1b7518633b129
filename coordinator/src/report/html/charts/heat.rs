//! How response times are spread as time goes on: the darker, the more answers.

use proto::latencies::LOWEST_NANOS;

use super::axis::{Axis, number};
use super::svg::SHADES;
use super::timeline::{mark_beginnings, number_blocks, seconds};
use super::{Drawn, Ink, NUMBERED, boxes, frame, millis, pictures, plot};
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::html::slices::{Slice, Span};

/// Bands of response time.
const BANDS: usize = 24;

/// One result's; `None` where nothing was answered.
pub(in crate::report::html) fn heat_map(slices: &[Slice], spans: &[Span]) -> Option<Figure> {
    let end = slices.last()?.end;
    let answered = || slices.iter().filter(|slice| !slice.histogram.is_empty());
    // The edges go up by the same factor, so that they cannot begin at 0.
    let least = millis(answered().filter_map(|slice| slice.histogram.min()).min()?.max(LOWEST_NANOS));
    let most = millis(answered().filter_map(|slice| slice.histogram.max()).max()?);
    let (least, most) = if most < least * 1.05 { (least * 0.97, most * 1.03) } else { (least, most) };
    let edge = |band: usize| least * (most / least).powf(band as f64 / BANDS as f64);
    let edges: Vec<f64> = (0..=BANDS).map(edge).collect();
    let counts: Vec<Vec<u64>> = slices.iter().map(|slice| counts(slice, &edges)).collect();
    let fullest = counts.iter().flatten().copied().max()?;

    let (x, y) = (|ticks| Axis::linear(0.0, end, ticks), Axis::log(least, most, 6));
    let drawn = pictures(270, |area, room| {
        let mut plot =
            plot(area, "Response time (ms) over seconds under load", NUMBERED, x(room.labels()), y.clone())?;
        for shade in 1..=SHADES {
            let cells = slices.iter().zip(&counts).flat_map(|(slice, counts)| {
                let of_shade =
                    counts.iter().enumerate().filter(|(_, count)| self::shade(**count, fullest) == shade);
                of_shade.map(|(band, _)| [(slice.start, edges[band]), (slice.end, edges[band + 1])])
            });
            boxes(&mut plot, Ink::shade(shade), cells.collect::<Vec<_>>())?;
        }
        mark_beginnings(&mut plot, spans)?;
        number_blocks(&plot, area, spans, room)?;
        Drawn::Ok(frame(&plot))
    });

    let mut table = Table::new(["From (s)", "To (s)", "Block"].map(str::to_owned));
    table.heights = vec![None; table.columns.len()];
    for band in edges.windows(2) {
        table.columns.push(format!("{} to {} ms", number(band[0]), number(band[1])));
        table.heights.push(Some(1.0 - y.share((band[0] * band[1]).sqrt())));
    }
    for (slice, counts) in slices.iter().zip(&counts) {
        let about = [seconds(slice.start), seconds(slice.end), slice.block_name()];
        let cells = counts.iter().map(|count| if *count == 0 { String::new() } else { count.to_string() });
        table
            .rows
            .push(Row::at_x(x(1).share((slice.start + slice.end) / 2.0), about.into_iter().chain(cells)));
    }
    Some(Figure {
        caption: "Response times over time: the darker, the more answers".into(),
        said: format!(
            "answers took from {} to {} ms over {} s; the fullest cell holds {fullest}",
            number(least),
            number(most),
            seconds(end)
        ),
        legend: Vec::new(),
        pictures: drawn,
        panels: None,
        table,
    })
}

/// How many answers lie in each band.
fn counts(slice: &Slice, edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; edges.len() - 1];
    for (nanos, count) in slice.histogram.buckets() {
        let above = edges[1..edges.len() - 1].partition_point(|edge| *edge < millis(nanos));
        counts[above] += count;
    }
    counts
}

/// From 0 for none; logarithmic, so that single slow answers are seen beside thousands.
fn shade(count: u64, fullest: u64) -> u8 {
    let share = (count as f64).ln_1p() / (fullest as f64).ln_1p();
    (share * f64::from(SHADES)).ceil() as u8
}
