//! Workers that are of another version, lose what they are told, or never end; and strangers at a worker's door.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coordinator::clock::local_now;
use coordinator::trust::{Authority, FleetName, Leaf, Role, WORKER_NAME};
use proto::wire::load_worker_client::LoadWorkerClient;
use proto::wire::{self, command::Command, event::Event};
use rustix::process::Signal;
use support::clock::{now, wait_until};
use support::process::{BOUND, Bench, Finished, Running, orphans};
use support::request::{Purpose, Reply};
use support::results::{Results, names};
use support::scripted_worker::{Reaction, ScriptedWorker};
use support::target::Target;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

const A_WHILE: Duration = Duration::from_secs(20);

fn start(bench: &Bench, worker: SocketAddr) -> Running {
    let address = worker.to_string();
    let fleet = ["run", "--scenario", "simple_chat", "--fleet", "addresses", "--worker-address", &address];
    // A scripted worker asks nothing of it.
    bench.start(&[&fleet[..], &["--target", "http://127.0.0.1:9", "--requests", "10"]].concat())
}

fn ready(assignment: &wire::Assignment, resumed: bool) -> Reaction {
    let assignment_id = assignment.id.clone();
    Reaction::Tell(Box::new(Event::Ready(wire::Ready { assignment_id, resumed, ..wire::Ready::default() })))
}

fn finished() -> Reaction {
    Reaction::Tell(Box::new(Event::Finished(wire::Finished {
        end_reason: wire::EndReason::Stopped as i32,
        totals: Some(wire::Counters::default()),
        latencies: Some(wire::Latencies::default()),
        ..wire::Finished::default()
    })))
}

#[test]
fn a_worker_of_another_revision_is_refused_with_both_versions() {
    let worker = ScriptedWorker::start(99, |_, _| Reaction::Ignore);
    let bench = Bench::new();
    let Finished { code, stderr, .. } = start(&bench, worker.address).wait(BOUND);
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    for part in [
        "7.8.9",
        "revision 99",
        env!("CARGO_PKG_VERSION"),
        &format!("revision {}", proto::WIRE_REVISION),
        "same version",
    ] {
        assert!(stderr.contains(part), "no `{part}` in: {stderr}");
    }
    assert_eq!(names(&bench), Vec::<String>::new());
}

#[test]
fn an_order_to_start_that_is_lost_with_its_stream_is_given_again() {
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, |stream, order| match order {
        Command::Assignment(assignment) => ready(assignment, stream > 0),
        Command::Start(_) if stream == 0 => Reaction::Break,
        Command::Start(_) => finished(),
        _ => Reaction::Ignore,
    });
    let bench = Bench::new();
    let ended = start(&bench, worker.address).wait(BOUND);
    // Nothing was measured, which is no fault of this test.
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(worker.streams_with(|order| matches!(order, Command::Start(_))), [0, 1]);
    let results = Results::of(&bench);
    assert!(
        results.is_blamed_by("no_success") && results.is_blamed_by("stopped_early"),
        "{}",
        results.summary
    );
}

#[test]
fn an_order_to_stop_that_is_lost_with_its_stream_is_given_again() {
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, |stream, order| match order {
        Command::Assignment(assignment) => ready(assignment, stream > 0),
        Command::Stop(_) if stream == 0 => Reaction::Break,
        Command::Stop(_) => finished(),
        _ => Reaction::Ignore,
    });
    let is_start = |order: &Command| matches!(order, Command::Start(_));
    let bench = Bench::new();
    let running = start(&bench, worker.address);
    assert!(wait_until(A_WHILE, || !worker.streams_with(is_start).is_empty()), "{}", running.stderr());
    running.signal(Signal::INT);
    assert_eq!(running.wait(A_WHILE).code, Some(130));
    assert_eq!(worker.streams_with(|order| matches!(order, Command::Stop(_))), [0, 1]);
}

