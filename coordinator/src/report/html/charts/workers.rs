//! A small chart for each worker: its response times before those of all.

use proto::latencies::Histogram;

use super::axis::Axis;
use super::percentiles::{read_at, value};
use super::{Drawn, Ink, Margins, Plot, Room, frame, line, millis, picture, plot};
use crate::report::html::arms::{Arms, WorkerPart};
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::markdown::format::{milliseconds, rate};

/// More would be no charts but wallpaper; the tables have them all.
const MOST: usize = 64;
const ROOM: Room = Room { width: 208, height: 120 };

/// The gateway's; `None` with a single worker.
pub(in crate::report::html) fn workers(arms: &Arms<'_>) -> Option<Figure> {
    let all = &arms.gateway.latencies.response_time;
    let workers: Vec<WorkerPart> = arms.gateway.workers();
    if workers.len() < 2 || all.is_empty() {
        return None;
    }
    let x = Axis::percentiles(all.count() as f64, 3);
    let y = Axis::times([all.quantile(0.0), all.max()].into_iter().flatten().map(millis), 3);
    let shown = &workers[..workers.len().min(MOST)];
    let pictures = shown.iter().filter_map(|worker| {
        picture(ROOM, |area, _| {
            let margins = Margins { left: 38, bottom: 18, top: 20 };
            let title = format!("worker {}{}", worker.number, if worker.is_lost { ", lost" } else { "" });
            let mut plot = plot(area, &title, margins, x.clone(), y.clone())?;
            curve(&mut plot, Ink::Fleet, all)?;
            curve(&mut plot, Ink::Gateway, &worker.response_times)?;
            Drawn::Ok(frame(&plot))
        })
    });

    let names =
        ["Worker", "State", "Answers", "Throughput (req/s)", "P50 (ms)", "P95 (ms)", "P99 (ms)", "Most (ms)"];
    let mut table = Table::new(names.map(str::to_owned));
    for worker in &workers {
        let times = &worker.response_times;
        let mut cells =
            vec![worker.number.to_string(), if worker.is_lost { "lost" } else { "finished" }.to_owned()];
        cells.extend([times.count().to_string(), rate(worker.throughput)]);
        cells.extend([0.5, 0.95, 0.99].map(|quantile| milliseconds(times.quantile(quantile))));
        cells.push(milliseconds(times.max()));
        table.rows.push(Row::new(cells));
    }
    let medians = workers.iter().filter_map(|worker| worker.response_times.quantile(0.5));
    let (least, most) = (medians.clone().min(), medians.max());
    let left_out = match workers.len() - shown.len() {
        0 => String::new(),
        more => format!(" (the first {MOST}; {more} more are in the table)"),
    };
    Some(Figure {
        caption: format!("Response time (ms) by percentile of each worker{left_out}"),
        said: format!(
            "{} workers, whose medians lie between {} and {} ms",
            workers.len(),
            milliseconds(least),
            milliseconds(most)
        ),
        legend: vec![(Ink::Gateway, "the worker".into()), (Ink::Fleet, "all workers".into())],
        pictures: Vec::new(),
        panels: Some(pictures.collect()),
        table,
    })
}

fn curve(plot: &mut Plot<'_, '_>, ink: Ink, times: &Histogram) -> Drawn<()> {
    let points = read_at(times.count()).into_iter().filter_map(|at| Some((at, millis(value(times, at)?))));
    let last = times.max().map(|most| (times.count() as f64, millis(most)));
    line(plot, ink, points.chain(last).collect())
}
