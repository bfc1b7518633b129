//! Assignments that tests start from, and running one to its end.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use proto::assignment::Assignment;
use proto::counters::Counters;
use proto::expectation::{Expectation, JsonExpectation};
use proto::interval::{EndReason, Finished, Interval};
use proto::latencies::Latencies;
use proto::load::{Arrivals, Extent, Load, Pace, WarmUp};
use proto::outcome::FailureKind;
use proto::share::Share;
use proto::target::{Request, Target};
use worker::clock::Clock;
use worker::engine::{Engine, Output};

/// What no test takes unless something is stuck.
const BOUND: Duration = Duration::from_secs(60);

/// A closed loop of so many requests; only the status is looked at.
pub fn closed(url: &str, connections: u32, requests: u64) -> Assignment {
    Assignment {
        id: "test".into(),
        target: Target::new(url.parse().unwrap()),
        request: Request {
            method: "POST".into(),
            path: "/chat".into(),
            headers: Vec::new(),
            body: b"{}".into(),
        },
        expectation: Expectation::default(),
        load: Load::Closed { concurrency: NonZeroU32::new(connections).unwrap(), think_time: None },
        extent: Extent::new(NonZeroU64::new(requests), None).unwrap(),
        warm_up: WarmUp::None,
        share: Share::WHOLE,
        timeout: Duration::from_secs(30),
        keep_alive: true,
        streams: NonZeroU32::MIN,
        threads: NonZeroU32::new(1),
        seed: 1,
        lease: Duration::from_secs(10),
        variety: None,
        mix: Vec::new(),
    }
}

/// A constant open loop, for so long.
pub fn open(url: &str, connections: u32, rate: &str, duration: Duration) -> Assignment {
    Assignment {
        load: Load::Open {
            pace: Pace::Steady(rate.parse().unwrap()),
            arrivals: Arrivals::Constant,
            connections: NonZeroU32::new(connections).unwrap(),
            max_in_flight: None,
        },
        extent: Extent::Duration(duration),
        ..closed(url, 1, 1)
    }
}

/// The answer must have something at this pointer.
pub fn json_at(pointer: &str) -> Expectation {
    let json = vec![JsonExpectation { pointer: pointer.into(), equals: None }];
    Expectation { json, ..Expectation::default() }
}

/// An engine at work.
pub struct Running {
    pub engine: Engine,
    clock: Clock,
    outputs: Receiver<Output>,
}

/// An engine that prepares itself.
pub fn prepare(assignment: &Assignment) -> Running {
    let (sender, outputs) = channel();
    let clock = Clock::new();
    let engine = Engine::prepare(assignment, clock, move |output| drop(sender.send(output))).unwrap();
    Running { engine, clock, outputs }
}

/// Prepares an engine and begins as soon as it is ready.
pub fn begin(assignment: &Assignment) -> Running {
    let running = prepare(assignment);
    running.prepared();
    running.start();
    running
}

/// Carries out an assignment; its totals.
pub fn run(assignment: &Assignment) -> Finished {
    begin(assignment).finish()
}

impl Running {
    /// Orders the start.
    pub fn start(&self) {
        self.engine.start(self.clock.now());
    }

    /// Waits until the engine is prepared; what its warm-up did.
    pub fn prepared(&self) -> Counters {
        match self.outputs.recv_timeout(BOUND).unwrap() {
            Output::Prepared { warm_up, .. } => warm_up,
            other => panic!("{other:?} before the engine was prepared"),
        }
    }

    /// The totals, once the engine has ended. Whatever happened, they are what its intervals add up to.
    pub fn finish(self) -> Finished {
        self.finish_with_intervals().1
    }

    /// The same with the intervals.
    pub fn finish_with_intervals(self) -> (Vec<Interval>, Finished) {
        let mut intervals = Vec::new();
        loop {
            match self.outputs.recv_timeout(BOUND).unwrap() {
                Output::Interval(interval) => intervals.push(*interval),
                Output::Finished(finished) => {
                    check(&intervals, &finished);
                    return (intervals, *finished);
                }
                other => panic!("{other:?} while the engine carried the load"),
            }
        }
    }
}

