use std::time::Duration;

use proptest::prelude::*;
use proto::counters::Counters;
use proto::interval::{EndReason, Interval};
use proto::latencies::{Histogram, Latencies};
use proto::load::Extent;

use super::fixtures::{block, closed, interval, requests, seconds, totals};
use super::{BlockMerge, MeasuredBlock, MergeError, WorkerEnd};

const MS: u64 = 1_000_000;

fn merge(workers: u32) -> BlockMerge {
    BlockMerge::new(block(closed(10), requests(100)), workers)
}

#[test]
fn a_repeat_changes_nothing_and_a_gap_is_an_error() {
    let mut merge = merge(1);
    let first = interval(0, (0.0, 1.0), &[MS]);
    assert_eq!(merge.interval(0, &first), Ok(true));
    assert_eq!(merge.interval(0, &first), Ok(false));
    assert_eq!(
        merge.interval(0, &interval(2, (2.0, 3.0), &[MS])),
        Err(MergeError::Gap { worker: 0, expected: 1, received: 2 })
    );
    let backwards = merge.interval(0, &interval(1, (0.5, 1.5), &[MS])).unwrap_err();
    assert!(
        backwards.to_string().contains("from 500ms to 1.5s after it had reported up to 1s"),
        "{backwards}"
    );
    assert_eq!(merge.finish(false).workers[0].totals.successes, 1);
}

#[test]
fn nothing_is_taken_from_the_idle_the_lost_and_the_unknown() {
    let mut merge = BlockMerge::new(block(closed(2), requests(100)), 3);
    merge.lost(1, "it was killed");
    for worker in [1, 2, 9] {
        let refused = merge.interval(worker, &interval(0, (0.0, 1.0), &[MS])).unwrap_err();
        assert_eq!(refused, MergeError::NotRunning { worker, sequence: 0 });
    }
    let measured = merge.finish(false);
    assert_eq!(measured.workers[1].end, WorkerEnd::Lost { why: "it was killed".into() });
    assert_eq!(measured.workers[2].end, WorkerEnd::Idle);
    assert!(measured.series.is_empty());
}

#[test]
fn a_second_is_sealed_when_the_slowest_running_worker_has_passed_it() {
    let mut merge = merge(2);
    merge.interval(0, &interval(0, (0.0, 1.0), &[MS, MS])).unwrap();
    merge.interval(0, &interval(1, (1.0, 2.0), &[MS])).unwrap();
    assert_eq!(merge.live().last_second, None);
    assert_eq!((merge.live().elapsed, merge.live().successes), (seconds(2.0), 3));

    merge.interval(1, &interval(0, (0.0, 1.0), &[3 * MS])).unwrap();
    assert_eq!(merge.live().last_second.unwrap().throughput, 3.0);

    merge.lost(1, "it was killed");
    let live = merge.live();
    assert_eq!((live.last_second.unwrap().throughput, live.workers_alive, live.workers), (1.0, 1, 2));
    assert_eq!(live.so_far.unwrap().p50, Duration::from_nanos(1_000_447));
}

#[test]
fn totals_that_do_not_add_up_are_named() {
    let intervals = [interval(0, (0.0, 1.0), &[MS, 2 * MS])];
    let honest = totals(&intervals, EndReason::Requests);
    let mut lies = vec![honest.clone(); 5];
    lies[0].intervals = 2;
    lies[1].totals.successes = 3;
    lies[2].latencies.send_lag.record(5);
    lies[3].last_completion = Some(seconds(10.0));
    lies[4].last_completion = None;

    let mismatch = |finished| {
        let mut merge = merge(1);
        merge.interval(0, &intervals[0]).unwrap();
        merge.finished(0, finished);
        merge.finish(false).workers[0].mismatch.clone()
    };
    assert_eq!(mismatch(honest), None);
    let found: Vec<_> = lies.into_iter().map(|lie| mismatch(lie).unwrap()).collect();
    assert!(found[0].ends_with("1 intervals against 2"), "{found:?}");
    assert!(found[1].ends_with("2 successes against 3"), "{found:?}");
    assert!(found[2].ends_with("2 values of send_lag against 3"), "{found:?}");
    assert!(found[3].ends_with("a last completion between 0ns and 1s against at 10s"), "{found:?}");
    assert!(found[4].ends_with("a last completion between 0ns and 1s against none"), "{found:?}");
}

