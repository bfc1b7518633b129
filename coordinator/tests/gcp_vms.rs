//! The main job on VMs that really boot: the real startup scripts, the real worker, real firewalls; and what goes wrong there.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use coordinator::clock::local_now;
use coordinator::trust::{Authority, FleetName, Leaf, Role, WORKER_NAME};
use jiff::ToSpan;
use proto::wire::DescribeRequest;
use proto::wire::load_worker_client::LoadWorkerClient;
use rustix::process::{Pid, Signal, kill_process};
use support::clock::wait_until;
use support::cloud::user_of;
use support::process::{Bench, Finished, Running};
use support::request::Reply;
use support::results::Results;
use support::target::Target;
use support::vms::{API_ADDRESS, Cloud};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

const A_WHILE: Duration = Duration::from_secs(90);

/// Somebody whose VMs run the program itself.
fn user(cloud: &Cloud) -> Bench {
    user_of(cloud.gce()).variable("ARCHESTRA_BENCH_WORKER_BINARY", env!("CARGO_BIN_EXE_archestra-bench"))
}

fn start(cloud: &Cloud, bench: &Bench, arguments: &[&str]) -> Running {
    cloud.as_coordinator(|| bench.start(arguments))
}

fn run(cloud: &Cloud, bench: &Bench, arguments: &[&str]) -> Finished {
    start(cloud, bench, arguments).wait(A_WHILE)
}

fn succeed(cloud: &Cloud, bench: &Bench, arguments: &[&str]) -> Finished {
    let ended = run(cloud, bench, arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}\n{}", ended.stderr, serial(cloud));
    ended
}

/// What all VMs wrote to their serial ports.
fn serial(cloud: &Cloud) -> String {
    let vms = cloud.gce().instances();
    vms.iter().map(|vm| format!("--- {}\n{}\n", vm.name, cloud.gce().serial(&vm.name))).collect()
}

fn address(cloud: &Cloud, name: &str) -> String {
    cloud.gce().instances().into_iter().find(|vm| vm.name == name).unwrap().network_ip
}

fn nothing_is_left(cloud: Cloud, bench: &Bench) {
    let ended = run(&cloud, bench, &["cleanup"]);
    assert_eq!((ended.code, cloud.gce().resources()), (Some(0), Vec::new()), "{}", ended.stderr);
    assert_eq!(cloud.end(), Vec::<String>::new());
}

#[test]
fn the_main_job_on_one_two_and_three_vms_against_the_platform_on_a_fourth() {
    let Some(cloud) = Cloud::start() else { return };
    let bench = user(&cloud);
    let setup = succeed(&cloud, &bench, &["setup", "--platform-env", "STAND_IN_PORT=9000"]);
    assert!(setup.stdout.contains("archestra-platform-vm answers"), "{}", setup.stdout);
    let written = cloud.gce().serial("archestra-platform-vm");
    for part in [
        "archestra/platform:latest",
        "BENCHMARK_MOCK_MODE=true",
        "ARCHESTRA_OPENAI_BASE_URL=http://127.0.0.1:9100/v1",
    ] {
        assert!(written.contains(part), "{written}");
    }

    for workers in ["1", "2", "3"] {
        let results = format!("results-{workers}");
        let flags = ["run", "--workers", workers, "--requests", "300", "--results-dir", &results];
        let ended = succeed(&cloud, &bench, &flags);
        assert!(ended.stderr.contains("VMs are ready after") || workers == "1", "{}", ended.stderr);
        let report = fs::read_dir(bench.folder().join(&results)).unwrap().find_map(|entry| {
            let path = entry.unwrap().path().join("report.json");
            fs::read(path).ok()
        });
        let report: serde_json::Value = serde_json::from_slice(&report.unwrap()).unwrap();
        for block in report["blocks"].as_array().unwrap() {
            assert_eq!(block["totals"]["successes"], 300, "{}", ended.stdout);
            assert_eq!(block["workers"].as_array().unwrap().len().to_string(), workers);
        }
    }
    assert_eq!(cloud.gce().instances().len(), 4);
    only_the_coordinator_commands_a_worker(&cloud, &bench);
    the_worker_has_no_rights(&address(&cloud, "loadtest-vm-1"));
    nothing_is_left(cloud, &bench);
}

/// The worker's process is in the machine's own namespaces, and the test sees it from outside.
fn the_worker_has_no_rights(address: &str) {
    for pid in workers(address) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_ne!(field("Uid:").split_whitespace().next(), Some("0"), "{status}");
        assert_eq!(
            (field("NoNewPrivs:"), field("CapEff:")),
            ("1".into(), "0000000000000000".into()),
            "{status}"
        );
    }
}

