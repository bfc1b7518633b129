//! VMs in a fake cloud: brought up, used, used again, found again and deleted; and everything that Google can refuse.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::clock::wait_until;
use support::cloud::{Cloud, Fate, user_of};
use support::gce::{Fault, Rule, errors};
use support::process::{BOUND, Finished};
use support::results::{Results, names};

const INSTANCES: &str = "/compute/v1/projects/*/zones/*/instances";
const A_WHILE: Duration = Duration::from_secs(30);

/// A run against an upstream of its own, with more flags.
fn run(cloud: &Cloud, url: &str, flags: &[&str]) -> Finished {
    let arguments =
        [&["run", "--fleet", "gcp", "--target", url, "--scenario", "simple_chat", "--requests", "30"], flags];
    cloud.bench.run(&arguments.concat())
}

/// One sentence that holds each of `parts`, and nothing left behind.
fn refused(cloud: &Cloud, flags: &[&str], parts: &[&str]) {
    let ended = run(cloud, "http://127.0.0.1:9", flags);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let last = ended.stderr.trim_end().lines().last().unwrap().to_owned();
    assert!(last.starts_with("error: "), "{}", ended.stderr);
    for part in parts {
        assert!(last.contains(part), "`{part}` is not in: {last}");
    }
    assert_eq!(names(&cloud.bench), Vec::<String>::new());
    assert_eq!(cloud.vms(), 0, "{:?}", cloud.gce.resources());
}