#[test]
fn only_what_ended_within_the_duration_is_in_the_window() {
    let mut merge = BlockMerge::new(block(closed(10), Extent::Duration(seconds(1.5))), 1);
    merge.interval(0, &interval(0, (0.0, 1.0), &[MS; 4])).unwrap();
    merge.interval(0, &interval(1, (1.0, 1.5), &[MS; 2])).unwrap();
    merge.interval(0, &interval(2, (1.5, 2.0), &[MS; 1])).unwrap();
    let worker = &merge.finish(false).workers[0];
    assert_eq!((worker.successes_in_window, worker.started_in_window, worker.totals.successes), (6, 6, 7));
}

#[test]
fn the_start_skew_reaches_from_the_first_thread_to_the_last() {
    let mut merge = merge(2);
    for (worker, planned, round_trip) in [(0, 0, 200), (1, 100, 400)] {
        merge.started(worker, Duration::from_micros(planned), Duration::from_micros(round_trip));
        merge.finished(worker, totals(&[], EndReason::Requests));
    }
    assert!(merge.is_complete());
    let measured = merge.finish(false);
    // Threads begin 5 to 20 µs late: from 5 µs (worker 0's first) to 120 µs (worker 1's last).
    assert_eq!(measured.start_skew.spread, Duration::from_micros(115));
    assert_eq!(measured.start_skew.uncertainty, Duration::from_micros(200));
    assert_eq!(measured.workers[1].start_offset, Some(Duration::from_micros(100)));
}

#[test]
fn shares_of_a_very_short_interval_are_no_reading() {
    let mut merge = merge(1);
    let mut short = interval(0, (0.0, 0.05), &[MS]);
    short.host.scheduler_lag = 0.9;
    merge.interval(0, &short).unwrap();
    merge.interval(0, &interval(1, (0.05, 1.0), &[MS])).unwrap();
    let host = merge.finish(false).workers[0].host;
    assert_eq!((host.scheduler_lag, host.resident_bytes), (0.01, 8 << 20));
}

#[test]
fn of_each_reading_the_highest_is_kept() {
    let mut merge = merge(1);
    let (mut first, mut second) = (interval(0, (0.0, 1.0), &[MS]), interval(1, (1.0, 2.0), &[MS]));
    (first.host.voluntary_switches, second.host.involuntary_switches) = (5_000, 70);
    second.host.reporting = Duration::from_millis(2);
    merge.interval(0, &first).unwrap();
    merge.interval(0, &second).unwrap();
    let host = merge.finish(false).workers[0].host;
    assert_eq!((host.voluntary_switches, host.involuntary_switches), (5_000, 70));
    assert_eq!(host.reporting, Duration::from_millis(2));
}

/// Each worker's intervals, and how many of them arrive before it is lost (`None`: all, and it finishes).
#[derive(Debug, Clone)]
struct Story {
    intervals: Vec<Interval>,
    lost_after: Option<usize>,
}

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let samples = prop::collection::vec(0u64..3_700_000_000_000, 0..6);
    let story = (prop::collection::vec(samples, 1..6), prop::option::weighted(0.3, 0usize..6), 0.1f64..1.0);
    prop::collection::vec(story, 1..5).prop_map(|workers| {
        let story = |(seconds, lost_after, last): (Vec<Vec<u64>>, Option<usize>, f64)| {
            let ends = |n: usize| if n + 1 == seconds.len() { n as f64 + last } else { (n + 1) as f64 };
            let intervals = seconds
                .iter()
                .enumerate()
                .map(|(n, samples)| interval(n as u64, (n as f64, ends(n)), samples));
            Story { intervals: intervals.collect(), lost_after }
        };
        workers.into_iter().map(story).collect()
    })
}

