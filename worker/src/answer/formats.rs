//! What the events of each kind of stream hold: content, the end, errors and the usage.

use proto::expectation::StreamFormat;

use super::criteria::{CONTENT, END, INPUT_TOKENS, OUTPUT_TOKENS, STREAM_ERROR};
use crate::answer::Criteria;
use crate::json::{Expected, Pattern, Test};

/// What is looked for in each event of such a stream.
pub(super) fn patterns(format: StreamFormat) -> Vec<Pattern> {
    match format {
        StreamFormat::OpenAiChat => chat(),
        StreamFormat::OpenAiResponses => responses(),
        StreamFormat::Anthropic => anthropic(),
        StreamFormat::Gemini => gemini(),
    }
}

/// Whether some event ends the stream, in place of `data: [DONE]`.
pub(super) fn ends_by_event(format: StreamFormat) -> bool {
    format != StreamFormat::OpenAiChat
}

/// Whatever a model says, in any of the choices: text, tool calls, reasoning or a refusal. A role, a finish reason and
/// a count of tokens are none of it. The usage is looked for by the names of OpenAI, and of others.
fn chat() -> Vec<Pattern> {
    let content = [
        ("/delta/content", Test::NonEmptyString),
        ("/delta/tool_calls", Test::NonEmptyArray),
        ("/delta/function_call", Test::NotNull),
        ("/delta/reasoning_content", Test::NonEmptyString),
        ("/delta/reasoning", Test::NonEmptyString),
        ("/delta/refusal", Test::NonEmptyString),
        ("/text", Test::NonEmptyString),
    ];
    let content = content.map(|(pointer, test)| Pattern::any(&format!("/choices/*{pointer}"), test, CONTENT));
    let usage = usage(
        ["/usage/prompt_tokens", "/usage/input_tokens"],
        ["/usage/completion_tokens", "/usage/output_tokens"],
    );
    [Pattern::at("/error", Test::NotNull, STREAM_ERROR)].into_iter().chain(content).chain(usage).collect()
}

/// Every kind of output has its own name for its pieces (`response.output_text.delta` and so on), and all are at `/delta`.
/// An answer that came to its limit of tokens is complete, as it is in a chat.
fn responses() -> Vec<Pattern> {
    let named = |name, want| Pattern::any("/type", equals(name), want);
    let events = [
        Pattern::any("/error", Test::NotNull, STREAM_ERROR),
        named("error", STREAM_ERROR),
        named("response.failed", STREAM_ERROR),
        named("response.completed", END),
        named("response.incomplete", END),
        Pattern::any("/delta", Test::NonEmptyString, CONTENT),
    ];
    let usage = usage(["/response/usage/input_tokens"], ["/response/usage/output_tokens"]);
    events.into_iter().chain(usage).collect()
}

/// The tokens of the request come with the first event, and those of the answer so far with the first and the last ones.
fn anthropic() -> Vec<Pattern> {
    let content = |pointer| Pattern::any(pointer, Test::NonEmptyString, CONTENT);
    let events = [
        Pattern::at("/error", Test::NotNull, STREAM_ERROR),
        Pattern::at("/type", equals("message_stop"), END),
        content("/delta/text"),
        content("/delta/thinking"),
        content("/delta/partial_json"),
        // A block begins without content, unless it is the call of a tool.
        content("/content_block/name"),
    ];
    let usage = usage(
        ["/message/usage/input_tokens", "/usage/input_tokens"],
        ["/message/usage/output_tokens", "/usage/output_tokens"],
    );
    events.into_iter().chain(usage).collect()
}

/// There is no event after the last piece, which says why it is the last; and a prompt that is refused gets no candidate.
fn gemini() -> Vec<Pattern> {
    let part =
        |name: &str, test| Pattern::any(&format!("/candidates/*/content/parts/*/{name}"), test, CONTENT);
    let events = [
        Pattern::any("/error", Test::NotNull, STREAM_ERROR),
        Pattern::any("/promptFeedback/blockReason", Test::NotNull, STREAM_ERROR),
        Pattern::any("/candidates/*/finishReason", Test::NonEmptyString, END),
        part("text", Test::NonEmptyString),
        part("functionCall", Test::NotNull),
        part("executableCode", Test::NotNull),
        part("inlineData", Test::NotNull),
    ];
    let usage = usage(["/usageMetadata/promptTokenCount"], ["/usageMetadata/candidatesTokenCount"]);
    events.into_iter().chain(usage).collect()
}

/// How many tokens it took, as the upstream tells.
fn usage<const N: usize>(input: [&str; N], output: [&str; N]) -> impl Iterator<Item = Pattern> {
    let count = |at, want| move |pointer: &str| Pattern::at(pointer, Test::Count(at), want);
    let input = input.map(count(Criteria::INPUT_COUNT, INPUT_TOKENS));
    let output = output.map(count(Criteria::OUTPUT_COUNT, OUTPUT_TOKENS));
    input.into_iter().chain(output)
}

fn equals(text: &str) -> Test {
    Test::Equals(Expected::string(text))
}
