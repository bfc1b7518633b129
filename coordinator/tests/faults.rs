//! Workers that die, coordinators that die, users who have seen enough, strangers and connections that break.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use support::clock::wait_until;
use support::process::{BOUND, Bench, Running, orphans};
use support::results::{Results, names};
use support::target::Target;

const A_WHILE: Duration = Duration::from_secs(20);

fn slow_target() -> Target {
    Target::with_latencies(vec![Duration::from_millis(10)])
}

/// A run of `simple_chat` that is under way: its load has reached the target.
fn under_way(bench: &Bench, target: &Target, flags: &[&str]) -> Running {
    let url = target.url();
    let before = target.counts().load;
    let running = bench.start(&[&["run", "--scenario", "simple_chat", "--target", &url], flags].concat());
    let loaded = wait_until(BOUND, || target.counts().load > before + 50);
    assert!(loaded, "{}", running.stderr());
    running
}

/// The load stands still from `within` on, for `long`.
fn stands_still(target: &Target, within: Duration, long: Duration) {
    thread::sleep(within);
    let count = target.counts().load;
    thread::sleep(long);
    assert_eq!(target.counts().load, count, "requests still arrive");
}

/// The child processes that are workers, by their command lines.
fn workers_of(running: &Running) -> Vec<i32> {
    let is_worker = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("worker")
    };
    running.descendants().into_iter().map(|process| process.pid).filter(is_worker).collect()
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// A worker that somebody started elsewhere; it is ended with the test.
fn worker(bench: &Bench, flags: &[&str]) -> (Running, SocketAddr) {
    let worker = bench.start(&[&["worker", "--listen", "127.0.0.1:0"], flags].concat());
    worker.wait_for("listening on ", A_WHILE);
    let address = worker.stdout().trim().rsplit_once('/').unwrap().1.parse().unwrap();
    (worker, address)
}

#[test]
fn a_worker_that_dies_is_named_and_the_run_goes_on() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = under_way(&bench, &target, &["--duration", "4s", "--workers", "3"]);
    kill(workers_of(&running)[0]);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    assert_eq!(results.report["verdict"], "suspect");
    assert!(results.is_blamed_by("worker_lost"));
    assert!(results.summary.contains("signal 9"), "{}", results.summary);
    let of = |k: usize| results.block(0)["workers"][k]["totals"]["successes"].as_u64().unwrap();
    assert_eq!(of(0) + of(1) + of(2), results.count(0, "successes"));
    assert!(of(1) > 300 && of(2) > 300, "the others go on to the end");
}

#[test]
fn a_worker_that_stands_still_for_a_while_makes_the_run_suspect() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = under_way(&bench, &target, &["--duration", "5s"]);
    let frozen = Pid::from_raw(workers_of(&running)[0]).unwrap();
    kill_process(frozen, Signal::STOP).unwrap();
    thread::sleep(Duration::from_millis(2500));
    kill_process(frozen, Signal::CONT).unwrap();
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert!(results.is_blamed_by("stalled") && results.summary.contains("s late"), "{}", results.summary);
    results.assert_verified(&bench);
}

#[test]
fn without_any_worker_left_the_run_is_invalid() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = under_way(&bench, &target, &["--duration", "20s"]);
    workers_of(&running).into_iter().for_each(kill);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert_eq!(Results::of(&bench).report["verdict"], "invalid");
}

#[test]
fn a_coordinator_that_is_killed_leaves_no_process_and_no_load() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = under_way(&bench, &target, &["--duration", "60s"]);
    let children = running.descendants();
    assert!(children.len() >= 2);
    running.signal(Signal::KILL);
    assert_eq!(orphans(&children, Duration::from_secs(5)), []);
    stands_still(&target, Duration::from_secs(1), Duration::from_secs(14));
}

