//! The engine's accounts against a target that counts: every request is in exactly one of them, whatever becomes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::{EndReason, Finished};
use proto::load::Extent;
use proto::outcome::FailureKind;
use rustix::net::sockopt::set_socket_linger;

use super::load::{begin, closed, failures, run, wait_until};
use super::server::{Peer, Server, ok};

/// What a target did with the requests that it read.
#[derive(Default)]
struct Deeds {
    good: AtomicU64,
    refused: AtomicU64,
    cut_short: AtomicU64,
}

/// A target that answers five of eight requests well (one of them for the last time on its connection), refuses one, and
/// closes or breaks the connection before or within the answers to the others. It never closes one that may be in use.
fn moody(deeds: &Arc<Deeds>) -> Server {
    let deeds = deeds.clone();
    Server::start(move |peer| {
        while peer.request()?.is_some() {
            let count = |deed: &AtomicU64| deed.fetch_add(1, Ordering::SeqCst);
            match peer.request_number() % 8 {
                0..=3 => count(&deeds.good),
                4 => {
                    count(&deeds.good);
                    return peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
                5 => count(&deeds.refused),
                mood => {
                    count(&deeds.cut_short);
                    return cut_short(peer, mood);
                }
            };
            let is_refused = peer.request_number() % 8 == 5;
            let refusal = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned();
            peer.send(if is_refused { refusal } else { ok("{}") }.as_bytes())?;
        }
        Ok(())
    })
}

fn cut_short(peer: &mut Peer, mood: u64) -> io::Result<()> {
    match mood {
        6 => peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"),
        _ => set_socket_linger(peer.stream(), Some(Duration::ZERO)).map_err(io::Error::from),
    }
}

/// Requests of which at least a part was written.
fn sent(finished: &Finished) -> u64 {
    finished.latencies.send_lag.count()
}

#[test]
fn what_the_target_did_is_what_the_engine_counted() {
    let deeds = Arc::new(Deeds::default());
    let server = moody(&deeds);
    let finished = run(&Assignment { threads: 2.try_into().ok(), ..closed(&server.url(), 8, 800) });
    let read = |deed: &AtomicU64| deed.load(Ordering::SeqCst);
    assert_eq!((server.requests(), sent(&finished), finished.totals.started), (800, 800, 800));
    let counted = (
        finished.totals.successes,
        failures(&finished, FailureKind::Status),
        failures(&finished, FailureKind::Reset),
    );
    assert_eq!(counted, (read(&deeds.good), read(&deeds.refused), read(&deeds.cut_short)));
    assert_eq!(finished.totals.failed(), counted.1 + counted.2, "{:?}", finished.totals);
    // Three in eight cost a connection, which is made again for a further request; those that were open before the block
    // are not counted.
    assert_eq!(server.connections(), finished.totals.connections_opened + 8);
    assert!((292..=300).contains(&finished.totals.connections_opened), "{:?}", finished.totals);
}

#[test]
fn a_stop_loses_no_request_either() {
    let deeds = Arc::new(Deeds::default());
    let server = moody(&deeds);
    let extent = Extent::Duration(Duration::from_secs(3600));
    let running = begin(&Assignment { extent, ..closed(&server.url(), 8, 1) });
    wait_until("the load goes on", || server.requests() >= 400);
    running.engine.stop(EndReason::Stopped);
    let finished = running.finish();
    // What was on its way when the engine stopped is still read.
    wait_until("the target has read what was sent", || server.requests() >= sent(&finished));
    thread::sleep(Duration::from_millis(20));
    assert_eq!(server.requests(), sent(&finished));
    let totals = &finished.totals;
    assert_eq!(totals.started, totals.successes + totals.failed() + totals.abandoned);
    // Some of those that were abandoned may have waited for their connection.
    assert!((totals.started - totals.abandoned..=totals.started).contains(&sent(&finished)), "{totals:?}");
    assert!(totals.abandoned <= 8 && totals.successes <= deeds.good.load(Ordering::SeqCst), "{totals:?}");
}

/// Four connections that are never answered beside four that are kept busy, by one thread: each request that is not
/// answered is given up when its time is over, not before and not much later, and the next one takes its place.
#[test]
fn deadlines_hold_beside_connections_that_are_busy() {
    let server = Server::start(|peer| {
        if !(4..8).contains(&peer.number) {
            return peer.wait_for_close();
        }
        while peer.request()?.is_some() {
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    let (extent, timeout) = (Extent::Duration(Duration::from_secs(2)), Duration::from_millis(200));
    let finished = run(&Assignment { extent, timeout, ..closed(&server.url(), 8, 1) });
    let given_up = failures(&finished, FailureKind::Timeout) + finished.totals.abandoned;
    // Ten each when none is late by a millisecond; an engine that came to them now and then would be at half of that.
    assert!((4 * 7..=4 * 10).contains(&given_up), "{:?}", finished.totals);
    assert!(finished.totals.successes > 1_000 && finished.totals.failed() <= 40, "{:?}", finished.totals);
}
