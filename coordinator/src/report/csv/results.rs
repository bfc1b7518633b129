//! A row for each result and arm: the figures over all its blocks, and in the gateway's row what the gateway adds.

use proto::outcome::FailureKind;

use super::{Columns, Part, failures, milliseconds};
use crate::plan::Arm;
use crate::report::record::{ArmRecord, BlockRecord, ResultRecord, RunRecord};
use crate::statistics::overhead::{Added, Cell, Estimate, Overhead, Ratio};
use crate::statistics::{Distribution, Figures};

struct Row<'a> {
    record: &'a RunRecord,
    result: &'a ResultRecord,
    arm: Arm,
    of: &'a ArmRecord,
}

const TIMES: [Part<Figures, Option<Distribution>>; 9] = [
    ("response_time", |figures| figures.response_time),
    ("service_time", |figures| figures.service_time),
    ("send_lag", |figures| figures.send_lag),
    ("time_to_first_token", |figures| figures.time_to_first_token),
    ("inter_token_gap", |figures| figures.inter_token_gap),
    ("connect_time", |figures| figures.connect_time),
    ("tls_handshake_time", |figures| figures.tls_handshake_time),
    ("time_to_first_byte", |figures| figures.time_to_first_byte),
    ("transfer_time", |figures| figures.transfer_time),
];

const STATISTICS: [Part<Distribution, u64>; 6] = [
    ("mean", |times| times.mean_ns),
    ("p50", |times| times.p50_ns),
    ("p95", |times| times.p95_ns),
    ("p99", |times| times.p99_ns),
    ("p99.9", |times| times.p999_ns),
    ("max", |times| times.max_ns),
];

const ADDED: [Part<Added, Cell<Estimate>>; 4] = [
    ("mean", |added| added.mean),
    ("p50", |added| added.p50),
    ("p95", |added| added.p95),
    ("p99", |added| added.p99),
];

/// The results of a run.
pub fn results(record: &RunRecord) -> String {
    let rows = record.results.iter().flat_map(|result| {
        let gateway = Row { record, result, arm: Arm::Gateway, of: &result.gateway };
        let direct = result.direct.as_ref().map(|of| Row { record, result, arm: Arm::Direct, of });
        std::iter::once(gateway).chain(direct)
    });
    columns().write(&rows.collect::<Vec<_>>())
}

fn columns<'a>() -> Columns<'a, Row<'a>> {
    let mut columns = Columns::<Row<'_>>::new();
    columns.text("run", |row| row.record.run.results_folder.clone());
    columns.text("run_started", |row| row.record.run.started.clone());
    columns.text("run_verdict", |row| row.record.verdict.to_string());
    columns.text("scenario", |row| row.result.scenario.clone());
    columns.text("load", |row| row.result.load.level());
    columns.text("arm", |row| row.arm.name().to_owned());
    columns.number("blocks", |row| row.of.blocks.len());
    columns.figure("window_s", |row| Some(row.of.figures.window.length_ns as f64 / 1e9));
    let counts: [Part<Figures, u64>; 7] = [
        ("offered", |figures| figures.offered),
        ("started", |figures| figures.requests),
        ("successes", |figures| figures.successes),
        ("failed", |figures| figures.failed),
        ("dropped", |figures| figures.dropped),
        ("unsent", |figures| figures.unsent),
        ("abandoned", |figures| figures.abandoned),
    ];
    for (header, count) in counts {
        columns.number(header, move |row: &Row<'_>| count(&row.of.figures));
    }
    for kind in FailureKind::ALL {
        columns.number(&format!("failed_{kind}"), move |row: &Row<'_>| row.failures(kind));
    }
    columns.figure("failed_share", |row| row.of.figures.failure_rate);
    columns.figure("throughput_per_s", |row| row.of.figures.throughput);
    columns.figure("offered_per_s", |row| row.of.figures.offered_rate);
    columns.figure("achieved_per_s", |row| row.of.figures.achieved_rate);
    columns.number("usage_reports", |row| row.of.figures.usage_reports);
    columns.figure("input_tokens", |row| row.told(|figures| figures.input_tokens));
    columns.figure("output_tokens", |row| row.told(|figures| figures.output_tokens));
    columns.figure("output_tokens_per_s", |row| row.of.figures.output_token_rate);
    for (name, time) in TIMES {
        columns.number(&format!("{name}_count"), move |row: &Row<'_>| {
            time(&row.of.figures).map_or(0, |times| times.count)
        });
        for (statistic, value) in STATISTICS {
            columns.figure(&format!("{name}_{statistic}_ms"), move |row: &Row<'_>| {
                time(&row.of.figures).map(|times| milliseconds(value(&times)))
            });
        }
    }
    overhead(&mut columns);
    columns
}

fn overhead<'a>(columns: &mut Columns<'a, Row<'a>>) {
    for (statistic, of) in ADDED {
        let parts: [Part<Estimate, f64>; 3] = [
            ("", |estimate| estimate.added_ns),
            ("_low", |estimate| estimate.low_ns),
            ("_high", |estimate| estimate.high_ns),
        ];
        for (part, value) in parts {
            columns.figure(&format!("added_{statistic}{part}_ms"), move |row: &Row<'_>| {
                known(of(&row.overhead()?.response_time)).map(|estimate| value(&estimate) / 1e6)
            });
        }
    }
    let parts: [Part<Ratio, f64>; 3] =
        [("", |ratio| ratio.ratio), ("_low", |ratio| ratio.low), ("_high", |ratio| ratio.high)];
    for (part, value) in parts {
        columns.figure(&format!("throughput_ratio{part}"), move |row: &Row<'_>| {
            known(row.overhead()?.throughput_ratio).map(|ratio| value(&ratio))
        });
    }
}

fn known<T>(cell: Cell<T>) -> Option<T> {
    match cell {
        Cell::Known(known) => Some(known),
        Cell::Unknown(_) => None,
    }
}

impl Row<'_> {
    /// Tokens, where any stream told its own.
    fn told(&self, tokens: fn(&Figures) -> u64) -> Option<f64> {
        (self.of.figures.usage_reports > 0).then(|| tokens(&self.of.figures) as f64)
    }

    fn overhead(&self) -> Option<&Overhead> {
        self.result.overhead.as_ref().filter(|_| self.arm == Arm::Gateway)
    }

    fn failures(&self, kind: FailureKind) -> u64 {
        let is_of = |block: &&BlockRecord| {
            block.scenario.name == self.result.scenario && self.of.blocks.contains(&block.number)
        };
        let blocks = self.record.with_parts().filter(is_of);
        blocks.fold(0, |sum: u64, block| sum.saturating_add(failures(&block.totals, kind)))
    }
}
