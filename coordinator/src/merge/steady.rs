//! Which seconds of a block tell how fast the target is: those in which the whole load was at work. Pure.

use std::time::Duration;

use proto::counters::Counters;
use proto::load::{Extent, Load};

use super::series::OpenSecond;
use crate::plan::Block;

/// A shorter span is what was left of a second: too few requests come to their end in it for a rate.
pub(crate) const SHORTEST_WHOLE_SECOND: Duration = Duration::from_millis(900);

/// Looks at the seconds of a block as they are sealed, in order.
#[derive(Debug)]
pub(super) struct Steady {
    extent: Extent,
    /// Requests of a closed loop that are in flight until the first connection has sent its part of a count.
    places: Option<u64>,
    /// Workers that have something to do. Where one was lost, its share of the load is missing from then on.
    workers: usize,
    /// Requests that the schedule wanted so far.
    offered: u64,
    /// Requests that are under way.
    in_flight: u64,
    /// Whether any request had come to its end before.
    has_answers: bool,
    /// Where the last such second starts.
    last: Option<Duration>,
}

impl Steady {
    /// Of a block on so many workers that have something to do.
    pub(super) fn new(block: &Block, workers: u32) -> Self {
        let places = match &block.load {
            Load::Closed { concurrency, think_time: None } => Some(u64::from(concurrency.get())),
            Load::Closed { .. } | Load::Open { .. } => None,
        };
        Self {
            extent: block.extent,
            places: places.filter(|_| block.extent.requests().is_some()),
            workers: workers as usize,
            offered: 0,
            in_flight: 0,
            has_answers: false,
            last: None,
        }
    }

