//! What the gateway adds, with the interval of each figure.

use super::axis::Axis;
use super::{Drawn, Ink, MARGINS, boxes, dots, frame, line, pictures, plot};
use crate::report::html::figure::{Figure, Row, Table};
use crate::statistics::overhead::{Cell, Estimate, Overhead};

const NAMES: [&str; 4] = ["mean", "P50", "P95", "P99"];

/// The added response times; `None` where none is known.
pub(in crate::report::html) fn overhead(about: &str, overhead: &Overhead) -> Option<Figure> {
    let added = &overhead.response_time;
    let cells: [&Cell<Estimate>; 4] = [&added.mean, &added.p50, &added.p95, &added.p99];
    let known: Vec<(f64, &Estimate)> =
        (0..).map(f64::from).zip(cells).filter_map(|(row, cell)| Some((row, cell.known()?))).collect();
    if known.is_empty() {
        return None;
    }
    let ends = known.iter().flat_map(|(_, estimate)| [estimate.low_ns / 1e6, estimate.high_ns / 1e6]);
    let (low, high) = ends.fold((0f64, 0f64), |(low, high), end| (low.min(end), high.max(end)));
    let room = (high - low) * 0.05;
    let x = |ticks| Axis::linear(if low < 0.0 { low - room } else { 0.0 }, high + room, ticks);
    let y = Axis::names(&NAMES);

    let drawn = pictures(170, |area, room| {
        let title = "Added response time (ms), 95 % intervals";
        let mut plot = plot(area, title, MARGINS, x(room.labels()), y.clone())?;
        line(&mut plot, Ink::Mark, vec![(0.0, y.ends().0), (0.0, y.ends().1)])?;
        for (row, estimate) in &known {
            let [low, high] = [estimate.low_ns, estimate.high_ns].map(|nanos| nanos / 1e6);
            boxes(&mut plot, Ink::Fleet.color(), [[(low, row - 0.16), (high, row + 0.16)]])?;
            line(&mut plot, Ink::Gateway, vec![(low, row - 0.16), (low, row + 0.16)])?;
            line(&mut plot, Ink::Gateway, vec![(high, row - 0.16), (high, row + 0.16)])?;
            line(&mut plot, Ink::Gateway, vec![(low, *row), (high, *row)])?;
        }
        dots(&mut plot, Ink::Gateway, known.iter().map(|(row, estimate)| (estimate.added_ns / 1e6, *row)))?;
        Drawn::Ok(frame(&plot))
    });

    let mut table = Table::new(["Of", "Added, with its 95 % interval"].map(str::to_owned));
    for ((row, name), cell) in (0..).map(f64::from).zip(NAMES).zip(cells) {
        table.rows.push(Row::at_y(1.0 - y.share(row), [name.to_owned(), cell.to_string()]));
    }
    let said: Vec<String> = NAMES.iter().zip(cells).map(|(name, cell)| format!("{name} {cell}")).collect();
    Some(Figure {
        caption: format!("{about}: what the gateway adds"),
        said: said.join("; "),
        legend: vec![(Ink::Gateway, "gateway less direct".into())],
        pictures: drawn,
        panels: None,
        table,
    })
}
