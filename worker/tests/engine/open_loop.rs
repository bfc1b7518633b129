//! The open loop on real sockets: arrivals that do not wait for the target, and time that counts from when they were due.

use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::latencies::Histogram;
use proto::load::{Extent, Load, Pace};
use proto::share::Share;
use proto::stages::{Stage, Stages};

use super::load::{assert_all_good, begin, open, run};
use super::server::{Server, ok};

fn longer_than(histogram: &Histogram, span: Duration) -> u64 {
    histogram.count() - histogram.count_at_most(span.as_nanos() as u64)
}

#[test]
fn exactly_the_rate_is_offered() {
    for workers in [1, 3] {
        let server = Server::answering(ok("{}"), false);
        let parts: Vec<_> = (0..workers)
            .map(|index| {
                let share = Share::new(index, workers).unwrap();
                let assignment = open(&server.url(), 8, "501", Duration::from_secs(2));
                thread::spawn(move || run(&Assignment { share, ..assignment }))
            })
            .collect();
        let mut sent = 0;
        for part in parts {
            let finished = part.join().unwrap();
            assert_eq!(finished.end_reason, EndReason::Duration);
            assert_all_good(&finished, finished.totals.offered, "an open loop");
            sent += finished.totals.offered;
        }
        assert_eq!((sent, server.requests()), (1002, 1002), "{workers} workers");
    }
}

#[test]
fn requests_go_out_when_they_are_due() {
    let server = Server::answering(ok("{}"), false);
    let finished = run(&open(&server.url(), 8, "200", Duration::from_secs(1)));
    let lag = &finished.latencies.send_lag;
    assert_eq!(lag.count(), 200);
    // Microseconds on a calm machine; a timer of whole milliseconds would be half of one late on average.
    assert!(lag.quantile(0.5).unwrap() < 2_000_000, "{:?}", lag.quantile(0.5));
}

#[test]
fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
    let stall = Duration::from_millis(400);
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            if peer.request_number() == 20 {
                thread::sleep(stall);
            }
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    let finished = run(&open(&server.url(), 1, "100", Duration::from_secs(1)));
    assert_all_good(&finished, 100, "with a stall");
    // 40 were due within the stall, evenly; half of them waited for at least half of it.
    let (response, service) = (&finished.latencies.response_time, &finished.latencies.service_time);
    assert!(response.max().unwrap() >= stall.as_nanos() as u64 * 999 / 1000);
    assert!(longer_than(response, stall / 2) >= 20, "{}", longer_than(response, stall / 2));
    // The target itself was slow once; what the machine adds is not this many.
    assert!((1..10).contains(&longer_than(service, stall / 2)), "{}", longer_than(service, stall / 2));
}

#[test]
fn each_stage_offers_exactly_its_requests_and_ends_an_interval() {
    let server = Server::answering(ok("{}"), false);
    // 30, then 75 up to 500 a second, then nothing, then 40.
    let stage = |millis, from_millihertz, to_millihertz| Stage {
        duration: Duration::from_millis(millis),
        from_millihertz,
        to_millihertz,
    };
    let shape = [
        stage(300, 100_000, 100_000),
        stage(250, 100_000, 500_000),
        stage(200, 0, 0),
        stage(400, 100_000, 100_000),
    ];
    let stages = Stages::new(shape).unwrap();
    let assignment = open(&server.url(), 16, "1", stages.duration());
    let Load::Open { arrivals, connections, .. } = assignment.load else { panic!() };
    let load = Load::Open { pace: Pace::Stages(stages), arrivals, connections, max_in_flight: None };
    let extent = Extent::Duration(Duration::from_millis(1150));
    let running = begin(&Assignment { load, extent, threads: 2.try_into().ok(), ..assignment });
    let (intervals, finished) = running.finish_with_intervals();
    assert_all_good(&finished, 145, "four stages");
    assert_eq!(finished.end_reason, EndReason::Duration);

    let seen = intervals.iter().map(|interval| (interval.end.as_millis(), interval.counters.offered));
    let seen: Vec<_> = seen.take(4).collect();
    assert_eq!(seen, [(300, 30), (550, 75), (750, 0), (1000, 25)]);
}

#[test]
fn arrivals_beyond_the_limit_are_dropped_and_counted() {
    // Answers nothing until its client has gone.
    let server = Server::start(|peer| peer.wait_for_close());
    for (threads, most) in [(1, 5), (2, 5), (3, 7)] {
        let mut assignment = open(&server.url(), 3, "100", Duration::from_millis(500));
        (assignment.timeout, assignment.threads) = (Duration::from_millis(800), threads.try_into().ok());
        if let Load::Open { max_in_flight, .. } = &mut assignment.load {
            *max_in_flight = Some(most.try_into().unwrap());
        }
        let totals = run(&assignment).totals;
        // None comes to its end while others arrive.
        assert_eq!((totals.offered, totals.dropped), (50, 50 - most), "{totals:?}");
        assert_eq!((totals.started + totals.unsent, totals.successes), (most, 0), "{totals:?}");
    }
}
