use proto::load::Rate;

use super::*;
use crate::capacity::{Step, StepKind};
use crate::report::fixtures;
use crate::report::record::RunRecord;
use crate::statistics::Distribution;
use crate::statistics::verdict::{Finding, Verdict};

const MS: u64 = 1_000_000;

/// A block that was put off its cores in a second: engine threads ran for one share of it and waited for another.
fn starved((busy, waited): (f64, f64)) -> BlockRecord {
    let mut record: RunRecord = fixtures::record_of(&[fixtures::calm_block()]);
    let mut block = record.blocks.remove(0);
    for worker in &mut block.workers {
        (worker.host.busiest_thread, worker.host.scheduler_lag) = (busy, waited);
    }
    let reason = "too much else runs on its machine".into();
    block.findings =
        vec![Finding { rule: "starved".into(), verdict: Verdict::Suspect, reason, accepted: false }];
    block
}

fn step() -> Step {
    let rate = Rate::from_millihertz(1_000_000).unwrap();
    Step { rate, duration: Duration::from_secs(1), kind: StepKind::Fine }
}

/// What of the machines is to blame where the slowest answers took this long, and 250 ms are allowed.
fn blamed(block: &BlockRecord, p99_ms: u64) -> Option<Limit> {
    let mut block = block.clone();
    let times = block.figures.response_time.as_mut().unwrap();
    times.p99_ns = p99_ms * MS;
    let tried = block.tried(step(), &["p99<250ms".into()], None);
    assert!(tried.failure.is_some());
    tried.limit
}

#[test]
fn what_threads_catch_up_with_is_not_what_a_growing_queue_comes_from() {
    let growing = |of_threads| {
        let block = BlockRecord { aborted: Some("229 requests wait".into()), ..starved(of_threads) };
        block.tried(step(), &[], None).limit
    };
    assert_eq!(growing((0.02, 0.19)), None, "they had nothing to do for most of each second");
    assert_eq!(growing((0.2, 0.8)), Some(Limit::Cores));
    let mut robbed = BlockRecord { aborted: Some("229 requests wait".into()), ..starved((0.5, 0.0)) };
    robbed.workers[0].host.steal = 0.45;
    assert_eq!(robbed.tried(step(), &[], None).limit, Some(Limit::Cores));
}

#[test]
fn answers_that_are_later_than_all_waits_together_are_the_targets() {
    let block = starved((0.2, 0.15));
    assert_eq!(blamed(&block, 400), Some(Limit::Cores), "150 ms, twice, may be in it");
    assert_eq!(blamed(&block, 600), None);
    assert_eq!(blamed(&starved((0.2, 0.75)), 600_000), Some(Limit::Cores), "nobody knows what comes of that");
}

#[test]
fn answers_that_failed_did_not_wait_for_a_core() {
    let failed = |kind: FailureKind| {
        let mut block = starved((0.2, 0.15));
        block.totals = fixtures::record_of(&[fixtures::rough_block()]).blocks[0].totals.clone();
        block.totals.failures.truncate(1);
        block.totals.failures[0].kind = kind;
        block.figures.failure_rate = Some(0.02);
        block.tried(step(), &["failed<0.1%".into()], None).limit
    };
    assert_eq!(failed(FailureKind::Status), None);
    assert_eq!(failed(FailureKind::Timeout), Some(Limit::Cores));
}

#[test]
fn a_thread_without_room_is_to_blame_for_whatever_fails() {
    let mut block = starved((0.95, 0.0));
    block.findings[0].rule = "generator_cpu".into();
    assert_eq!(blamed(&block, 600_000), Some(Limit::Threads));
    assert!(block.more_workers(Some(Limit::Threads)) >= 1);
}

#[test]
fn where_all_connections_are_taken_answers_must_have_become_slower_to_be_the_targets() {
    let mut block = starved((0.1, 0.0));
    block.findings.clear();
    let places = block.places();
    let mut blamed = |waiting: u64, takes_ms: u64, usual_ms: Option<u64>| {
        let took = Distribution { p50_ns: takes_ms * MS, ..block.figures.service_time.unwrap() };
        block.figures.service_time = Some(took);
        let usual = usual_ms.map(Duration::from_millis);
        block.blame(&Shortcoming { grows: true, missed: None, waiting, usual }).map(|(limit, _)| limit)
    };
    assert_eq!(blamed(places + 1, 1_010, Some(1_000)), Some(Limit::Connections));
    assert_eq!(blamed(places, 1_010, Some(1_000)), None, "one was free");
    assert_eq!(blamed(places + 1, 51, Some(1)), None, "they wait for each other in the target");
    assert_eq!(blamed(places + 1, 1_010, None), None);

    // 1,000 a second, each of which takes 1.2 s, and room for as many as there are places: so many times more, and some.
    block.figures.service_time =
        Some(Distribution { p50_ns: 1_200 * MS, ..block.figures.service_time.unwrap() });
    block.figures.offered_rate = Some(1_000.0);
    let workers = block.workers.len() as f64;
    let wanted = (workers * 1_200.0 / places as f64 / COMFORTABLE).ceil() - workers;
    assert_eq!(f64::from(block.more_workers(Some(Limit::Connections))), wanted);
}