#[test]
fn a_worker_whose_coordinator_is_killed_stops_its_load_when_the_lease_ends() {
    let (bench, target) = (Bench::new(), slow_target());
    let (_worker, address) = worker(&bench, &[]);
    let address = address.to_string();
    let flags = ["--fleet", "addresses", "--worker-address", &address, "--duration", "60s", "--lease", "2s"];
    let running = under_way(&bench, &target, &flags);
    running.signal(Signal::KILL);
    stands_still(&target, Duration::from_secs(4), Duration::from_secs(3));

    // And it is free again.
    let flags = ["--fleet", "addresses", "--worker-address", &address, "--requests", "200"];
    let bench = Bench::new();
    let finished = under_way(&bench, &target, &flags).wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn ctrl_c_stops_the_load_within_a_second_and_keeps_what_there_is() {
    for signal in [Signal::INT, Signal::TERM] {
        let (bench, target) = (Bench::new(), slow_target());
        let running = under_way(&bench, &target, &["--duration", "60s"]);
        let children = running.descendants();
        running.signal_group(signal);
        stands_still(&target, Duration::from_secs(1), Duration::from_secs(1));
        let finished = running.wait(A_WHILE);
        assert_eq!(finished.code, Some(130), "{}", finished.stderr);
        assert_eq!(orphans(&children, Duration::from_secs(5)), []);

        let results = Results::of(&bench);
        assert!(results.summary.contains("interrupted"), "{}", results.summary);
        assert!(results.count(0, "successes") > 0);
        results.assert_verified(&bench);
    }
}

/// A run of two scenarios whose first has been saved and whose second is under way.
fn in_the_second_block(bench: &Bench, target: &Target) -> Running {
    let flags = ["run", "--scenario", "simple_chat,chat_with_tools", "--duration", "2s", "--warmup", "none"];
    let running = bench.start(&[&flags[..], &["--target", &target.url()]].concat());
    let saved = || names(bench).iter().any(|name| name.starts_with("summary_"));
    assert!(wait_until(BOUND, saved), "{}", running.stderr());
    let before = target.counts().load;
    assert!(wait_until(BOUND, || target.counts().load > before + 50), "{}", running.stderr());
    running
}

#[test]
fn a_killed_run_says_that_it_is_incomplete_and_can_be_verified() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = in_the_second_block(&bench, &target);
    // So that lines of the second block are in the log.
    thread::sleep(Duration::from_millis(1300));
    running.signal(Signal::KILL);
    running.wait(A_WHILE);

    let results = Results::of(&bench);
    assert!(results.report["run"]["finished"].is_null());
    let said = "This run has not come to its end: chat_with_tools is missing";
    assert!(
        results.summary.contains("(incomplete)") && results.summary.contains(said),
        "{}",
        results.summary
    );
    results.assert_verified(&bench);
}

#[test]
fn ctrl_c_in_the_second_block_leaves_the_first_as_it_is() {
    let (bench, target) = (Bench::new(), slow_target());
    let running = in_the_second_block(&bench, &target);
    running.signal(Signal::INT);
    assert_eq!(running.wait(A_WHILE).code, Some(130));
    let results = Results::of(&bench);
    assert_ne!(results.report["verdict"], "invalid", "{}", results.summary);
    assert!(!results.report["run"]["finished"].is_null());
}

#[test]
fn ctrl_c_before_the_load_leaves_nothing() {
    let hanging = Target::scripted(|_, _| support::request::Reply::nothing().after(Duration::from_secs(60)));
    let bench = Bench::new();
    let running = bench.start(&["run", "--target", &hanging.url(), "--workers", "4"]);
    assert!(wait_until(A_WHILE, || hanging.counts().preflight == 4));
    let children = running.descendants();
    running.signal_group(Signal::INT);
    // A worker that has to be killed takes 3 s, and four one after another 12 s.
    let finished = running.wait(Duration::from_millis(2900));
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(finished.stderr.contains("interrupted"));
    assert_eq!(orphans(&children, Duration::from_secs(5)), []);
    assert_eq!(names(&bench), Vec::<String>::new());
}

