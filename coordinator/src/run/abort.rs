//! Ends a run that is hopeless: a condition that came true while a block ran.

use std::time::Duration;

use super::measure::Watch;
use crate::merge::{Live, Percentiles};
use crate::plan::{Block, Purpose};
use crate::threshold::{Metric, Quantity, Statistic, Threshold, Times};

/// With fewer answers than these nothing is known yet.
const FEWEST_ANSWERS: u64 = 20;

/// Ends a block when one of the conditions that are about it comes true. A check at half the concurrency, which brings half the
/// throughput at best, is not what they are about.
pub(super) fn watch<'a>(conditions: &'a [Threshold], block: &'a Block) -> Watch<'a> {
    if block.purpose == Purpose::QueueingCheck {
        return Box::new(|_| None);
    }
    Box::new(move |live| {
        conditions.iter().find_map(|condition| {
            let of = about(condition, block, live)?;
            let found = measured(of, condition.metric, condition.bound)?;
            let is_true = condition.comparison.holds(found, condition.bound.number());
            is_true.then(|| format!("`{condition}` came true ({})", condition.bound.with_number(found)))
        })
    })
}

/// What a condition looks at: the whole block, or the scenario of it that it names; `None` where that is not of it.
fn about<'a>(condition: &Threshold, block: &Block, live: &'a Live) -> Option<&'a Live> {
    let Some(named) = &condition.scenario else { return Some(live) };
    if block.scenario.name == *named {
        return Some(live);
    }
    live.parts.get(block.mix.iter().position(|mixed| mixed.scenario.name == *named)?)
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
        Metric::Throughput => live.steady_throughput,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::BlockMerge;
    use crate::merge::fixtures::{block, closed, interval, mixed_block, mixed_interval, open, requests};
    use proto::load::Extent;

    const MS: u64 = 1_000_000;

    fn said(block: &Block, live: &Live, condition: &str) -> Option<String> {
        watch(&[condition.parse().unwrap()], block)(live)
    }

    #[test]
    fn a_condition_is_about_every_block_or_the_scenario_that_it_names() {
        let one = block(closed(10), requests(100));
        let mut merge = BlockMerge::new(one.clone(), 1);
        merge.interval(0, &interval(0, (0.0, 1.0), &[5 * MS; 40])).unwrap();
        let live = merge.live();
        assert!(said(&one, &live, "p50>1ms").is_some() && said(&one, &live, "simple_chat:p50>1ms").is_some());
        assert_eq!(said(&one, &live, "chat_with_tools:p50>1ms"), None);
        assert_eq!(said(&one, &live, "p50>6ms"), None);
    }

    #[test]
    fn a_check_at_half_the_concurrency_ends_no_run() {
        let mut one = block(closed(5), requests(100));
        let mut merge = BlockMerge::new(one.clone(), 1);
        merge.interval(0, &interval(0, (0.0, 1.0), &[5 * MS; 40])).unwrap();
        assert!(said(&one, &merge.live(), "p50>1ms").is_some());
        one.purpose = Purpose::QueueingCheck;
        assert_eq!(said(&one, &merge.live(), "p50>1ms"), None);
    }

    #[test]
    fn a_low_throughput_is_one_of_a_second_in_which_the_whole_load_was_at_work() {
        let one = block(open(100), Extent::Duration(Duration::from_secs(3)));
        let mut merge = BlockMerge::new(one.clone(), 1);
        let mut said_after = |second: u64, answers: usize| {
            let span = (second as f64, second as f64 + 1.0);
            merge.interval(0, &interval(second, span, &vec![5 * MS; answers])).unwrap();
            said(&one, &merge.live(), "throughput<80/s")
        };
        // Answers take half a second, so that the first one has half of them; the last is what was still under way.
        assert_eq!(
            [(0, 50), (1, 100), (2, 100), (3, 50)].map(|(second, answers)| said_after(second, answers)),
            [None, None, None, None]
        );

        let mut merge = BlockMerge::new(one.clone(), 1);
        for (second, answers) in [(0, 100), (1, 79)] {
            let span = (second as f64, second as f64 + 1.0);
            merge.interval(0, &interval(second, span, &vec![5 * MS; answers])).unwrap();
        }
        let said = said(&one, &merge.live(), "throughput<80/s").unwrap();
        assert_eq!(said, "`throughput<80/s` came true (79/s)");
    }

    #[test]
    fn a_scenario_of_a_mix_is_looked_at_by_itself() {
        let mixed = mixed_block(closed(10), requests(100));
        let mut merge = BlockMerge::new(mixed.clone(), 1);
        merge.interval(0, &mixed_interval(0, (0.0, 1.0), [&[2 * MS; 70], &[9 * MS; 30]])).unwrap();
        let live = merge.live();
        assert_eq!(live.parts.iter().map(|part| part.successes).collect::<Vec<_>>(), [70, 30]);
        assert!(said(&mixed, &live, "chat_with_tools:p50>5ms").unwrap().contains("came true (9"));
        assert_eq!(said(&mixed, &live, "simple_chat:p50>5ms"), None);
        assert_eq!(said(&mixed, &live, "p50>5ms"), None);
        assert!(said(&mixed, &live, "together:p95>5ms").is_some());
    }
}