#[test]
fn a_worker_that_makes_no_sense_is_told_to_stop() {
    let nonsense = || Reaction::Tell(Box::new(Event::Interval(wire::Interval::default())));
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, move |_, order| match order {
        Command::Assignment(assignment) => ready(assignment, false),
        Command::Start(_) => nonsense(),
        Command::Stop(_) => finished(),
        _ => Reaction::Ignore,
    });
    let bench = Bench::new();
    let ended = start(&bench, worker.address).wait(BOUND);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(Results::of(&bench).is_blamed_by("worker_lost"));
    assert_eq!(worker.streams_with(|order| matches!(order, Command::Stop(_))), [0]);
    assert!(
        ended.stderr.contains("warning: worker 0 was lost (it sent what makes no sense"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_worker_whose_clock_steps_is_named_and_one_whose_clock_goes_right_is_not() {
    for (end, stepped) in [(Duration::from_secs(2), true), (Duration::from_millis(10), false)] {
        // It waits as long as it is told to, and then says that so much of the block is over.
        let worker = ScriptedWorker::start(proto::WIRE_REVISION, move |_, order| match order {
            Command::Assignment(assignment) => ready(assignment, false),
            Command::Start(start) => {
                std::thread::sleep(Duration::from_nanos(start.delay_ns));
                Reaction::Tell(Box::new(Event::Interval(wire::Interval {
                    end_ns: end.as_nanos() as u64,
                    counters: Some(wire::Counters::default()),
                    latencies: Some(wire::Latencies::default()),
                    ..wire::Interval::default()
                })))
            }
            Command::Acknowledge(_) => Reaction::Tell(Box::new(Event::Finished(wire::Finished {
                end_reason: wire::EndReason::Stopped as i32,
                end_ns: end.as_nanos() as u64,
                intervals: 1,
                totals: Some(wire::Counters::default()),
                latencies: Some(wire::Latencies::default()),
                ..wire::Finished::default()
            }))),
            _ => Reaction::Ignore,
        });
        let bench = Bench::new();
        let ended = start(&bench, worker.address).wait(BOUND);
        assert_eq!(
            ended.code,
            Some(3),
            "nothing succeeded, which is no fault of this test: {}",
            ended.stderr
        );
        let results = Results::of(&bench);
        assert_eq!(results.is_blamed_by("clock_stepped"), stepped, "{}", results.summary);
        assert!(!results.is_blamed_by("worker_lost"), "{}", results.summary);
        results.assert_verified(&bench);
    }
}

#[test]
fn a_run_whose_record_cannot_be_written_has_a_page_of_all_that_was_measured() {
    let bench = Bench::new();
    let (results, blocks) = (bench.folder().join("results"), AtomicUsize::new(0));
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, move |_, order| match order {
        Command::Assignment(assignment) => {
            if blocks.fetch_add(1, Ordering::Relaxed) == 1 {
                // A folder in the record's place: it can be saved no more.
                let folders = std::fs::read_dir(&results).unwrap().map(|entry| entry.unwrap().path());
                let report = folders.map(|path| path.join("report.json")).find(|path| path.exists()).unwrap();
                std::fs::remove_file(&report).unwrap();
                std::fs::create_dir(&report).unwrap();
            }
            ready(assignment, false)
        }
        Command::Start(_) => finished(),
        _ => Reaction::Ignore,
    });
    let address = worker.address.to_string();
    let fleet = ["run", "--scenario", "simple_chat", "--fleet", "addresses", "--worker-address", &address];
    let load = ["--target", "http://127.0.0.1:9", "--requests", "10", "--concurrency", "1,2,3"];
    let ended = bench.run(&[&fleet[..], &load, &["--cool-down", "1ms"]].concat());
    assert!(
        ended.code == Some(1) && ended.stderr.contains("report.json cannot be written"),
        "{}",
        ended.stderr
    );
    let stamp = names(&bench).into_iter().find(|name| !name.ends_with(".md")).unwrap();
    let page = bench.folder().join("results").join(stamp).join("report.html");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(!page.contains("(incomplete)") && page.contains("simple_chat, 3 in flight"), "{page}");
}

#[test]
fn where_one_worker_is_busy_the_others_are_told_to_stop() {
    let willing = Arc::new(ScriptedWorker::start(proto::WIRE_REVISION, |_, order| match order {
        Command::Assignment(assignment) => ready(assignment, false),
        Command::Stop(_) => finished(),
        _ => Reaction::Ignore,
    }));
    let has_work = |worker: &ScriptedWorker| {
        let is_work = |order: &Command| matches!(order, Command::Assignment(_));
        !worker.streams_with(is_work).is_empty()
    };
    let other = Arc::clone(&willing);
    let busy = ScriptedWorker::start(proto::WIRE_REVISION, move |_, _| {
        wait_until(A_WHILE, || has_work(&other));
        let (kind, message) = (wire::FaultKind::Busy as i32, "still carrying out another".into());
        Reaction::Tell(Box::new(Event::Fault(wire::Fault { kind, message, ..wire::Fault::default() })))
    });

    let addresses = format!("{},{}", busy.address, willing.address);
    let fleet = ["run", "--scenario", "simple_chat", "--fleet", "addresses", "--worker-address", &addresses];
    let bench = Bench::new();
    let ended = bench.run(&[&fleet[..], &["--target", "http://127.0.0.1:9", "--requests", "10"]].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("worker 0") && ended.stderr.contains("another"), "{}", ended.stderr);
    assert_eq!(willing.streams_with(|order| matches!(order, Command::Stop(_))).first(), Some(&0));
}

#[test]
fn a_worker_hears_from_its_coordinator_several_times_within_the_shortest_lease() {
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, |_, order| match order {
        Command::Assignment(assignment) => ready(assignment, false),
        Command::Stop(_) => finished(),
        _ => Reaction::Ignore,
    });
    let bench = Bench::new();
    let address = worker.address.to_string();
    let fleet = ["run", "--scenario", "simple_chat", "--fleet", "addresses", "--worker-address", &address];
    let running = bench.start(&[&fleet[..], &["--target", "http://127.0.0.1:9", "--lease", "1s"]].concat());
    let is_start = |order: &Command| matches!(order, Command::Start(_));
    assert!(wait_until(A_WHILE, || !worker.streams_with(is_start).is_empty()), "{}", running.stderr());
    // From here on they are the slow ones; a busy machine may delay some, and never makes more of them.
    let (before, began) = (worker.pings(), now());
    assert!(wait_until(A_WHILE, || worker.pings() >= before + 12));
    let each = now().duration_since(began) / 12;
    assert!(each < Duration::from_millis(500), "a ping each {each:?}");
    running.signal(Signal::INT);
    assert_eq!(running.wait(A_WHILE).code, Some(130));
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    // It never ends, so that the coordinator waits for it, and then for nothing.
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, |_, order| match order {
        Command::Assignment(assignment) => ready(assignment, false),
        _ => Reaction::Ignore,
    });
    let is_start = |order: &Command| matches!(order, Command::Start(_));
    let bench = Bench::new();
    let running = start(&bench, worker.address);
    assert!(wait_until(A_WHILE, || !worker.streams_with(is_start).is_empty()), "{}", running.stderr());
    running.signal_group(Signal::INT);
    let is_stop = |order: &Command| matches!(order, Command::Stop(_));
    assert!(wait_until(A_WHILE, || !worker.streams_with(is_stop).is_empty()));
    running.signal_group(Signal::INT);
    assert_eq!(running.wait(A_WHILE).code, Some(130));
    // With the first alone there would be one.
    let summaries = names(&bench).into_iter().filter(|name| name.starts_with("summary_"));
    assert_eq!(summaries.count(), 0);
}

