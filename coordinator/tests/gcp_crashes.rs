//! Commands in a fake cloud that are interrupted, or killed at any moment: nothing is left that cannot be found.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use support::clock::wait_until;
use support::cloud::{Cloud, Fate, user_of};
use support::gce::Moment;

const A_WHILE: Duration = Duration::from_secs(30);

#[test]
fn an_interrupted_scale_out_takes_away_what_it_made_and_nothing_else() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    let one = ["run", "--fleet", "gcp", "--workers", "1", "--target", &url, "--requests", "10"];
    assert_eq!(cloud.bench.run(&one).code, Some(0));
    for number in 2..=4 {
        cloud.doom(&format!("loadtest-vm-{number}"), Fate::Silent);
    }
    let flags = ["run", "--fleet", "gcp", "--workers", "4", "--target", &url, "--results-dir", "other"];
    let running = cloud.bench.start(&flags);
    running.wait_for("loadtest-vm-4 boots", A_WHILE);
    running.signal_group(Signal::INT);
    let ended = running.wait(A_WHILE);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let left: Vec<_> = cloud.gce.instances().into_iter().map(|vm| vm.name).collect();
    assert_eq!(left, ["loadtest-vm-1"]);
    assert!(!cloud.bench.folder().join("other").read_dir().unwrap().any(|_| true));

    cloud.doom("archestra-platform-vm", Fate::Silent);
    let running = cloud.bench.start(&["setup"]);
    running.wait_for("archestra-platform-vm boots", A_WHILE);
    running.signal_group(Signal::INT);
    assert_eq!(running.wait(A_WHILE).code, Some(130));
    assert_eq!(cloud.vms(), 1);
}

#[test]
fn an_interrupted_run_keeps_its_vms_for_the_next_or_deletes_them_as_asked() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    for (flags, left) in [(&[][..], 2), (&["--cleanup-after"][..], 0)] {
        let run = ["run", "--fleet", "gcp", "--workers", "2", "--target", &url, "--duration", "60s"];
        let running = cloud.bench.start(&[&run[..], flags].concat());
        running.wait_for("simple_chat", A_WHILE);
        running.signal_group(Signal::INT);
        let ended = running.wait(A_WHILE);
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert_eq!(cloud.vms(), left, "{}", ended.stderr);
    }
    assert_eq!(cloud.gce.resources(), Vec::<String>::new());
}

/// A cloud that somebody else uses, too.
fn shared_cloud() -> (Cloud, Vec<String>) {
    let cloud = Cloud::new();
    cloud.gce.put_instance("europe-west1-b", "somebody-elses", &json!({ "team": "other" }));
    cloud.gce.put_firewall("somebody-elses", "theirs");
    let foreign = cloud.gce.resources();
    (cloud, foreign)
}

/// Kills a command at every moment between any two of its calls, before an answer and after it, each time after what
/// `before` types; then everything that is the fleet's can be found and deleted, and nothing else is.
fn killed_anywhere(cloud: &Cloud, foreign: &[String], before: &[&str], command: &[&str]) {
    // How many calls it makes when nobody kills it.
    let bench = user_of(&cloud.gce);
    let prepare = |bench: &support::process::Bench| {
        if !before.is_empty() {
            let ended = bench.run(before);
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
    };
    prepare(&bench);
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    cloud.gce.on_call(move |event| {
        counted.fetch_add(u64::from(event.moment == Moment::AfterAnswer), Ordering::SeqCst);
    });
    let ended = bench.run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let total = calls.load(Ordering::SeqCst);
    cloud.gce.on_call(|_| {});
    assert_eq!(bench.run(&["cleanup"]).code, Some(0));
    assert!((5..80).contains(&total), "{total} calls");

    for (at, moment) in (1..=total).flat_map(|at| [(at, Moment::BeforeAnswer), (at, Moment::AfterAnswer)]) {
        let bench = user_of(&cloud.gce);
        prepare(&bench);
        let (seen, reached) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
        let (killed, now) = (Arc::new(AtomicBool::new(false)), Arc::clone(&reached));
        let wait_for_it = Arc::clone(&killed);
        cloud.gce.on_call(move |event| {
            if event.moment == moment && seen.fetch_add(1, Ordering::SeqCst) + 1 == at {
                now.store(true, Ordering::SeqCst);
                // The call is held until the coordinator is dead.
                wait_until(A_WHILE, || wait_for_it.load(Ordering::SeqCst));
            }
        });
        let running = bench.start(command);
        wait_until(A_WHILE, || reached.load(Ordering::SeqCst) || !running.is_alive());
        running.kill();
        killed.store(true, Ordering::SeqCst);
        drop(running);
        cloud.gce.on_call(|_| {});
        let ended = bench.run(&["cleanup"]);
        assert_eq!(ended.code, Some(0), "killed at {at} {moment:?}: {}", ended.stderr);
        assert_eq!(cloud.gce.resources(), foreign, "killed at {at} {moment:?}");
    }
}

#[test]
fn a_coordinator_that_is_killed_between_any_two_calls_leaves_nothing_that_cleanup_does_not_find() {
    let (cloud, foreign) = shared_cloud();
    let url = cloud.upstream();
    let run = ["run", "--fleet", "gcp", "--workers", "2", "--target", &url, "--requests", "10"];
    killed_anywhere(&cloud, &foreign, &[], &[&run[..], &["--scenario", "simple_chat"]].concat());
}

#[test]
fn a_setup_that_is_killed_between_any_two_calls_leaves_nothing_that_cleanup_does_not_find() {
    let (cloud, foreign) = shared_cloud();
    killed_anywhere(&cloud, &foreign, &[], &["setup"]);
}

#[test]
fn a_cleanup_that_is_killed_between_any_two_calls_is_made_up_for_by_the_next() {
    let (cloud, foreign) = shared_cloud();
    killed_anywhere(&cloud, &foreign, &["setup"], &["cleanup"]);
}