/// Feeds the stories in an order that `dice` decides; within one worker the order stays.
fn tell(stories: &[Story], dice: &[usize]) -> (MeasuredBlock, Vec<&'static str>) {
    let mut merge = merge(stories.len() as u32);
    let mut next = vec![0; stories.len()];
    let mut problems = Vec::new();
    let mut dice = dice.iter().cycle();
    while !merge.is_complete() {
        let waiting: Vec<usize> = (0..stories.len()).filter(|worker| next[*worker] != usize::MAX).collect();
        let worker = waiting[dice.next().unwrap() % waiting.len()];
        let (story, at, number) = (&stories[worker], next[worker], worker as u32);
        if story.lost_after.is_some_and(|lost_after| at >= lost_after) {
            merge.lost(number, "it was killed");
            next[worker] = usize::MAX;
        } else if let Some(interval) = story.intervals.get(at) {
            if merge.interval(number, interval) != Ok(true) {
                problems.push("an interval was refused");
            }
            next[worker] += 1;
        } else {
            merge.finished(number, totals(&story.intervals, EndReason::Requests));
            next[worker] = usize::MAX;
        }
    }
    (merge.finish(false), problems)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn merged_equals_pooled(stories in stories(), dice in prop::collection::vec(0usize..100, 1..40)) {
        let (measured, problems) = tell(&stories, &dice);
        prop_assert_eq!(problems, Vec::<&str>::new());

        let arrived = |story: &Story| story.lost_after.unwrap_or(usize::MAX).min(story.intervals.len());
        let (mut pooled, mut counted) = (Latencies::default(), Counters::default());
        for story in &stories {
            for interval in &story.intervals[..arrived(story)] {
                pooled.merge(&interval.latencies);
                counted.add(&interval.counters);
            }
        }

        let (mut over_workers, mut worker_counts) = (Latencies::default(), Counters::default());
        for worker in &measured.workers {
            prop_assert_eq!(&worker.mismatch, &None);
            over_workers.merge(&worker.latencies);
            worker_counts.add(&worker.totals);
        }
        prop_assert_eq!(&over_workers, &pooled);
        prop_assert_eq!(&worker_counts, &counted);

        let (mut over_seconds, mut second_counts) = (Histogram::new(), Counters::default());
        for point in &measured.series {
            let encoded = &point.response_time;
            let decoded = Histogram::decode(&encoded.v2_deflate).unwrap();
            over_seconds.merge(&decoded.with_out_of_range(encoded.below_range, encoded.above_range));
            second_counts.add(&point.counters);
        }
        prop_assert_eq!(over_seconds, pooled.response_time);
        prop_assert_eq!(second_counts, counted);

        // Every second appears once, in order: none was sealed before its last interval had come.
        let starts: Vec<_> = measured.series.iter().map(|point| point.start.as_secs()).collect();
        prop_assert_eq!(starts, (0..measured.series.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn the_last_minute_has_whole_seconds_alone() {
    let mut merge = BlockMerge::new(block(closed(1), requests(1_000)), 1);
    let spans = [(0.0, 1.0, 10), (1.0, 1.5, 6), (1.5, 2.0, 4), (2.0, 2.05, 1)];
    for (sequence, (start, end, count)) in spans.into_iter().enumerate() {
        merge.interval(0, &interval(sequence as u64, (start, end), &vec![5_000_000; count])).unwrap();
    }
    // A second in two pieces is one, and what is left of the third says nothing of a rate.
    assert_eq!(merge.live().last_minute, [10.0, 10.0]);
}
