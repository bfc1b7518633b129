//! Thresholds against what the run will measure.

use super::ConfigError;
use super::error::QuestionError;
use crate::cli::{Given, RunArgs};
use crate::nearest::nearest;
use crate::scenario::Scenario;
use crate::threshold::{Metric, Statistic, Threshold, Times};

/// The thresholds, when every one of them can be judged.
pub(super) fn check(
    args: &RunArgs,
    given: &Given,
    names: &[&str],
    has_direct: bool,
    has_goal: bool,
) -> Result<Vec<Threshold>, ConfigError> {
    check_all(&args.judge.thresholds, "thresholds", given, names, has_direct, has_goal)?;
    Ok(args.judge.thresholds.clone())
}

/// The conditions that end a run, when every one of them can be looked at while a block runs.
pub(super) fn watched(args: &RunArgs, given: &Given, names: &[&str]) -> Result<Vec<Threshold>, ConfigError> {
    let conditions = &args.judge.abort_on;
    check_all(conditions, "abort_on", given, names, true, true)?;
    match conditions.iter().find(|condition| !can_be_watched(condition.metric)) {
        Some(condition) => Err(QuestionError::CannotBeWatched {
            place: given.place("abort_on").into(),
            condition: condition.to_string(),
        }
        .into()),
        None => Ok(conditions.clone()),
    }
}

/// Whether a condition can be looked at while a block runs.
fn can_be_watched(metric: Metric) -> bool {
    match metric {
        Metric::Time(Times::Response, statistic) => {
            matches!(statistic, Statistic::P50 | Statistic::P95 | Statistic::P99)
        }
        Metric::Failed | Metric::Dropped | Metric::Throughput => true,
        Metric::Time(..) | Metric::Added(..) | Metric::Goodput => false,
    }
}

/// Refuses a goal of what no scenario has.
pub(super) fn check_goal(given: &Given, scenarios: &[Scenario]) -> Result<(), ConfigError> {
    let is_of_streams = scenarios.iter().any(|scenario| scenario.expectation.goal.is_of_streams());
    if is_of_streams && !scenarios.iter().any(|scenario| scenario.expectation.is_stream()) {
        return Err(QuestionError::GoalNeedsStream { place: given.place("goodput").into() }.into());
    }
    Ok(())
}

/// Refuses what is about a scenario that is not run, or about an upstream that is not measured.
pub(super) fn check_all(
    thresholds: &[Threshold],
    id: &str,
    given: &Given,
    names: &[&str],
    has_direct: bool,
    has_goal: bool,
) -> Result<(), ConfigError> {
    let place = || given.place(id).to_owned();
    for threshold in thresholds {
        if threshold.metric.is_overhead() && !has_direct {
            return Err(QuestionError::ThresholdNeedsDirect {
                place: place(),
                threshold: threshold.to_string(),
            }
            .into());
        }
        if threshold.metric == Metric::Goodput && !has_goal {
            let threshold = threshold.to_string();
            return Err(QuestionError::ThresholdNeedsGoal { place: place(), threshold }.into());
        }
        let Some(named) = &threshold.scenario else { continue };
        if names.contains(&named.as_str()) {
            continue;
        }
        let names = names.iter().copied();
        let cure = match nearest(named, names.clone()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("name one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(
            QuestionError::ThresholdOfNoScenario { place: place(), scenario: named.clone(), cure }.into()
        );
    }
    Ok(())
}