#[test]
fn ctrl_c_during_the_warm_up_ends_the_run_in_order() {
    let target = Target::scripted(|_, request| match request.purpose() {
        Purpose::WarmUp => Reply::nothing().after(Duration::from_secs(3600)),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    let running = bench.start(&["run", "--target", &target.url()]);
    assert!(wait_until(A_WHILE, || target.counts().warm_up > 0), "{}", running.stderr());
    let children = running.descendants();
    running.signal_group(Signal::INT);
    let ended = running.wait(A_WHILE);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(orphans(&children, Duration::from_secs(5)), []);
    assert_eq!(target.counts().load, 0);

    let results = Results::of(&bench);
    assert!(results.summary.contains("interrupted"), "{}", results.summary);
    results.assert_verified(&bench);
}

/// What a worker answers to whoever shows this leaf, or none.
async fn describe(address: SocketAddr, authority: &Authority, leaf: Option<&Leaf>) -> Result<(), String> {
    let mut tls = ClientTlsConfig::new()
        .domain_name(WORKER_NAME)
        .ca_certificate(Certificate::from_pem(authority.certificate_pem()));
    if let Some(leaf) = leaf {
        tls = tls.identity(Identity::from_pem(&leaf.certificate_pem, &leaf.key_pem));
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap();
    let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
    let described = LoadWorkerClient::new(channel).describe(wire::DescribeRequest::default()).await;
    described.map(|_| ()).map_err(|status| status.to_string())
}

#[test]
fn a_worker_obeys_nobody_but_its_coordinator() {
    let bench = Bench::new();
    let made = bench.run(&["pki", "--out", ".", "--state-dir", "state"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let worker = bench.start(&["worker", "--listen", "127.0.0.1:0", "--credentials", "worker.pem"]);
    worker.wait_for("listening on https://", A_WHILE);
    let address: SocketAddr = worker.stdout().trim().rsplit_once('/').unwrap().1.parse().unwrap();

    let name = FleetName::new(FleetName::DEFAULT).unwrap();
    let authority = Authority::load(Path::new(&bench.folder().join("state")), &name).unwrap();
    let stranger = Authority::ephemeral(&local_now()).unwrap();
    let [own, fellow, foreign] = [
        authority.issue(Role::Coordinator, &local_now()).unwrap(),
        authority.issue(Role::Worker, &local_now()).unwrap(),
        stranger.issue(Role::Coordinator, &local_now()).unwrap(),
    ];
    let asked = async |leaf: Option<&Leaf>| describe(address, &authority, leaf).await;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        asked(None).await.unwrap_err();
        asked(Some(&foreign)).await.unwrap_err();
        asked(Some(&fellow)).await.unwrap_err();
        describe(address, &stranger, Some(&own)).await.unwrap_err();
    });

    // What is no TLS gets an alert (21) at most, and never an answer.
    for greeting in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\0\0\0\0"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(A_WHILE)).unwrap();
        stream.write_all(greeting.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // It may end in a reset as well, where bytes were left unread; a worker that hangs on is an error here.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{greeting:?}");
        }
        assert!(answer.first().is_none_or(|first| *first == 21), "{greeting:?}: {answer:?}");
    }

    // And it is there for its own all the same.
    runtime.block_on(asked(Some(&own))).unwrap();
}
