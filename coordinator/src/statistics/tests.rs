use std::num::NonZeroU64;

use proto::interval::EndReason;
use proto::load::Extent;
use proto::outcome::{Failure, FailureKind};

use super::{Distribution, Evidence, Figures, Merged, WindowEnd};
use crate::merge::fixtures::{block, closed, interval, open, requests, seconds, totals};
use crate::merge::{BlockMerge, MeasuredBlock};

const MS: u64 = 1_000_000;

fn figures(measured: &MeasuredBlock) -> Figures {
    Figures::of_block(&Evidence::from(measured), &Merged::of(&measured.workers))
}

#[test]
fn a_count_block_runs_to_the_last_completion_and_states_its_tail() {
    let mut merge = BlockMerge::new(block(closed(2), requests(6)), 2);
    for (worker, times) in [(0, &[MS; 4][..]), (1, &[2 * MS; 2])] {
        let only = interval(0, (0.0, 1.0), times);
        merge.interval(worker, &only).unwrap();
        let mut finished = totals(&[only], EndReason::Requests);
        finished.last_completion = Some(seconds(if worker == 0 { 0.8 } else { 0.5 }));
        merge.finished(worker, finished);
    }
    let measured = merge.finish(false);
    let figures = figures(&measured);

    assert_eq!((figures.window.end, figures.window.length_ns), (WindowEnd::LastCompletion, 800 * MS));
    assert_eq!(figures.throughput, Some(7.5), "6 successes in 0.8 s");
    assert_eq!(figures.tail_ns, Some(300 * MS));
    assert_eq!((figures.requests, figures.successes, figures.failed), (6, 6, 0));
    assert_eq!(figures.failure_rate, Some(0.0));

    let workers: Vec<_> =
        measured.workers.iter().map(|worker| Figures::of_worker(figures.window, worker)).collect();
    assert_eq!((workers[0].throughput, workers[1].throughput), (Some(5.0), Some(2.5)));
}

#[test]
fn a_duration_block_counts_what_completed_within_it_and_the_drained_enter_latency_only() {
    let mut merge = BlockMerge::new(block(open(5), Extent::Duration(seconds(2.0))), 1);
    let intervals = [
        interval(0, (0.0, 1.0), &[MS; 5]),
        interval(1, (1.0, 2.0), &[MS; 3]),
        interval(2, (2.0, 2.5), &[900 * MS; 2]),
    ];
    intervals.iter().for_each(|interval| assert_eq!(merge.interval(0, interval), Ok(true)));
    merge.finished(0, totals(&intervals, EndReason::Duration));
    let figures = figures(&merge.finish(false));

    assert_eq!((figures.window.end, figures.window.length_ns), (WindowEnd::Duration, 2_000 * MS));
    assert_eq!((figures.throughput, figures.achieved_rate), (Some(4.0), Some(4.0)), "8 in 2 s");
    assert_eq!(figures.offered_rate, Some(5.0), "10 in 2 s");
    assert_eq!(figures.response_time.unwrap().count, 10);
    assert_eq!(figures.tail_ns, None);
}

#[test]
fn whichever_limit_came_first_ends_the_window() {
    let limits = Extent::Either(NonZeroU64::new(4).unwrap(), seconds(10.0));
    let window = |reason| {
        let mut merge = BlockMerge::new(block(closed(1), limits), 1);
        let only = interval(0, (0.0, 0.4), &[100 * MS; 4]);
        merge.interval(0, &only).unwrap();
        merge.finished(0, totals(&[only], reason));
        figures(&merge.finish(false)).window
    };
    assert_eq!(window(EndReason::Requests).length_ns, 400 * MS);
    assert_eq!(window(EndReason::Requests).end, WindowEnd::LastCompletion);
    assert_eq!(window(EndReason::Duration).length_ns, 10_000 * MS);
}

