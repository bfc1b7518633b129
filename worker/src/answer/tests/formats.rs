//! Streams of other APIs than OpenAI's chat completions: as their documents show them, gone wrong, and drawn at random
//! beside a reader of whole events that goes by what the events are called.

use serde_json::Value;

use super::*;

const ANTHROPIC: &str = include_str!("../../../tests/streams/anthropic.sse");
const RESPONSES: &str = include_str!("../../../tests/streams/openai-responses.sse");
const GEMINI: &str = include_str!("../../../tests/streams/gemini.sse");

/// Each format, a stream of it, its content events, and the tokens that it tells.
const GOOD: [(StreamFormat, &str, u64, (u32, u32)); 3] = [
    (StreamFormat::Anthropic, ANTHROPIC, 3, (25, 15)),
    (StreamFormat::OpenAiResponses, RESPONSES, 2, (37, 11)),
    (StreamFormat::Gemini, GEMINI, 3, (9, 12)),
];

/// What came of a stream: the verdict, content events, and the tokens of the request and of the answer.
type Told = (Result<(), Fault>, u64, Option<(u32, u32)>);

fn expected(format: StreamFormat) -> Expectation {
    Expectation { stream: Some(format), ..Expectation::default() }
}

/// What the engine makes of a stream whose bytes are cut so.
fn told(format: StreamFormat, text: &str, sizes: &[usize]) -> Told {
    let (criteria, mut reused) = (Criteria::new(&expected(format)).unwrap(), Answer::default());
    let text = stream(&[text]);
    let (verdict, content, _) = answer(&criteria, &mut reused, &cut(text.as_bytes(), sizes));
    (verdict, content, reused.stream().usage.map(|usage| (usage.input_tokens, usage.output_tokens)))
}

#[test]
fn streams_as_the_documents_have_them_are_good_at_every_cut() {
    for (format, text, content, usage) in GOOD {
        assert_eq!(judge(&expected(format), &stream(&[text])), (Ok(()), content), "{format:?}");
        for text in [text, &text.replace('\n', "\r\n"), &format!("{text}data: [DONE]\n\n")] {
            for size in [1, 7, text.len()] {
                assert_eq!(told(format, text, &[size]), (Ok(()), content, Some(usage)), "{text}");
            }
        }
    }
}

#[test]
fn a_stream_without_its_last_event_is_truncated_and_so_is_one_of_another_format() {
    for (format, text, ..) in GOOD {
        let last = text.trim_end().rfind("\n\n").unwrap() + 2;
        for ending in ["", "data: [DONE]\n\n", "data: [DONE]", text[last..].trim_end()] {
            let text = format!("{}{ending}", &text[..last]);
            assert_eq!(told(format, &text, &[64]).0, Err(Fault::Truncated), "{text}");
        }
        for other in StreamFormat::ALL.into_iter().filter(|other| *other != format) {
            assert_eq!(told(other, text, &[64]).0, Err(Fault::Truncated), "{format:?} as {other:?}");
        }
    }
}

#[test]
fn tokens_of_the_request_and_of_the_answer_may_come_in_different_events() {
    let first = r#"data: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#;
    let delta = |usage: &str| format!("data: {{\"type\":\"message_delta\",\"usage\":{{{usage}}}}}");
    let usage = |events: &[&str]| told(StreamFormat::Anthropic, &(events.join("\n\n") + "\n\n"), &[9]).2;
    assert_eq!(usage(&[first]), Some((25, 1)));
    assert_eq!(
        usage(&[first, &delta("\"output_tokens\":15"), &delta("\"output_tokens\":21")]),
        Some((25, 21))
    );
    let anew = delta("\"input_tokens\":30,\"output_tokens\":15");
    assert_eq!(usage(&[first, &anew, &delta("")]), Some((30, 15)));
    assert_eq!(usage(&[&delta("\"output_tokens\":15")]), Some((0, 15)));
    assert_eq!(usage(&[&delta("\"input_tokens\":25")]), None);
}

