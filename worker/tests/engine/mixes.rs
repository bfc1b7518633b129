//! Requests of several scenarios in one block: each as often as its weight says, judged and counted by its own.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::counters::Counters;
use proto::expectation::Expectation;
use proto::interval::{EndReason, Finished};
use proto::load::{Load, WarmUp};
use proto::mix::MixPart;
use proto::share::Share;
use proto::target::Request;

use super::h2_server::{Answers, H2Server};
use super::http2::closed2;
use super::load::{begin, closed, json_at, open, run, wait_until};
use super::server::{Server, ok};

/// A scenario that is known by its path.
fn part(weight: u32, path: &str, expectation: Expectation) -> MixPart {
    let request =
        Request { method: "POST".into(), path: path.into(), headers: Vec::new(), body: b"{}".into() };
    MixPart { weight: NonZeroU32::new(weight).unwrap(), request, expectation, variety: None }
}

fn mixed(assignment: Assignment) -> Assignment {
    let mix = vec![part(7, "/chat", json_at("/a")), part(3, "/tools", json_at("/b"))];
    Assignment { mix, ..assignment }
}

/// What each path was asked for in the load.
type Asked = Arc<Mutex<[u64; 2]>>;

/// Answers `/chat` with an `a` and `/tools` with that body.
fn server(tools: &'static str) -> (Server, Asked) {
    let asked = Asked::default();
    let server = Server::start({
        let asked = asked.clone();
        move |peer| {
            while let Some(head) = peer.request()? {
                let is_tools = head.0[0].starts_with("POST /tools ");
                if head.value("User-Agent").unwrap().ends_with("(load)") {
                    asked.lock().unwrap()[usize::from(is_tools)] += 1;
                }
                peer.send(ok(if is_tools { tools } else { r#"{"a":1}"# }).as_bytes())?;
            }
            Ok(())
        }
    });
    (server, asked)
}

fn of_parts(finished: &Finished, count: impl Fn(&Counters) -> u64) -> Vec<u64> {
    finished.parts.iter().map(|part| count(&part.counters)).collect()
}

#[test]
fn each_scenario_is_sent_as_often_as_its_weight_says_whatever_the_workers() {
    for (workers, threads) in [(1, 1), (1, 2), (3, 2)] {
        let (server, asked) = server(r#"{"b":1}"#);
        let mut sent = [0, 0];
        for index in 0..workers {
            let share = Share::new(index, workers).unwrap();
            let warm_up = WarmUp::Requests(9.try_into().unwrap());
            let threads = NonZeroU32::new(threads);
            let finished =
                run(&mixed(Assignment { share, threads, warm_up, ..closed(&server.url(), 7, 1_000) }));
            assert_eq!((finished.end_reason, finished.totals.failed()), (EndReason::Requests, 0));
            let successes = of_parts(&finished, |counters| counters.successes);
            sent = [sent[0] + successes[0], sent[1] + successes[1]];
        }
        assert_eq!((sent, *asked.lock().unwrap()), ([700, 300], [700, 300]), "{workers} workers");
    }
}

#[test]
fn each_answer_is_judged_by_its_own_scenario() {
    let (server, _) = server(r#"{"a":1}"#);
    let finished = run(&mixed(closed(&server.url(), 4, 200)));
    assert_eq!(of_parts(&finished, |counters| counters.successes), [140, 0]);
    assert_eq!(of_parts(&finished, Counters::failed), [0, 60]);
    let failures: Vec<&str> =
        finished.parts[1].counters.failures.keys().map(|failure| failure.detail.as_str()).collect();
    assert!(failures.len() == 1 && failures[0].contains("/b"), "{failures:?}");
}

#[test]
fn http2_carries_a_mix_as_well() {
    let server = H2Server::start(Answers::json(r#"{"a":1}"#));
    let mut assignment = mixed(closed2(&server.url(), 12, 4, 500));
    assignment.mix[1].request.body = b"[1, 2, 3]".into();
    let finished = run(&assignment);
    assert_eq!(of_parts(&finished, |counters| counters.successes), [350, 0], "{:?}", finished.totals);
    assert_eq!(of_parts(&finished, Counters::failed), [0, 150]);
    assert_eq!((server.connections(), server.requests(), server.bytes()), (3, 500, 350 * 2 + 150 * 9));
}

#[test]
fn an_open_loop_accounts_for_each_scenario_by_itself() {
    // It answers nothing, so that all but two wait or are dropped.
    let server = Server::start(|peer| {
        while peer.request()?.is_some() {
            thread::sleep(Duration::from_secs(5));
        }
        Ok(())
    });
    let mut assignment = mixed(open(&server.url(), 2, "200", Duration::from_millis(500)));
    if let Load::Open { max_in_flight, .. } = &mut assignment.load {
        *max_in_flight = 10.try_into().ok();
    }
    assignment.timeout = Duration::from_secs(2);
    let running = begin(&assignment);
    wait_until("both connections are busy", || server.requests() == 2);
    let finished = running.finish();
    assert_eq!(of_parts(&finished, |counters| counters.offered), [70, 30]);
    for part in &finished.parts {
        let Counters { offered, started, dropped, unsent, .. } = part.counters;
        assert_eq!(offered, started + dropped + unsent);
        assert_eq!(started, part.counters.failed() + part.counters.abandoned);
    }
    assert!(finished.totals.dropped > 0 && finished.totals.unsent > 0, "{:?}", finished.totals);
}
