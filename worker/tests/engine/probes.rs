//! What a probe says is wrong with a target is what the load says.

use std::io;
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::expectation::{Expectation, StreamFormat};
use proto::outcome::{Failure, FailureKind};
use proto::target::Target;
use rustix::net::sockopt::set_socket_linger;
use worker::clock::Clock;
use worker::probe::probe;

use super::load::{closed, run};
use super::server::{Peer, Server};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
const ERROR: &str = "event: error\ndata: overloaded\n\n";

/// What a probe and a request of a load found wrong, which must be the same.
fn failure(server: &Server, scheme: &str) -> Failure {
    let url = format!("{scheme}://{}", server.address()).parse().unwrap();
    let assignment = Assignment {
        target: Target { insecure: true, ..Target::new(url) },
        expectation: Expectation { stream: Some(StreamFormat::OpenAiChat), ..Expectation::default() },
        timeout: Duration::from_secs(1),
        keep_alive: false,
        ..closed("http://unused", 1, 1)
    };
    let Assignment { target, request, expectation, timeout, .. } = &assignment;
    let probed = probe(target, request, expectation, *timeout, Clock::new()).unwrap().failure.unwrap();
    let loaded = run(&assignment).totals.failures;
    assert!(loaded.len() == 1 && loaded.contains_key(&probed), "{loaded:?} against {probed:?}");
    probed
}

/// A server that sends this and then closes the connection or breaks it.
fn breaking_off(answer: String, reset: bool) -> Server {
    Server::start(move |peer: &mut Peer| -> io::Result<()> {
        peer.request()?;
        peer.send(answer.as_bytes())?;
        // Long enough for what was sent to be read before it is lost.
        thread::sleep(Duration::from_millis(100));
        if reset {
            set_socket_linger(peer.stream(), Some(Duration::ZERO))?;
        }
        Ok(())
    })
}

#[test]
fn a_connection_that_ends_early_is_called_the_same() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let error = format!("{HEAD}{chunked}{:x}\r\n{ERROR}\r\n", ERROR.len());
    let cases = [
        (String::new(), FailureKind::Reset),
        (format!("{HEAD}Content-Le"), FailureKind::Reset),
        (format!("{HEAD}{chunked}"), FailureKind::Truncated),
        (error, FailureKind::Body),
    ];
    for (answer, kind) in cases {
        for reset in [false, true] {
            let failure = failure(&breaking_off(answer.clone(), reset), "http");
            assert_eq!(failure.kind, kind, "{answer}, reset: {reset}");
        }
    }
}

#[test]
fn a_timeout_is_called_the_same_wherever_it_comes() {
    let silent = Server::start(|peer| peer.wait_for_close());
    let connecting = failure(&silent, "https");
    assert_eq!((connecting.kind, connecting.detail.as_str()), (FailureKind::Timeout, "while connecting"));
    let waiting = failure(&silent, "http");
    assert_eq!((waiting.kind, waiting.detail.as_str()), (FailureKind::Timeout, "before the answer began"));
}

/// What a person is shown of an answer to the scenario of a stream.
fn shown(answer: String) -> String {
    let server = Server::answering(answer, true);
    let Assignment { target, request, timeout, .. } = closed(&server.url(), 1, 1);
    let expectation = Expectation { stream: Some(StreamFormat::default()), ..Expectation::default() };
    probe(&target, &request, &expectation, timeout, Clock::new()).unwrap().answer_start
}

#[test]
fn what_explains_an_answer_is_shown() {
    let moved =
        "HTTP/1.1 307 Moved\r\nlocation: http://there/v1/ \r\nContent-Length: 4\r\n\r\ngone".to_owned();
    assert_eq!(shown(moved), "Location: http://there/v1/ gone");

    let content = "data: {\"error\": null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n".repeat(50);
    for error in ["event: error\ndata: over quota\n\n", "data: {\"error\":\"over quota\"}\n\n"] {
        let told = shown(format!("{HEAD}Connection: close\r\n\r\n{content}{error}"));
        assert!(told.starts_with("data: {") && told.contains(" … ") && told.contains("over quota"), "{told}");
    }
}

#[test]
fn a_compressed_answer_is_not_shown() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd".to_owned();
    assert_eq!(shown(answer), "");
}
