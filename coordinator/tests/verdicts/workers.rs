//! Rules about workers, tripped by one that says what a test scripts.

use std::thread;
use std::time::Duration;

use proto::wire::{self, command::Command, event::Event};

use super::support::process::Bench;
use super::support::scripted_worker::{Reaction, ScriptedWorker};
use super::{MS, heard};

/// What a scripted worker says of a block, and when.
#[derive(Debug, Clone, Copy)]
struct Story {
    /// The end of its only interval.
    end: Duration,
    /// From the moment at which it was to begin until it reports.
    after: Duration,
    /// How many intervals it says it sent.
    intervals: u64,
    /// How much later than its first thread its last one began.
    apart: Duration,
    /// How much further its wall clock went than its monotonic one, in nanoseconds.
    wall_step: i64,
    /// Why it ended.
    reason: wire::EndReason,
    /// It says nothing of its end and breaks off.
    breaks: bool,
}

/// Nothing is wrong with it, but that it sent no request.
const HONEST: Story = Story {
    end: Duration::from_millis(10),
    after: Duration::from_millis(10),
    intervals: 1,
    apart: Duration::ZERO,
    wall_step: 0,
    reason: wire::EndReason::Requests,
    breaks: false,
};

fn speaks_of_worker(rule: &str, story: Story) -> bool {
    let worker = ScriptedWorker::start(proto::WIRE_REVISION, move |stream, order| match order {
        Command::Assignment(assignment) => Reaction::Tell(Box::new(Event::Ready(wire::Ready {
            assignment_id: assignment.id.clone(),
            // After a break it knows of nothing.
            resumed: stream > 0 && !story.breaks,
            ..wire::Ready::default()
        }))),
        Command::Start(start) => {
            thread::sleep(Duration::from_nanos(start.delay_ns) + story.after);
            Reaction::Tell(Box::new(Event::Interval(wire::Interval {
                end_ns: story.end.as_nanos() as u64,
                counters: Some(wire::Counters::default()),
                latencies: Some(wire::Latencies::default()),
                host: Some(wire::HostReading { wall_step_ns: story.wall_step, ..Default::default() }),
                ..wire::Interval::default()
            })))
        }
        Command::Acknowledge(_) if story.breaks => Reaction::Break,
        Command::Acknowledge(_) => Reaction::Tell(Box::new(Event::Finished(wire::Finished {
            end_reason: story.reason as i32,
            end_ns: story.end.as_nanos() as u64,
            start_lateness_max_ns: story.apart.as_nanos() as u64,
            intervals: story.intervals,
            totals: Some(wire::Counters::default()),
            latencies: Some(wire::Latencies::default()),
            ..wire::Finished::default()
        }))),
        _ => Reaction::Ignore,
    });
    let bench = Bench::new();
    let address = worker.address.to_string();
    let fleet = ["run", "--scenario", "simple_chat", "--fleet", "addresses", "--worker-address", &address];
    let finished = bench.run(&[&fleet[..], &["--target", "http://127.0.0.1:9", "--requests", "10"]].concat());
    assert_eq!(finished.code, Some(3), "nothing succeeded: {}", finished.stderr);
    heard(rule, &bench)
}

#[test]
fn totals_that_are_not_those_of_the_seconds_disagree() {
    assert!(speaks_of_worker("totals_disagree", Story { intervals: 2, ..HONEST }));
    assert!(!speaks_of_worker("totals_disagree", HONEST));
}

#[test]
fn a_worker_that_breaks_off_is_lost() {
    assert!(speaks_of_worker("worker_lost", Story { breaks: true, ..HONEST }));
    assert!(!speaks_of_worker("worker_lost", HONEST));
}

#[test]
fn a_worker_that_stops_by_itself_stopped_early() {
    assert!(speaks_of_worker("stopped_early", Story { reason: wire::EndReason::Lease, ..HONEST }));
    assert!(!speaks_of_worker("stopped_early", HONEST));
}

#[test]
fn a_report_that_comes_late_is_a_stall() {
    assert!(speaks_of_worker("stalled", Story { after: 2_000 * MS, ..HONEST }));
    assert!(!speaks_of_worker("stalled", HONEST));
}

#[test]
fn a_report_of_what_is_still_to_come_is_a_clock_that_stepped() {
    assert!(speaks_of_worker("clock_stepped", Story { end: 2_000 * MS, ..HONEST }));
    assert!(!speaks_of_worker("clock_stepped", HONEST));
}

#[test]
fn a_clock_that_stood_still_while_the_wall_clock_went_on_stepped_too() {
    let (after, wall_step) = (2_000 * MS, 1_900_000_000);
    assert!(speaks_of_worker("clock_stepped", Story { after, wall_step, ..HONEST }));
    assert!(!speaks_of_worker("clock_stepped", Story { after, ..HONEST }), "late alone is a stall");
}

#[test]
fn threads_that_begin_apart_are_a_start_skew() {
    assert!(speaks_of_worker("start_skew", Story { apart: 1_000 * MS, ..HONEST }));
    assert!(!speaks_of_worker("start_skew", Story { apart: 20 * MS, ..HONEST }));
}