#[test]
fn workers_elsewhere_are_commanded_over_mutual_tls_and_by_nobody_else() {
    let (bench, target) = (Bench::new(), slow_target());
    let made = bench.run(&["pki", "--out", "keys"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let credentials = ["--credentials", "keys/worker.pem"];
    let [(_one, first), (_two, second)] = [worker(&bench, &credentials), worker(&bench, &credentials)];
    let fleet = ["--fleet", "addresses", "--requests", "100"];
    let run = |bench: &Bench, more: &[&str]| {
        bench.run(
            &[&["run", "--scenario", "simple_chat", "--target", &target.url()], &fleet[..], more].concat(),
        )
    };

    let finished =
        run(&bench, &["--worker-address", &first.to_string(), "--worker-address", &second.to_string()]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(target.counts().load, 100);

    // Without any authority and so in plain text; with another fleet's; in plain text on purpose.
    let stranger = Bench::new();
    let first = first.to_string();
    let without = run(&stranger, &["--worker-address", &first]);
    stranger.run(&["pki", "--out", "keys"]);
    let other_fleet = run(&stranger, &["--worker-address", &first]);
    let plaintext = run(&bench, &["--worker-address", &first, "--plaintext"]);
    for refused in [without, other_fleet, plaintext] {
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("worker 0") && refused.stderr.lines().count() == 1,
            "{}",
            refused.stderr
        );
    }
    assert_eq!(target.counts().load, 100, "no stranger's load arrived");
}

#[test]
fn a_worker_without_credentials_serves_loopback_only() {
    let finished = Bench::new().run(&["worker", "--listen", "0.0.0.0:0"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("--credentials") && finished.stderr.contains("pki"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_worker_serves_one_coordinator_at_a_time() {
    let (bench, target) = (Bench::new(), slow_target());
    let (_worker, address) = worker(&bench, &[]);
    let fleet = ["--fleet", "addresses", "--worker-address", &address.to_string()];
    let first = under_way(&bench, &target, &[&fleet[..], &["--duration", "4s"]].concat());
    let second = Bench::new();
    let refused = second.run(&[&["run", "--target", &target.url(), "--requests", "5"], &fleet[..]].concat());
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(1), 1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("worker 0") && refused.stderr.contains("still carrying out"),
        "{}",
        refused.stderr
    );
    assert_eq!(names(&second), Vec::<String>::new());
    assert_eq!(first.wait(BOUND).code, Some(0));
    assert!(!Results::of(&bench).is_blamed_by("worker_lost"), "the stranger disturbed it");
}

/// Passes connections on to `to`; `cut` breaks all that there are, and `open` says whether new ones are passed on.
struct Proxy {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    open: Arc<Mutex<bool>>,
}

impl Proxy {
    fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(true)));
        let (kept, is_open) = (Arc::clone(&connections), Arc::clone(&open));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if !*is_open.lock().unwrap() {
                    continue;
                }
                let far = TcpStream::connect(to).unwrap();
                let clone = |stream: &TcpStream| stream.try_clone().unwrap();
                kept.lock().unwrap().extend([clone(&near), clone(&far)]);
                let pairs = [(clone(&near), clone(&far)), (far, near)];
                for (from, to) in pairs {
                    thread::spawn(move || pass_on(from, to));
                }
            }
        });
        Self { address, connections, open }
    }

    fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

#[test]
fn a_stream_that_breaks_is_taken_up_again_and_nothing_is_lost() {
    let (bench, target) = (Bench::new(), slow_target());
    let (_worker, address) = worker(&bench, &[]);
    let proxy = Proxy::to(address);
    let fleet = ["--fleet", "addresses", "--worker-address", &proxy.address.to_string(), "--duration", "4s"];
    let running = under_way(&bench, &target, &fleet);
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(700));
        proxy.cut();
    }
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    for rule in ["worker_lost", "stopped_early", "totals_disagree"] {
        assert!(!results.is_blamed_by(rule), "{}", results.summary);
    }
    assert_eq!(results.count(0, "started"), target.counts().load);
}

#[test]
fn a_worker_that_stays_out_of_reach_is_lost_and_what_it_had_sent_counts() {
    let (bench, target) = (Bench::new(), slow_target());
    let (_worker, address) = worker(&bench, &[]);
    let proxy = Proxy::to(address);
    let fleet = ["--fleet", "addresses", "--worker-address", &proxy.address.to_string(), "--duration", "30s"];
    let running = under_way(&bench, &target, &[&fleet[..], &["--lease", "2s"]].concat());
    thread::sleep(Duration::from_millis(2500));
    *proxy.open.lock().unwrap() = false;
    proxy.cut();
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(Results::of(&bench).count(0, "successes") > 500);
    stands_still(&target, Duration::from_secs(3), Duration::from_secs(1));
}
