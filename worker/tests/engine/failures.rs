//! Answers that are no good, requests that run out of time, and refusals: each is counted under its kind.

use std::net::Shutdown;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::outcome::FailureKind;

use super::load::{assert_all_failed, closed, failures, json_at, run};
use super::server::{Server, ok};

/// Requests of each case; few, since a connection that breaks again and again is made to rest.
const REQUESTS: u64 = 4;

#[test]
fn a_status_and_a_wrong_body_are_failures_of_their_own() {
    let server = Server::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", false);
    let finished = run(&closed(&server.url(), 1, REQUESTS));
    assert_all_failed(&finished, FailureKind::Status, REQUESTS, "");
    assert!(finished.totals.failures.keys().all(|failure| failure.status == Some(503)));
    assert_eq!(server.connections(), 1);

    let cases = [(ok("{}"), "nothing at /a"), (ok("<html>"), "not JSON"), (ok(""), "not JSON")];
    for (answer, detail) in cases {
        let server = Server::answering(answer, false);
        let assignment = Assignment { expectation: json_at("/a"), ..closed(&server.url(), 1, REQUESTS) };
        assert_all_failed(&run(&assignment), FailureKind::Body, REQUESTS, detail);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_timeout_costs_one_request_and_its_connection() {
    let server = Server::start(|peer| {
        while peer.request()?.is_some() {
            if peer.request_number() == 3 {
                return peer.wait_for_close();
            }
            peer.send(ok("{}").as_bytes())?;
        }
        Ok(())
    });
    let timeout = Duration::from_millis(500);
    let finished = run(&Assignment { timeout, ..closed(&server.url(), 1, 10) });
    assert_eq!((finished.totals.successes, failures(&finished, FailureKind::Timeout)), (9, 1));
    assert_eq!((finished.totals.failed(), server.connections()), (1, 2));
    assert!(finished.last_completion.unwrap() >= timeout);
}

#[test]
fn a_refusal_that_comes_before_the_request_is_written_is_read() {
    let server = Server::start(|peer| {
        peer.head()?;
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")?;
        peer.stream().shutdown(Shutdown::Write)?;
        // A close with bytes unread would be a reset, which may overtake the answer.
        peer.wait_for_close()
    });
    let mut assignment = closed(&server.url(), 2, REQUESTS);
    // More than the two sockets can hold.
    assignment.request.body = vec![b'x'; 32 << 20];
    let finished = run(&assignment);
    assert_all_failed(&finished, FailureKind::Status, REQUESTS, "");
    assert!(finished.totals.failures.keys().all(|failure| failure.status == Some(413)));
    assert_eq!(server.connections(), REQUESTS);
}