#[test]
fn the_platform_is_set_up_loaded_by_vms_scaled_out_and_deleted() {
    let cloud = Cloud::new();
    let setup = cloud.bench.run(&["setup"]);
    assert_eq!(setup.code, Some(0), "{}", setup.stderr);
    assert!(setup.stdout.contains("archestra-platform-vm answers at http://127."), "{}", setup.stdout);
    assert!(setup.stderr.contains("archestra-platform-vm is ready"), "{}", setup.stderr);
    let settings = std::fs::read_to_string(cloud.bench.folder().join("benchmark-config.env")).unwrap();
    for line in [
        "export FLEET=gcp\n",
        "export ARCHESTRA_API_URL=http://127.",
        "export GCP_PROJECT_ID=bench-project\n",
    ] {
        assert!(settings.contains(line), "{settings}");
    }

    // A plain run does the right thing.
    let run = cloud.bench.run(&["run", "--workers", "2", "--requests", "100"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("2 VMs are ready after"), "{}", run.stderr);
    let results = Results::of(&cloud.bench);
    assert_eq!((results.count(0, "successes"), results.count(1, "successes")), (100, 100));
    assert_eq!(results.report["run"]["fleet"], "gcp", "{}", results.report["run"]);
    assert_eq!(cloud.vms(), 3);

    let status = cloud.bench.run(&["status"]);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    for name in [
        "loadtest-vm-1",
        "loadtest-vm-2",
        "archestra-platform-vm",
        "archestra-bench-default-workers",
        "tester",
    ] {
        assert!(status.stdout.contains(name), "{name}:\n{}", status.stdout);
    }

    let again = cloud.bench.run(&["run", "--workers", "3", "--requests", "60", "--scenario", "simple_chat"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("loadtest-vm-1 is there already"), "{}", again.stderr);
    assert!(again.stderr.contains("loadtest-vm-3 is being made"), "{}", again.stderr);
    assert_eq!(cloud.vms(), 4);

    let cleanup = cloud.bench.run(&["cleanup"]);
    assert_eq!(cleanup.code, Some(0), "{}", cleanup.stderr);
    assert_eq!(cloud.gce.resources(), Vec::<String>::new());
    assert!(!cloud.bench.folder().join("benchmark-config.env").exists());
    let status = cloud.bench.run(&["status"]);
    assert!(status.stdout.contains("has nothing in project bench-project"), "{}", status.stdout);
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

#[test]
fn what_may_pass_is_tried_again_and_makes_nothing_twice() {
    let cloud = Cloud::new();
    let (_mock, url) = cloud.upstream();
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
    let ended = run(&cloud, &url, &["--workers", "2", "--cleanup-after"]);
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
    let (_mock, url) = cloud.upstream();
    let exhausted = Fault::FailOperation(errors::pool_exhausted("europe-west1-b", "e2-standard-4", None));
    cloud.gce.script(Rule::every("POST", "/compute/v1/projects/*/zones/europe-west1-b/instances", exhausted));
    let ended = run(&cloud, &url, &["--workers", "2", "--zone", "europe-west1-b,europe-west1-c"]);
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
    let ended = run(&cloud, "http://127.0.0.1:9", &["--workers", "2"]);
    assert!(ended.stderr.contains("loadtest-vm-2 | startup-script: hello"), "{}", ended.stderr);
    refused(&cloud, &["--workers", "2"], &["loadtest-vm-2", "wrong checksum"]);
}

#[test]
fn a_fleet_of_which_some_failed_goes_on_where_that_is_wanted() {
    let cloud = Cloud::new();
    let (_mock, url) = cloud.upstream();
    cloud.doom("loadtest-vm-1", Fate::Failed("no luck".into()));
    let ended = run(&cloud, &url, &["--workers", "3", "--on-partial", "continue"]);
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
fn what_is_not_ours_is_left_alone() {
    let cloud = Cloud::new();
    cloud.gce.put_instance("europe-west1-b", "loadtest-vm-1", &json!({ "team": "other" }));
    cloud.gce.put_instance("europe-west1-b", "archestra-platform-vm", &json!({}));
    cloud.gce.put_instance("europe-west1-b", "loadtest-vm-9", &json!({ "archestra-bench-fleet": "default" }));
    cloud.gce.put_firewall("archestra-bench-blue-workers", "somebody's");
    cloud.gce.put_bucket(cloud.gce.project(), "bench-project-green-archestra-bench");
    let foreign = cloud.gce.resources();

    let ended = run(&cloud, "http://127.0.0.1:9", &["--workers", "1"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("loadtest-vm-1") && ended.stderr.contains("is left alone"),
        "{}",
        ended.stderr
    );
    for (fleet, thing) in [
        ("blue", "the firewall rule archestra-bench-blue-workers"),
        ("green", "the bucket bench-project-green-archestra-bench"),
    ] {
        let ended = run(&cloud, "http://127.0.0.1:9", &["--workers", "1", "--fleet-name", fleet]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(thing) && ended.stderr.contains("is left alone"), "{}", ended.stderr);
    }
    let setup = cloud.bench.run(&["setup"]);
    assert_eq!(setup.code, Some(1), "{}", setup.stderr);
    for fleet in ["default", "blue", "green"] {
        let ended = cloud.bench.run(&["cleanup", "--fleet-name", fleet]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_eq!(cloud.gce.resources(), foreign);
}

#[test]
fn two_fleets_of_one_project_know_nothing_of_each_other() {
    let cloud = Cloud::new();
    let (_mock, url) = cloud.upstream();
    let other = user_of(&cloud.gce);
    let ours = run(&cloud, &url, &["--workers", "1"]);
    assert_eq!(ours.code, Some(0), "{}", ours.stderr);
    let flags = ["run", "--fleet", "gcp", "--target", &url, "--requests", "30", "--workers", "1"];
    // Of the same name, but of another machine: the workers obey another authority.
    let taken = other.run(&flags);
    assert_eq!(taken.code, Some(1));
    assert!(
        taken.stderr.contains("obey the coordinator of another machine (made by tester)"),
        "{}",
        taken.stderr
    );
    let theirs = other.run(&[&flags[..], &["--fleet-name", "blue"]].concat());
    assert_eq!(theirs.code, Some(0), "{}", theirs.stderr);
    let before = cloud.gce.resources();
    assert!(before.iter().any(|resource| resource.ends_with("/loadtest-vm-blue-1")), "{before:?}");

    // Cleaning up needs labels alone: it works from anywhere.
    let ended = other.run(&["cleanup", "--fleet-name", "default"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let left = cloud.gce.resources();
    assert!(!left.is_empty() && left.iter().all(|resource| resource.contains("blue")), "{left:?}");
    let ended = cloud.bench.run(&["cleanup", "--fleet-name", "blue"]);
    assert_eq!((ended.code, cloud.gce.resources()), (Some(0), Vec::new()), "{}", ended.stderr);
}

#[test]
fn a_vm_that_is_taken_away_in_the_middle_is_named_and_the_run_goes_on() {
    let cloud = Cloud::new();
    let (_mock, url) = cloud.upstream();
    let flags =
        ["run", "--fleet", "gcp", "--spot", "--workers", "2", "--target", &url, "--scenario", "simple_chat"];
    let running = cloud.bench.start(&[&flags[..], &["--duration", "6s", "--lease", "2s"]].concat());
    running.wait_for("2 VMs are ready", A_WHILE);
    assert!(wait_until(A_WHILE, || cloud.bench.folder().join("results").exists()));
    std::thread::sleep(Duration::from_secs(2));
    cloud.gce.preempt("loadtest-vm-2");
    let ended = running.wait(BOUND);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let results = Results::of(&cloud.bench);
    assert!(results.is_blamed_by("worker_lost"), "{}", results.summary);
    assert!(results.summary.contains("it was preempted"), "{}", results.summary);
    // What became ready stays for the next run.
    assert_eq!(cloud.gce.instances().len(), 1);
}

#[test]
fn a_vm_with_too_little_life_is_replaced_and_a_platform_is_refused() {
    let cloud = Cloud::new();
    assert_eq!(cloud.bench.run(&["setup"]).code, Some(0));
    let plain = ["run", "--workers", "1", "--requests", "30", "--scenario", "simple_chat"];
    assert_eq!(cloud.bench.run(&plain).code, Some(0));
    let made = cloud.gce.instance("loadtest-vm-1").unwrap()["id"].clone();

    let longer = cloud.bench.run(&[&plain[..], &["--duration", "2h"]].concat());
    assert_eq!(longer.code, Some(1));
    assert!(longer.stderr.contains("--max-run-duration"), "{}", longer.stderr);

    // An hour's life, of which a minute is left: the coordinator goes by its own clock, so the VMs are made older.
    for name in ["loadtest-vm-1", "archestra-platform-vm"] {
        cloud.gce.age(name, Duration::from_secs(3540));
    }
    let refused = cloud.bench.run(&plain);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("archestra-platform-vm is deleted in"), "{}", refused.stderr);

    let (_mock, url) = cloud.upstream();
    let ended = run(&cloud, &url, &["--workers", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("loadtest-vm-1 is being deleted"), "{}", ended.stderr);
    assert_ne!(cloud.gce.instance("loadtest-vm-1").unwrap()["id"], made);
}

#[test]
fn nothing_secret_is_in_what_others_can_read() {
    let cloud = Cloud::new();
    assert_eq!(cloud.bench.run(&["setup"]).code, Some(0));
    let running = cloud.bench.start(&["run", "--workers", "2", "--requests", "60"]);
    running.wait_for("VMs are ready", A_WHILE);
    let mut commands = String::new();
    for process in running.descendants() {
        commands += &std::fs::read_to_string(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    }
    commands += &std::fs::read_to_string(format!("/proc/{}/cmdline", running.pid().as_raw_nonzero()))
        .unwrap_or_default();
    let ended = running.wait(BOUND);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let mut readable = vec![("output", ended.stdout + &ended.stderr), ("command lines", commands)];
    readable.extend(
        cloud
            .gce
            .log()
            .into_iter()
            .filter(|call| call.path != "/token")
            .map(|call| ("call", format!("{} {:?} {}", call.path, call.query, call.body))),
    );
    readable.extend(cloud.gce.instances().iter().map(|vm| ("metadata", format!("{:?}", vm.metadata))));
    let mut folders = vec![
        cloud.bench.folder().join("results"),
        cloud.bench.folder().join(".local/state/archestra-bench/journals"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                readable.push(("file", std::fs::read_to_string(path).unwrap()))
            }
        }
    }
    assert!(readable.len() > 20);
    for (what, text) in readable {
        for secret in ["PRIVATE KEY", "ya29.", "sk-mock-key", "of-a-test", "refresh\""] {
            assert!(!text.contains(secret), "{what} holds `{secret}`: {text}");
        }
    }
}
