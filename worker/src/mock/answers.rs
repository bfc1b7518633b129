//! The mock's whole answers: a chat completion, and errors shaped as OpenAI shapes them.

use std::io::Write;

use bytes::Bytes;

use super::chat::ChatRequest;

/// What the mock says, over and over. Plain words, so that JSON needs no escape.
pub(super) const WORDS: [&str; 16] = [
    "This", "answer", "comes", "from", "a", "mock", "upstream", "that", "knows", "nothing", "and", "answers",
    "at", "the", "asked", "time.",
];

/// The tool that is called when tool calls are forced and none is offered.
const UNOFFERED_TOOL: &str = "get_answer";

const WHOLE_ANSWER_BYTES: usize = 1024;

/// One completion's identity and what it is about, rendered as it goes into JSON.
pub(super) struct Completion {
    /// From 1, without gaps.
    pub(super) number: u64,
    /// In seconds since 1970.
    pub(super) created: u64,
    /// The model's name as a JSON string, quotes and all.
    pub(super) model: Vec<u8>,
    /// The called tool's name as a JSON string; `None` for an answer in words.
    pub(super) tool: Option<Vec<u8>>,
    /// Tokens of the request: one for each message, for want of a tokenizer.
    pub(super) prompt_tokens: usize,
}

impl Completion {
    /// What answers `request`: with a call of the first tool offered, if any, or in any case when `tool_calls`.
    pub(super) fn new(request: &ChatRequest<'_>, number: u64, created: u64, tool_calls: bool) -> Self {
        let tool = request.first_tool().or(tool_calls.then_some(UNOFFERED_TOOL));
        Self {
            number,
            created,
            model: json_string(&request.model),
            tool: tool.map(json_string),
            prompt_tokens: request.messages.len(),
        }
    }

    /// Why the answer ends.
    pub(super) fn finish_reason(&self) -> &'static str {
        if self.tool.is_some() { "tool_calls" } else { "stop" }
    }

    /// The whole answer, for a client that does not stream.
    pub(super) fn render(&self) -> Bytes {
        let mut out = Vec::with_capacity(WHOLE_ANSWER_BYTES);
        self.begin(&mut out, "chat.completion");
        out.extend_from_slice(br#"{"index":0,"message":{"role":"assistant","content":"#);
        match &self.tool {
            None => self.words(&mut out),
            Some(name) => self.tool_call(&mut out, name),
        }
        out.extend_from_slice(br#","refusal":null},"logprobs":null,"finish_reason":""#);
        out.extend_from_slice(self.finish_reason().as_bytes());
        out.extend_from_slice(br#""}],"#);
        self.usage(&mut out, WORDS.len());
        out.extend_from_slice(br#","service_tier":"default","system_fingerprint":"fp_archestra_bench"}"#);
        out.into()
    }

    /// An object's beginning, up to and with the bracket that opens its choices.
    pub(super) fn begin(&self, out: &mut Vec<u8>, object: &str) {
        let (number, created) = (self.number, self.created);
        put(
            out,
            format_args!(
                r#"{{"id":"chatcmpl-{number:024x}","object":"{object}","created":{created},"model":"#
            ),
        );
        out.extend_from_slice(&self.model);
        out.extend_from_slice(br#","choices":["#);
    }

    /// The key `usage` and its value.
    pub(super) fn usage(&self, out: &mut Vec<u8>, completion_tokens: usize) {
        let prompt_tokens = self.prompt_tokens;
        let total_tokens = prompt_tokens + completion_tokens;
        let counts = format_args!(
            r#""usage":{{"prompt_tokens":{prompt_tokens},"completion_tokens":{completion_tokens},"total_tokens":{total_tokens}"#
        );
        put(out, counts);
        out.extend_from_slice(br#","prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}"#);
        out.extend_from_slice(br#","completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}"#);
    }

    fn words(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        join_words(out);
        out.push(b'"');
    }

    fn tool_call(&self, out: &mut Vec<u8>, name: &[u8]) {
        put(out, format_args!(r#"null,"tool_calls":[{{"id":"call_{:024x}","type":"function","#, self.number));
        out.extend_from_slice(br#""function":{"name":"#);
        out.extend_from_slice(name);
        out.extend_from_slice(br#","arguments":"{\"query\":\""#);
        join_words(out);
        out.extend_from_slice(br#"\"}"}}]"#);
    }
}

/// An error as OpenAI shapes it.
pub(super) fn error(message: &str, code: Option<&str>) -> Bytes {
    let mut out = br#"{"error":{"message":"#.to_vec();
    out.extend_from_slice(&json_string(message));
    out.extend_from_slice(br#","type":"invalid_request_error","param":null,"code":"#);
    out.extend_from_slice(&code.map_or_else(|| b"null".to_vec(), json_string));
    out.extend_from_slice(b"}}");
    out.into()
}

/// Writes formatted text. A vector takes whatever is written to it.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn join_words(out: &mut Vec<u8>) {
    for (index, word) in WORDS.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
    }
}

fn json_string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    // Neither a string nor a vector can fail here.
    let _ = serde_json::to_writer(&mut out, text);
    out
}
