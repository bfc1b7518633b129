//! Ends a run that is hopeless: a condition that came true while a block ran.

use std::time::Duration;

use super::measure::Watch;
use crate::merge::{Live, Percentiles};
use crate::threshold::{Metric, Quantity, Statistic, Threshold, Times};

/// With fewer answers than these nothing is known yet.
const FEWEST_ANSWERS: u64 = 20;

/// Ends a block when one of the conditions comes true.
pub(super) fn watch(conditions: &[Threshold]) -> Watch<'_> {
    Box::new(move |live| {
        let is_true = |condition: &&Threshold| {
            let found = measured(live, condition.metric, condition.bound);
            found.is_some_and(|found| condition.comparison.holds(found, condition.bound.number()))
        };
        let condition = conditions.iter().find(is_true)?;
        let found = measured(live, condition.metric, condition.bound)?;
        Some(format!("`{condition}` came true ({})", condition.bound.with_number(found)))
    })
}

/// The block's figure so far; `None` as long as there is none.
fn measured(live: &Live, metric: Metric, bound: Quantity) -> Option<f64> {
    let ended = live.successes + live.failed;
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let is_share = matches!(bound, Quantity::Share(_));
    match metric {
        _ if ended < FEWEST_ANSWERS => None,
        Metric::Time(Times::Response, statistic) => {
            at(live.so_far?, statistic).map(|time| time.as_nanos() as f64)
        }
        Metric::Failed if is_share => Some(share(live.failed, ended)),
        Metric::Failed => Some(live.failed as f64),
        Metric::Dropped if is_share => Some(share(live.dropped, live.offered)),
        Metric::Dropped => Some(live.dropped as f64),
        Metric::Throughput => Some(live.last_second?.throughput),
        Metric::Time(..) | Metric::Added(..) | Metric::Goodput => None,
    }
}

fn at(percentiles: Percentiles, statistic: Statistic) -> Option<Duration> {
    match statistic {
        Statistic::P50 => Some(percentiles.p50),
        Statistic::P95 => Some(percentiles.p95),
        Statistic::P99 => Some(percentiles.p99),
        Statistic::Mean | Statistic::P999 | Statistic::Max => None,
    }
}
