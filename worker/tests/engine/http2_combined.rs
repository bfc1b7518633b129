//! HTTP/2 together with what loads and targets know besides: phases, ways, bodies that differ, rests and stages.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::counters::ConnectionKind;
use proto::load::{Load, Pace, ThinkTime};
use proto::route::Route;
use proto::stages::{Stage, Stages};
use proto::target::{HttpVersion, Target};
use proto::variety::{Dataset, Variety};
use worker::clock::Clock;
use worker::probe::probe;

use super::h2_server::{self, Answers, H2Server, frame, goaway, greet, next_frame, next_request};
use super::http2::closed2;
use super::load::{assert_all_good, open, run};
use super::server::{Peer, Server, SocketServer};

const THINKING: Duration = Duration::from_millis(20);
const TALKING: Duration = Duration::from_millis(10);

/// A server of HTTP/2 that answers request after request.
fn plain(peer: &mut Peer) -> io::Result<()> {
    greet(peer, &[])?;
    while let Some(stream) = next_request(peer)? {
        peer.send(&h2_server::ok(stream, "{}"))?;
    }
    Ok(())
}

#[test]
fn every_stream_has_phases_of_its_own_from_interim_answers_on() {
    // Status 200, and 103 in a literal.
    for first in [&[0x88][..], &[8, 3, b'1', b'0', b'3']] {
        let server = Server::start(move |peer| {
            greet(peer, &[])?;
            while let Some(stream) = next_request(peer)? {
                thread::sleep(THINKING);
                peer.send(&frame(1, 4, stream, first))?;
                thread::sleep(TALKING);
                match first {
                    [0x88] => peer.send(&frame(0, 1, stream, b"{}"))?,
                    _ => peer.send(&h2_server::ok(stream, "{}"))?,
                }
            }
            Ok(())
        });
        let finished = run(&closed2(&server.url(), 2, 2, 20));
        assert_all_good(&finished, 20, "thoughtful");
        let latencies = &finished.latencies;
        let (waiting, transfer) = (&latencies.time_to_first_byte, &latencies.transfer_time);
        assert!(waiting.min().unwrap() as f64 >= 0.999 * THINKING.as_nanos() as f64, "{:?}", waiting.min());
        assert!(transfer.mean().unwrap() >= TALKING.as_nanos() as f64 / 2.0, "{:?}", transfer.mean());
        let parts = waiting.mean().unwrap() + transfer.mean().unwrap();
        let whole = latencies.service_time.mean().unwrap();
        assert!((parts / whole - 1.0).abs() < 0.002, "{parts} against {whole}");
        assert!(latencies.connect_time.is_empty(), "the connection stood before the block");
    }
}

#[test]
fn a_connection_that_streams_share_is_made_and_timed_once() {
    const EACH: u64 = 5;
    let server = Server::start(|peer| {
        greet(peer, &[])?;
        for number in 1..=EACH {
            let Some(stream) = next_request(peer)? else { return Ok(()) };
            let last = if number == EACH { goaway(stream, 0) } else { Vec::new() };
            peer.send(&[last, h2_server::ok(stream, "{}")].concat())?;
        }
        peer.wait_for_close()
    });
    let finished = run(&closed2(&server.url(), 1, 1, 4 * EACH));
    assert_all_good(&finished, 4 * EACH, "four connections");
    // The first stood before the block.
    let kind = ConnectionKind { address: server.address().to_string(), tls: None };
    assert_eq!(finished.totals.connections, [(kind, 3)].into());
    let latencies = &finished.latencies;
    assert_eq!((latencies.connect_time.count(), latencies.tls_handshake_time.count()), (3, 0));
}

#[test]
fn a_socket_carries_streams_too() {
    let server = SocketServer::start(plain);
    let target = Target {
        route: Route::UnixSocket(server.path()),
        http_version: HttpVersion::Http2,
        ..Target::new("http://localhost".parse().unwrap())
    };
    let assignment = Assignment { target, ..closed2("http://unused", 6, 3, 30) };
    let Assignment { target, request, expectation, timeout, .. } = &assignment;
    assert_eq!(probe(target, request, expectation, *timeout, Clock::new()).unwrap().failure, None);
    assert_all_good(&run(&assignment), 30, "over a socket");
}