/// The workers on the VM of this address; on all VMs when that is empty.
fn workers(address: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&command)
            .contains("--certificate-out\0/run/archestra-bench/certificate.pem")
        {
            continue;
        }
        // Its own namespace knows its address.
        let routes = fs::read_to_string(entry.path().join("net/fib_trie")).unwrap_or_default();
        if routes.contains(&format!("{address}\n")) || address.is_empty() {
            found.push(pid);
        }
    }
    assert!(!found.is_empty(), "no worker runs at {address}");
    found
}

async fn describe(address: &str, pin: &str, leaf: Option<&Leaf>) -> Result<(), String> {
    let mut tls = ClientTlsConfig::new().domain_name(WORKER_NAME).ca_certificate(Certificate::from_pem(pin));
    if let Some(leaf) = leaf {
        tls = tls.identity(Identity::from_pem(&leaf.certificate_pem, &leaf.key_pem));
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}:7000")).unwrap().tls_config(tls).unwrap();
    let channel = endpoint
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
        .map_err(|error| error.to_string())?;
    let described = LoadWorkerClient::new(channel).describe(DescribeRequest::default()).await;
    described.map(|_| ()).map_err(|status| status.to_string())
}

fn only_the_coordinator_commands_a_worker(cloud: &Cloud, bench: &Bench) {
    let address = address(cloud, "loadtest-vm-1");
    let pin = cloud.gce().guest_attribute("loadtest-vm-1", "archestra-bench", "certificate").unwrap();
    let state = bench.folder().join(".local/state/archestra-bench");
    let authority = Authority::load(&state, &FleetName::new(FleetName::DEFAULT).unwrap()).unwrap();
    let [own, expired, fellow, foreign] = [
        authority.issue(Role::Coordinator, &local_now()),
        authority.issue(Role::Coordinator, &local_now().checked_sub(2.years()).unwrap()),
        authority.issue(Role::Worker, &local_now()),
        Authority::ephemeral(&local_now()).unwrap().issue(Role::Coordinator, &local_now()),
    ]
    .map(Result::unwrap);
    cloud.as_coordinator(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            describe(&address, &pin, Some(&own)).await.unwrap();
            for (who, leaf) in [
                ("nobody", None),
                ("a former coordinator", Some(&expired)),
                ("a worker", Some(&fellow)),
                ("another fleet's", Some(&foreign)),
            ] {
                assert!(describe(&address, &pin, leaf).await.is_err(), "{who} commands a worker");
            }
            assert!(
                describe(&address, authority.certificate_pem(), Some(&own)).await.is_err(),
                "any certificate is taken"
            );
        });
        let mut plain = TcpStream::connect(format!("{address}:7000")).unwrap();
        plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        drop(plain.read_to_end(&mut answer));
        assert!(answer.first().is_none_or(|first| *first == 21), "plain text is answered: {answer:?}");
    });
    // From elsewhere in the network nobody gets as far as that.
    let address: SocketAddr = format!("{address}:7000").parse().unwrap();
    let elsewhere =
        cloud.beside_the_api(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
    assert!(!elsewhere, "the firewall lets anybody in");
}

/// What it takes to lose a worker in the middle of a run.
fn lose(cloud: &Cloud, bench: &Bench, url: &str, loss: impl FnOnce(), reasons: &[&str]) {
    let flags = ["run", "--fleet", "gcp", "--workers", "2", "--target", url, "--scenario", "simple_chat"];
    let running = start(
        cloud,
        bench,
        &[&flags[..], &["--duration", "8s", "--lease", "2s", "--results-dir", "lost"]].concat(),
    );
    running.wait_for("VMs are ready", A_WHILE);
    assert!(wait_until(A_WHILE, || running.stderr().contains("simple_chat")), "{}", running.stderr());
    loss();
    let ended = running.wait(A_WHILE);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("worker_lost") || ended.stdout.contains("lost"), "{}", ended.stdout);
    for reason in reasons {
        assert!(ended.stderr.contains(reason), "no `{reason}` in {}", ended.stderr);
    }
    fs::remove_dir_all(bench.folder().join("lost")).unwrap();
}

