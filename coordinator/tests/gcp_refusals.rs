//! What Google refuses, delays or cannot give, and machines that do not come up: told in one sentence, and undone.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use rustix::process::Signal;
use support::clock::wait_until;
use support::cloud::{Cloud, Fate};
use support::gce::{Fault, Rule, errors};
use support::results::{Results, names};

const A_WHILE: Duration = Duration::from_secs(30);
const INSTANCES: &str = "/compute/v1/projects/*/zones/*/instances";

/// One sentence that holds each of `parts`, and nothing left behind.
fn refused(cloud: &Cloud, flags: &[&str], parts: &[&str]) {
    let ended = cloud.load("http://127.0.0.1:9", flags);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let last = ended.stderr.trim_end().lines().last().unwrap().to_owned();
    assert!(last.starts_with("error: "), "{}", ended.stderr);
    for part in parts {
        assert!(last.contains(part), "`{part}` is not in: {last}");
    }
    assert_eq!(names(&cloud.bench), Vec::<String>::new());
    assert_eq!(cloud.gce.resources(), Vec::<String>::new(), "something was made and is not undone");
}

#[test]
fn what_google_refuses_is_one_sentence_with_its_cure() {
    let cloud = Cloud::new();
    let insert = |fault: Fault| Rule::every("POST", INSTANCES, fault);
    let cases = [
        (
            insert(Fault::Answer(errors::forbidden("compute.instances.create", "projects/p"))),
            &["compute.instances.create", "role"][..],
        ),
        (
            insert(Fault::Answer(errors::act_as_missing("x@y"))),
            &["iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser"],
        ),
        (
            insert(Fault::Answer(errors::not_enabled("compute.googleapis.com", "p"))),
            &["gcloud services enable"],
        ),
        (
            insert(Fault::Answer(errors::quota_exceeded("INSTANCES", 720, "europe-west1"))),
            &["quota INSTANCES", "720", "europe-west1", "more VMs"],
        ),
        (
            insert(Fault::FailOperation(errors::quota_of_operation("CPUS", 500, "europe-west1"))),
            &["quota CPUS", "500", "125 more VMs of type e2-standard-4 would fit"],
        ),
        (
            insert(Fault::Answer(errors::quota_of_all_regions("CPUS_ALL_REGIONS", 32))),
            &["quota CPUS_ALL_REGIONS", "32", "3 more VMs of type e2-standard-4 would fit"],
        ),
        (insert(Fault::Answer(errors::billing_disabled("p"))), &["billing is off", "billing account"]),
        (insert(Fault::Answer(errors::outside_perimeter())), &["VPC Service Controls", "perimeter"]),
        (
            insert(Fault::Answer(errors::constraint_violated("compute.vmExternalIpAccess", "p"))),
            &["no external addresses", "--reach iap"],
        ),
        (
            insert(Fault::Answer(errors::constraint_violated("compute.requireOsLogin", "p"))),
            &["policy of the organization", "exception"],
        ),
        (
            insert(Fault::FailOperation(errors::pool_exhausted(
                "europe-west1-b",
                "e2-standard-4",
                Some("europe-west1-c"),
            ))),
            &["--zone europe-west1-c"],
        ),
        (
            insert(Fault::FailOperation(errors::missing_in_operation("projects/p/global/images/x"))),
            &["images/x", "--image"],
        ),
        (Rule::every("*", "*", Fault::Answer(errors::unauthenticated())), &["gcloud auth login"]),
    ];
    for (rule, parts) in cases {
        cloud.gce.clear_script();
        cloud.gce.script(rule);
        refused(&cloud, &["--workers", "1"], parts);
    }
    cloud.gce.clear_script();
    refused(
        &cloud,
        &["--workers", "1", "--image", "projects/debian-cloud/global/images/family/debian-9"],
        &["debian-9", "--image"],
    );
}

/// Whatever hangs when the user has had enough, nothing is asked for after it.
#[test]
fn ctrl_c_ends_a_list_and_an_upload_that_hang() {
    for (method, path, end) in [
        ("GET", "/compute/v1/projects/*/aggregated/instances", "/aggregated/instances"),
        ("GET", "/storage/v1/b", "/storage/v1/b"),
        ("POST", "/upload/storage/v1/b/*/o", "/o"),
    ] {
        let cloud = Cloud::new();
        cloud.gce.script(Rule::next(method, path, Fault::Hang));
        let flags =
            ["run", "--fleet", "gcp", "--target", "http://127.0.0.1:9", "--workers", "1", "--requests", "9"];
        let running = cloud.bench.start(&flags);
        let asked = || cloud.gce.log().iter().any(|call| call.method == method && call.path.ends_with(end));
        assert!(wait_until(A_WHILE, asked), "{path}: {}", running.stderr());
        running.signal(Signal::INT);
        let ended = running.wait(Duration::from_secs(10));
        assert_eq!(ended.code, Some(130), "{path}: {}", ended.stderr);
        assert_eq!(cloud.gce.resources(), Vec::<String>::new(), "{path}");
        let made = cloud
            .gce
            .log()
            .into_iter()
            .filter(|call| call.method == "POST" && call.path.ends_with("/instances"));
        assert_eq!(made.count(), 0, "{path}");
    }
}