/// Events of all kinds, each with its format; some of them belong nowhere.
const EVENTS: &[(StreamFormat, &str)] = &[
    (
        StreamFormat::Anthropic,
        r#"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":25,"output_tokens":1}}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\u00fc \"message_stop\""}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQ="}}"#,
    ),
    (
        StreamFormat::Anthropic,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"usage\":{\"output_tokens\":7}}"}}"#,
    ),
    (StreamFormat::Anthropic, r#"{"type":"ping"}"#),
    (
        StreamFormat::Anthropic,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#,
    ),
    (StreamFormat::Anthropic, r#"{"type":"message_stop"}"#),
    (
        StreamFormat::Anthropic,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.created","response":{"status":"in_progress","error":null,"usage":null}}"#,
    ),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.output_text.delta","delta":"\u00fc \"response.completed\""}"#,
    ),
    (StreamFormat::OpenAiResponses, r#"{"type":"response.output_text.delta","delta":""}"#),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.function_call_arguments.delta","delta":"{\"type\":\"error\"}"}"#,
    ),
    (StreamFormat::OpenAiResponses, r#"{"type":"response.output_text.done","text":"all of it"}"#),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.completed","response":{"error":null,"usage":{"input_tokens":37,"output_tokens":11}}}"#,
    ),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":37,"output_tokens":5}}}"#,
    ),
    (
        StreamFormat::OpenAiResponses,
        r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"no"},"usage":null}}"#,
    ),
    (StreamFormat::OpenAiResponses, r#"{"type":"error","code":"server_error","message":"no"}"#),
    (
        StreamFormat::Gemini,
        r#"{"candidates":[{"content":{"parts":[{"text":"\u00fc"}]}}],"usageMetadata":{"promptTokenCount":9}}"#,
    ),
    (
        StreamFormat::Gemini,
        r#"{"candidates":[{"content":{"parts":[{"text":""},{"text":"b"}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}}"#,
    ),
    (
        StreamFormat::Gemini,
        r#"{"candidates":[{"content":{"parts":[]}},{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#,
    ),
    (
        StreamFormat::Gemini,
        r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":12}}"#,
    ),
    (StreamFormat::Gemini, r#"{"candidates":[{"finishReason":"MAX_TOKENS","index":1}]}"#),
    (StreamFormat::Gemini, r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#),
    (
        StreamFormat::Gemini,
        r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
    ),
];
/// What may come between them in any stream.
const BETWEEN: &[&str] =
    &[": keep-alive", "data: no JSON", "data: [DONE]", "event: error\ndata: {}", "data: {}", "data: [1]"];

/// What one event says.
struct Said<'a> {
    ends: bool,
    fails: bool,
    carries: bool,
    usage: [&'a Value; 2],
}

/// What an event says by what its API's documents call it.
fn said(format: StreamFormat, event: &Value) -> Said<'_> {
    let has = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let name = event["type"].as_str().unwrap_or_default();
    match format {
        StreamFormat::OpenAiChat => unreachable!(),
        StreamFormat::Anthropic => {
            let usage = if name == "message_start" { &event["message"]["usage"] } else { &event["usage"] };
            let carries = match name {
                "content_block_start" => event["content_block"]["type"] == "tool_use",
                _ => ["text", "thinking", "partial_json"].iter().any(|key| has(&event["delta"][key])),
            };
            let usage = [&usage["input_tokens"], &usage["output_tokens"]];
            Said { ends: name == "message_stop", fails: name == "error", carries, usage }
        }
        StreamFormat::OpenAiResponses => {
            let usage = &event["response"]["usage"];
            Said {
                ends: ["response.completed", "response.incomplete"].contains(&name),
                fails: ["response.failed", "error"].contains(&name),
                carries: name.ends_with(".delta") && has(&event["delta"]),
                usage: [&usage["input_tokens"], &usage["output_tokens"]],
            }
        }
        StreamFormat::Gemini => {
            let candidates = event["candidates"].as_array().map_or(&[][..], Vec::as_slice);
            let mut parts =
                candidates.iter().filter_map(|candidate| candidate["content"]["parts"].as_array()).flatten();
            let usage = &event["usageMetadata"];
            Said {
                ends: candidates.iter().any(|candidate| has(&candidate["finishReason"])),
                fails: !event["error"].is_null() || !event["promptFeedback"].is_null(),
                carries: parts.any(|part| has(&part["text"]) || part["functionCall"].is_object()),
                usage: [&usage["promptTokenCount"], &usage["candidatesTokenCount"]],
            }
        }
    }
}

/// What comes of a stream of these events, each of which is whole.
fn reference(format: StreamFormat, events: &[String]) -> Told {
    let (mut content, mut input, mut output) = (0, None, None);
    let (mut is_error, mut is_broken, mut is_at_end) = (false, false, false);
    for event in events {
        let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
        is_error = event.starts_with("event: error");
        if is_error || data == "[DONE]" {
            break;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            is_broken = true;
            continue;
        };
        let said = said(format, &event);
        let [of_request, of_answer] = said.usage.map(|count| count.as_u64().map(|count| count as u32));
        (input, output) = (of_request.or(input), of_answer.or(output));
        (content, is_at_end) = (content + u64::from(said.carries), is_at_end || said.ends);
        is_error = said.fails;
        if is_error {
            break;
        }
    }
    let verdict = match () {
        () if is_error => Err(Fault::Body(BodyFault::StreamError)),
        () if is_broken => Err(Fault::Body(BodyFault::EventNotJson)),
        () if !is_at_end => Err(Fault::Truncated),
        () if content == 0 => Err(Fault::Body(BodyFault::NoContent)),
        () => Ok(()),
    };
    (verdict, content, output.map(|output| (input.unwrap_or(0), output)))
}

proptest! {
    #[test]
    fn whatever_comes_is_judged_as_whole_events_are_however_it_is_cut(
        format in prop::sample::select(StreamFormat::ALL[1..].to_vec()),
        drawn in prop::collection::vec((any::<prop::sample::Index>(), 0usize..60), 0..10),
        ends in any::<bool>(),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        sizes in prop::collection::vec(1usize..200, 1..10),
    ) {
        let own: Vec<&str> = EVENTS.iter().filter(|(of, _)| *of == format).map(|(_, event)| *event).collect();
        let mut events: Vec<String> = drawn.iter().map(|(index, other)| match BETWEEN.get(*other) {
            Some(between) => (*between).to_owned(),
            None => format!("data: {}", own[index.index(own.len())]),
        }).collect();
        if ends {
            let text = GOOD.iter().find(|(of, ..)| *of == format).unwrap().1;
            events.push(text.trim_end().rsplit("\n\n").next().unwrap().to_owned());
        }
        let text: String = events.iter().map(|event| format!("{event}\n\n")).collect();
        let text = format!(": a chunk is never empty\n\n{text}");
        let expected = reference(format, &events);
        prop_assert_eq!(told(format, &text.replace('\n', line_end), &sizes), expected, "{}", text);
    }
}