#[test]
fn a_block_that_was_cut_short_runs_to_the_last_interval() {
    let cut = |interrupted: bool, start: f64| {
        let mut merge = BlockMerge::new(block(closed(1), Extent::Duration(seconds(10.0))), 1);
        merge.interval(0, &interval(0, (start, start + 1.0), &[MS; 4])).unwrap();
        figures(&merge.finish(interrupted)).window
    };
    for interrupted in [true, false] {
        assert_eq!(cut(interrupted, 2.0).end, WindowEnd::LastInterval);
        assert_eq!(cut(interrupted, 2.0).length_ns, 3_000 * MS);
    }
    assert_eq!(cut(true, 11.0).end, WindowEnd::Duration, "interrupted while draining");
}

#[test]
fn a_lost_worker_reaches_as_far_as_its_last_interval() {
    let mut merge = BlockMerge::new(block(closed(2), requests(100)), 2);
    let only = interval(0, (0.0, 1.0), &[MS; 4]);
    merge.interval(0, &only).unwrap();
    merge.finished(0, totals(std::slice::from_ref(&only), EndReason::Requests));
    merge.interval(1, &only).unwrap();
    merge.interval(1, &interval(1, (1.0, 2.0), &[MS; 2])).unwrap();
    merge.lost(1, "it was killed");
    let figures = figures(&merge.finish(false));
    assert_eq!((figures.window.length_ns, figures.throughput), (2_000 * MS, Some(5.0)));
    assert_eq!(figures.tail_ns, None, "only one worker's last completion is known");
}

#[test]
fn percentiles_are_the_ranks_of_the_pooled_values() {
    // 1 to 1,000 ms: the value of rank q × 1,000, to three digits.
    let mut histogram = proto::latencies::Histogram::new();
    (1..=1_000).for_each(|milliseconds| histogram.record(milliseconds * MS));
    let distribution = Distribution::of(&histogram).unwrap();
    let close = |nanos: u64, milliseconds: f64| {
        let error = (nanos as f64 / MS as f64 - milliseconds).abs() / milliseconds;
        assert!(error < 0.001, "{nanos} is not {milliseconds} ms");
    };
    close(distribution.mean_ns, 500.5);
    close(distribution.p50_ns, 500.0);
    close(distribution.p95_ns, 950.0);
    close(distribution.p99_ns, 990.0);
    close(distribution.p999_ns, 999.0);
    close(distribution.max_ns, 1_000.0);
    assert_eq!((distribution.count, distribution.above_range), (1_000, 0));
}

#[test]
fn without_samples_there_are_no_figures() {
    let mut merge = BlockMerge::new(block(closed(1), requests(3)), 1);
    let mut only = interval(0, (0.0, 1.0), &[]);
    only.counters.offered = 4;
    only.counters.started = 4;
    only.counters.abandoned = 1;
    let failure = Failure { kind: FailureKind::Status, status: Some(500), detail: String::new() };
    only.counters.failures.insert(failure, 3);
    merge.interval(0, &only).unwrap();
    let failing = figures(&merge.finish(true));
    assert_eq!((failing.response_time, failing.coalesced_share), (None, None));
    assert_eq!((failing.failed, failing.failure_rate, failing.throughput), (3, Some(1.0), Some(0.0)));

    let nothing = figures(&BlockMerge::new(block(closed(1), requests(3)), 1).finish(true));
    assert_eq!((nothing.throughput, nothing.failure_rate, nothing.window.length_ns), (None, None, 0));
}

#[test]
fn the_coalesced_share_is_of_content_events() {
    let mut merge = BlockMerge::new(block(closed(1), requests(1)), 1);
    let mut only = interval(0, (0.0, 1.0), &[5 * MS]);
    only.counters.content_events = 8;
    only.counters.coalesced_events = 2;
    only.latencies.inter_token_gap.record(0);
    merge.interval(0, &only).unwrap();
    let figures = figures(&merge.finish(true));
    assert_eq!(figures.coalesced_share, Some(0.25));
    assert_eq!(figures.inter_token_gap.unwrap().below_range, 1, "a gap of zero is below 100 ns");
}
