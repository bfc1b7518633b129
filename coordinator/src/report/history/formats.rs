//! How a list of past results is written.

use super::{History, PastRun, PastScenario};
use crate::report::visible;
use crate::statistics::overhead::Estimate;

const COLUMNS: [&str; 8] =
    ["RUN", "STARTED", "VERDICT", "TARGET", "SCENARIO", "LOAD", "P50 (ms)", "P95 (ms)"];
/// Further columns, where any run was held against its upstream.
const OF_OVERHEAD: [&str; 2] = ["ADDED P50 (ms)", "ADDED P95 (ms)"];
/// Columns of numbers, which stand on the right.
const FIRST_NUMBER: usize = 6;

/// A line for each scenario of each run, under the columns' names; then what cannot be told of.
pub fn text(history: &History) -> String {
    let has_overhead =
        history.runs.iter().flat_map(|run| &run.scenarios).any(|past| past.added_p50.is_some());
    let columns: Vec<&str> =
        COLUMNS.into_iter().chain(OF_OVERHEAD.into_iter().filter(|_| has_overhead)).collect();
    let mut rows = vec![columns.iter().map(|name| (*name).to_owned()).collect()];
    rows.extend(history.runs.iter().flat_map(of_run));
    let mut text =
        if history.runs.is_empty() { "no results yet\n".to_owned() } else { table(&rows, columns.len()) };
    for unusable in &history.unusable {
        text.push_str(&visible(&format!("{}: {}", unusable.run, unusable.problem)));
        text.push('\n');
    }
    text
}

/// Everything, indented.
///
/// # Errors
/// Never, as it holds what JSON can say.
pub fn json(history: &History) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(history).map(|text| text + "\n")
}

/// What is the same for all scenarios of a run stands in its first line alone.
fn of_run(run: &PastRun) -> Vec<Vec<String>> {
    let target = if run.is_built_in_mock { "the built-in mock" } else { &run.target };
    let target = match &run.direct {
        Some(direct) => format!("{target} against {direct}"),
        None => target.to_owned(),
    };
    let started = run.started.get(..19).map(|time| time.replace('T', " "));
    let offset = run.started.get(19..).unwrap_or_default();
    let when = format!("{} {offset}", started.unwrap_or_default());
    let head = [run.run.clone(), when, verdict(run), target];
    let blank = [(); 4].map(|()| String::new());
    let nothing = [PastScenario {
        scenario: "nothing measured".into(),
        load: String::new(),
        throughput: None,
        p50_ns: None,
        p95_ns: None,
        added_p50: None,
        added_p95: None,
    }];
    let scenarios = if run.scenarios.is_empty() { &nothing[..] } else { &run.scenarios };
    let lines = scenarios.iter().enumerate();
    lines
        .map(|(number, past)| {
            let first = if number == 0 { head.clone() } else { blank.clone() };
            first.into_iter().chain(of_scenario(past)).map(|cell| visible(&cell)).collect()
        })
        .collect()
}

fn of_scenario(past: &PastScenario) -> [String; 6] {
    let millis = |nanos: f64| format!("{:.3}", nanos / 1e6);
    let time = |nanos: Option<u64>| nanos.map_or_else(|| "-".into(), |nanos| millis(nanos as f64));
    let added = |estimate: Option<Estimate>| {
        estimate.map_or_else(|| "-".into(), |estimate| format!("{:+.3}", estimate.added_ns / 1e6))
    };
    [
        past.scenario.clone(),
        past.load.clone(),
        time(past.p50_ns),
        time(past.p95_ns),
        added(past.added_p50),
        added(past.added_p95),
    ]
}

fn verdict(run: &PastRun) -> String {
    let mut parts = vec![run.verdict.name().to_owned()];
    parts.extend(run.interrupted.then(|| "interrupted".into()));
    parts.extend((!run.is_finished).then(|| "incomplete".into()));
    parts.extend((run.missed_thresholds > 0).then(|| format!("{} missed", run.missed_thresholds)));
    parts.join(", ")
}

fn table(rows: &[Vec<String>], columns: usize) -> String {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            FIRST_NUMBER.. => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
