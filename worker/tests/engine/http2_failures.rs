//! HTTP/2 targets that break off, refuse or break the protocol, scripted frame by frame.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proto::assignment::Assignment;
use proto::expectation::{Expectation, StreamFormat};
use proto::outcome::FailureKind;
use worker::clock::Clock;
use worker::probe::probe;

use super::h2_server::{frame, goaway, greet, next_frame, next_request, ok};
use super::http2::closed2;
use super::load::{assert_all_failed, assert_all_good, failures, run};
use super::server::{Peer, Server};

/// A server that greets and then answers every request with what `answer` makes of its stream.
fn answering(answer: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Server {
    Server::start(move |peer| {
        greet(peer, &[])?;
        while let Some(stream) = next_request(peer)? {
            peer.send(&answer(stream))?;
        }
        Ok(())
    })
}

/// Asserts what a load and a probe call the failure of every request.
fn assert_failure(server: &Server, expectation: Expectation, kind: FailureKind, detail: &str) {
    let timeout = Duration::from_secs(2);
    let assignment = Assignment { expectation, timeout, ..closed2(&server.url(), 2, 2, 4) };
    assert_all_failed(&run(&assignment), kind, 4, detail);
    let Assignment { target, request, expectation, .. } = &assignment;
    let probed = probe(target, request, expectation, timeout, Clock::new()).unwrap().failure.unwrap();
    assert_eq!(probed.kind, kind, "{probed}");
    assert!(probed.detail.contains(detail), "{probed}");
}

#[test]
fn a_reset_stream_is_called_by_its_code() {
    for (code, name, kind) in [
        (7u32, "REFUSED_STREAM", FailureKind::Refused),
        (2, "INTERNAL_ERROR", FailureKind::Reset),
        (11, "ENHANCE_YOUR_CALM", FailureKind::Reset),
    ] {
        let server = answering(move |stream| frame(3, 0, stream, &code.to_be_bytes()));
        assert_failure(&server, Expectation::default(), kind, name);
    }
    // A stream of events that had begun is cut short, whoever cut it.
    let event_stream = b"\x88\x5f\x11text/event-stream";
    let server = answering(move |stream| {
        [
            frame(1, 4, stream, event_stream),
            frame(0, 0, stream, b"data: {}\n\n"),
            frame(3, 0, stream, &[0; 4]),
        ]
        .concat()
    });
    let stream = Expectation { stream: Some(StreamFormat::OpenAiChat), ..Expectation::default() };
    assert_failure(&server, stream, FailureKind::Truncated, "DONE");
}

/// Every second answer is a status, which ends the row of failures, so that no rest holds the others up.
#[test]
fn a_target_cannot_think_of_ever_new_failures() {
    let server = answering(|stream| match stream % 4 {
        // :status 500
        1 => frame(1, 5, stream, &[0x8e]),
        _ => frame(3, 0, stream, &(0x1000 + stream).to_be_bytes()),
    });
    let finished = run(&closed2(&server.url(), 1, 1, 200));
    let failed = |kind| failures(&finished, kind);
    assert_eq!((failed(FailureKind::Status), failed(FailureKind::Reset)), (100, 100));
    assert_eq!(finished.totals.failures.len(), 2, "{:?}", finished.totals.failures);
}

#[test]
fn what_breaks_the_protocol_is_called_so() {
    type Answer = fn(u32) -> Vec<u8>;
    let cases: [(&str, Answer); 8] = [
        ("a size that it cannot have", |_| frame(6, 0, 0, &[0; 20_000])),
        ("never opened", |stream| frame(1, 4, stream + 1000, &[0x88])),
        ("on a stream that is over", |stream| {
            [ok(stream, "{}"), frame(0, 0, stream, b"late")].concat().repeat(2)
        }),
        ("pushed", |stream| frame(5, 4, stream, &[0, 0, 0, 2])),
        ("cannot be decompressed", |stream| frame(1, 4, stream, &[0xff; 9])),
        ("flood", |_| frame(4, 0, 0, &[]).repeat(20_000)),
        ("never ends", |stream| {
            [frame(1, 0, stream, &[0x88]), frame(9, 0, stream, &[]).repeat(1000)].concat()
        }),
        ("64 KiB", |stream| {
            let field = [&[0, 1, b'x', 0x7f, 0xa1, 0x7b][..], &[b'y'; 16_000]].concat();
            let many = frame(9, 0, stream, &field).repeat(640);
            [frame(1, 0, stream, &[0x88]), many].concat()
        }),
    ];
    for (detail, answer) in cases {
        let server = answering(answer);
        let timeout = Duration::from_secs(20);
        let finished = run(&Assignment { timeout, ..closed2(&server.url(), 2, 2, 4) });
        let protocol = failures(&finished, FailureKind::Protocol);
        // An answer may have been complete before the connection broke.
        assert_eq!(protocol + finished.totals.successes, 4, "{detail}: {:?}", finished.totals);
        assert!(
            protocol > 0 && finished.totals.failures.keys().all(|failure| failure.detail.contains(detail)),
            "{detail}: {:?}",
            finished.totals
        );
    }
}

/// What a read completes is settled before the connection is given up for what stood behind it.
#[test]
fn nothing_is_begun_on_a_connection_that_is_known_to_be_broken() {
    let server = answering(|stream| [ok(stream, "{}"), frame(6, 0, 0, &[0; 20_000])].concat());
    assert_all_good(&run(&closed2(&server.url(), 1, 1, 20)), 20, "an answer, then nonsense");
    assert_eq!(server.connections(), 20);
}

#[test]
fn an_answer_of_another_length_fails_alone() {
    // content-length: 3
    let server =
        answering(|stream| [frame(1, 4, stream, b"\x88\x0f\x0d\x013"), frame(0, 1, stream, b"{}")].concat());
    let finished = run(&closed2(&server.url(), 2, 2, 10));
    assert_all_failed(&finished, FailureKind::Protocol, 10, "Content-Length");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_of_http_1_is_told_by_its_first_words() {
    let server = Server::start(|peer| {
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        peer.wait_for_close()
    });
    assert_failure(&server, Expectation::default(), FailureKind::Protocol, "does it speak HTTP/2?");
}

#[test]
fn a_connection_that_breaks_fails_all_that_was_on_it() {
    let silent = Server::start(|peer| {
        greet(peer, &[])?;
        next_request(peer).map(|_| ())
    });
    assert_failure(&silent, Expectation::default(), FailureKind::Reset, "closed before the answer began");
    let mute = Server::start(|_| Ok(()));
    assert_failure(&mute, Expectation::default(), FailureKind::Protocol, "does it speak HTTP/2?");
    let early = Server::start(|peer| greet(peer, &[]).and_then(|()| peer.send(&[])));
    let finished = run(&closed2(&early.url(), 2, 2, 4));
    assert_eq!(failures(&finished, FailureKind::Reset), 4, "{:?}", finished.totals);
}

#[test]
fn goaway_replaces_the_connection_and_what_it_leaves_over_is_sent_on_the_next() {
    // Every connection takes three requests. With the fourth it says so, before it has answered the third.
    let server = Server::start(|peer: &mut Peer| {
        greet(peer, &[])?;
        let mut third = 0;
        for number in 1.. {
            let Some(stream) = next_request(peer)? else { return Ok(()) };
            match number {
                1 | 2 => peer.send(&ok(stream, "{}"))?,
                3 => third = stream,
                4 => peer.send(&[goaway(third, 0), ok(third, "{}")].concat())?,
                _ => {}
            }
        }
        Ok(())
    });
    let finished = run(&closed2(&server.url(), 4, 4, 40));
    assert_all_good(&finished, 40, "thirteen connections of three, and one of one");
    assert_eq!(server.connections(), 14);
    // Every connection but the last left over the fourth, and perhaps those of the other two places.
    assert!((13..=39).contains(&finished.totals.resent), "{:?}", finished.totals);
    // However often it was sent, it was due once, and late once.
    assert_eq!(finished.latencies.send_lag.count(), 40);
}

#[test]
fn a_goaway_with_a_complaint_or_before_any_request_is_a_failure() {
    for (last, code, name) in [(0, 0, "goaway with NO_ERROR"), (1, 11, "goaway with ENHANCE_YOUR_CALM")] {
        let server = Server::start(move |peer: &mut Peer| {
            greet(peer, &[])?;
            while let Some(stream) = next_request(peer)? {
                match (last, stream) {
                    (1, 1) => peer.send(&ok(stream, "{}"))?,
                    _ => peer.send(&goaway(last, code))?,
                }
            }
            Ok(())
        });
        let finished = run(&closed2(&server.url(), 1, 1, 4));
        let gone = failures(&finished, FailureKind::Reset);
        assert_eq!(gone + finished.totals.successes, 4, "{:?}", finished.totals);
        assert_eq!(finished.totals.resent, 0, "what was written is not begun anew");
        assert!(gone >= 2 && finished.totals.failures.keys().all(|failure| failure.detail.contains(name)));
    }
}

#[test]
fn a_request_that_is_out_of_time_is_cancelled_and_its_connection_lives_on() {
    let cancelled = Arc::new(AtomicU64::new(0));
    let counted = cancelled.clone();
    // The first four requests find no window for their bodies, and none opens; but the target shows that it is alive.
    let server = Server::start(move |peer: &mut Peer| {
        greet(peer, &[(4, 0)])?;
        let mut pinged = peer.stream().try_clone()?;
        thread::spawn(move || {
            // One write each, so that no frame of the answers is cut; until the client has closed.
            while pinged.write_all(&frame(6, 0, 0, b"are you?")).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        while let Some((kind, flags, stream, _)) = next_frame(peer)? {
            match kind {
                3 => {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
                1 if stream == 9 => peer.send(&frame(4, 0, 0, &[0, 4, 0, 1, 0, 0]))?,
                0 if flags & 1 != 0 => peer.send(&ok(stream, "{}"))?,
                _ => {}
            }
        }
        Ok(())
    });
    let timeout = Duration::from_millis(500);
    let finished = run(&Assignment { timeout, ..closed2(&server.url(), 2, 2, 12) });
    assert_eq!(failures(&finished, FailureKind::Timeout), 4, "{:?}", finished.totals);
    assert_eq!((finished.totals.successes, server.connections()), (8, 1));
    assert_eq!(cancelled.load(Ordering::SeqCst), 4);
}

#[test]
fn a_target_that_says_nothing_is_out_of_time_while_connecting() {
    let server = Server::start(|peer| peer.wait_for_close());
    assert_failure(&server, Expectation::default(), FailureKind::Timeout, "while connecting");
}

#[test]
fn pings_and_settings_in_between_are_answered() {
    let server = Server::start(|peer: &mut Peer| -> io::Result<()> {
        greet(peer, &[])?;
        let mut acknowledged = 0;
        while let Some((kind, flags, stream, payload)) = next_frame(peer)? {
            match (kind, flags) {
                (0, 1) => {
                    peer.send(&frame(6, 0, 0, b"are you?"))?;
                    peer.send(&frame(4, 0, 0, &[]))?;
                    // The answer comes when both have been answered.
                    let mut answers = 0;
                    while answers < 2
                        && let Some((kind, flags, _, payload)) = next_frame(peer)?
                    {
                        assert!(kind != 6 || payload == b"are you?");
                        answers += u64::from(matches!((kind, flags), (4 | 6, 1)));
                    }
                    peer.send(&ok(stream, "{}"))?;
                }
                (4, 1) => acknowledged += payload.len() + 1,
                _ => {}
            }
        }
        assert!(acknowledged <= 1);
        Ok(())
    });
    assert_all_good(&run(&closed2(&server.url(), 1, 1, 20)), 20, "pings");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Every request of a load ends once, whatever the target sends; `run` checks that the sums add up.
    #[test]
    fn whatever_a_target_sends_no_request_doubles_or_vanishes(
        noise in prop::collection::vec(any::<u8>(), 0..60),
        kind in 0u8..10,
        after in 1u32..4,
    ) {
        let server = Server::start(move |peer: &mut Peer| {
            greet(peer, &[])?;
            let mut requests = 0;
            while let Some(stream) = next_request(peer)? {
                requests += 1;
                if requests == after {
                    peer.send(&frame(kind, 5, stream, &noise))?;
                    peer.send(&noise)?;
                    return Ok(());
                }
                peer.send(&ok(stream, "{}"))?;
            }
            Ok(())
        });
        let finished = run(&Assignment { timeout: Duration::from_secs(5), ..closed2(&server.url(), 3, 3, 6) });
        prop_assert_eq!(finished.totals.started, 6);
    }
}
