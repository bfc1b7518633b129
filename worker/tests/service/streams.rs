//! Streams that break: the block goes on, and what was not acknowledged is told again.

use std::time::Duration;

use proto::interval::EndReason;
use proto::wire::{self, command::Command};
use tokio::time::sleep;

use super::support::{Counting, Worker, assert_adds_up, steady};

#[tokio::test]
async fn a_resumed_stream_brings_what_was_not_acknowledged_and_nothing_else() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let assignment = steady(&target, "a", Duration::from_millis(3300));
    let mut broken = worker.begin(&assignment).await;
    let mut intervals = vec![broken.interval().await, broken.interval().await];
    broken.send(Command::Acknowledge(wire::Acknowledge { sequence: 0 })).await;
    broken.settle().await;
    drop(broken);

    let mut resumed = worker.assign(&assignment).await;
    let ready = resumed.ready().await;
    assert_eq!((ready.resumed, ready.started), (true, true));
    let told_again = resumed.interval().await;
    assert_eq!(Some(&told_again), intervals.last());
    let (rest, finished) = resumed.rest().await;
    intervals.extend(rest);
    assert_adds_up(&intervals, &finished);
    assert_eq!((finished.totals.successes, target.requests()), (330, 330));
}

#[tokio::test]
async fn the_end_is_told_again_to_whoever_asks() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let assignment = steady(&target, "a", Duration::from_millis(300));
    let (intervals, finished) = worker.begin(&assignment).await.rest().await;
    let mut resumed = worker.assign(&assignment).await;
    assert!(resumed.ready().await.resumed);
    assert_eq!(resumed.rest().await, (intervals, finished));
}

#[tokio::test]
async fn an_order_to_start_that_was_lost_with_its_stream_can_be_given_again() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let assignment = steady(&target, "a", Duration::from_millis(300));
    let mut broken = worker.assign(&assignment).await;
    broken.ready().await;
    drop(broken);

    let mut resumed = worker.assign(&assignment).await;
    let ready = resumed.ready().await;
    assert_eq!((ready.resumed, ready.started), (true, false));
    resumed.start().await;
    assert_eq!(resumed.rest().await.1.totals.successes, 30);
}

#[tokio::test]
async fn the_lease_ends_the_load_when_the_coordinator_is_silent() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut assignment = steady(&target, "a", Duration::from_secs(3600));
    assignment.lease = Duration::from_secs(1);
    // Held open, and silent: a broken stream is not what the lease is about.
    let stream = worker.begin(&assignment).await;
    target.wait_for(10).await;
    let (intervals, finished) = stream.rest().await;
    assert_adds_up(&intervals, &finished);
    assert_eq!(finished.end_reason, EndReason::Lease);
    assert!(finished.end >= assignment.lease && finished.end < Duration::from_secs(20), "{:?}", finished.end);
    assert_eq!(finished.totals.successes + finished.totals.abandoned, target.requests());
}

#[tokio::test]
async fn the_lease_ends_the_load_when_the_coordinator_is_gone() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut assignment = steady(&target, "a", Duration::from_secs(3600));
    assignment.lease = Duration::from_secs(1);
    let stream = worker.begin(&assignment).await;
    target.wait_for(10).await;
    drop(stream);
    target.wait_for_silence(Duration::from_secs(1)).await;
    let mut resumed = worker.assign(&assignment).await;
    assert!(resumed.ready().await.resumed);
    assert_eq!(resumed.rest().await.1.end_reason, EndReason::Lease);
}

#[tokio::test]
async fn pings_renew_the_lease() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut assignment = steady(&target, "a", Duration::from_secs(5));
    assignment.lease = Duration::from_secs(2);
    let mut stream = worker.begin(&assignment).await;
    for nonce in 0..25 {
        stream.send(Command::Ping(wire::Ping { nonce })).await;
        sleep(Duration::from_millis(200)).await;
    }
    let (_, finished) = stream.rest().await;
    assert_eq!((finished.end_reason, finished.totals.successes), (EndReason::Duration, 500));
}

#[tokio::test]
async fn a_worker_that_is_shut_down_stops_its_load() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let stream = worker.begin(&steady(&target, "a", Duration::from_secs(3600))).await;
    target.wait_for(10).await;
    worker.shut_down().await;
    // Well before the lease ends, and though the stream is still held.
    target.wait_for_silence(Duration::from_secs(1)).await;
    drop(stream);
}
