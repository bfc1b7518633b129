//! Servers that misbehave: what their requests come to, and that the next request is none the worse for it.

use std::io;
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::outcome::FailureKind;
use rustix::net::sockopt::set_socket_linger;

use super::load::{closed, json_at, run};
use super::server::{Peer, Server, ok};
use Comes::{ToFailure, ToGood};
use Does::{Floods, Says, SaysAndCloses, SaysAndResets, Trickles};

/// What a server does in the place of an answer.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Sends this, in one piece, and then nothing until its client has closed.
    Says(&'static str),
    /// Sends this and closes the connection.
    SaysAndCloses(&'static str),
    /// Sends this and breaks the connection.
    SaysAndResets(&'static str),
    /// Sends the first, and then the second over and over.
    Floods(&'static str, &'static str),
    /// The same, but takes its time.
    Trickles(&'static str, &'static str),
}

/// What that comes to.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// The answer is good after all.
    ToGood,
    /// A failure of this kind, whose detail holds these words.
    ToFailure(FailureKind, &'static str),
}

const LATE: fn(&'static str) -> Comes = |words| ToFailure(FailureKind::Timeout, words);
const CUT: fn(&'static str) -> Comes = |words| ToFailure(FailureKind::Reset, words);
const WRONG: fn(&'static str) -> Comes = |words| ToFailure(FailureKind::Protocol, words);

#[rustfmt::skip]
fn cases() -> Vec<(&'static str, Does, Comes)> {
    vec![
        // Slow.
        ("no answer", Says(""), LATE("before the answer began")),
        ("interim answers and no final one", Trickles("", "HTTP/1.1 102 Processing\r\n\r\n"), LATE("before the answer began")),
        ("a head byte by byte", Trickles("HTTP/1.1 200 OK\r\nX: ", "x"), LATE("within the answer's head")),
        ("a body byte by byte", Trickles("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", " "), LATE("within the answer's body")),
        ("chunks byte by byte", Trickles("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"), LATE("within the answer's body")),
        ("less than its length", Says("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\":1}"), LATE("within the answer's body")),
        ("chunks without the last", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"), LATE("within the answer's body")),
        // Gone.
        ("close before the answer", SaysAndCloses(""), CUT("before the answer began")),
        ("close after an interim answer", SaysAndCloses("HTTP/1.1 100 Continue\r\n\r\n"), CUT("before the answer began")),
        ("close in the head", SaysAndCloses("HTTP/1.1 200 OK\r\nContent-"), CUT("within the answer's head")),
        ("close in the body", SaysAndCloses("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":"), CUT("within the answer's body")),
        ("close before the last chunk", SaysAndCloses("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"), CUT("within the answer's body")),
        ("close within the trailers", SaysAndCloses("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"), CUT("within the answer's body")),
        ("reset before the answer", SaysAndResets(""), CUT("before the answer began")),
        ("reset in the body", SaysAndResets("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":"), CUT("within the answer's body")),
        ("reset in a body that a close would end", SaysAndResets("HTTP/1.1 200 OK\r\n\r\n{\"a\":1}"), CUT("within the answer's body")),
        // Too much.
        ("bytes after the end", Says("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}!"), WRONG("more bytes than the answer has")),
        ("bytes after the last chunk", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n!"), WRONG("more bytes than the answer has")),
        ("two answers to one request", Says("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), WRONG("more bytes than the answer has")),
        ("more than its length", Says("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{\"a\":1}"), WRONG("more bytes than the answer has")),
        ("a body where there can be none", Says("HTTP/1.1 204 No Content\r\n\r\n{\"a\":1}"), WRONG("more bytes than the answer has")),
        ("fields without end", Floods("HTTP/1.1 200 OK\r\n", "A: b\r\n"), WRONG("larger than 64 KiB or has over 128 fields")),
        ("a field of 10 MB and more", Floods("HTTP/1.1 200 OK\r\nA: ", TEN_THOUSAND), WRONG("larger than 64 KiB or has over 128 fields")),
        ("a size line without end", Floods("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", TEN_THOUSAND), WRONG("a broken chunk")),
        ("trailers without end", Floods("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"), WRONG("a broken chunk")),
        // Nonsense.
        ("no HTTP", Says("garbage, and a lot of it\r\n\r\n"), WRONG("no HTTP/1.x")),
        ("another protocol", Says("SSH-2.0-OpenSSH_9.2\r\n\r\n"), WRONG("no HTTP/1.x")),
        ("a status of two digits", Says("HTTP/1.1 42 No\r\n\r\n"), WRONG("no HTTP/1.x")),
        ("two lengths", Says("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n{\"a\":1}"), WRONG("Content-Length is no number or contradicts itself")),
        ("a negative length", Says("HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n{\"a\":1}"), WRONG("Content-Length is no number or contradicts itself")),
        ("a length beyond all numbers", Says("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{\"a\":1}"), WRONG("Content-Length is no number or contradicts itself")),
        ("a chunk of no size", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"), WRONG("a broken chunk")),
        ("a chunk size that is none", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), WRONG("a broken chunk")),
        ("a negative chunk size", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\n{\"a\":1}\r\n"), WRONG("a broken chunk")),
        ("a chunk size beyond all numbers", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000007\r\n{\"a\":1}\r\n"), WRONG("a broken chunk")),
        ("a chunk longer than its size", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"a\":1}\r\n0\r\n\r\n"), WRONG("a broken chunk")),
        ("a transfer coding that is not undone", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), WRONG("other than chunked")),
        ("another protocol from here on", Says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), WRONG("switched protocols")),
        // Odd, and harmless.
        ("leave to go on, unasked", Says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), ToGood),
        ("empty lines before the answer", Says("\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), ToGood),
    ]
}

const TEN_THOUSAND: &str = match std::str::from_utf8(&[b'x'; 10_000]) {
    Ok(text) => text,
    Err(_) => "",
};

#[test]
fn every_misbehaviour_has_its_outcome_and_harms_no_other_request() {
    thread::scope(|scope| {
        for (what, does, comes) in cases() {
            scope.spawn(move || try_out(what, does, comes));
        }
    });
}

/// Four requests over one connection at a time, of which every second is answered well.
fn try_out(what: &str, does: Does, comes: Comes) {
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            if peer.request_number() % 2 == 0 {
                peer.send(ok("{\"a\":1}").as_bytes())?;
            } else if !misbehave(peer, does)? {
                break;
            }
        }
        Ok(())
    });
    let late = matches!(comes, ToFailure(FailureKind::Timeout, _));
    let timeout = if late { Duration::from_millis(800) } else { Duration::from_secs(30) };
    let assignment = Assignment { expectation: json_at("/a"), timeout, ..closed(&server.url(), 1, 4) };
    let finished = run(&assignment);
    let ToFailure(kind, words) = comes else {
        assert_eq!(
            (finished.totals.successes, server.connections()),
            (4, 1),
            "{what}: {:?}",
            finished.totals
        );
        return;
    };
    assert_eq!(
        (finished.totals.successes, finished.totals.failed()),
        (2, 2),
        "{what}: {:?}",
        finished.totals
    );
    let named = |failure: &proto::outcome::Failure| failure.kind == kind && failure.detail.contains(words);
    assert!(finished.totals.failures.keys().all(named), "{what}: {:?}", finished.totals.failures);
    // The first goes with the first failure, the second is used for a good answer and goes with the second failure.
    assert_eq!((server.connections(), server.requests()), (3, 4), "{what}");
}

/// `false` when the connection is to be closed.
fn misbehave(peer: &mut Peer, does: Does) -> io::Result<bool> {
    match does {
        Says(text) => peer.send(text.as_bytes()).map(|()| true),
        SaysAndCloses(text) => peer.send(text.as_bytes()).map(|()| false),
        SaysAndResets(text) => {
            peer.send(text.as_bytes())?;
            // Long enough for what was sent to be read before it is lost.
            thread::sleep(Duration::from_millis(100));
            set_socket_linger(peer.stream(), Some(Duration::ZERO))?;
            Ok(false)
        }
        Floods(start, endless) => go_on(peer, start, endless, Duration::ZERO),
        Trickles(start, endless) => go_on(peer, start, endless, Duration::from_millis(5)),
    }
}

/// Until the client has closed, which a write tells.
fn go_on(peer: &mut Peer, start: &str, endless: &str, pause: Duration) -> io::Result<bool> {
    peer.send(start.as_bytes())?;
    loop {
        peer.send(endless.as_bytes())?;
        thread::sleep(pause);
    }
}
