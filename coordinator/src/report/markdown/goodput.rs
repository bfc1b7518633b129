//! What the summary says of requests that kept to the goal.

use super::format::{NONE, milliseconds, percent, rate};
use super::groups::{Group, Groups};
use crate::report::record::GoalRecord;

/// A row for each result with a goal; of a mix also for all of its scenarios together.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let columns = ["Goal", "Successes", "Late", "Goodput", "Good (req/s)"];
    let rows = groups.with_parts().filter_map(|group| Some((group, row(group)?)));
    let table = groups.table(1, &columns, rows)?;
    Some(format!(
        "{table}\n\nA success that did not keep to every bound is late. Goodput is the share of requests that were answered well \
         and not late; those that failed, were dropped or never sent are among the others."
    ))
}

fn row(group: &Group<'_>) -> Option<Vec<String>> {
    if !group.first.has_goal() {
        return None;
    }
    let figures = &group.figures;
    let goal = group.first.scenario.goal.map(|goal| in_words(goal, group.first.scenario.stream));
    Some(vec![
        goal.unwrap_or_else(|| "that of its scenario, for each".into()),
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
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none: no bound is of an answer in one piece".into() } else { words.join(", ") }
}
