//! Failures by kind, of each arm.

use std::collections::BTreeMap;

use proto::outcome::FailureKind;

use super::axis::Axis;
use super::{Drawn, Margins, boxes, frame, pictures, plot};
use crate::report::html::arms::Arms;
use crate::report::html::figure::{Figure, Row, Table};

const KINDS: [FailureKind; 9] = FailureKind::ALL;
/// As the axis has them.
const NAMES: [&str; KINDS.len()] =
    ["connect", "tls", "timeout", "reset", "refused", "protocol", "status", "body", "truncated"];

/// One result's; `None` where nothing failed.
pub(in crate::report::html) fn failures(arms: &Arms<'_>) -> Option<Figure> {
    let arms: Vec<_> = arms.each().collect();
    let counts: Vec<BTreeMap<FailureKind, u64>> = arms.iter().map(|arm| arm.failures()).collect();
    let most = counts.iter().flat_map(BTreeMap::values).copied().max()? as f64;
    let (x, y) = (|ticks| Axis::linear(0.0, most * 1.05, ticks), Axis::names(&NAMES));
    let of = |arm: usize, kind: FailureKind| counts[arm].get(&kind).copied().unwrap_or_default();

    let drawn = pictures(220, |area, room| {
        let margins = Margins { left: 70, bottom: 22, top: 24 };
        let mut plot = plot(area, "Failed requests", margins, x(room.labels()), y.clone())?;
        let thick = 0.7 / arms.len() as f64;
        for (place, arm) in arms.iter().enumerate() {
            let bars = (0..).map(f64::from).zip(KINDS).filter(|(_, kind)| of(place, *kind) > 0);
            let bars = bars.map(|(row, kind)| {
                let top = row - 0.35 + place as f64 * thick;
                [(0.0, top), (of(place, kind) as f64, top + thick)]
            });
            boxes(&mut plot, arm.ink().color(), bars.collect::<Vec<_>>())?;
        }
        Drawn::Ok(frame(&plot))
    });

    let mut table = Table::new(["Kind".to_owned()]);
    table.columns.extend(arms.iter().map(|arm| arm.title().to_owned()));
    for ((row, name), kind) in (0..).map(f64::from).zip(NAMES).zip(KINDS) {
        let cells = (0..arms.len()).map(|arm| of(arm, kind).to_string());
        table.rows.push(Row::at_y(1.0 - y.share(row), [name.to_owned()].into_iter().chain(cells)));
    }
    let said = (0..arms.len()).flat_map(|arm| {
        let (title, of) = (arms[arm].title(), &of);
        KINDS
            .into_iter()
            .zip(NAMES)
            .filter(move |(kind, _)| of(arm, *kind) > 0)
            .map(move |(kind, name)| format!("{title}: {} of kind {name}", of(arm, kind)))
    });
    Some(Figure {
        caption: "Failures by kind".into(),
        said: said.collect::<Vec<_>>().join("; "),
        legend: arms.iter().map(|arm| (arm.ink(), arm.title().to_owned())).collect(),
        pictures: drawn,
        panels: None,
        table,
    })
}