/// In place of `gcloud compute ssh NAME … --command COMMAND`: runs the command on the VM as a user without any rights.
const GCLOUD: &str = r#"#!/bin/bash
set -eu
[[ "$1 $2" == "compute ssh" && " $* " == *" --zone europe-west1-b --project bench-project --quiet "* ]]
echo "$3" >>"$HOME/carried"
# As long as sshd is not up.
[[ $(wc -l <"$HOME/carried") -gt 1 ]] || { echo "ERROR: (gcloud.compute.ssh) [255] no sshd yet" >&2; exit 255; }
for process in /proc/[0-9]*; do
  [[ $(cat "$process/comm" 2>/dev/null) == systemd ]] || continue
  target=${process#/proc/}
  [[ $(nsenter --uts --target "$target" hostname) != "$3" ]] ||
    exec nsenter --target "$target" --mount --uts --ipc --net --pid -- setpriv --reuid 65534 --clear-groups sh -c "${*: -1}"
done
exit 1
"#;

fn a_binary_is_carried_by_ssh(cloud: &Cloud, url: &str) {
    let bench = user(cloud);
    let gcloud = bench.file("bin/gcloud", GCLOUD);
    fs::set_permissions(&gcloud, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", gcloud.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let calls = cloud.gce().log().len();
    let flags = ["run", "--fleet", "gcp", "--target", url, "--requests", "50", "--scenario", "simple_chat"];
    let more = ["--workers", "1", "--worker-delivery", "ssh", "--results-dir", "carried-results"];
    let bench = bench.variable("PATH", &path);
    succeed(cloud, &bench, &[&flags[..], &more].concat());
    assert_eq!(fs::read_to_string(bench.folder().join("carried")).unwrap(), "loadtest-vm-1\nloadtest-vm-1\n");
    let rules = cloud.gce().firewalls();
    assert_eq!(rules[0]["allowed"][0]["ports"], serde_json::json!(["7000", "22"]), "{rules:?}");
    let log = &cloud.gce().log()[calls..];
    assert!(
        log.iter().all(|call| call.body["serviceAccounts"].is_null() && !call.path.starts_with("/storage"))
    );
    assert_eq!(run(cloud, &bench, &["cleanup"]).code, Some(0));
}

#[test]
fn what_goes_wrong_on_vms_is_named_and_nothing_is_left() {
    let Some(cloud) = Cloud::start() else { return };
    let bench = user(&cloud);
    let target = cloud.beside_the_api(|| {
        Target::scripted_on(&format!("{API_ADDRESS}:0"), |_, request| match request.path.as_str() {
            "/binary" => Reply::with_body(200, "application/octet-stream", "no program"),
            _ => Reply::good(request).after(Duration::from_millis(5)),
        })
    });
    let url = target.url();
    let plain = ["run", "--fleet", "gcp", "--target", &url, "--requests", "50", "--scenario", "simple_chat"];

    // A binary that is not what it should be is not run.
    let sha256 = "0".repeat(64);
    let binary = format!("{url}/binary");
    let bench_of_page = user(&cloud).variable("ARCHESTRA_BENCH_WORKER_BINARY", "");
    let flags = ["--workers", "1", "--worker-url", &binary, "--worker-sha256", &sha256];
    let ended = run(&cloud, &bench_of_page, &[&plain[..], &flags].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("has the wrong checksum") && ended.stderr.contains("loadtest-vm-1 | "),
        "{}",
        ended.stderr
    );
    assert!(cloud.gce().instances().is_empty());
    assert!(
        cloud.gce().log().iter().all(|call| call.body["serviceAccounts"].is_null()),
        "no account is needed for that"
    );

    a_binary_is_carried_by_ssh(&cloud, &url);

    // A container that does not start is named at once, long before --platform-timeout.
    let ended = run(&cloud, &bench, &["setup", "--platform-image", "does-not-start:1"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the container does-not-start:1 does not start (docker: Error"),
        "{}",
        ended.stderr
    );
    assert!(cloud.gce().instances().is_empty());

    // A VM that never boots.
    cloud.boot_only(|_| false);
    let ended = run(&cloud, &bench, &[&plain[..], &["--workers", "1", "--boot-timeout", "5s"]].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("its startup script has said nothing, 5s after"), "{}", ended.stderr);
    assert!(cloud.gce().instances().is_empty());
    cloud.boot_only(|_| true);

    // Workers that are lost in the middle: killed (systemd starts another, which knows nothing of the run), cut off,
    // taken away.
    let killed = || {
        for pid in workers(&address(&cloud, "loadtest-vm-2")) {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
    };
    lose(&cloud, &bench, &url, killed, &["worker 1 was lost"]);
    // The one that systemd started shows another certificate, and is used as it is.
    succeed(&cloud, &bench, &[&plain[..], &["--workers", "2"]].concat());
    assert_eq!(Results::of(&bench).count(0, "successes"), 50);
    lose(&cloud, &bench, &url, || cloud.set_link("loadtest-vm-2", false), &["worker 1 was lost"]);
    cloud.set_link("loadtest-vm-2", true);
    lose(
        &cloud,
        &bench,
        &url,
        || cloud.gce().preempt("loadtest-vm-2"),
        &["worker 1 was lost", "it was preempted"],
    );

    // A coordinator that is killed.
    let running = start(
        &cloud,
        &bench,
        &[&plain[..5], &["--workers", "2", "--duration", "60s", "--results-dir", "killed"]].concat(),
    );
    running.wait_for("VMs are ready", A_WHILE);
    running.kill();
    drop(running);
    drop(target);
    nothing_is_left(cloud, &bench);
}
