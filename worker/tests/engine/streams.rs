//! Server-sent events over real sockets: tokens, their times, and streams that end as they should not.

use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::expectation::{Expectation, StreamFormat};
use proto::goal::Goal;
use proto::interval::Finished;
use proto::outcome::FailureKind;

use super::load::{assert_all_failed, assert_all_good, closed, run};
use super::server::Server;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const TOKEN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Gr\u{fc}n \"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const END: &str = "0\r\n\r\n";

fn chunk(event: &str) -> String {
    format!("{:X}\r\n{event}\r\n", event.len())
}

/// Streams of these parts, one write each, and a connection that is closed after them where `close`.
fn streams(parts: Vec<String>, pause: Duration, close: bool, requests: u64) -> Finished {
    streams_within(Goal::NONE, parts, pause, close, requests)
}

/// The same with a goal.
fn streams_within(goal: Goal, parts: Vec<String>, pause: Duration, close: bool, requests: u64) -> Finished {
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            for part in &parts {
                peer.send(part.as_bytes())?;
                thread::sleep(pause);
            }
            if close {
                break;
            }
        }
        Ok(())
    });
    let expectation = Expectation { stream: Some(StreamFormat::OpenAiChat), goal, ..Expectation::default() };
    run(&Assignment { expectation, ..closed(&server.url(), 1, requests) })
}

#[test]
fn tokens_are_counted_and_timed_one_by_one() {
    let pause = Duration::from_millis(20);
    let parts =
        [HEAD.into(), chunk(ROLE), chunk(TOKEN), chunk(TOKEN), chunk(TOKEN), chunk(DONE), END.into()].into();
    let finished = streams(parts, pause, false, 5);
    assert_all_good(&finished, 5, "streams");
    assert_eq!(finished.totals.content_events, 15);
    let (first, gaps) = (&finished.latencies.time_to_first_token, &finished.latencies.inter_token_gap);
    assert_eq!((first.count(), gaps.count()), (5, 10));
    // The head and the role, which is no token, come before the first. Histograms are exact to a thousandth.
    assert!(first.min().unwrap() as f64 >= 0.999 * 2.0 * pause.as_nanos() as f64, "{:?}", first.min());
    assert!(first.max() < finished.latencies.response_time.max());
    // Whatever the machine did, the events of a stream were 20 ms apart when they were sent.
    assert!(gaps.mean().unwrap() >= 0.9 * pause.as_nanos() as f64, "{:?}", gaps.mean());
}

#[test]
fn the_usage_counts_where_a_stream_is_good_and_tells_it() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\n";
    let told = |events: &[&str]| {
        let whole = [HEAD, &chunk(&events.concat()), END].concat();
        let Finished { totals, .. } = streams([whole].into(), Duration::ZERO, false, 5);
        (totals.successes, totals.usage_reports, totals.input_tokens, totals.output_tokens)
    };
    assert_eq!(told(&[ROLE, TOKEN, usage, DONE]), (5, 5, 45, 60));
    assert_eq!(told(&[ROLE, TOKEN, DONE]), (5, 0, 0, 0));
    assert_eq!(told(&[ROLE, TOKEN, usage]), (0, 0, 0, 0), "without its end mark");
}

#[test]
fn events_that_come_in_one_read_are_counted_as_such() {
    let whole = [HEAD, &chunk(&[ROLE, TOKEN, TOKEN, TOKEN, DONE].concat()), END].concat();
    let finished = streams([whole].into(), Duration::ZERO, false, 10);
    assert_all_good(&finished, 10, "in one read");
    assert_eq!((finished.totals.content_events, finished.totals.coalesced_events), (30, 20));
    assert_eq!(finished.latencies.inter_token_gap.count(), 20);
}

#[test]
fn a_stream_may_be_cut_anywhere_even_within_a_letter() {
    let whole = [HEAD, &chunk(ROLE), &chunk(TOKEN), &chunk(TOKEN), &chunk(DONE), END].concat();
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            for byte in whole.bytes() {
                peer.send(&[byte])?;
            }
        }
        Ok(())
    });
    let expectation = Expectation { stream: Some(StreamFormat::OpenAiChat), ..Expectation::default() };
    let finished = run(&Assignment { expectation, ..closed(&server.url(), 2, 20) });
    assert_all_good(&finished, 20, "byte by byte");
    assert_eq!(finished.totals.content_events, 40);
}

#[test]
fn a_stream_without_its_end_mark_is_truncated() {
    let ends_early = [HEAD.into(), chunk(TOKEN), END.into()];
    assert_all_failed(
        &streams(ends_early.into(), Duration::ZERO, false, 4),
        FailureKind::Truncated,
        4,
        "[DONE]",
    );
    let breaks_off = [HEAD.into(), chunk(TOKEN)];
    assert_all_failed(
        &streams(breaks_off.into(), Duration::ZERO, true, 4),
        FailureKind::Truncated,
        4,
        "[DONE]",
    );
}

#[test]
fn an_error_within_a_stream_is_one_whatever_comes_after_it() {
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    for (rest, close) in [(vec![chunk(DONE), END.into()], false), (vec![END.into()], false), (vec![], true)] {
        let parts = [vec![HEAD.into(), chunk(TOKEN), chunk(error)], rest].concat();
        let finished = streams(parts, Duration::ZERO, close, 4);
        assert_all_failed(&finished, FailureKind::Body, 4, "an error within the stream");
    }
}

#[test]
fn an_answer_that_is_no_stream_is_a_named_failure() {
    let plain = super::server::ok("{\"choices\":[]}");
    let finished = streams([plain].into(), Duration::ZERO, false, 4);
    assert_all_failed(&finished, FailureKind::Body, 4, "not labelled text/event-stream");
    let empty = [HEAD, &chunk(ROLE), &chunk(DONE), END].concat();
    let finished = streams([empty].into(), Duration::ZERO, false, 4);
    assert_all_failed(&finished, FailureKind::Body, 4, "a stream without content");
}

#[test]
fn successes_beyond_the_goal_are_late_and_still_successes() {
    let pause = Duration::from_millis(20);
    let parts: Vec<String> =
        [HEAD.into(), chunk(ROLE), chunk(TOKEN), chunk(TOKEN), chunk(TOKEN), chunk(DONE), END.into()].into();
    let late = |goal: Goal| {
        let finished = streams_within(goal, parts.clone(), pause, false, 5);
        assert_all_good(&finished, 5, "a goal");
        finished.totals.late
    };
    let (short, long) = (Some(pause / 2), Some(Duration::from_secs(3600)));
    let kept = Goal { response_time: long, time_to_first_token: long, mean_gap: long };
    assert_eq!(late(Goal::NONE), 0);
    assert_eq!(late(kept), 0);
    for missed in [
        Goal { response_time: short, ..kept },
        Goal { time_to_first_token: short, ..kept },
        Goal { mean_gap: short, ..kept },
    ] {
        assert_eq!(late(missed), 5, "{missed:?}");
    }
}
