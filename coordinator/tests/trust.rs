//! Certificates whose time is over, against a worker as a process.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use coordinator::clock::local_now;
use coordinator::fleet::{Trust, WorkerAccess};
use coordinator::trust::{Authority, Role};
use jiff::ToSpan as _;
use support::process::{BOUND, Bench};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_refuses_a_coordinator_whose_certificate_has_expired_and_the_dial_does_not_hide_it() {
    let now = local_now();
    let authority = Authority::ephemeral(&now).unwrap();
    let bench = Bench::new();
    bench.file("worker.pem", &authority.issue(Role::Worker, &now).unwrap().bundle());
    let worker = bench.start(&["worker", "--listen", "127.0.0.1:0", "--credentials", "worker.pem"]);
    worker.wait_for("listening on ", BOUND);
    let address = worker.stdout().trim().rsplit_once('/').unwrap().1.to_owned();

    for (age, is_answered) in [(0, true), (10, false)] {
        let issued = now.checked_sub(age.days()).unwrap();
        let leaf = authority.issue(Role::Coordinator, &issued).unwrap();
        let access = WorkerAccess::new(0, address.clone(), &Trust::Mutual(Box::new(leaf))).unwrap();
        let answered = timeout(Duration::from_secs(30), access.answers()).await.unwrap();
        assert_eq!(answered.is_ok(), is_answered, "{age} days old: {answered:?}");
    }
}
