//! What must hold where others, other commands and other settings are at work on the same project.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::cloud::{Cloud, user_of};
use support::gce::{Answer, Fault, Rule, errors};

const INSTANCES: &str = "/compute/v1/projects/*/zones/*/instances";
const A_WHILE: Duration = Duration::from_secs(30);

/// The sentence that a command ends with, which must fail.
fn fails(ended: &support::process::Finished) -> String {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    ended.stderr.trim_end().lines().last().unwrap().to_owned()
}

#[test]
fn an_undo_leaves_alone_what_the_command_did_not_make() {
    let cloud = Cloud::new();
    cloud.gce.put_instance("europe-west1-b", "loadtest-vm-1", &json!({ "team": "other" }));
    let ours = json!({
        "managed-by": "archestra-bench", "archestra-bench-fleet": "blue", "archestra-bench-run": "another",
        "archestra-bench-role": "load",
    });
    cloud.gce.put_instance("europe-west1-c", "loadtest-vm-blue-1", &ours);
    let foreign = cloud.gce.resources();
    for fault in [
        Fault::Answer(errors::forbidden("compute.instances.create", "projects/p")),
        Fault::FailOperation(errors::missing_in_operation("projects/p/global/images/x")),
    ] {
        cloud.gce.clear_script();
        cloud.gce.script(Rule::every("POST", INSTANCES, fault));
        fails(&cloud.load("http://127.0.0.1:9", &["--workers", "1"]));
        assert_eq!(cloud.gce.resources(), foreign);
    }
}

#[test]
fn another_machines_platform_is_left_alone() {
    let cloud = Cloud::new();
    assert_eq!(cloud.bench.run(&["setup"]).code, Some(0));
    let before = cloud.gce.instance("archestra-platform-vm").unwrap();
    let colleague = user_of(&cloud.gce);
    let sentence = fails(&colleague.run(&["setup"]));
    assert!(sentence.contains("another machine") && sentence.contains("--fleet-name"), "{sentence}");
    assert_eq!(cloud.gce.instance("archestra-platform-vm").unwrap()["id"], before["id"]);
    // The labels are enough for whoever wants it gone.
    assert_eq!((colleague.run(&["cleanup"]).code, cloud.gce.resources()), (Some(0), Vec::new()));
}

#[test]
fn a_fleet_serves_one_command_at_a_time() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    let run = ["run", "--fleet", "gcp", "--workers", "1", "--target", &url, "--scenario", "simple_chat"];
    let first = cloud.bench.start(&[&run[..], &["--duration", "4s"]].concat());
    first.wait_for("loadtest-vm-1 is ready", A_WHILE);
    for command in [&run[..], &["setup"], &["cleanup"]] {
        let sentence = fails(&cloud.bench.run(command));
        assert!(sentence.contains("at work on fleet default"), "{sentence}");
    }
    assert_eq!(cloud.bench.run(&["status"]).code, Some(0));
    let ended = first.wait(A_WHILE);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(cloud.bench.run(&["cleanup"]).code, Some(0));
}

#[test]
fn where_google_cannot_look_nothing_is_taken_for_nothing() {
    let cloud = Cloud::new();
    let unseen = json!({
        "kind": "compute#instanceAggregatedList",
        "items": { "zones/europe-west1-b": { "warning": { "code": "UNREACHABLE" } } },
        "unreachables": ["projects/bench-project/zones/us-central1-a"],
    });
    let list = Rule::every(
        "GET",
        "/compute/v1/projects/*/aggregated/instances",
        Fault::Answer(Answer::good(&unseen)),
    );
    cloud.gce.script(list);
    for command in ["status", "cleanup"] {
        let sentence = fails(&cloud.bench.run(&[command]));
        assert!(sentence.contains("cannot look into europe-west1-b, us-central1-a"), "{sentence}");
    }
    let sentence = fails(&cloud.load("http://127.0.0.1:9", &["--workers", "1"]));
    assert!(sentence.contains("cannot look into europe-west1-b at"), "{sentence}");
    // A zone that is not to be used is nobody's hindrance.
    let url = cloud.upstream();
    let elsewhere = cloud.load(&url, &["--workers", "1", "--zone", "europe-west1-c"]);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.stderr);
    cloud.gce.clear_script();
    assert_eq!((cloud.bench.run(&["cleanup"]).code, cloud.gce.resources()), (Some(0), Vec::new()));
}

#[test]
fn what_was_made_with_other_settings_is_not_used() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    let run = |flags: &[&str]| {
        let ended = cloud.load(&url, flags);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let vm = &cloud.gce.instances()[0];
        (vm.zone.clone(), cloud.gce.instance("loadtest-vm-1").unwrap()["id"].clone())
    };
    let first = run(&["--workers", "1"]);
    assert_eq!(run(&["--workers", "1"]), first);
    let (zone, _) = run(&["--workers", "1", "--zone", "europe-west1-c"]);
    assert_eq!(zone, "europe-west1-c");
    cloud.gce.add_network("bench-net");
    run(&["--workers", "1", "--network", "bench-net"]);
    let rules = cloud.gce.firewalls();
    assert!(rules.iter().all(|rule| rule["network"].as_str().unwrap().ends_with("/bench-net")), "{rules:?}");

    let platform = |flags: &[&str]| {
        let ended = cloud.bench.run(&[&["setup"], flags].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        cloud.gce.instance("archestra-platform-vm").unwrap()["machineType"].as_str().unwrap().to_owned()
    };
    assert!(platform(&[]).ends_with("e2-standard-4"));
    assert!(platform(&["--machine-type", "e2-small"]).ends_with("e2-small"));
    assert_eq!((cloud.bench.run(&["cleanup"]).code, cloud.gce.resources()), (Some(0), Vec::new()));
}