    /// Where the last second starts in which the whole load was at work; `None` before there is one.
    pub(super) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Takes the next second.
    pub(super) fn pass(&mut self, start: Duration, second: &OpenSecond) {
        let Counters { offered, started, successes, .. } = second.counters;
        let failed = second.counters.failed();
        self.offered = self.offered.saturating_add(offered);
        self.in_flight =
            self.in_flight.saturating_add(started).saturating_sub(successes.saturating_add(failed));
        // The first answers take as long as they take, and fewer come in that second than are asked for.
        let is_filled = self.has_answers;
        self.has_answers |= successes > 0 || failed > 0;
        let is_whole = second.shortest_end.saturating_sub(start) >= SHORTEST_WHOLE_SECOND;
        let is_of_all = second.workers.len() == self.workers;
        // Behind both, nothing is sent any more, and what comes is what was left.
        let in_time = self.extent.duration().is_none_or(|duration| second.end <= duration);
        let is_wanted = self.extent.requests().is_none_or(|requests| self.offered < requests.get());
        // Each connection has a part of a count of its own, and is idle behind it. One whose request failed may rest as well,
        // and that is the target's doing.
        let is_busy = failed > 0 || self.places.is_none_or(|places| self.in_flight >= places - places / 10);
        if is_filled && is_whole && is_of_all && in_time && is_wanted && is_busy {
            self.last = Some(start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockMerge;
    use super::super::fixtures::{
        block, closed, interval, mixed_block, mixed_interval, open, requests, totals,
    };
    use super::*;
    use proto::interval::EndReason;
    use proto::outcome::{Failure, FailureKind};

    const MS: u64 = 1_000_000;

    fn seconds(seconds: u64) -> Extent {
        Extent::Duration(Duration::from_secs(seconds))
    }

    /// After each interval of a single worker, given by its end and its answers.
    fn followed(extent: Extent, ends: &[(f64, usize)]) -> Vec<Option<f64>> {
        let mut merge = BlockMerge::new(block(open(100), extent), 1);
        let starts = std::iter::once(0.0).chain(ends.iter().map(|(end, _)| *end));
        let mut seen = Vec::new();
        for (at, (start, (end, answers))) in starts.zip(ends).enumerate() {
            let told = interval(at as u64, (start, *end), &vec![MS; *answers]);
            merge.interval(0, &told).unwrap();
            seen.push(merge.live().steady_throughput);
        }
        seen
    }

    #[test]
    fn what_is_drained_says_nothing_of_the_target() {
        let seen = followed(seconds(3), &[(1.0, 50), (2.0, 100), (3.0, 100), (4.0, 10), (4.2, 1)]);
        assert_eq!(seen, [None, Some(100.0), Some(100.0), Some(100.0), Some(100.0)]);
        // Of a count, once all are on their way.
        let seen = followed(requests(250), &[(1.0, 100), (2.0, 100), (3.0, 50), (4.0, 1)]);
        assert_eq!(seen, [None, Some(100.0), Some(100.0), Some(100.0)]);
    }

    #[test]
    fn connections_that_have_sent_their_part_of_a_count_are_the_tail() {
        let seconds = |failed: u64| {
            let mut merge = BlockMerge::new(block(closed(10), requests(1_000)), 1);
            let ended = [(100, 110), (100, 100), (60, 53), (30, 27)];
            let mut seen = Vec::new();
            for (at, (successes, started)) in (0u64..).zip(ended) {
                let span = (at as f64, at as f64 + 1.0);
                let mut told = interval(at, span, &vec![MS; successes]);
                (told.counters.started, told.counters.offered) = (started, started);
                let failure = Failure { kind: FailureKind::Reset, status: None, detail: String::new() };
                told.counters.failures.insert(failure, failed);
                merge.interval(0, &told).unwrap();
                seen.push(merge.live().steady_throughput);
            }
            seen
        };
        // At the ends of the last two seconds 3 and 0 of 10 are in flight.
        assert_eq!(seconds(0), [None, Some(100.0), Some(100.0), Some(100.0)]);
        assert_eq!(seconds(1), [None, Some(100.0), Some(60.0), Some(30.0)]);
    }

    #[test]
    fn nothing_is_said_until_answers_have_begun_to_come() {
        let seen = followed(seconds(9), &[(1.0, 0), (2.0, 0), (3.0, 50), (4.0, 100), (5.0, 0)]);
        assert_eq!(seen, [None, None, None, Some(100.0), Some(0.0)]);
    }

    #[test]
    fn what_is_left_of_a_second_is_no_second() {
        let seen = followed(seconds(9), &[(1.0, 100), (2.0, 100), (2.3, 1), (3.0, 2), (4.0, 90)]);
        assert_eq!(seen, [None, Some(100.0), Some(100.0), Some(100.0), Some(90.0)]);
    }

    #[test]
    fn a_second_in_which_a_worker_was_missing_says_nothing() {
        let mut merge = BlockMerge::new(block(open(100), requests(100_000)), 2);
        let mut both = |ends: [f64; 2], start: f64, sequence: u64| {
            for (worker, end) in (0..).zip(ends) {
                merge.interval(worker, &interval(sequence, (start, end), &[MS; 50])).unwrap();
            }
            merge.live().steady_throughput
        };
        assert_eq!(both([1.0, 1.0], 0.0, 0), None);
        assert_eq!(both([2.0, 2.0], 1.0, 1), Some(100.0));
        // One of them is done soon after the second has begun.
        assert_eq!(both([3.0, 2.1], 2.0, 2), Some(100.0));
        merge.finished(1, totals(&[], EndReason::Requests));
        merge.interval(0, &interval(3, (3.0, 4.0), &[MS; 20])).unwrap();
        assert_eq!(merge.live().steady_throughput, Some(100.0));
        assert_eq!(merge.live().last_second.unwrap().throughput, 20.0);
    }

    #[test]
    fn scenarios_of_a_mix_are_looked_at_in_the_same_second() {
        let mut merge = BlockMerge::new(mixed_block(open(100), seconds(2)), 1);
        for (at, start) in [0.0, 1.0, 2.0].into_iter().enumerate() {
            let told = mixed_interval(at as u64, (start, start + 1.0), [&vec![MS; 7 - at], &[MS; 3]]);
            merge.interval(0, &told).unwrap();
        }
        let live = merge.live();
        let parts: Vec<_> = live.parts.iter().map(|part| part.steady_throughput).collect();
        assert_eq!((live.steady_throughput, parts), (Some(9.0), vec![Some(6.0), Some(3.0)]));
    }
}
