//! HTTP/2 targets that keep to the protocol: many streams on few connections, large bodies, streams of events.

use std::num::NonZeroU32;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::expectation::{Expectation, StreamFormat};
use proto::load::WarmUp;
use proto::target::{HttpVersion, Target};
use worker::clock::Clock;
use worker::engine::Engine;
use worker::probe::probe;

use super::h2_server::{Answers, H2Server};
use super::load::{assert_all_good, begin, closed, json_at, open, prepare, run, wait_until};
use super::server::{Server, ok};

/// A closed loop over HTTP/2.
pub fn closed2(url: &str, concurrency: u32, streams: u32, requests: u64) -> Assignment {
    let mut assignment = closed(url, concurrency, requests);
    assignment.target.http_version = HttpVersion::Http2;
    assignment.streams = NonZeroU32::new(streams).unwrap();
    assignment
}

#[test]
fn requests_share_connections_as_asked_and_each_is_answered_once() {
    let server = H2Server::start(Answers::json("{\"a\":1}"));
    let assignment = Assignment { expectation: json_at("/a"), ..closed2(&server.url(), 100, 25, 2000) };
    let finished = run(&assignment);
    assert_all_good(&finished, 2000, "four connections");
    assert_eq!((server.connections(), server.requests(), server.bytes()), (4, 2000, 4000));
    assert_eq!(server.most_streams(), 25, "streams of a connection at once");
    assert!(finished.latencies.service_time.count() == 2000 && finished.latencies.send_lag.count() == 2000);
}

#[test]
fn threads_share_connections_out_and_not_streams() {
    let server = H2Server::start(Answers::json("{}"));
    let assignment = Assignment { threads: NonZeroU32::new(2), ..closed2(&server.url(), 11, 4, 501) };
    assert_all_good(&run(&assignment), 501, "three connections on two threads");
    assert_eq!((server.connections(), server.most_streams()), (3, 4));
}

#[test]
fn more_places_than_there_is_memory_for_are_refused() {
    let assignment = closed2("http://127.0.0.1:1", 2_000_000, 10_000, 1);
    let refused = Engine::prepare(&assignment, Clock::new(), |_| {}).unwrap_err().to_string();
    assert!(refused.contains("2000000 requests in flight") && refused.contains("--streams"), "{refused}");
}

#[test]
fn the_targets_limit_of_streams_is_kept_and_what_waits_is_sent_later() {
    let server = H2Server::start(Answers { max_streams: 3, ..Answers::json("{}") });
    assert_all_good(&run(&closed2(&server.url(), 10, 10, 300)), 300, "three streams at once");
    assert_eq!((server.connections(), server.most_streams()), (1, 3));
}

#[test]
fn bodies_beyond_every_window_go_both_ways() {
    let body = format!("{{\"b\":\"{}\",\"a\":1}}", "x".repeat(9 << 20));
    let server = H2Server::start(Answers::json(&body));
    let mut assignment = closed2(&server.url(), 4, 4, 8);
    assignment.request.body = vec![b'y'; 1 << 20];
    assignment.expectation = json_at("/a");
    assert_all_good(&run(&assignment), 8, "9 MiB down, 1 MiB up");
    assert_eq!((server.connections(), server.bytes()), (1, 8 << 20));
}

#[test]
fn a_warm_up_and_an_open_loop_use_the_same_streams() {
    let server = H2Server::start(Answers { pause: Duration::from_millis(20), ..Answers::json("{}") });
    let mut assignment = open(&server.url(), 2, "1000", Duration::from_millis(500));
    assignment.target.http_version = HttpVersion::Http2;
    assignment.streams = NonZeroU32::new(50).unwrap();
    assignment.warm_up = WarmUp::Duration(Duration::from_millis(100));
    let finished = run(&assignment);
    assert_all_good(&finished, 500, "an open loop");
    assert_eq!(server.connections(), 2);
    assert!(server.most_streams() > 2, "{}", server.most_streams());
}

#[test]
fn an_order_to_stop_abandons_what_is_under_way() {
    let server = H2Server::start(Answers { pause: Duration::from_secs(60), ..Answers::json("{}") });
    let running = begin(&closed2(&server.url(), 6, 3, 100));
    wait_until("all are under way", || server.most_streams() == 3);
    running.engine.stop(proto::interval::EndReason::Stopped);
    let finished = running.finish();
    assert_eq!((finished.totals.started, finished.totals.abandoned), (6, 6));
}

#[test]
fn streams_of_events_are_timed_side_by_side() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
    let body = format!("{}data: [DONE]\n\n", event.repeat(5));
    let server = H2Server::start(Answers { content_type: "text/event-stream", ..Answers::json(&body) });
    let expectation = Expectation { stream: Some(StreamFormat::OpenAiChat), ..Expectation::default() };
    let finished = run(&Assignment { expectation, ..closed2(&server.url(), 8, 8, 100) });
    assert_all_good(&finished, 100, "streams");
    assert_eq!((finished.totals.content_events, finished.latencies.time_to_first_token.count()), (500, 100));
}

#[test]
fn a_probe_speaks_what_the_load_speaks() {
    let server = H2Server::start(Answers::json("{\"a\":1}"));
    let assignment = closed2(&server.url(), 1, 1, 1);
    let probed = |target: &Target, pointer| {
        let limit = Duration::from_secs(20);
        probe(target, &assignment.request, &json_at(pointer), limit, Clock::new()).unwrap()
    };
    let good = probed(&assignment.target, "/a");
    assert_eq!((good.failure, good.status, good.answer_start.as_str()), (None, Some(200), "{\"a\":1}"));
    assert_eq!(probed(&assignment.target, "/b").failure.unwrap().detail, "nothing at /b");
    // Over plain text nobody can be asked, so that `auto` is 1.1.
    let server = Server::answering(ok("{\"a\":1}"), false);
    let url = server.url().parse().unwrap();
    let auto = Target { http_version: HttpVersion::Auto, ..Target::new(url) };
    assert_eq!(probed(&auto, "/a").failure, None);
    let running = prepare(&Assignment { target: auto, ..closed2("http://unused", 4, 2, 10) });
    running.prepared();
    running.start();
    assert_all_good(&running.finish(), 10, "auto over plain text");
    assert_eq!(server.connections(), 5, "one a place, and the probe's");
}
