//! Connections of HTTP/2 that carry no more, though their target leaves them open or makes ever new ones necessary.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use proto::assignment::Assignment;
use proto::load::Extent;
use proto::outcome::FailureKind;

use super::h2_server::{frame, goaway, greet, greet_and_say, next_request, ok};
use super::http2::closed2;
use super::load::{assert_all_failed, assert_all_good, begin, failures, run, wait_until};
use super::server::{Peer, Server};

/// A slot whose requests fail rests for 10 ms, then twice as long each time, up to a second, and half of that at least. So in
/// two seconds it can fail some 12 times, and would thousands of times without.
const MOST_FAILURES_OF_A_SLOT: u64 = 15;

#[test]
fn connections_that_end_before_they_carry_anything_meet_no_storm() {
    let no_streams: &[(u16, u32)] = &[(3, 0)];
    for (settings, more, kind, detail) in [
        (&[][..], goaway(0, 0), FailureKind::Reset, "goaway with NO_ERROR"),
        (no_streams, Vec::new(), FailureKind::Reset, "closed before the answer began"),
        (no_streams, frame(6, 0, 0, b"short"), FailureKind::Protocol, "of a size that it cannot have"),
    ] {
        let server = Server::start(move |peer: &mut Peer| {
            greet_and_say(peer, settings, &more)?;
            peer.stream().shutdown(Shutdown::Write)?;
            peer.wait_for_close()
        });
        let extent = Extent::Duration(Duration::from_secs(2));
        let finished = run(&Assignment { extent, ..closed2(&server.url(), 8, 2, 1) });
        assert_all_failed(&finished, kind, finished.totals.started, detail);
        let connections = server.connections();
        assert!((8..8 * MOST_FAILURES_OF_A_SLOT).contains(&connections), "{detail}: {connections}");
    }
}

/// Requests are under way on it, or wait for room that it never gives.
#[test]
fn a_connection_that_has_gone_dumb_is_left_for_another() {
    const CASES: [&[(u16, u32)]; 2] = [&[], &[(3, 0)]];
    for settings in CASES {
        let is_left = Arc::new(AtomicBool::new(false));
        // The first connection says nothing more; the others answer when the client has closed it.
        let server = Server::start(move |peer: &mut Peer| {
            if peer.number == 0 {
                greet(peer, settings)?;
                let closed = peer.wait_for_close();
                is_left.store(true, Ordering::SeqCst);
                return closed;
            }
            greet(peer, &[])?;
            while let Some(stream) = next_request(peer)? {
                wait_until("the dead connection is closed", || is_left.load(Ordering::SeqCst));
                peer.send(&ok(stream, "{}"))?;
            }
            Ok(())
        });
        let timeout = Duration::from_secs(1);
        let finished = run(&Assignment { timeout, ..closed2(&server.url(), 2, 2, 10) });
        let timeouts = failures(&finished, FailureKind::Timeout);
        assert_eq!((timeouts, finished.totals.successes), (2, 8), "{settings:?}: {:?}", finished.totals);
        assert_eq!(server.connections(), 2, "{settings:?}");
    }
}

#[test]
fn a_connection_that_takes_no_more_requests_is_closed_when_its_last_is_out_of_time() {
    let (open, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, noted) = (open.clone(), most.clone());
    // It takes the first request, and no other, and answers nothing.
    let server = Server::start(move |peer: &mut Peer| {
        noted.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        greet(peer, &[])?;
        if let Some(stream) = next_request(peer)? {
            peer.send(&goaway(stream, 0))?;
        }
        let closed = peer.wait_for_close();
        counted.fetch_sub(1, Ordering::SeqCst);
        closed
    });
    let timeout = Duration::from_millis(200);
    let finished = run(&Assignment { timeout, ..closed2(&server.url(), 1, 1, 8) });
    assert_all_failed(&finished, FailureKind::Timeout, 8, "before the answer began");
    assert_eq!(server.connections(), 8);
    // The server may see the next connection before it sees the end of the last.
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 3, "{most} connections at once");
}

/// Every answer comes with the end of its connection in one segment, so that the engine sees both at once.
#[test]
fn a_request_of_which_nothing_was_written_when_its_connection_ended_is_sent_on_the_next() {
    let server = Server::start(|peer: &mut Peer| {
        greet(peer, &[])?;
        let Some(stream) = next_request(peer)? else { return Ok(()) };
        rustix::net::sockopt::set_tcp_cork(peer.stream(), true)?;
        peer.send(&ok(stream, "{}"))
    });
    let finished = run(&closed2(&server.url(), 1, 1, 20));
    assert_all_good(&finished, 20, "one request for each connection");
    assert_eq!((server.connections(), finished.totals.resent), (20, 0));
}

#[test]
fn what_breaks_one_connection_is_not_said_of_the_next() {
    let (asked, alone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (was_asked, is_alone) = (asked.clone(), alone.clone());
    // Nonsense and the end of the connection in one segment, when nobody listens any more.
    let server = Server::start(move |peer: &mut Peer| {
        greet(peer, &[])?;
        next_request(peer)?;
        was_asked.store(true, Ordering::SeqCst);
        wait_until("nobody listens", || is_alone.load(Ordering::SeqCst));
        rustix::net::sockopt::set_tcp_cork(peer.stream(), true)?;
        peer.send(&frame(6, 0, 0, b"short"))
    });
    let running = begin(&closed2(&server.url(), 1, 1, 4));
    wait_until("the target is asked", || asked.load(Ordering::SeqCst));
    drop(server);
    alone.store(true, Ordering::SeqCst);
    let finished = running.finish();
    let of = |kind| failures(&finished, kind);
    assert_eq!((of(FailureKind::Protocol), of(FailureKind::Connect)), (1, 3), "{:?}", finished.totals);
}
