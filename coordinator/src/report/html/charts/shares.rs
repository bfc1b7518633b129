//! A small chart for each worker: its throughput as time goes on, before that of a worker if all did the same.

use super::axis::Axis;
use super::timeline::{lines, mark_blocks, seconds, series};
use super::{Drawn, Ink, Margins, Room, frame, picture, plot};
use crate::plan::Arm;
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::html::slices::{Slice, Span};
use crate::report::markdown::format::rate;

/// As of the other charts of workers.
const MOST: usize = 64;
const ROOM: Room = Room { width: 208, height: 120 };
const MARGINS: Margins = Margins { left: 38, bottom: 18, top: 20 };

/// One result's; `None` with a single worker, where no answer was good, or where the record does not say whose they were.
pub(in crate::report::html) fn shares(slices: &[Slice], spans: &[Span]) -> Option<Figure> {
    let end = slices.last()?.end;
    let workers = slices.iter().map(|slice| slice.by_worker.len()).max()?;
    let rates = slices.iter().flat_map(|slice| slice.by_worker.iter().copied());
    let most = rates.fold(0.0, f64::max);
    if workers < 2 || most == 0.0 {
        return None;
    }
    // A slice names the workers up to the last that did anything in it.
    let of = |slice: &Slice, worker: usize| {
        slice.throughput.map(|_| slice.by_worker.get(worker).copied().unwrap_or_default())
    };
    let fair = |slice: &Slice| slice.throughput.map(|throughput| throughput / workers as f64);
    let y = Axis::linear(0.0, most * 1.1, 3);
    let pictures = (0..workers.min(MOST)).filter_map(|worker| {
        picture(ROOM, |area, _| {
            let title = format!("worker {worker}");
            let mut plot = plot(area, &title, MARGINS, Axis::clock(end, 4), y.clone())?;
            mark_blocks(&mut plot, spans)?;
            lines(&mut plot, Ink::Fleet, slices, fair)?;
            series(&mut plot, Ink::Gateway, slices, |slice| of(slice, worker))?;
            Drawn::Ok(frame(&plot))
        })
    });

    let names = ["Worker", "Least (req/s)", "Mean (req/s)", "Most (req/s)"];
    let mut table = Table::new(names.map(str::to_owned));
    let mut means = Vec::new();
    for worker in 0..workers {
        let rates = || slices.iter().filter_map(move |slice| of(slice, worker));
        let done = slices.iter().filter_map(|slice| Some(of(slice, worker)? * (slice.end - slice.start)));
        let time: f64 = slices.iter().map(|slice| slice.end - slice.start).sum();
        let mean = done.sum::<f64>() / time;
        let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
        means.push(mean);
        table.rows.push(Row::new([
            worker.to_string(),
            rate(Some(least)),
            rate(Some(mean)),
            rate(Some(most)),
        ]));
    }
    let (least, most) =
        (means.iter().copied().fold(f64::MAX, f64::min), means.iter().copied().fold(0.0, f64::max));
    let mut legend = vec![(Ink::Gateway, "the worker".into()), (Ink::Fleet, "if all did the same".into())];
    if spans.iter().any(|span| span.arm == Arm::Direct) {
        legend.push((Ink::Shade, "blocks straight to the upstream".into()));
    }
    Some(Figure {
        caption: "Throughput (req/s) of each worker over time under load".into(),
        said: format!(
            "{workers} workers over {} s under load, with {} to {} answers a second on average",
            seconds(end),
            rate(Some(least)),
            rate(Some(most))
        ),
        legend,
        pictures: Vec::new(),
        panels: Some(pictures.collect()),
        table,
    })
}
