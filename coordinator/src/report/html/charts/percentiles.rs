//! Times by percentile, both arms on one chart, with as much room for each further nine.

use proto::latencies::{Histogram, Latencies};

use super::axis::{Axis, percentile};
use super::{Drawn, MARGINS, Plot, frame, line, millis, pictures, plot};
use crate::report::html::arms::{Arms, Measured};
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::markdown::format::{NONE, milliseconds};

/// Where each decade of 1 ÷ (1 − q) is read: at round percentiles.
const READ_AT: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85];

/// The response times of a result.
pub(in crate::report::html) fn response_times(arms: &Arms<'_>) -> Option<Figure> {
    let caption = "Response time by percentile";
    curves(arms, caption, "Response time (ms)", |latencies| &latencies.response_time)
}

/// How late the requests of a result were sent.
pub(in crate::report::html) fn send_lags(arms: &Arms<'_>) -> Option<Figure> {
    let caption = "Send lag by percentile";
    curves(arms, caption, "Send lag (ms), of every request", |latencies| &latencies.send_lag)
}

fn curves(
    arms: &Arms<'_>,
    caption: &str,
    title: &str,
    times: fn(&Latencies) -> &Histogram,
) -> Option<Figure> {
    let measured: Vec<(&Measured<'_>, &Histogram)> =
        arms.each().map(|arm| (arm, times(&arm.latencies))).filter(|(_, times)| !times.is_empty()).collect();
    let most = measured.iter().map(|(_, times)| times.count()).max()? as f64;
    let x = |ticks| Axis::percentiles(most, ticks);
    let y = || {
        let ends = measured.iter().flat_map(|(_, times)| [times.quantile(0.0), times.max()]);
        Axis::times(ends.flatten().map(millis), 6)
    };
    let drawn = pictures(300, |area, room| {
        let mut plot: Plot<'_, '_> = plot(area, title, MARGINS, x(room.labels()), y())?;
        for (arm, times) in &measured {
            let points =
                read_at(times.count()).into_iter().filter_map(|at| Some((at, millis(value(times, at)?))));
            let last = Some((times.count() as f64, millis(times.max().unwrap_or_default())));
            line(&mut plot, arm.ink(), points.chain(last).collect())?;
        }
        Drawn::Ok(frame(&plot))
    });

    let mut table = Table::new(["Percentile".to_owned()]);
    table.columns.extend(measured.iter().map(|(arm, _)| format!("{} (ms)", arm.title())));
    let cell = |value: Option<u64>| milliseconds(value);
    for at in read_at(most as u64) {
        let values = measured.iter().map(|(_, times)| {
            if at <= times.count() as f64 { cell(value(times, at)) } else { NONE.to_owned() }
        });
        table.rows.push(Row::at_x(x(1).share(at), [percentile(at)].into_iter().chain(values)));
    }
    let greatest = measured.iter().map(|(_, times)| cell(times.max()));
    table.rows.push(Row::at_x(1.0, ["100 % (the most)".to_owned()].into_iter().chain(greatest)));

    let said = measured.iter().map(|(arm, times)| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|quantile| milliseconds(times.quantile(quantile)));
        format!("{}: P50 {p50} ms, P95 {p95} ms, P99 {p99} ms, most {} ms", arm.title(), cell(times.max()))
    });
    Some(Figure {
        caption: caption.to_owned(),
        said: said.collect::<Vec<_>>().join("; "),
        legend: measured.iter().map(|(arm, _)| (arm.ink(), arm.title().to_owned())).collect(),
        pictures: drawn,
        panels: None,
        table,
    })
}

/// Where a histogram of `count` values is read: each a value of 1 ÷ (1 − q).
pub(super) fn read_at(count: u64) -> Vec<f64> {
    let decades = (0..12).map(|power| 10f64.powi(power));
    let all = decades.flat_map(|decade| READ_AT.map(|within| decade / (1.0 - within)));
    all.take_while(|at| *at <= count as f64).collect()
}

/// The value at 1 ÷ (1 − q).
pub(super) fn value(times: &Histogram, at: f64) -> Option<u64> {
    times.quantile(1.0 - 1.0 / at)
}