#[test]
fn setup_writes_down_what_it_was_told() {
    let cloud = Cloud::new();
    let told =
        ["--path", "/v1/chat/completions", "--model", "my model", "--labels", "team=blue,cost=42", "--spot"];
    let ended = cloud.bench.run(&[&["setup"][..], &told].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let written = std::fs::read_to_string(cloud.bench.folder().join("benchmark-config.env")).unwrap();
    for line in [
        "export ARCHESTRA_BENCH_PATH=/v1/chat/completions\n",
        "export ARCHESTRA_BENCH_MODEL='my model'\n",
        "export ARCHESTRA_BENCH_LABELS=team=blue,cost=42\n",
        "export ARCHESTRA_BENCH_SPOT=true\n",
        "export FLEET=gcp\n",
    ] {
        assert!(written.contains(line), "no {line} in {written}");
    }
    let run = cloud.bench.run(&["run", "--workers", "1", "--requests", "20", "--scenario", "simple_chat"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let vm = cloud.gce.instance("loadtest-vm-1").unwrap();
    assert_eq!(
        (&vm["labels"]["team"], &vm["scheduling"]["provisioningModel"]),
        (&json!("blue"), &json!("SPOT"))
    );
    assert_eq!(cloud.bench.run(&["cleanup"]).code, Some(0));
}

#[test]
fn what_can_fail_without_a_vm_fails_before_there_is_one() {
    let cloud = Cloud::new();
    let nobody = "http://127.0.0.1:9/";
    let sentence = fails(&cloud.load(nobody, &["--workers", "2", "--own-address-url", nobody]));
    assert!(sentence.contains("--source-range"), "{sentence}");
    let asked = cloud.gce.log().iter().any(|call| call.method == "POST" && call.path.ends_with("/instances"));
    assert!(!asked, "a VM was made for that");
    assert_eq!(cloud.gce.resources(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_undone_is_said_beside_the_reason() {
    let cloud = Cloud::new();
    cloud.doom("loadtest-vm-1", support::cloud::Fate::Failed("no luck".into()));
    let forbidden = |permission| Fault::Answer(errors::forbidden(permission, "projects/p"));
    let delete = "/compute/v1/projects/*/zones/*/instances/*";
    cloud.gce.script(Rule::every("DELETE", delete, forbidden("compute.instances.delete")));
    let sentence = fails(&cloud.load("http://127.0.0.1:9", &["--workers", "1"]));
    assert!(sentence.contains("no luck") && sentence.contains("archestra-bench cleanup"), "{sentence}");
    cloud.gce.clear_script();
    assert_eq!((cloud.bench.run(&["cleanup"]).code, cloud.gce.resources()), (Some(0), Vec::new()));
}

#[test]
fn a_vm_whose_worker_is_dead_is_of_no_use_to_the_next_run_either() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    assert_eq!(cloud.load(&url, &["--workers", "2"]).code, Some(0));
    cloud.kill("loadtest-vm-1");
    let sentence = fails(&cloud.load(&url, &["--workers", "2", "--boot-timeout", "3s"]));
    assert!(
        sentence.contains("loadtest-vm-1") && sentence.contains("the next run makes another"),
        "{sentence}"
    );
    let again = cloud.load(&url, &["--workers", "2"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    // And only those of this run are deleted after it.
    assert_eq!(cloud.load(&url, &["--workers", "1", "--cleanup-after"]).code, Some(0));
    let left: Vec<_> = cloud.gce.instances().into_iter().map(|vm| vm.name).collect();
    assert_eq!(left, ["loadtest-vm-2"]);
    assert_eq!(cloud.bench.run(&["cleanup"]).code, Some(0));
}

/// What Google says of its machines counts from Google's clock.
#[test]
fn a_clock_that_is_wrong_here_ends_no_vms_life() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    cloud.gce.advance(Duration::from_secs(7 * 3600));
    let run = ["--workers", "1"];
    assert_eq!(cloud.load(&url, &run).code, Some(0));
    let first = cloud.gce.instance("loadtest-vm-1").unwrap()["id"].clone();
    assert_eq!(cloud.load(&url, &run).code, Some(0));
    assert_eq!(cloud.gce.instance("loadtest-vm-1").unwrap()["id"], first);
    // 50 minutes later 10 minutes are left of its hour, which are too few.
    cloud.gce.advance(Duration::from_secs(50 * 60));
    assert_eq!(cloud.load(&url, &run).code, Some(0));
    assert_ne!(cloud.gce.instance("loadtest-vm-1").unwrap()["id"], first);
    assert_eq!(cloud.bench.run(&["cleanup"]).code, Some(0));
}