#[test]
fn lines_take_ways_in_turn() {
    let seen: Arc<Mutex<BTreeMap<IpAddr, u64>>> = Arc::default();
    let noted = seen.clone();
    let server = Server::start(move |peer| {
        *noted.lock().unwrap().entry(peer.stream().peer_addr()?.ip()).or_default() += 1;
        plain(peer)
    });
    let mut assignment = closed2(&server.url(), 12, 2, 60);
    assignment.target.local_addresses = ["127.0.0.2", "127.0.0.3"].map(|text| text.parse().unwrap()).to_vec();
    assert_all_good(&run(&assignment), 60, "six connections from two addresses");
    assert_eq!(seen.lock().unwrap().values().copied().collect::<Vec<_>>(), [3, 3]);
}

/// Takes whole bodies, whose windows it opens as they are read, and notes them.
fn reading(bodies: &Mutex<Vec<String>>, peer: &mut Peer) -> io::Result<()> {
    greet(peer, &[])?;
    let mut open = BTreeMap::<u32, Vec<u8>>::new();
    while let Some((kind, flags, stream, payload)) = next_frame(peer)? {
        if !matches!(kind, 0 | 1) {
            continue;
        }
        let body = open.entry(stream).or_default();
        if kind == 0 {
            let more = (payload.len() as u32).to_be_bytes();
            body.extend(payload);
            peer.send(&[frame(8, 0, 0, &more), frame(8, 0, stream, &more)].concat())?;
        }
        if flags & 1 != 0 {
            bodies.lock().unwrap().push(String::from_utf8(open.remove(&stream).unwrap()).unwrap());
            peer.send(&h2_server::ok(stream, "{}"))?;
        }
    }
    Ok(())
}

#[test]
fn each_stream_carries_the_body_of_its_own_request_whole() {
    // What fits into a frame, and what is cut as the windows allow while other streams send.
    for words in [3, 20_000] {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let noted = bodies.clone();
        let server = Server::start(move |peer| reading(&noted, peer));
        let mut assignment = closed2(&server.url(), 6, 3, 15);
        assignment.variety = Some(Arc::new(Variety {
            template: format!("{{{{ seq }}}}:{{{{ words({words}) }}}}:{{{{ seq }}}}"),
            escapes_json: true,
            dataset: Dataset::default(),
            bodies: 15,
        }));
        assert_all_good(&run(&assignment), 15, "fifteen bodies");
        let bodies = bodies.lock().unwrap();
        let number = |body: &String| {
            let (first, last) = (body.split_once(':').unwrap().0, body.rsplit_once(':').unwrap().1);
            assert_eq!(first, last);
            first.parse::<u64>().unwrap()
        };
        assert_eq!(bodies.iter().map(number).collect::<BTreeSet<_>>(), (0..15).collect());
        assert_eq!(bodies.len(), 15);
        assert!(bodies.iter().all(|body| body.len() >= 2 * words), "{words} words");
    }
}

#[test]
fn streams_rest_for_their_think_time_one_by_one() {
    let server = H2Server::start(Answers::json("{}"));
    let think = Duration::from_millis(60);
    let concurrency = NonZeroU32::new(4).unwrap();
    let load = Load::Closed { concurrency, think_time: ThinkTime::new(think, think) };
    let finished = run(&Assignment { load, ..closed2(&server.url(), 4, 4, 12) });
    assert_all_good(&finished, 12, "three rounds");
    assert_eq!(server.connections(), 1);
    assert!(finished.last_completion.unwrap() >= 2 * think, "{:?}", finished.last_completion);
}

#[test]
fn stages_are_followed_over_streams() {
    let server = H2Server::start(Answers::json("{}"));
    let duration = Duration::from_millis(500);
    let mut assignment = open(&server.url(), 2, "1", duration);
    assignment.target.http_version = HttpVersion::Http2;
    assignment.streams = NonZeroU32::new(10).unwrap();
    if let Load::Open { pace, .. } = &mut assignment.load {
        let stage = Stage { duration, from_millihertz: 0, to_millihertz: 200_000 };
        *pace = Pace::Stages(Stages::new([stage]).unwrap());
    }
    assert_all_good(&run(&assignment), 50, "a ramp");
    assert_eq!(server.connections(), 2);
}