fn check(intervals: &[Interval], finished: &Finished) {
    let (mut totals, mut latencies) = (Counters::default(), Latencies::default());
    for (sequence, interval) in (0..).zip(intervals) {
        assert_eq!(interval.sequence, sequence);
        totals.add(&interval.counters);
        latencies.merge(&interval.latencies);
    }
    assert_eq!((intervals.len() as u64, &totals), (finished.intervals, &finished.totals));
    for ((name, summed), (_, told)) in latencies.each().into_iter().zip(finished.latencies.each()) {
        assert!(summed.buckets().eq(told.buckets()), "{name}");
    }
    assert_eq!(totals.offered, totals.started + totals.dropped + totals.unsent);
    assert_eq!(totals.started, totals.successes + totals.failed() + totals.abandoned);
    check_parts(finished);
    let latencies = &finished.latencies;
    for of_success in [&latencies.response_time, &latencies.time_to_first_byte, &latencies.transfer_time] {
        assert_eq!(of_success.count(), totals.successes);
    }
    assert_eq!(latencies.connect_time.count(), totals.connections_opened);
    let over_tls = totals.connections.iter().filter(|(kind, _)| kind.tls.is_some());
    assert_eq!(latencies.tls_handshake_time.count(), over_tls.map(|(_, count)| count).sum::<u64>());
    check_last_completion(intervals, finished);
}

/// What the scenarios of a mix did is what was done, but for bytes and connections, which they share.
fn check_parts(finished: &Finished) {
    let Finished { totals, parts, .. } = finished;
    if parts.is_empty() {
        return;
    }
    let (mut summed, mut latencies) = (Counters::default(), Latencies::default());
    for part in parts {
        summed.add(&part.counters);
        latencies.merge(&part.latencies);
    }
    let shared = Counters {
        bytes_sent: totals.bytes_sent,
        bytes_received: totals.bytes_received,
        connections_opened: totals.connections_opened,
        connections: totals.connections.clone(),
        ..Counters::default()
    };
    summed.add(&shared);
    assert_eq!(&summed, totals);
    let whole = Latencies {
        connect_time: latencies.connect_time.clone(),
        tls_handshake_time: latencies.tls_handshake_time.clone(),
        ..finished.latencies.clone()
    };
    assert_eq!(latencies, whole);
}

/// It lies in the last interval in which a request ended, and ends the last one where all were made and answered.
fn check_last_completion(intervals: &[Interval], finished: &Finished) {
    let ended = |interval: &&Interval| interval.counters.successes + interval.counters.failed() > 0;
    let within = intervals.iter().rfind(ended).map(|interval| interval.start..=interval.end);
    match (within, finished.last_completion) {
        (Some(within), Some(completion)) => {
            assert!(within.contains(&completion), "{completion:?} in {within:?}")
        }
        (within, completion) => {
            assert!(within.is_none() && completion.is_none(), "{completion:?} in {within:?}")
        }
    }
    let given_up = finished.totals.abandoned + finished.totals.unsent;
    let by_requests = finished.end_reason == EndReason::Requests && given_up == 0;
    if by_requests && finished.end < Duration::from_secs(1) {
        assert_eq!(finished.last_completion, Some(finished.end));
    }
}

/// How many failed in that way.
pub fn failures(finished: &Finished, kind: FailureKind) -> u64 {
    let of_kind = finished.totals.failures.iter().filter(|(failure, _)| failure.kind == kind);
    of_kind.map(|(_, count)| count).sum()
}

/// Asserts that all requests ended in that way, for that reason.
pub fn assert_all_failed(finished: &Finished, kind: FailureKind, requests: u64, detail: &str) {
    assert_eq!(failures(finished, kind), requests, "{kind}: {:?}", finished.totals);
    let detailed = finished.totals.failures.keys().all(|failure| failure.detail.contains(detail));
    assert!(detailed, "no `{detail}` in {:?}", finished.totals.failures);
}

/// Asserts that all requests were good.
pub fn assert_all_good(finished: &Finished, requests: u64, what: &str) {
    assert_eq!(
        (finished.totals.successes, finished.totals.failed()),
        (requests, 0),
        "{what}: {:?}",
        finished.totals
    );
}

/// Looks again every few milliseconds until `done` says so.
#[allow(clippy::disallowed_methods)]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !done() {
        assert!(Instant::now() < end, "not within {BOUND:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
