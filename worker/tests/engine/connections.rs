//! Connections that are closed, refused or elsewhere, and how hard a target in trouble is tried.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::{Extent, WarmUp};
use proto::outcome::FailureKind;
use proto::target::Target;

use super::load::{
    assert_all_failed, assert_all_good, begin, closed, failures, open, prepare, run, wait_until,
};
use super::server::{Peer, Server, ok};

fn serve(peer: &mut Peer) -> io::Result<()> {
    while peer.request()?.is_some() {
        peer.send(ok("{}").as_bytes())?;
    }
    Ok(())
}

#[test]
fn a_connection_that_is_closed_while_it_idles_is_no_failure() {
    let server = Server::answering(ok("{}"), true);
    // A fifth of a second apart: enough to learn of a close that came with the answer.
    let finished = run(&open(&server.url(), 1, "5", Duration::from_secs(1)));
    assert_all_good(&finished, 5, "closed in between");
    assert_eq!(server.connections(), 5);
}

#[test]
fn a_kept_connection_that_is_closed_as_a_request_is_sent_is_told_from_a_new_one() {
    // Reads a request and closes: the first on its connection, or the second.
    let closes_at = |number: u64| {
        let server = Server::start(move |peer| {
            while peer.request()?.is_some() && peer.request_number() < number {
                peer.send(ok("{}").as_bytes())?;
            }
            Ok(())
        });
        let finished = run(&closed(&server.url(), 1, 2));
        finished.totals.failures.into_keys().map(|failure| failure.detail).collect::<Vec<_>>()
    };
    let plain = "closed before the answer began";
    assert_eq!(closes_at(1), [plain]);
    assert_eq!(closes_at(2), [format!("{plain}, on a connection that had been kept")]);
}

#[test]
fn a_connection_that_is_closed_before_the_start_is_made_again() {
    let server = Server::start(|peer| if peer.number == 0 { Ok(()) } else { serve(peer) });
    let finished = run(&closed(&server.url(), 1, 5));
    // The close may be seen before the first request or by it.
    assert!(finished.totals.successes >= 4, "{:?}", finished.totals);
    assert_eq!(server.connections(), 2);
}

#[test]
fn ipv6_is_spoken() {
    let address = "[::1]:0".parse().unwrap();
    if TcpListener::bind(address).is_err() {
        println!("there is no IPv6 on this machine's loopback: nothing to test");
        return;
    }
    let server = Server::start_on(address, |peer| {
        while let Some(head) = peer.request()? {
            assert!(head.value("Host").unwrap().starts_with("[::1]:"));
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    assert_all_good(&run(&closed(&server.url(), 2, 20)), 20, "IPv6");
}

#[test]
fn nobody_there_is_a_connect_failure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let finished = run(&closed(&format!("http://{free}"), 1, 3));
    assert_all_failed(&finished, FailureKind::Connect, 3, "refused");
    assert_eq!(finished.totals.connections_opened, 0);
}

/// A connection that fails rests for 10 ms, then twice as long each time, up to a second; half of that at least. So in
/// two seconds it can fail 11 times at most, and a free-running loop would thousands of times.
const MOST_FAILURES_OF_A_CONNECTION: u64 = 15;

#[test]
fn a_target_that_dies_meets_no_storm_and_is_found_when_it_is_back() {
    let server = Server::answering(ok("{}"), true);
    let address = server.address();
    let extent = Extent::Duration(Duration::from_secs(4));
    let running = begin(&Assignment { extent, ..closed(&server.url(), 8, 1) });
    wait_until("the load goes on", || server.requests() > 100);
    drop(server);
    std::thread::sleep(Duration::from_secs(1));
    let back = Server::start_on(address, serve);
    let finished = running.finish();
    let refused = failures(&finished, FailureKind::Connect);
    assert!((8..8 * MOST_FAILURES_OF_A_CONNECTION).contains(&refused), "{:?}", finished.totals);
    assert_eq!(back.connections(), 8, "{:?}", finished.totals);
}

/// The connection breaks while the request is being written, when nobody listens any more.
#[test]
fn what_breaks_one_connection_is_not_said_of_the_next() {
    let (asked, alone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (was_asked, is_alone) = (asked.clone(), alone.clone());
    let server = Server::start(move |peer| {
        peer.head()?;
        was_asked.store(true, Ordering::SeqCst);
        wait_until("nobody listens", || is_alone.load(Ordering::SeqCst));
        // With what is unread the connection is not closed but reset.
        Ok(())
    });
    let mut assignment = closed(&server.url(), 1, 4);
    assignment.request.body = vec![b'x'; 16 << 20];
    let running = begin(&assignment);
    wait_until("the target is asked", || asked.load(Ordering::SeqCst));
    drop(server);
    alone.store(true, Ordering::SeqCst);
    let finished = running.finish();
    let of = |kind| failures(&finished, kind);
    assert_eq!((of(FailureKind::Reset), of(FailureKind::Connect)), (1, 3), "{:?}", finished.totals);
}

#[test]
fn a_target_that_only_accepts_meets_no_storm() {
    let server = Server::start(|_| Ok(()));
    let extent = Extent::Duration(Duration::from_secs(2));
    let finished = run(&Assignment { extent, ..closed(&server.url(), 8, 1) });
    assert_eq!((finished.totals.successes, finished.totals.started), (0, finished.totals.failed()));
    assert!(server.connections() < 8 * MOST_FAILURES_OF_A_CONNECTION, "{} connections", server.connections());
}

#[test]
fn no_more_connections_are_made_at_once_than_before_when_all_break_at_once() {
    let broken = Arc::new(AtomicBool::new(false));
    let streams = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start({
        let (broken, streams) = (broken.clone(), streams.clone());
        move |peer| {
            if !broken.load(Ordering::SeqCst) {
                streams.lock().unwrap().push(peer.stream().try_clone()?);
            }
            serve(peer)
        }
    });
    let extent = Extent::Duration(Duration::from_secs(1));
    let running = begin(&Assignment { extent, ..closed(&server.url(), 16, 1) });
    wait_until("the load goes on", || server.requests() > 500);
    broken.store(true, Ordering::SeqCst);
    for stream in streams.lock().unwrap().iter() {
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
    let finished = running.finish();
    assert!(finished.totals.failed() <= 16, "{:?}", finished.totals);
    assert_eq!((server.connections(), finished.totals.connections_opened), (32, 32 - 16));
}

#[test]
fn a_stop_while_connections_are_opened_sends_nothing() {
    // Says nothing to a handshake, so that no connection is ever open.
    let server = Server::start(|peer| peer.wait_for_close());
    let url = format!("https://{}", server.address()).parse().unwrap();
    let target = Target { insecure: true, ..Target::new(url) };
    let warm_up = WarmUp::Requests(8.try_into().unwrap());
    let running = prepare(&Assignment { target, warm_up, ..closed(&server.url(), 8, 8) });
    wait_until("all are being opened", || server.connections() == 8);
    running.engine.stop(EndReason::Stopped);
    assert_eq!(running.prepared().started, 0);
    assert_eq!(running.finish().end_reason, EndReason::Stopped);
    assert_eq!(server.connections(), 8);
}
