//! Answers as servers may frame them: each is taken whole, and its connection used again where it may be.

use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::outcome::FailureKind;
use proto::target::Request;

use super::load::{assert_all_failed, assert_all_good, closed, json_at, run};
use super::server::{Server, ok};

const REQUESTS: u64 = 40;
const CONNECTIONS: u32 = 2;

/// An answer, whether the server closes after it, and whether its connection can be used again.
struct Case(&'static str, bool, bool);

#[test]
fn every_framing_is_understood() {
    let cases = [
        Case("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}", false, true),
        Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n", false, true),
        Case(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0b\r\n{\"a\":\"12345\r\nA;x=y\r\n6789012345\r\nb\r\n6789012345\"\r\n1\r\n}\r\n0\r\nTrailer: z\r\n\r\n",
            false,
            true,
        ),
        Case("HTTP/1.1 200 OK\r\n\r\n{\"a\":1}", true, false),
        Case("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}", false, false),
        Case("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}", true, false),
        Case("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}", false, false),
        Case("HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n{\"a\":1}", false, true),
        Case("HTTP/1.0 200 OK\r\n\r\n{\"a\":1}", true, false),
        Case(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
            false,
            true,
        ),
    ];
    for Case(answer, close, reusable) in cases {
        let server = Server::answering(answer, close);
        let assignment =
            Assignment { expectation: json_at("/a"), ..closed(&server.url(), CONNECTIONS, REQUESTS) };
        let finished = run(&assignment);
        assert_all_good(&finished, REQUESTS, answer);
        let connections = if reusable { u64::from(CONNECTIONS) } else { REQUESTS };
        assert_eq!(server.connections(), connections, "{answer}");
        assert_eq!(finished.totals.bytes_received, REQUESTS * answer.len() as u64, "{answer}");
    }
}

/// The engine reads 64 KiB at a time: an answer that fills a read to its last byte is complete, and nothing waits for more.
#[test]
fn an_answer_that_just_fills_the_read_buffer_is_whole() {
    let head = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes:05}\r\n\r\n");
    let body_bytes = (64 << 10) - head(0).len();
    let answer = format!("{}{{\"a\":\"{}\"}}", head(body_bytes), "x".repeat(body_bytes - 8));
    assert_eq!(answer.len(), 64 << 10);
    let server = Server::answering(answer.as_str(), false);
    let assignment =
        Assignment { expectation: json_at("/a"), ..closed(&server.url(), CONNECTIONS, REQUESTS) };
    assert_all_good(&run(&assignment), REQUESTS, "64 KiB");
    assert_eq!(server.connections(), u64::from(CONNECTIONS));
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let head = Request { method: "HEAD".into(), path: "/".into(), headers: Vec::new(), body: Vec::new() };
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false);
    let finished = run(&Assignment { request: head, ..closed(&server.url(), CONNECTIONS, REQUESTS) });
    assert_all_good(&finished, REQUESTS, "HEAD");
    assert_eq!(server.connections(), u64::from(CONNECTIONS));

    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n", false);
    assert_all_good(&run(&closed(&server.url(), CONNECTIONS, REQUESTS)), REQUESTS, "204");
    assert_eq!(server.connections(), u64::from(CONNECTIONS));

    let server = Server::answering("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false);
    let finished = run(&closed(&server.url(), CONNECTIONS, REQUESTS));
    assert_all_failed(&finished, FailureKind::Status, REQUESTS, "");
    assert_eq!(server.connections(), u64::from(CONNECTIONS));
}

#[test]
fn an_answer_may_come_in_two_parts_cut_anywhere() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            let cut = (peer.request_number() as usize - 1) % answer.len();
            peer.send(&answer.as_bytes()[..cut])?;
            // Long enough for the client to read the first part alone, nearly always; nothing depends on it.
            thread::sleep(Duration::from_millis(1));
            peer.send(&answer.as_bytes()[cut..])?;
        }
        Ok(())
    });
    let requests = 2 * answer.len() as u64;
    let finished = run(&Assignment { expectation: json_at("/a"), ..closed(&server.url(), 2, requests) });
    assert_all_good(&finished, requests, "cut in two");
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_answer_may_trickle_in_byte_by_byte() {
    let server = Server::start(|peer| {
        while peer.request()?.is_some() {
            for byte in ok("{\"a\":1}").bytes() {
                peer.send(&[byte])?;
            }
        }
        Ok(())
    });
    let finished = run(&Assignment { expectation: json_at("/a"), ..closed(&server.url(), 2, 20) });
    assert_all_good(&finished, 20, "byte by byte");
}

#[test]
fn a_request_larger_than_any_buffer_arrives_whole() {
    let server = Server::answering(ok("{}"), false);
    let mut assignment = closed(&server.url(), 3, 9);
    assignment.request.body = vec![b'x'; 5 << 20];
    let finished = run(&assignment);
    assert_all_good(&finished, 9, "5 MiB each");
    assert_eq!(server.requests(), 9);
    assert!(finished.totals.bytes_sent > 9 * (5 << 20));
}
