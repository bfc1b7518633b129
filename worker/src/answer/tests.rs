//! Answers as real gateways give them, at every cut.

mod formats;

use std::iter;

use proptest::prelude::*;
use proto::expectation::{Expectation, JsonExpectation, StreamFormat};

use super::*;
use crate::http1::response::{End, Response};
use crate::pieces::cut;

/// What came of an answer: the verdict, content events, and how many of those came with the one before.
type Judged = (Result<(), Fault>, u64, u64);

fn expectation(stream: bool) -> Expectation {
    Expectation { stream: stream.then_some(StreamFormat::OpenAiChat), ..Expectation::default() }
}

fn json(pointer: &str, equals: Option<&str>) -> JsonExpectation {
    JsonExpectation { pointer: pointer.into(), equals: equals.map(str::to_owned) }
}

/// Reads a response, each piece a millisecond after the one before, and checks the times.
fn answer(criteria: &Criteria, answer: &mut Answer, pieces: &[&[u8]]) -> Judged {
    let mut response = Response::default();
    answer.begin();
    let mut complete = false;
    for (number, piece) in (1..).zip(pieces) {
        let mut reading = answer.reading(criteria, Nanos(number * 1_000_000));
        complete |= response.feed(piece, &mut reading).unwrap().is_some();
    }
    assert!(complete || response.end() == End::Complete, "the test's responses are complete");

    let verdict = answer.verdict(criteria);
    let times = answer.stream();
    assert_eq!(times.first_content.is_some(), times.content_events > 0);
    assert_eq!(times.gaps.len() as u64, times.content_events.saturating_sub(1));
    let zero = times.gaps.iter().filter(|gap| **gap == Nanos::ZERO).count();
    assert_eq!(zero as u64, times.coalesced_events);
    (verdict, times.content_events, times.coalesced_events)
}

/// The verdict and the number of content events, which must be the same at every cut.
fn judge(expectation: &Expectation, response: &str) -> (Result<(), Fault>, u64) {
    let criteria = Criteria::new(expectation).unwrap();
    let (bytes, mut reused) = (response.as_bytes(), Answer::default());
    let (verdict, events, coalesced) = answer(&criteria, &mut reused, &[bytes]);
    assert_eq!(coalesced, events.saturating_sub(1), "all in one read");

    for cut in 1..bytes.len() {
        let (before, after) = bytes.split_at(cut);
        let (cut_verdict, cut_events, _) = answer(&criteria, &mut reused, &[before, after]);
        assert_eq!((cut_verdict, cut_events), (verdict, events), "{response} cut at {cut}");
    }
    let bytewise: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(answer(&criteria, &mut reused, &bytewise), (verdict, events, 0), "{response} by bytes");
    (verdict, events)
}

fn plain(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len())
}

/// A chunked stream with one event a chunk; `{…}` events are put into `data:` lines.
fn stream(events: &[&str]) -> String {
    let mut text = String::from(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for event in events {
        let event =
            if event.starts_with(['{', '[']) { format!("data: {event}\n\n") } else { (*event).to_owned() };
        text += &format!("{:X}\r\n{event}\r\n", event.len());
    }
    text + "0\r\n\r\n"
}

const COMPLETION: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Grüße \"x\""},"finish_reason":"stop"}],"usage":{"total_tokens":3}}"#;

#[test]
fn the_status_comes_before_everything_else() {
    let error = plain("500 No", "Content-Type: text/event-stream\r\n", "data: {\"error\":{}}\n\n");
    for stream in [false, true] {
        assert_eq!(judge(&expectation(stream), &error), (Err(Fault::Status(500)), 0));
    }
    let created = Expectation { status: Some(201), ..Expectation::default() };
    assert_eq!(judge(&created, &plain("200 OK", "", "")).0, Err(Fault::Status(200)));
    assert_eq!(judge(&created, &plain("201 Created", "", "")).0, Ok(()));
    assert_eq!(judge(&expectation(false), &plain("299 Odd", "", "not JSON")).0, Ok(()));
}

#[test]
fn a_compressed_answer_is_named_only_where_its_body_matters() {
    let gzip = plain("200 OK", "Content-Encoding: gzip\r\n", "\u{1f}\u{8b}");
    let exists = Expectation { json: vec![json("/id", None)], ..Expectation::default() };
    assert_eq!(judge(&exists, &gzip).0, Err(Fault::Body(BodyFault::Encoded)));
    assert_eq!(judge(&expectation(true), &gzip).0, Err(Fault::Body(BodyFault::Encoded)));
    assert_eq!(judge(&expectation(false), &gzip).0, Ok(()));
}

