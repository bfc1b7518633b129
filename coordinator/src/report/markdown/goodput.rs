//! What the summary says of requests that kept to the goal.

use super::format::{NONE, milliseconds, percent, rate, table};
use super::{RunRecord, scenario};
use crate::report::record::{BlockRecord, GoalRecord};

/// A row for each block with a goal.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    let columns = ["Block", "Test Scenario", "Goal", "Successes", "Late", "Goodput", "Good (req/s)"];
    let rows: Vec<_> = record.with_parts().filter_map(row).collect();
    let table = table(3, &columns, &rows)?;
    Some(format!(
        "{table}\n\nA success that did not keep to every bound is late. Goodput is the share of requests that were answered well \
         and not late; those that failed, were dropped or never sent are among the others."
    ))
}

fn row(block: &BlockRecord) -> Option<Vec<String>> {
    let goal = block.scenario.goal?;
    let figures = &block.figures;
    Some(vec![
        block.number.to_string(),
        scenario(block),
        in_words(goal, block.scenario.stream),
        figures.successes.to_string(),
        figures.late.to_string(),
        figures.goodput().map_or_else(|| NONE.to_owned(), percent),
        rate(figures.good_rate()),
    ])
}

/// What bounds the scenario: an answer in one piece has no tokens.
fn in_words(goal: GoalRecord, is_stream: bool) -> String {
    let GoalRecord { response_time_ns, time_to_first_token_ns, mean_gap_ns } = goal;
    let of_streams = [("TTFT", time_to_first_token_ns), ("mean gap", mean_gap_ns)];
    let bounds =
        [("response", response_time_ns)].into_iter().chain(of_streams.into_iter().filter(|_| is_stream));
    let words = bounds.filter_map(|(name, bound)| Some(format!("{name} up to {} ms", milliseconds(bound?))));
    words.collect::<Vec<_>>().join(", ")
}
