//! Hosts as they are in the wild: shells that talk, files of other projects, servers that allow little, and clients that
//! go round about. Against real OpenSSH servers in network namespaces.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;
use support::clock::wait_until;
use support::network::Network;
use support::process::{BOUND, Bench};
use support::request::{Reply, Request};
use support::results::Results;
use support::ssh_fleet::{bench, no_sockets_are_left, nothing_is_left, run, start};

fn at_once(_: u64, request: &Request) -> Reply {
    Reply::good(request)
}

#[test]
fn a_host_whose_worker_does_not_start_is_left_out_and_the_others_begin_again() {
    let Some(network) = Network::new("does_not_start", 3) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    network.allow_at(0, "no-port-forwarding");
    let finished = run(&network, &bench, &target, &["--requests", "40", "--on-partial", "continue"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let expected = format!("warning: {} lets nothing through to its worker", network.host(0).name());
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("warning: ").count(), 1, "{}", finished.stderr);
    assert_eq!(target.counts().load, 40);
    let workers = &Results::of(&bench).report["run"]["workers"];
    let names: Vec<_> = workers.as_array().unwrap().iter().map(|worker| &worker["address"]).collect();
    assert_eq!(names, [network.host(1).name().as_str(), network.host(2).name().as_str()]);
    nothing_is_left(&network, &[0, 1, 2], Duration::from_secs(5));
}

#[test]
fn what_a_host_says_at_a_login_disturbs_nothing() {
    let Some(network) = Network::new("noise", 1) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    // Whatever the login shell is, sshd has sh run this before it: two lines, one of them no UTF-8, and one without end.
    let words = "echo Welcome\nprintf 'caf\\351\\nhello> '\n";
    fs::write(network.host(0).home.join(".ssh/rc"), words).unwrap();
    let finished = run(&network, &bench, &target, &["--requests", "20"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(target.counts().load, 20);
}

#[test]
fn files_and_variables_of_a_host_are_not_for_its_worker() {
    let Some(network) = Network::new("foreign_files", 1) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let home = &network.host(0).home;
    fs::write(home.join(".env"), "X=$(id)\n").unwrap();
    let variables =
        "ARCHESTRA_BENCH_WORKER_COORDINATOR_CA=/nowhere/ca.pem\nARCHESTRA_BENCH_WORKER_LISTEN=nowhere\n";
    fs::write(home.join(".ssh/environment"), variables).unwrap();
    let small = std::path::Path::new(support::process::PROGRAM).with_file_name("archestra-bench-worker");
    for binary in [support::process::PROGRAM, small.to_str().unwrap()] {
        if !fs::exists(binary).unwrap() {
            continue;
        }
        let finished = run(&network, &bench, &target, &["--requests", "20", "--worker-binary", binary]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
}

#[test]
fn variables_of_a_worker_are_not_for_those_that_a_run_starts_itself() {
    let bench = Bench::new().variable("ARCHESTRA_BENCH_WORKER_COORDINATOR_CA", "/nowhere/ca.pem");
    bench.file(
        ".env",
        "ARCHESTRA_BENCH_WORKER_CREDENTIALS=nowhere.pem\nARCHESTRA_BENCH_MOCK_LISTEN=nowhere\n",
    );
    let finished = bench.run(&["run", "--requests", "20", "--quiet"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let alone = bench.start(&["worker", "--listen", "127.0.0.1:0"]).wait(BOUND);
    assert_eq!(alone.code, Some(1), "{}", alone.stderr);
    assert!(alone.stderr.contains("exclude each other"), "{}", alone.stderr);
}

/// A way to a host that does not end when nobody writes to it any more, as `nc` has it.
const STUBBORN_PROXY: &str = r#"bash -c "exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; wait""#;

#[test]
fn hosts_that_came_up_are_let_go_when_another_fails() {
    let Some(network) = Network::new("another_fails", 2) else { return };
    let target = network.target(at_once);
    network.configure_client(&format!("Host {}\n  ProxyCommand {STUBBORN_PROXY}", network.host(0).address));
    let hosts = [network.host(0).name(), format!("{}:2", network.host(1).name())];
    let bench = bench(&network);
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let finished = network.start(&bench, &hosts, &target.url(), &["--requests", "10"]).wait(BOUND);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
    no_sockets_are_left(&bench);
}

#[test]
fn an_end_that_is_asked_for_while_a_host_comes_up_leaves_nothing() {
    let Some(network) = Network::new("comes_up", 2) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    network.configure_client(&format!("Host 10.*\n  ProxyCommand {STUBBORN_PROXY}"));
    // A login that never comes to an end, on one of them.
    fs::write(network.host(1).home.join(".ssh/rc"), "sleep 600 >/dev/null 2>&1\n").unwrap();
    let running = start(&network, &bench, &target, &["--requests", "10"]);
    let copied = wait_until(BOUND, || !network.host(0).programs().is_empty());
    assert!(copied, "{}", running.stderr());
    running.signal(Signal::INT);
    assert_eq!(running.wait(BOUND).code, Some(130));
    nothing_is_left(&network, &[0], Duration::from_secs(5));
    let clients = || network.processes();
    assert!(wait_until(Duration::from_secs(5), || clients().is_empty()), "{:?}", clients());
    no_sockets_are_left(&bench);
}

#[test]
fn a_server_that_allows_one_session_is_named_with_its_setting() {
    let Some(network) = Network::new("one_session", 2) else { return };
    let target = network.target(at_once);
    network.configure(0, "MaxSessions 1");
    // Whether the program is there or not: the copy needs a session, and so does the worker.
    for _ in 0..2 {
        let bench = bench(&network);
        let finished = run(&network, &bench, &target, &["--requests", "20", "--on-partial", "continue"]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let expected = format!(
            "{} allows no more sessions on one connection; raise MaxSessions",
            network.host(0).name()
        );
        assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
        let programs = network.host(1).programs().remove(0).0;
        let folder = network
            .host(0)
            .cache
            .join("archestra-bench")
            .join(programs.parent().unwrap().file_name().unwrap());
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&programs, folder.join("archestra-bench")).unwrap();
    }
}

#[test]
fn a_server_that_lets_few_knock_at_once_is_tried_again() {
    let Some(network) = Network::new("few_at_once", 1) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    network.configure(0, "MaxStartups 2:100:2");
    let address = &network.host(0).address;
    network.configure_client(&format!("Host load-*\n  HostName {address}\n  User root"));
    let hosts = ["load-1", "load-2", "load-3", "load-4", "load-5"];
    let finished = network.start(&bench, &hosts, &target.url(), &["--requests", "50"]).wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(target.counts().load, 50);
}

#[test]
fn a_clock_that_is_wrong_is_named_and_the_others_go_on() {
    let Some(network) = Network::new("wrong_clock", 2) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let home = &network.host(0).home;
    let date = home.join("bin/date");
    fs::create_dir_all(date.parent().unwrap()).unwrap();
    fs::write(&date, "#!/bin/sh\necho 1000000000\n").unwrap();
    fs::set_permissions(&date, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("PATH={}:/usr/bin:/bin\n", date.parent().unwrap().display());
    fs::write(home.join(".ssh/environment"), path).unwrap();
    let finished = run(&network, &bench, &target, &["--requests", "20", "--on-partial", "continue"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let expected = format!("warning: {} has a clock that is ", network.host(0).name());
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    assert_eq!(network.host(0).programs(), []);
}

#[test]
fn a_folder_from_which_nothing_may_run_is_named() {
    let Some(network) = Network::with_cache("noexec", 1, Some("noexec")) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let finished = run(&network, &bench, &target, &["--requests", "20", "--quiet"]);
    assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
    let expected = format!("error: {} does not let the worker's program run (", network.host(0).name());
    assert!(finished.stderr.starts_with(&expected), "{}", finished.stderr);
}

#[test]
fn a_program_that_is_not_the_right_one_is_copied_again_and_what_was_cut_off_is_swept() {
    let Some(network) = Network::new("wrong_program", 1) else { return };
    let (bench, target) = (bench(&network), network.target(at_once));
    let finished = run(&network, &bench, &target, &["--requests", "20"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let program = network.host(0).programs().remove(0).0;
    fs::write(&program, "no program").unwrap();
    let [old, new] = [".new.1", ".new.2"].map(|name| program.with_file_name(name));
    fs::write(&new, "half").unwrap();
    let two_hours_ago = fs::metadata(&new).unwrap().modified().unwrap() - Duration::from_secs(7200);
    fs::File::create(&old).unwrap().set_modified(two_hours_ago).unwrap();
    let finished = run(&network, &bench, &target, &["--requests", "20"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(fs::read(&program).unwrap(), fs::read(support::process::PROGRAM).unwrap());
    assert!(!old.exists() && new.exists(), "another copy may be under way");
}

#[test]
fn a_run_under_nohup_does_not_end_with_its_terminal() {
    let bench = Bench::new();
    let target = support::target::Target::scripted(at_once);
    let run = format!(
        "trap '' HUP; exec {} run --target {} --scenario simple_chat --duration 3s --quiet",
        support::process::PROGRAM,
        target.url()
    );
    let running = bench.start_program("sh", &["-c", &run]);
    assert!(wait_until(BOUND, || target.counts().load > 20), "{}", running.stderr());
    running.signal(Signal::HUP);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn what_is_wrong_here_is_not_blamed_on_a_host() {
    let Some(network) = Network::new("wrong_here", 1) else { return };
    let target = network.target(at_once);
    network.configure_client("NoSuchOption yes");
    let finished = run(&network, &bench(&network), &target, &["--requests", "20"]);
    let expected =
        format!("error: {} cannot be reached, because ssh fails on this machine (", network.host(0).name());
    assert!(finished.stderr.starts_with(&expected), "{}", finished.stderr);

    network.configure_client("");
    let folder = bench(&network);
    let misread = folder.folder().join("a%h:b");
    fs::create_dir(&misread).unwrap();
    let misread = folder.variable("TMPDIR", misread.to_str().unwrap());
    let finished = run(&network, &misread, &target, &["--requests", "20"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn two_coordinators_may_use_the_same_hosts_at_once() {
    let Some(network) = Network::new("two_coordinators", 2) else { return };
    let (benches, target) = ([bench(&network), bench(&network)], network.target(at_once));
    let running = benches.each_ref().map(|bench| start(&network, bench, &target, &["--requests", "50"]));
    for finished in running.map(|running| running.wait(BOUND)) {
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
    assert_eq!(target.counts().load, 100);
    assert!([0, 1].iter().all(|host| network.host(*host).programs().len() == 1), "both copied the same");
}
