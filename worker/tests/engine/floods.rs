//! Answers without an end, or so large that they take long: the thread that reads them has other things to do as well.

use std::io;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::Extent;
use proto::outcome::FailureKind;

use super::load::{begin, closed, failures, json_at, run, wait_until};
use super::server::{Peer, Server, ok};

/// Sends an answer until its client will have no more of it. It takes longer to look at than to send.
fn flood(peer: &mut Peer) -> io::Result<()> {
    let numbers = ",1".repeat(128 << 10);
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n{\"b\":[1")?;
    loop {
        peer.send(numbers.as_bytes())?;
    }
}

/// A server whose second answer on its first connection has no end; all others come at once. The first is long and not
/// looked at, for its status, so that the system gives this connection large buffers, which are never found empty then.
fn flooding_once() -> Server {
    Server::start(|peer| {
        while peer.request()?.is_some() {
            if peer.number == 0 {
                let long = "x".repeat(64 << 20);
                peer.send(
                    format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n{long}", long.len()).as_bytes(),
                )?;
                peer.request()?;
                return flood(peer);
            }
            peer.send(ok("{\"a\":1}").as_bytes())?;
        }
        Ok(())
    })
}

/// A closed loop for an hour, whose answers are looked at.
fn load(server: &Server, connections: u32) -> Assignment {
    let extent = Extent::Duration(Duration::from_secs(3600));
    Assignment { extent, expectation: json_at("/a"), ..closed(&server.url(), connections, 1) }
}

#[test]
fn an_answer_without_end_is_timed_out_and_keeps_nobody_else_from_theirs() {
    let server = flooding_once();
    let extent = Extent::Duration(Duration::from_secs(3));
    let assignment = Assignment { extent, timeout: Duration::from_secs(2), ..load(&server, 4) };
    let finished = run(&assignment);
    let failed = |kind| failures(&finished, kind);
    assert_eq!((failed(FailureKind::Status), failed(FailureKind::Timeout)), (1, 1), "{:?}", finished.totals);
    assert_eq!((finished.totals.failed(), finished.end_reason), (2, EndReason::Duration));
    assert!(finished.totals.successes > 100, "{:?}", finished.totals);
    assert!(finished.intervals >= 3);
}

#[test]
fn a_stop_is_heard_while_an_answer_without_end_is_read() {
    let server = flooding_once();
    let running = begin(&load(&server, 1));
    wait_until("the flood has begun", || server.requests() == 2);
    running.engine.stop(EndReason::Stopped);
    let finished = running.finish();
    assert_eq!((finished.end_reason, finished.totals.abandoned), (EndReason::Stopped, 1));
}
