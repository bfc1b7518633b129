//! What is spoken over TLS: chosen by ALPN.

use std::num::NonZeroU32;

use proto::assignment::Assignment;
use proto::outcome::FailureKind;
use proto::target::{HttpVersion, Target};
use std::time::Duration;
use worker::clock::Clock;
use worker::engine::Output;
use worker::probe::probe;

use super::http2::closed2;
use super::load::{assert_all_failed, assert_all_good, run};
use super::tls::AlpnServer;

fn load(server: &AlpnServer, http_version: HttpVersion) -> Assignment {
    let target = Target { insecure: true, http_version, ..Target::new(server.url().parse().unwrap()) };
    Assignment { target, streams: NonZeroU32::new(2).unwrap(), ..closed2("http://unused", 4, 2, 8) }
}

/// What an engine says that it speaks.
fn spoken(assignment: &Assignment) -> (HttpVersion, u32) {
    let (sender, outputs) = std::sync::mpsc::channel();
    let engine =
        worker::engine::Engine::prepare(assignment, Clock::new(), move |output| drop(sender.send(output)))
            .unwrap();
    let Ok(Output::Prepared { http_version, connections, .. }) =
        outputs.recv_timeout(Duration::from_secs(60))
    else {
        panic!("not prepared")
    };
    drop(engine);
    (http_version, connections)
}

#[test]
fn a_target_that_chooses_h2_is_spoken_to_in_it() {
    let server = AlpnServer::start(&["h2", "http/1.1"]);
    for version in [HttpVersion::Http2, HttpVersion::Auto] {
        assert_all_good(&run(&load(&server, version)), 8, version.name());
        assert_eq!(spoken(&load(&server, version)), (HttpVersion::Http2, 2));
    }
    // Who wants 1.1 gets it.
    assert_all_good(&run(&load(&server, HttpVersion::Http11)), 8, "1.1");
}

#[test]
fn the_handshake_of_a_connection_that_streams_share_is_timed_once() {
    // Streams 1, 3, 5, 7 and 9; the first connection stands before the block.
    let server = AlpnServer::ending_at(&["h2"], 9);
    let finished = run(&closed2_over(&server, 20));
    assert_all_good(&finished, 20, "four connections");
    let latencies = &finished.latencies;
    assert_eq!((latencies.connect_time.count(), latencies.tls_handshake_time.count()), (3, 3));
    let kinds: Vec<_> = finished.totals.connections.iter().collect();
    assert!(kinds.iter().all(|(kind, _)| kind.tls.is_some()), "{kinds:?}");
    assert_eq!(kinds.iter().map(|(_, count)| **count).sum::<u64>(), 3);
}

/// One request at a time.
fn closed2_over(server: &AlpnServer, requests: u64) -> Assignment {
    Assignment { target: load(server, HttpVersion::Http2).target, ..closed2("http://unused", 1, 1, requests) }
}

#[test]
fn a_target_without_h2_fails_unless_it_may_choose() {
    for offered in [&["http/1.1"][..], &[]] {
        let server = AlpnServer::start(offered);
        let assignment = load(&server, HttpVersion::Http2);
        assert_all_failed(&run(&assignment), FailureKind::Tls, 8, "does not choose HTTP/2");
        let Assignment { target, request, expectation, .. } = &assignment;
        let failure =
            probe(target, request, expectation, Duration::from_secs(20), Clock::new()).unwrap().failure;
        assert!(
            failure.as_ref().is_some_and(|failure| failure.detail.contains("--http-version auto")),
            "{failure:?}"
        );

        let auto = load(&server, HttpVersion::Auto);
        assert_all_good(&run(&auto), 8, "auto");
        assert_eq!(spoken(&auto), (HttpVersion::Http11, 4), "a connection for each place");
    }
}
