//! Two coordinators and one worker: whoever came first is served.

use std::time::Duration;

use proto::wire::FaultKind;

use super::support::{Counting, Worker, steady};

#[tokio::test]
async fn a_second_coordinator_is_refused_while_the_first_is_served_and_not_after_it() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let first = worker.begin(&steady(&target, "first", Duration::from_millis(1500))).await;
    let second = steady(&target, "second", Duration::from_millis(300));
    let fault = worker.assign(&second).await.fault().await;
    assert_eq!((fault.kind, fault.assignment_id.as_str()), (FaultKind::Busy as i32, "second"));
    assert!(fault.message.contains("still carrying out assignment first"), "{}", fault.message);

    assert_eq!(first.rest().await.1.totals.successes, 150);
    let served = worker.begin(&second).await.rest().await.1;
    assert_eq!((served.totals.successes, target.requests()), (30, 180));
}

#[tokio::test]
async fn a_first_coordinator_that_is_gone_makes_way_when_its_lease_ends() {
    let (worker, target) = (Worker::start().await, Counting::answering().await);
    let mut abandoned = steady(&target, "first", Duration::from_secs(3600));
    abandoned.lease = Duration::from_secs(3);
    let first = worker.begin(&abandoned).await;
    target.wait_for(10).await;
    drop(first);
    let second = steady(&target, "second", Duration::from_millis(300));
    let fault = worker.assign(&second).await.fault().await;
    assert_eq!(fault.kind, FaultKind::Busy as i32, "{}", fault.message);

    target.wait_for_silence(Duration::from_secs(1)).await;
    let served = worker.begin(&second).await.rest().await.1;
    assert_eq!((served.assignment_id.as_str(), served.totals.successes), ("second", 30));
}
