use super::*;
use crate::merge::fixtures::{block, closed, interval, requests, totals};
use crate::merge::{BlockMerge, MeasuredBlock};
use crate::statistics::overhead::{ArmBlock, Pair};
use crate::statistics::{Evidence, Merged};
use proto::interval::EndReason;
use proto::latencies::Latencies;
use proto::outcome::{Failure, FailureKind};

const MS: u64 = 1_000_000;

/// 99 successes of 10 ms in a second, and one failure.
fn figures() -> Figures {
    let mut merge = BlockMerge::new(block(closed(10), requests(100)), 1);
    let mut only = interval(0, (0.0, 1.0), &[10 * MS; 99]);
    let failure = Failure { kind: FailureKind::Timeout, status: None, detail: String::new() };
    only.counters.failures.insert(failure, 1);
    only.counters.offered += 1;
    only.counters.started += 1;
    merge.interval(0, &only).unwrap();
    merge.finished(0, totals(&[only], EndReason::Requests));
    let measured: MeasuredBlock = merge.finish(false);
    Figures::of_block(&Evidence::from(&measured), &Merged::of(&measured.workers))
}

fn judged(threshold: &str) -> Vec<Judged> {
    let figures = figures();
    let results = [("chat", None), ("tools", Some("2 in flight"))].map(|(scenario, load)| Measured {
        scenario,
        load,
        figures: &figures,
    });
    judge(&[threshold.to_owned()], &results, &[])
}

fn outcome(threshold: &str) -> Outcome {
    judged(threshold)[0].outcome
}

#[test]
fn a_figure_passes_or_misses() {
    use Outcome::{Missed, Passed};
    for (threshold, expected) in [
        ("p95<11ms", Passed),
        ("p95<9ms", Missed),
        ("mean>=9.9ms", Passed),
        ("max<10ms", Missed),
        ("p99.9<10.1ms", Passed),
        ("failed<=0", Missed),
        ("failed<=1", Passed),
        ("failed<1%", Missed),
        ("failed<=1%", Passed),
        ("dropped<=0%", Passed),
        ("throughput>98/s", Passed),
        ("throughput>99/s", Missed),
    ] {
        assert_eq!(outcome(threshold), expected, "{threshold}");
    }
}

#[test]
fn counts_are_shown_to_the_last_one() {
    let figures = Figures { failed: 1_234_567, throughput: Some(1_234_567.8), ..figures() };
    let found = |threshold: &str| {
        let measured = Measured { scenario: "chat", load: None, figures: &figures };
        judge(&[threshold.to_owned()], &[measured], &[])[0].found.clone()
    };
    assert_eq!(found("failed<5"), "1234567");
    assert_eq!(found("throughput>5/s"), "1234600/s");
}

#[test]
fn a_threshold_is_about_every_scenario_or_the_one_that_it_names() {
    let places = |threshold| {
        judged(threshold)
            .into_iter()
            .map(|judged| (judged.scenario.unwrap(), judged.load))
            .collect::<Vec<_>>()
    };
    assert_eq!(places("p95<1s"), [("chat".into(), None), ("tools".into(), Some("2 in flight".into()))]);
    assert_eq!(places("tools:p95<1s"), [("tools".into(), Some("2 in flight".into()))]);
}

#[test]
fn what_is_not_there_is_missed_with_its_reason() {
    for (threshold, why) in [
        ("ttft.p95<1s", "`ttft.p95<1s` of chat cannot be judged (nothing was streamed)"),
        ("other:p95<1s", "`other:p95<1s` of other cannot be judged (it was not measured)"),
        ("overhead.p95<1s", "`overhead.p95<1s` cannot be judged (it was not measured)"),
        ("what", "`what` cannot be judged (this is no threshold)"),
    ] {
        let judged = &judged(threshold)[0];
        assert!(judged.is_missed() && judged.measured.is_none());
        assert_eq!(judged.sentence(), why);
    }
    assert_eq!(judged("p95<9ms")[0].sentence(), "`p95<9ms` of chat is missed (10.002ms)");
}

#[test]
fn an_overhead_is_judged_by_its_estimate_and_shows_its_interval() {
    let of = |nanos| {
        let mut latencies = Latencies::default();
        (0..100).for_each(|_| latencies.response_time.record(nanos));
        latencies
    };
    let (gateway, direct) = (of(12 * MS), of(10 * MS));
    let arm = |latencies| ArmBlock::new(latencies, None);
    let overhead = Overhead::of(&[Pair { gateway: arm(&gateway), direct: arm(&direct) }; 3]);
    let compared = [Compared { scenario: "chat", load: None, overhead: &overhead }];
    let judged = |threshold: &str| judge(&[threshold.to_owned()], &[], &compared).remove(0);
    assert_eq!(judged("overhead.p50<3ms").outcome, Outcome::Passed);
    let missed = judged("chat:overhead.mean<1ms");
    assert_eq!(missed.outcome, Outcome::Missed);
    assert!(missed.found.starts_with("+1.999 ms [") && missed.found.ends_with(']'), "{missed:?}");
    assert_eq!(judged("overhead.p99<1ms").found, "too few samples (100 of 1000)");
    assert_eq!(judged("overhead.ttft.p50<1ms").found, "nothing was streamed");
}
