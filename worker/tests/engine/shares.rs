//! How many requests go out, over how many connections: exactly as many as were asked for.

use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::{Extent, WarmUp};
use proto::share::Share;

use super::load::{assert_all_good, begin, closed, prepare, run, wait_until};
use super::server::{Server, ok};

/// One worker's part of 7 connections and 1,001 requests.
fn part(server: &Server, index: u32, workers: u32, threads: u32) -> Assignment {
    Assignment {
        share: Share::new(index, workers).unwrap(),
        threads: NonZeroU32::new(threads),
        ..closed(&server.url(), 7, 1001)
    }
}

#[test]
fn odd_numbers_are_met_exactly_whatever_the_workers_and_threads() {
    for (workers, threads) in [(1, 1), (1, 2), (3, 2), (7, 1), (9, 3)] {
        let server = Server::answering(ok("{}"), false);
        // Workers beyond the connections have nothing to do, and are not asked.
        let sent: u64 = (0..workers.min(7))
            .map(|index| {
                let finished = run(&part(&server, index, workers, threads));
                assert_eq!((finished.end_reason, finished.totals.failed()), (EndReason::Requests, 0));
                finished.totals.successes
            })
            .sum();
        assert_eq!((sent, server.requests()), (1001, 1001), "{workers} workers with {threads} threads");
        assert_eq!(server.connections(), 7, "{workers} workers with {threads} threads");
    }
}

#[test]
fn without_keep_alive_each_request_has_a_connection_and_says_so() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.request()? {
            assert_eq!(head.value("Connection"), Some("close"));
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    let finished = run(&Assignment { keep_alive: false, ..closed(&server.url(), 3, 100) });
    assert_all_good(&finished, 100, "no keep-alive");
    assert_eq!((finished.totals.connections_opened, server.connections()), (100, 100));
}

#[test]
fn a_warm_up_is_told_apart_and_counted_apart() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.request()? {
            let agent = head.value("User-Agent").unwrap();
            let expected = if peer.request_number() <= 5 { "(warm-up)" } else { "(load)" };
            let status = if agent.ends_with(expected) { "200 OK" } else { "500 Wrong" };
            peer.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
        }
        Ok(())
    });
    let warm_up = WarmUp::Requests(5.try_into().unwrap());
    let finished = run(&Assignment { warm_up, ..closed(&server.url(), 1, 20) });
    assert_all_good(&finished, 20, "after a warm-up");
    assert_eq!((server.requests(), server.connections()), (25, 1));
}

#[test]
fn a_stop_abandons_what_is_in_flight_and_says_so() {
    // Answers the first ten requests, and none after that.
    let server = Server::start(|peer| {
        while peer.request()?.is_some() && peer.request_number() <= 10 {
            peer.send(ok("{}").as_bytes())?;
        }
        peer.wait_for_close()
    });
    let running = begin(&closed(&server.url(), 4, 1000));
    wait_until("all four wait for an answer", || server.requests() == 14);
    running.engine.stop(EndReason::Stopped);
    let finished = running.finish();
    assert_eq!(finished.end_reason, EndReason::Stopped);
    assert_eq!((finished.totals.successes, finished.totals.abandoned), (10, 4));
}

#[test]
fn a_duration_ends_a_closed_loop_and_what_is_in_flight_is_waited_for() {
    let server = Server::answering(ok("{}"), false);
    let extent = Extent::Duration(Duration::from_millis(300));
    let finished = run(&Assignment { extent, ..closed(&server.url(), 4, 1) });
    assert_eq!((finished.end_reason, finished.totals.abandoned), (EndReason::Duration, 0));
    assert_all_good(&finished, server.requests(), "all that was sent");
    assert!(server.requests() > 4);
}

#[test]
fn a_start_that_is_ordered_before_all_threads_are_prepared_stands() {
    let server = Server::start(|peer| {
        let mut pause = Duration::from_millis(300 * peer.number);
        while peer.request()?.is_some() {
            thread::sleep(std::mem::take(&mut pause));
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    let (threads, warm_up) = (2.try_into().ok(), WarmUp::Requests(2.try_into().unwrap()));
    let running = prepare(&Assignment { threads, warm_up, ..closed(&server.url(), 2, 4) });
    running.start();
    assert_eq!(running.prepared().successes, 2);
    assert_all_good(&running.finish(), 4, "started early");
}