#[test]
fn a_completion_is_held_against_what_is_expected() {
    let verdict = |json: Vec<JsonExpectation>, reason: Option<&str>, body: &str| {
        let finish_reason = reason.map(str::to_owned);
        let expectation = Expectation { json, finish_reason, ..Expectation::default() };
        judge(&expectation, &plain("200 OK", "Content-Type: application/json\r\n", body)).0
    };
    let content = || json("/choices/0/message/content", None);
    let body = |fault: BodyFault| Err(Fault::Body(fault));

    assert_eq!(verdict(vec![content()], Some("stop"), COMPLETION), Ok(()));
    assert_eq!(verdict(vec![json("/object", Some(r#""chat.completion""#))], None, COMPLETION), Ok(()));
    assert_eq!(verdict(vec![json("/usage/total_tokens", Some("3.0"))], None, COMPLETION), Ok(()));
    assert_eq!(verdict(vec![content()], Some("length"), COMPLETION), body(BodyFault::FinishReason));
    assert_eq!(verdict(vec![], Some("stop"), r#"{"choices":[]}"#), body(BodyFault::FinishReason));
    let two = vec![content(), json("/error", None)];
    assert_eq!(verdict(two, Some("length"), COMPLETION), body(BodyFault::Missing(1)));
    let two = vec![content(), json("/object", Some("\"list\""))];
    assert_eq!(verdict(two, None, COMPLETION), body(BodyFault::Differs(1)));
    for broken in ["", "<html>", &COMPLETION[..100]] {
        assert_eq!(verdict(vec![content()], None, broken), body(BodyFault::NotJson));
    }
}

const ROLE_AND_EMPTY: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const ROLE_ALONE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#;
const ROLE_AND_TEXT: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}"#;
const TEXT: &str = r#"{"id":"x","choices":[{"delta":{"content":" wörld\n"}}],"usage":null}"#;
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const FINISH_WITH_TEXT: &str = r#"{"choices":[{"delta":{"content":"!"},"finish_reason":"stop"}]}"#;
const FINISH_WITH_USAGE: &str =
    r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":9}}"#;
const USAGE_WITHOUT_CHOICES: &str = r#"{"choices":[],"usage":{"total_tokens":9}}"#;
const USAGE_WITH_EMPTY_DELTA: &str =
    r#"{"choices":[{"index":0,"delta":{"content":""}}],"usage":{"total_tokens":9}}"#;
const TOOL_CALL: &str = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]}"#;
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn content_is_told_from_what_comes_round_it() {
    for (events, content) in [
        (vec![ROLE_AND_EMPTY, TEXT, TEXT, FINISH, DONE], 2),
        (vec![ROLE_ALONE, TEXT, FINISH, USAGE_WITHOUT_CHOICES, DONE], 1),
        (vec![ROLE_AND_TEXT, TEXT, FINISH_WITH_TEXT, DONE], 3),
        (vec![TEXT, FINISH_WITH_USAGE, DONE], 1),
        (vec![TEXT, FINISH, USAGE_WITH_EMPTY_DELTA, DONE], 1),
        (
            vec![
                ": keep-alive\n\n",
                TEXT,
                "event: message\r\ndata: {\"choices\":\r\n\
             data: [{\"delta\":{\"content\":\"x\"}}]}\r\n\r\n",
                FINISH,
                DONE,
                TEXT,
                "data: after\n\n",
            ],
            2,
        ),
        (vec![ROLE_ALONE, TOOL_CALL, TOOL_CALL, FINISH, DONE], 2),
        (vec![r#"{"choices":[{"delta":{"tool_calls":[],"content":null}}]}"#, TEXT, FINISH, DONE], 1),
        (vec![r#"{"choices":[{"delta":{"reasoning_content":"Hm"}}]}"#, TEXT, FINISH, DONE], 2),
        (vec![r#"{"choices":[{"delta":{"content":null,"reasoning":"Hm"}}]}"#, FINISH, DONE], 1),
        (vec![r#"{"choices":[{"delta":{"refusal":"No"}}]}"#, FINISH, DONE], 1),
        (vec![r#"{"choices":[{"delta":{"function_call":{"name":"f"}}}]}"#, FINISH, DONE], 1),
        (
            vec![
                r#"{"choices":[{"delta":{"content":""}},{"index":1,"delta":{"content":"b"}}]}"#,
                FINISH,
                DONE,
            ],
            1,
        ),
        (vec![r#"{"choices":[{"text":"legacy"}]}"#, FINISH, DONE], 1),
        (vec![r#"{"error":null,"choices":[{"delta":{"content":"x"}}]}"#, FINISH, "data: [DONE]"], 1),
    ] {
        let expectation = Expectation { finish_reason: Some("stop".into()), ..expectation(true) };
        assert_eq!(judge(&expectation, &stream(&events)), (Ok(()), content), "{events:?}");
    }
}

/// The usage that a good stream tells, which must be the same at every cut.
fn usage(events: &[&str]) -> Option<Usage> {
    let (criteria, mut reused) = (Criteria::new(&expectation(true)).unwrap(), Answer::default());
    let text = stream(&[&[TEXT], events, &[DONE]].concat());
    let bytes = text.as_bytes();
    let mut told = |pieces: &[&[u8]]| {
        assert_eq!(answer(&criteria, &mut reused, pieces).0, Ok(()), "{text}");
        reused.stream().usage
    };
    let whole = told(&[bytes]);
    for cut in 1..bytes.len() {
        let (before, after) = bytes.split_at(cut);
        assert_eq!(told(&[before, after]), whole, "{text} cut at {cut}");
    }
    assert_eq!(told(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{text} by bytes");
    whole
}

#[test]
fn the_usage_is_what_the_last_event_says_that_tells_it() {
    let tokens = |input_tokens, output_tokens| Some(Usage { input_tokens, output_tokens });
    let openai = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"#;
    let detailed = r#"{"choices":[], "usage" : { "prompt_tokens_details": {"cached_tokens": 3}, "prompt_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 7, "completion_tokens": 5}, "completion_tokens": 12 } }"#
        .replace('\n', "");
    let counting =
        |output: u32| format!(r#"{{"type":"message_delta","usage":{{"output_tokens":{output}}}}}"#);
    for (events, told) in [
        (vec![openai], tokens(9, 12)),
        (vec![detailed.as_str()], tokens(9, 12)),
        (vec![&counting(1), TEXT, &counting(15), TEXT], tokens(0, 15)),
        (vec![r#"{"usage":{"input_tokens":25,"output_tokens":1}}"#, &counting(15)], tokens(25, 15)),
        (vec![openai, r#"{"choices":[],"usage":null}"#], tokens(9, 12)),
        (vec![r#"{"usage":{"completion_tokens":0}}"#], tokens(0, 0)),
        (vec![r#"{"usage":{"completion_tokens":4294967295}}"#], tokens(0, u32::MAX)),
    ] {
        assert_eq!(usage(&events), told, "{events:?}");
    }
}

#[test]
fn what_only_looks_like_usage_is_none() {
    for event in [
        r#"{"choices":[{"delta":{"content":"\"usage\":{\"completion_tokens\":7}"}}]}"#,
        r#"{"choices":[{"delta":{"content":"{\"usage\":{\"completion_tokens\":7}}"}}],"usage":null}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"usage\":{\"completion_tokens\":7}}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"usage":{"completion_tokens":7}}}],"completion_tokens":7}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":7}}"#,
        r#"{"choices":[],"usage":{"details":{"completion_tokens":7},"completion_tokens_details":7}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":"7"}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":7.5}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":-7}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":4294967296}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":77777777777777777777}}"#,
        r#"{"choices":[],"usage":{"completion_tokens":null}}"#,
        r#"{"choices":[],"usage":[7]}"#,
        r#"{"choices":[],"usage":"completion_tokens"}"#,
        ": {\"usage\":{\"completion_tokens\":7}}\n\n",
        "data: [DONE]\n\ndata: {\"usage\":{\"completion_tokens\":7}}\n\n",
    ] {
        assert_eq!(usage(&[event]), None, "{event}");
    }
}

#[test]
fn a_stream_that_is_not_good_is_named_for_the_worst_of_it() {
    let body = |fault: BodyFault| Err(Fault::Body(fault));
    for (events, verdict) in [
        (vec![TEXT, r#"{"error":{"message":"overloaded"}}"#, DONE], body(BodyFault::StreamError)),
        (vec![TEXT, "event: error\ndata: overloaded\n\n"], body(BodyFault::StreamError)),
        (vec!["data: oops\n\n", "event: error\ndata: {}\n\n", DONE], body(BodyFault::StreamError)),
        (vec![TEXT, "data: oops\n\n", TEXT, DONE], body(BodyFault::EventNotJson)),
        (vec![TEXT, "data: {\"choices\":\n\n", DONE], body(BodyFault::EventNotJson)),
        (vec![TEXT, FINISH], Err(Fault::Truncated)),
        (vec![], Err(Fault::Truncated)),
        (vec![TEXT, FINISH, "data: [DON"], Err(Fault::Truncated)),
        (vec![ROLE_AND_EMPTY, ROLE_ALONE, FINISH, USAGE_WITHOUT_CHOICES, DONE], body(BodyFault::NoContent)),
        (vec![TEXT, DONE], body(BodyFault::FinishReason)),
        (
            vec![TEXT, r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#, DONE],
            body(BodyFault::FinishReason),
        ),
    ] {
        let expectation = Expectation { finish_reason: Some("stop".into()), ..expectation(true) };
        assert_eq!(judge(&expectation, &stream(&events)).0, verdict, "{events:?}");
    }
    let unlabelled = plain("200 OK", "Content-Type: application/json\r\n", COMPLETION);
    assert_eq!(judge(&expectation(true), &unlabelled).0, body(BodyFault::NotAStream));
}

#[test]
fn each_expectation_is_met_by_some_event() {
    let verdict = |expectations: Vec<JsonExpectation>| {
        let expectation = Expectation { json: expectations, ..expectation(true) };
        judge(&expectation, &stream(&[ROLE_AND_EMPTY, TEXT, FINISH_WITH_USAGE, DONE])).0
    };
    let role = || json("/choices/0/delta/role", Some("\"assistant\""));
    assert_eq!(verdict(vec![role(), json("/id", Some("\"x\"")), json("/usage/total_tokens", None)]), Ok(()));
    assert_eq!(verdict(vec![role(), json("/model", None)]), Err(Fault::Body(BodyFault::Missing(1))));
    assert_eq!(verdict(vec![json("/id", Some("\"y\""))]), Err(Fault::Body(BodyFault::Differs(0))));
}

#[test]
fn content_takes_the_time_of_the_read_that_brought_it() {
    let criteria = Criteria::new(&expectation(true)).unwrap();
    let (mut answer, mut response) = (Answer::default(), Response::default());
    let (head, event) =
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", format!("data: {TEXT}\n\n"));
    let (half, rest) = event.split_at(20);
    assert!(!answer.is_stream_begun());

    for (now, bytes) in [
        (10, format!("{head}data: {ROLE_ALONE}\n\n")),
        (20, half.to_owned()),
        (30, format!("{rest}{event}")),
        (50, event.clone()),
        (90, DONE.to_owned()),
    ] {
        response.feed(bytes.as_bytes(), &mut answer.reading(&criteria, Nanos(now))).unwrap();
        assert!(answer.is_stream_begun());
    }
    assert_eq!(answer.verdict(&criteria), Ok(()));
    let gaps = [Nanos(0), Nanos(20)];
    let expected = StreamTimes {
        first_content: Some(Nanos(30)),
        gaps: &gaps,
        content_events: 3,
        coalesced_events: 1,
        usage: None,
    };
    assert_eq!(answer.stream(), expected);

    answer.begin();
    assert!(!answer.is_stream_begun());
    assert_eq!(answer.verdict(&criteria), Err(Fault::Reset(Stage::Waiting)));
    assert_eq!(answer.stream().content_events, 0);
}

#[test]
fn a_stream_without_end_takes_no_memory_without_end() {
    const MOST: usize = 1 << 20;
    let criteria = Criteria::new(&expectation(true)).unwrap();
    let (mut answer, mut response) = (Answer::default(), Response::default());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let events = "data: {\"choices\":[{\"text\":\"x\"}]}\n\n".repeat(1024);
    answer.begin();
    for text in [head].into_iter().chain(iter::repeat_n(events.as_str(), MOST / 1024 + 1)).chain([DONE]) {
        response.feed(text.as_bytes(), &mut answer.reading(&criteria, Nanos(1))).unwrap();
    }
    assert_eq!(answer.verdict(&criteria), Err(Fault::Body(BodyFault::TooManyEvents)));
    assert_eq!(answer.stream().gaps.len(), MOST - 1);
}

proptest! {
    #[test]
    fn neither_verdict_nor_counts_depend_on_the_cuts(
        events in prop::collection::vec(
            prop::sample::select(vec![
                ROLE_AND_EMPTY, ROLE_AND_TEXT, TEXT, FINISH, FINISH_WITH_USAGE, TOOL_CALL, USAGE_WITHOUT_CHOICES, DONE, ": c\n\n",
                "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}", "data: {\"usage\":\ndata: {\"output_tokens\":15}}\n\n",
                "data: no\n\n", "event: error\ndata: {}\n\n", "{\"error\":1}", "data: [DONE]",
            ]),
            0..8,
        ),
        sizes in prop::collection::vec(1usize..200, 1..10),
    ) {
        let expectation = Expectation { finish_reason: Some("stop".into()), ..expectation(true) };
        let criteria = Criteria::new(&expectation).unwrap();
        let text = stream(&events);

        let (mut one, mut other) = (Answer::default(), Answer::default());
        let whole = answer(&criteria, &mut one, &[text.as_bytes()]);
        let in_pieces = answer(&criteria, &mut other, &cut(text.as_bytes(), &sizes));
        prop_assert_eq!((whole.0, whole.1), (in_pieces.0, in_pieces.1));
        prop_assert_eq!(one.stream().usage, other.stream().usage);
    }
}
