//! Latency and throughput by load: over the rates of a search, with the knee, or over levels.

use super::axis::{Axis, number};
use super::{Drawn, Ink, MARGINS, Margins, Plot, UNIT, dots, frame, line, millis, pictures, plot};
use crate::report::html::figure::{Figure, Row, Table};
use crate::report::markdown::capacity::{curves, held_of_part};
use crate::report::markdown::format::{milliseconds, rate, visible};
use crate::report::record::{BlockRecord, CapacityRecord, LoadRecord, ResultRecord, RunRecord, StepRecord};
use crate::statistics::{Distribution, Figures};

/// What was measured at one load.
struct Point<'a> {
    load: f64,
    figures: &'a Figures,
    /// Whether the objectives were missed there.
    failed: bool,
    remark: String,
}

type Percentile = (&'static str, Ink, fn(&Distribution) -> u64);

const PERCENTILES: [Percentile; 3] = [
    ("P50", Ink::P50, |times| times.p50_ns),
    ("P95", Ink::P95, |times| times.p95_ns),
    ("P99", Ink::P99, |times| times.p99_ns),
];

const RATE: &str = "the offered rate (req/s)";
const RATE_OF_MIX: &str = "the mix's offered rate (req/s)";

/// The steps of a search; of a mix each of its scenarios, then the whole.
pub(in crate::report::html) fn by_rate(record: &RunRecord, capacity: &CapacityRecord) -> Vec<Figure> {
    let steps = curves(record, capacity);
    steps.iter().filter_map(|steps| of_steps(capacity, steps)).collect()
}

fn of_steps(capacity: &CapacityRecord, steps: &[(&StepRecord, &BlockRecord)]) -> Option<Figure> {
    let is_part = steps.first()?.1.weight.is_some();
    let counts = steps.iter().filter(|(step, _)| !capacity.was_tried_again(step.block));
    let points = counts.map(|(step, block)| {
        let remark = match &step.failure {
            _ if step.was_interrupted => "interrupted".to_owned(),
            _ if is_part => visible(&held_of_part(capacity, block)),
            None => "yes".to_owned(),
            Some(failure) => format!("no: {}", visible(failure)),
        };
        let failed = step.failure.is_some();
        Point { load: step.rate_millihertz as f64 / 1e3, figures: &block.figures, failed, remark }
    });
    let knee = capacity.highest_passing_millihertz.map(|rate| rate as f64 / 1e3);
    let over = if is_part { RATE_OF_MIX } else { RATE };
    let shape = Shape { load: "Offered (req/s)", over, remark: "Held", knee };
    let mut figure = curve(&points.collect::<Vec<_>>(), &shape)?;
    let of = if is_part { " of the whole mix" } else { "" };
    figure.caption =
        format!("{}: response time by offered rate{of}", visible(&steps.first()?.1.scenario.name));
    if let Some(knee) = knee {
        figure.legend.push((Ink::Mark, format!("the highest rate that held, {} req/s", number(knee))));
        figure.said = format!("{}; the highest rate that held is {} a second", figure.said, number(knee));
    }
    Some(figure)
}

/// The levels of a scenario; `None` where there are not several of one kind.
pub(in crate::report::html) fn by_level(record: &RunRecord, scenario: &str) -> Option<Figure> {
    let of_scenario = record.results.iter().filter(|result| result.scenario == scenario);
    let level = |result: &ResultRecord| match &result.load {
        LoadRecord::Closed { concurrency, .. } => Some((f64::from(*concurrency), "In flight")),
        LoadRecord::Open { rate_millihertz, .. } => {
            rate_millihertz.map(|rate| (rate as f64 / 1e3, "Offered (req/s)"))
        }
    };
    let mut levels: Vec<(f64, &'static str, &ResultRecord)> =
        of_scenario.filter_map(|result| level(result).map(|(load, name)| (load, name, result))).collect();
    levels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let name = levels.first()?.1;
    if levels.len() < 2 || levels.iter().any(|level| level.1 != name) {
        return None;
    }
    let points = levels.into_iter().map(|(load, _, result)| Point {
        load,
        figures: &result.gateway.figures,
        failed: false,
        remark: result.gateway.figures.failed.to_string(),
    });
    let over = if name == "In flight" { "requests in flight" } else { RATE };
    let shape = Shape { load: name, over, remark: "Failed", knee: None };
    let mut figure = curve(&points.collect::<Vec<_>>(), &shape)?;
    figure.caption = format!("{}: response time and throughput by level", visible(scenario));
    Some(figure)
}

struct Shape {
    /// The table's column.
    load: &'static str,
    /// What stands in a title.
    over: &'static str,
    remark: &'static str,
    knee: Option<f64>,
}

fn curve(points: &[Point<'_>], shape: &Shape) -> Option<Figure> {
    let (first, last) = (points.first()?.load, points.last()?.load);
    let x = |ticks| match last / first {
        ratio if ratio > 8.0 => Axis::log(first * 0.9, last * 1.1, ticks),
        _ => Axis::linear(0.0, last * 1.05, ticks),
    };
    let times = |of: fn(&Distribution) -> u64| {
        points
            .iter()
            .filter_map(move |point| Some((point.load, millis(of(point.figures.response_time.as_ref()?)))))
    };
    let throughputs = || points.iter().filter_map(|point| Some((point.load, point.figures.throughput?)));
    let most = throughputs().map(|(_, rate)| rate).fold(0.0, f64::max);
    // Beyond the knee the same rate is often tried twice, with figures far apart.
    let held = |load: f64| !points.iter().any(|point| point.failed && point.load == load);
    let drawn = pictures(420, |area, room| {
        let (upper, lower) = area.split_vertically(240 * UNIT);
        let y = Axis::times(PERCENTILES.iter().flat_map(|(_, _, of)| times(*of)).map(|(_, time)| time), 5);
        let bare = x(0).with_ticks(Vec::new());
        let mut above = plot(&upper, "Response time (ms)", Margins { bottom: 8, ..MARGINS }, bare, y)?;
        knee(&mut above, shape)?;
        for (_, ink, of) in PERCENTILES {
            line(&mut above, ink, times(of).filter(|(load, _)| held(*load)).collect())?;
            dots(&mut above, ink, times(of).collect::<Vec<_>>())?;
        }
        let y = Axis::linear(0.0, most * 1.1, 4);
        let title = format!("Throughput (req/s) over {}", shape.over);
        let mut below = plot(&lower, &title, MARGINS, x(room.labels()), y)?;
        knee(&mut below, shape)?;
        line(&mut below, Ink::Gateway, throughputs().filter(|(load, _)| held(*load)).collect())?;
        dots(&mut below, Ink::Gateway, throughputs().collect::<Vec<_>>())?;
        let failed = points.iter().filter(|point| point.failed);
        let failed = failed.filter_map(|point| Some((point.load, point.figures.throughput?)));
        dots(&mut below, Ink::Failed, failed.collect::<Vec<_>>())?;
        let ([left, top, right, _], [.., bottom]) = (frame(&above), frame(&below));
        Drawn::Ok([left, top, right, bottom])
    });

    let names = [shape.load, "Throughput (req/s)", "P50 (ms)", "P95 (ms)", "P99 (ms)", shape.remark];
    let mut table = Table::new(names.map(str::to_owned));
    for point in points {
        let mut cells = vec![number(point.load), rate(point.figures.throughput)];
        cells
            .extend(PERCENTILES.map(|(_, _, of)| milliseconds(point.figures.response_time.as_ref().map(of))));
        cells.push(point.remark.clone());
        table.rows.push(Row::at_x(x(1).share(point.load), cells));
    }
    let mut legend: Vec<(Ink, String)> = PERCENTILES.map(|(name, ink, _)| (ink, name.to_owned())).to_vec();
    legend.push((Ink::Gateway, "throughput".into()));
    if points.iter().any(|point| point.failed) {
        legend.push((Ink::Failed, "an objective was missed".into()));
    }
    Some(Figure {
        caption: String::new(),
        said: format!("{} loads from {} to {}", points.len(), number(first), number(last)),
        legend,
        pictures: drawn,
        panels: None,
        table,
    })
}

fn knee(plot: &mut Plot<'_, '_>, shape: &Shape) -> Drawn<()> {
    let y = plot.y_range();
    shape.knee.map_or(Ok(()), |knee| line(plot, Ink::Mark, vec![(knee, y.start), (knee, y.end)]))
}
