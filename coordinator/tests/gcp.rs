//! VMs in a fake cloud: brought up, used, used again, found again and deleted; and everything that Google can refuse.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::clock::wait_until;
use support::cloud::{Cloud, user_of};
use support::gce::Pace;
use support::process::BOUND;
use support::results::Results;

const A_WHILE: Duration = Duration::from_secs(30);

#[test]
fn the_platform_is_set_up_loaded_by_vms_scaled_out_and_deleted() {
    let cloud = Cloud::new();
    let setup = cloud.bench.run(&["setup"]);
    assert_eq!(setup.code, Some(0), "{}", setup.stderr);
    assert!(setup.stdout.contains("archestra-platform-vm answers at http://127."), "{}", setup.stdout);
    assert!(setup.stderr.contains("archestra-platform-vm is ready"), "{}", setup.stderr);
    assert!(setup.stderr.contains("the worker's binary is being uploaded (1 MB)"), "{}", setup.stderr);
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

/// A file may name no program, so what `setup` writes names none either.
#[test]
fn a_plain_run_reads_what_setup_wrote_whatever_program_the_vms_were_given() {
    let cloud = Cloud::new();
    let bench = user_of(&cloud.gce).variable("ARCHESTRA_BENCH_WORKER_BINARY", "");
    let setup = bench.run(&["setup", "--worker-binary", "/bin/true"]);
    assert_eq!(setup.code, Some(0), "{}", setup.stderr);
    let run = bench.run(&["run", "--dry-run"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("each on a VM"), "{}", run.stdout);
}

/// Lists come in pages of one resource here.
#[test]
fn every_flag_of_vms_arrives_and_lists_in_pages_are_read_to_their_end() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    cloud.gce.add_network("bench-net");
    cloud.gce.set_page_limit(1);
    let place = ["--network", "bench-net", "--subnet", "bench-subnet", "--labels", "team=blue,cost=42"];
    let account = "reader@bench-project.iam.gserviceaccount.com";
    let image = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64";
    let more = ["--spot", "--image", image, "--service-account", account, "--source-range", "203.0.113.7/32"];
    let ended = cloud.load(&url, &[&["--workers", "2"][..], &place, &more].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let setup = cloud.bench.run(&[&["setup", "--platform-image", "my/gateway:1"][..], &place].concat());
    assert_eq!(setup.code, Some(0), "{}", setup.stderr);

    let log = cloud.gce.log();
    let posted =
        |end: &'static str| log.iter().filter(move |call| call.method == "POST" && call.path.ends_with(end));
    let bodies: Vec<_> = posted("/instances").map(|call| &call.body).collect();
    assert_eq!(bodies.len(), 3);
    for body in &bodies {
        let interface = &body["networkInterfaces"][0];
        assert_eq!(interface["network"], "projects/bench-project/global/networks/bench-net");
        assert_eq!(
            interface["subnetwork"],
            "projects/bench-project/regions/europe-west1/subnetworks/bench-subnet"
        );
        assert_eq!((&body["labels"]["team"], &body["labels"]["cost"]), (&json!("blue"), &json!("42")));
    }
    for body in &bodies[..2] {
        assert_eq!(body["disks"][0]["initializeParams"]["sourceImage"], image);
        assert_eq!(body["serviceAccounts"][0]["email"], account);
        assert_eq!(body["scheduling"]["provisioningModel"], "SPOT");
    }
    let items = bodies[2]["metadata"]["items"].as_array().unwrap();
    assert!(
        items.contains(&json!({ "key": "archestra-platform-image", "value": "my/gateway:1" })),
        "{items:?}"
    );
    let rule =
        posted("/firewalls").find(|call| call.body["name"] == "archestra-bench-default-workers").unwrap();
    assert_eq!(rule.body["sourceRanges"], json!(["203.0.113.7/32"]));
    let reads = json!([format!("serviceAccount:{account}")]);
    let granted =
        |call: &support::gce::Recorded| call.body["bindings"].to_string().contains(&reads[0].to_string());
    assert!(log.iter().any(|call| call.method == "PUT" && granted(call)), "nobody may read the bucket");

    let cleanup = cloud.bench.run(&["cleanup"]);
    assert_eq!((cleanup.code, cloud.gce.resources()), (Some(0), Vec::new()), "{}", cleanup.stderr);
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

    let ended = cloud.load("http://127.0.0.1:9", &["--workers", "1"]);
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
        let ended = cloud.load("http://127.0.0.1:9", &["--workers", "1", "--fleet-name", fleet]);
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
    let url = cloud.upstream();
    let other = user_of(&cloud.gce);
    let ours = cloud.load(&url, &["--workers", "1"]);
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
    let url = cloud.upstream();
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

    let url = cloud.upstream();
    let ended = cloud.load(&url, &["--workers", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("loadtest-vm-1 is being deleted"), "{}", ended.stderr);
    assert_ne!(cloud.gce.instance("loadtest-vm-1").unwrap()["id"], made);
}

#[test]
fn many_vms_take_about_as_long_as_one() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    cloud.gce.set_pace(Pace::Takes(Duration::from_secs(2)));
    let ended = cloud.load(&url, &["--workers", "6"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let total = ended.stderr.lines().find_map(|line| line.strip_prefix("6 VMs are ready after ")).unwrap();
    let seconds: f64 = total.trim_end_matches(" s").parse().unwrap();
    // The bucket and the firewall rule take a moment of their own; one after another they would take over 12 s.
    assert!((2.0..8.0).contains(&seconds), "{seconds} s");
}

#[test]
fn many_vms_are_made_only_when_somebody_agrees() {
    let cloud = Cloud::new();
    let command = format!(
        "{} run --fleet gcp --workers 5 --target http://127.0.0.1:9 --requests 10",
        env!("CARGO_BIN_EXE_archestra-bench")
    );
    // On a terminal, whose user has gone.
    let ended = cloud.bench.start_program("script", &["-qec", &command, "/dev/null"]).wait(BOUND);
    assert!(
        ended.stdout.contains("5 VMs will be made") && ended.stdout.contains("--yes"),
        "{}",
        ended.stdout
    );
    assert_eq!((ended.code, cloud.vms()), (Some(1), 0));
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
