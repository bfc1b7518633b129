//! Orders, and what comes of them.

use std::time::Duration;

use proto::interval::EndReason;
use proto::load::Load;
use proto::wire::command::Command;
use proto::wire::{self, FaultKind};

use super::support::{Counting, Worker, assert_adds_up, steady};

#[tokio::test]
async fn the_totals_are_the_sum_of_the_intervals() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let stream = worker.begin(&steady(&target, "a", Duration::from_millis(2200))).await;
    let (intervals, finished) = stream.rest().await;
    assert_adds_up(&intervals, &finished);
    assert_eq!((finished.end_reason, finished.assignment_id.as_str()), (EndReason::Duration, "a"));
    assert_eq!((finished.totals.successes, target.requests()), (220, 220));
    assert!(intervals.len() >= 3, "{} intervals", intervals.len());
}

#[tokio::test]
async fn an_order_to_start_that_comes_before_the_engine_is_made_stands() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut stream = worker.assign(&steady(&target, "a", Duration::from_millis(100))).await;
    stream.start().await;
    stream.ready().await;
    assert_eq!(stream.rest().await.1.totals.successes, 10);
}

#[tokio::test]
async fn the_first_order_to_start_stands() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut stream = worker.begin(&steady(&target, "a", Duration::from_millis(500))).await;
    stream.send(Command::Start(wire::Start { delay_ns: 3_600_000_000_000 })).await;
    assert_eq!(stream.rest().await.1.totals.successes, 50);
}

#[tokio::test]
async fn a_stop_abandons_what_is_in_flight_and_reports_it() {
    let (worker, target) = (Worker::start().await, Counting::hanging().await);
    let mut assignment = steady(&target, "a", Duration::from_secs(3600));
    assignment.load = Load::Closed { concurrency: 4.try_into().unwrap(), think_time: None };
    let mut stream = worker.begin(&assignment).await;
    target.wait_for(4).await;
    stream.send(Command::Stop(wire::Stop {})).await;
    let (intervals, finished) = stream.rest().await;
    assert_adds_up(&intervals, &finished);
    assert_eq!(finished.end_reason, EndReason::Stopped);
    assert_eq!((finished.totals.started, finished.totals.abandoned), (4, 4));
}

#[tokio::test]
async fn a_stop_before_the_start_ends_a_block_that_never_was() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut stream = worker.assign(&steady(&target, "a", Duration::from_secs(3600))).await;
    stream.ready().await;
    stream.send(Command::Stop(wire::Stop {})).await;
    let (intervals, finished) = stream.rest().await;
    assert_eq!((intervals.len(), finished.end_reason), (0, EndReason::Stopped));
    assert_eq!((finished.totals.offered, target.requests()), (0, 0));
}

#[tokio::test]
async fn orders_without_an_assignment_do_no_harm() {
    let worker = Worker::start().await;
    let mut stream = worker.connect().await;
    stream.start().await;
    stream.send(Command::Stop(wire::Stop {})).await;
    stream.send(Command::Acknowledge(wire::Acknowledge { sequence: 9 })).await;
    stream.settle().await;
}

#[tokio::test]
async fn an_assignment_that_makes_no_sense_is_refused_with_the_field() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let sound = wire::Assignment::from(&steady(&target, "a", Duration::from_millis(100)));
    let no_id = wire::Assignment { id: String::new(), ..sound.clone() };
    let no_target = wire::Assignment { target: None, ..sound.clone() };
    let no_load = wire::Assignment { load: None, ..sound.clone() };
    let no_end = wire::Assignment { duration_ns: None, ..sound.clone() };
    let no_lease = wire::Assignment { lease_ns: 0, ..sound.clone() };
    let no_worker = wire::Assignment { worker_index: 1, worker_count: 1, ..sound.clone() };
    let cases = [
        (no_id, "assignment.id"),
        (no_target, "assignment.target"),
        (no_load, "assignment.load"),
        (no_end, "assignment.requests"),
        (no_lease, "assignment.lease_ns"),
        (no_worker, "assignment.worker_index"),
    ];
    let mut stream = worker.connect().await;
    for (assignment, field) in cases {
        stream.send(Command::Assignment(assignment)).await;
        let fault = stream.fault().await;
        assert_eq!(fault.kind, FaultKind::Refused as i32, "{}", fault.message);
        assert!(fault.message.contains(field), "no {field} in: {}", fault.message);
    }
    // The worker is free all the same, and the stream too.
    stream.send(Command::Assignment(sound)).await;
    stream.ready().await;
}

#[tokio::test]
async fn a_target_that_cannot_be_used_is_a_fault_of_its_own() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut assignment = steady(&target, "a", Duration::from_millis(100));
    assignment.target.url.set_scheme("https").unwrap();
    assignment.target.extra_roots = Some("no certificates".into());
    let fault = worker.assign(&assignment).await.fault().await;
    assert_eq!(fault.kind, FaultKind::Target as i32, "{}", fault.message);
    assert!(fault.message.contains("--target-ca"), "{}", fault.message);
}
