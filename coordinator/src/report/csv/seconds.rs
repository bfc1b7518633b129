//! A row for each second of each block, of all workers together.

use proto::outcome::FailureKind;

use super::{Columns, Part, failures, milliseconds};
use crate::report::record::{BlockRecord, CountersRecord, PercentilesRecord, RunRecord, SeriesRecord};

struct Row<'a> {
    record: &'a RunRecord,
    block: &'a BlockRecord,
    second: &'a SeriesRecord,
}

/// The seconds of a run, in the order in which they were measured.
pub fn seconds(record: &RunRecord) -> String {
    let rows = record
        .with_parts()
        .flat_map(|block| block.series.iter().map(move |second| Row { record, block, second }));
    columns().write(&rows.collect::<Vec<_>>())
}

fn columns<'a>() -> Columns<'a, Row<'a>> {
    let mut columns = Columns::<Row<'_>>::new();
    columns.text("run", |row| row.record.run.results_folder.clone());
    columns.number("block", |row| row.block.number);
    columns.text("block_started", |row| row.block.started.clone().unwrap_or_default());
    columns.text("scenario", |row| row.block.scenario.name.clone());
    columns.text("load", |row| row.block.load.level());
    columns.text("arm", |row| row.block.arm.name().to_owned());
    columns.number("repeat", |row| row.block.repeat);
    columns.text("purpose", |row| row.block.purpose.name().to_owned());
    columns.figure("start_s", |row| Some(row.second.start_ns as f64 / 1e9));
    columns.figure("end_s", |row| Some(row.second.end_ns as f64 / 1e9));
    columns.number("workers", |row| row.second.workers);
    let counts: [Part<CountersRecord, u64>; 11] = [
        ("offered", |counters| counters.offered),
        ("started", |counters| counters.started),
        ("successes", |counters| counters.successes),
        ("failed", |counters| counters.content().failed()),
        ("dropped", |counters| counters.dropped),
        ("unsent", |counters| counters.unsent),
        ("abandoned", |counters| counters.abandoned),
        ("sent_bytes", |counters| counters.bytes_sent),
        ("received_bytes", |counters| counters.bytes_received),
        ("connections_opened", |counters| counters.connections_opened),
        ("usage_reports", |counters| counters.usage_reports),
    ];
    for (header, count) in counts {
        columns.number(header, move |row: &Row<'_>| count(&row.second.counters));
    }
    let tokens: [Part<CountersRecord, u64>; 2] = [
        ("input_tokens", |counters| counters.input_tokens),
        ("output_tokens", |counters| counters.output_tokens),
    ];
    for (header, count) in tokens {
        columns.text(header, move |row: &Row<'_>| {
            let told = Some(&row.second.counters).filter(|counters| counters.usage_reports > 0);
            told.map(|counters| count(counters).to_string()).unwrap_or_default()
        });
    }
    for kind in FailureKind::ALL {
        columns.number(&format!("failed_{kind}"), move |row: &Row<'_>| failures(&row.second.counters, kind));
    }
    columns.figure("throughput_per_s", |row| row.second.throughput);
    percentiles(&mut columns, "response_time", |second| second.response_time);
    percentiles(&mut columns, "time_to_first_token", |second| second.time_to_first_token);
    columns
}

fn percentiles<'a>(
    columns: &mut Columns<'a, Row<'a>>,
    name: &str,
    of: fn(&SeriesRecord) -> Option<PercentilesRecord>,
) {
    let values: [Part<PercentilesRecord, u64>; 3] = [
        ("p50", |percentiles| percentiles.p50_ns),
        ("p95", |percentiles| percentiles.p95_ns),
        ("p99", |percentiles| percentiles.p99_ns),
    ];
    for (percentile, value) in values {
        columns.figure(&format!("{name}_{percentile}_ms"), move |row: &Row<'_>| {
            of(row.second).map(|percentiles| milliseconds(value(&percentiles)))
        });
    }
}
