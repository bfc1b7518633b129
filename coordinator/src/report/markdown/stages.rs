//! What the summary says of a load in stages.

use super::format::{NONE, milliseconds, rate, seconds};
use super::groups::{Group, Groups};
use crate::report::record::{LoadRecord, StageRecord, stages_of};
use crate::statistics::{Distribution, StageFigures};

/// All stages in one line, such as `30 s at 100 req/s, 1 s from 100 to 500 req/s`.
pub(super) fn in_words(stages: &[StageRecord]) -> String {
    let words = |stage: &StageRecord| format!("{} {}", seconds(stage.duration_ns), rates(stage));
    stages.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn rates(stage: &StageRecord) -> String {
    let [from, to] = [stage.from_millihertz, stage.to_millihertz].map(|rate| rate as f64 / 1e3);
    if from == to { format!("at {to} req/s") } else { format!("from {from} to {to} req/s") }
}

/// What came of each stage.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let columns = [
        "Stage",
        "From (s)",
        "Asked for",
        "Offered (req/s)",
        "Achieved (req/s)",
        "Throughput (req/s)",
        "P50 (ms)",
        "P95 (ms)",
        "P99 (ms)",
        "Failed",
        "Dropped",
    ];
    let rows = groups.with_parts().flat_map(|group| {
        let asked = match &group.first.load {
            LoadRecord::Open { stages, .. } => stages.as_slice(),
            LoadRecord::Closed { .. } => &[],
        };
        let numbered = (1..).zip(asked).zip(figures(group));
        numbered.map(move |((number, asked), figures)| (group, row(number, asked, &figures)))
    });
    let table = groups.table(3, &columns, rows)?;
    Some(format!(
        "{table}\n\nA request is offered in the stage in which it was due, and an answer counts in the one in which it came. \
         What came after the last stage is in none."
    ))
}

/// Over all blocks of the group.
fn figures(group: &Group<'_>) -> Vec<StageFigures> {
    match group.blocks.as_slice() {
        [only] => only.stages.clone(),
        // A record whose histograms cannot be read has been refused by whoever read it.
        several => stages_of(several).unwrap_or_default(),
    }
}

fn row(number: usize, asked: &StageRecord, figures: &StageFigures) -> Vec<String> {
    let time = |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
    let is_measured = figures.measured_ns > 0;
    let count = |count: u64| if is_measured { count.to_string() } else { NONE.to_owned() };
    vec![
        number.to_string(),
        seconds(figures.start_ns).trim_end_matches(" s").to_owned(),
        format!("{} {}", seconds(asked.duration_ns), rates(asked)),
        rate(figures.offered_rate),
        rate(figures.achieved_rate),
        rate(figures.throughput),
        time(|response_time| response_time.p50_ns),
        time(|response_time| response_time.p95_ns),
        time(|response_time| response_time.p99_ns),
        count(figures.failed),
        count(figures.dropped),
    ]
}