#[test]
fn what_may_pass_is_tried_again_and_makes_nothing_twice() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    for (number, fault) in [
        Fault::LoseAnswer,
        Fault::Answer(errors::backend_error()),
        Fault::Answer(errors::rate_limited()),
        Fault::Answer(errors::resource_not_ready("x")),
        Fault::Close,
    ]
    .into_iter()
    .enumerate()
    {
        cloud.gce.script(Rule::nth("POST", INSTANCES, 1 + number as u64, fault));
    }
    cloud.gce.script(
        Rule::next("POST", "/compute/v1/projects/*/zones/*/operations/*/wait", Fault::WaitNot).times(3),
    );
    let ended = cloud.load(&url, &["--workers", "2", "--cleanup-after"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ids: Vec<_> = cloud
        .gce
        .log()
        .iter()
        .filter(|call| call.method == "POST" && call.path.ends_with("/instances"))
        .map(|call| {
            let id = call.query.iter().find(|(name, _)| name == "requestId").unwrap().1.clone();
            (call.body["name"].as_str().unwrap().to_owned(), id)
        })
        .collect();
    assert!(ids.len() >= 6, "{ids:?}");
    for name in ["loadtest-vm-1", "loadtest-vm-2"] {
        let mut of_one: Vec<_> = ids.iter().filter(|(known, _)| known == name).collect();
        of_one.dedup();
        assert_eq!(of_one.len(), 1, "one id for all tries: {ids:?}");
    }
    assert_eq!(cloud.gce.resources(), Vec::<String>::new());
}

#[test]
fn a_zone_without_machines_is_followed_by_the_next() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    let exhausted = Fault::FailOperation(errors::pool_exhausted("europe-west1-b", "e2-standard-4", None));
    cloud.gce.script(Rule::every("POST", "/compute/v1/projects/*/zones/europe-west1-b/instances", exhausted));
    let ended = cloud.load(&url, &["--workers", "2", "--zone", "europe-west1-b,europe-west1-c"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(cloud.gce.instances().iter().all(|vm| vm.zone == "europe-west1-c"));
    let ended = cloud.bench.run(&["cleanup"]);
    assert_eq!((ended.code, cloud.gce.resources()), (Some(0), Vec::new()), "{}", ended.stderr);
}

#[test]
fn a_vm_whose_worker_is_silent_is_named_with_its_serial_log_and_everything_is_undone() {
    let cloud = Cloud::new();
    cloud.doom("loadtest-vm-2", Fate::Silent);
    refused(
        &cloud,
        &["--workers", "2", "--boot-timeout", "3s"],
        &["1 of 2 VMs", "loadtest-vm-2", "--boot-timeout", "deleted"],
    );
    cloud.doom(
        "loadtest-vm-2",
        Fate::Failed("the worker's binary has the wrong checksum: a was fetched, b was expected".into()),
    );
    let ended = cloud.load("http://127.0.0.1:9", &["--workers", "2"]);
    assert!(ended.stderr.contains("loadtest-vm-2 | startup-script: hello"), "{}", ended.stderr);
    refused(&cloud, &["--workers", "2"], &["loadtest-vm-2", "wrong checksum"]);
}

#[test]
fn a_fleet_of_which_some_failed_goes_on_where_that_is_wanted() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    cloud.doom("loadtest-vm-1", Fate::Failed("no luck".into()));
    let ended = cloud.load(&url, &["--workers", "3", "--on-partial", "continue"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: 1 of 3 VMs did not become ready"), "{}", ended.stderr);
    let vms: Vec<_> = cloud.gce.instances().into_iter().map(|vm| vm.name).collect();
    assert_eq!(vms, ["loadtest-vm-2", "loadtest-vm-3"]);
    let results = Results::of(&cloud.bench);
    assert_eq!(
        (results.count(0, "successes"), results.report["run"]["workers"].as_array().unwrap().len()),
        (30, 2)
    );
    // And a second try makes up for it.
    cloud.spare("loadtest-vm-1");
    let again =
        cloud.bench.run(&["run", "--fleet", "gcp", "--workers", "3", "--target", &url, "--requests", "30"]);
    assert_eq!((again.code, cloud.vms()), (Some(0), 3), "{}", again.stderr);
}

#[test]
fn a_platform_that_does_not_answer_is_named_with_its_serial_log_and_undone() {
    let cloud = Cloud::new();
    let ended = cloud.bench.run(&["setup", "--platform-port", "9001", "--platform-timeout", "3s"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in [
        "archestra-platform-vm | startup-script: hello",
        "connection refused",
        "--platform-timeout",
        "deleted",
    ] {
        assert!(ended.stderr.contains(part), "no `{part}` in {}", ended.stderr);
    }
    assert_eq!(cloud.vms(), 0);
    assert!(!cloud.bench.folder().join("benchmark-config.env").exists());
    let kept = cloud.bench.run(&["setup", "--platform-port", "9001", "--platform-timeout", "3s", "--keep"]);
    assert!(kept.stderr.contains("kept as asked"), "{}", kept.stderr);
    assert_eq!((kept.code, cloud.vms()), (Some(1), 1));
    // Settings of somebody's own are not overwritten.
    cloud.bench.file("benchmark-config.env", "export CONCURRENCY=5\n");
    let refused = cloud.bench.run(&["setup"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("move it away"), "{}", refused.stderr);
}
