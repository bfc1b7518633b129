//! The built-in scenarios: what chat applications and agents send all day, with and without streaming.

use proto::expectation::{Expectation, JsonExpectation, StreamFormat};
use serde_json::{Value, json};

use super::{DatasetFile, Draft, ScenarioOptions};

/// All of them, in the order in which help and errors list them.
pub(super) const NAMES: [&str; 4] = [ALL[0].0, ALL[1].0, ALL[2].0, ALL[3].0];

/// Each with what it sends.
pub(super) const ALL: [(&str, &str); 4] = [
    ("simple_chat", "a short question to a chat model"),
    ("chat_with_tools", "a question of a shop's customer, with three tools for the model to call"),
    ("simple_chat_stream", "the question of simple_chat, to be answered in events"),
    ("chat_with_tools_stream", "the question of chat_with_tools, to be answered in events"),
];

/// The built-in scenario of this name.
pub(super) fn find(name: &str, options: &ScenarioOptions<'_>) -> Option<Draft> {
    let (body, expectation) = match name {
        "simple_chat" => (simple_chat(options), answer_with("/choices/0/message/content")),
        // Whether a model calls a tool is its own choice, and mock modes of real gateways answer with plain text: only
        // that there is a message can be asked for.
        "chat_with_tools" => (chat_with_tools(options), answer_with("/choices/0/message")),
        "simple_chat_stream" => (streamed(simple_chat(options)), a_stream()),
        "chat_with_tools_stream" => (streamed(chat_with_tools(options)), a_stream()),
        _ => return None,
    };
    Some(Draft {
        name: name.into(),
        method: "POST".into(),
        path: options.path.into(),
        headers: Vec::new(),
        body: in_words(&body, options).into_bytes(),
        may_be_template: options.dataset.is_some() || options.input_tokens.is_some() || options.varied,
        expectation,
    })
}

fn answer_with(pointer: &str) -> Expectation {
    let json = vec![JsonExpectation { pointer: pointer.into(), equals: None }];
    Expectation { json, ..Expectation::default() }
}

fn a_stream() -> Expectation {
    Expectation { stream: Some(StreamFormat::OpenAiChat), ..Expectation::default() }
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    body
}

/// What the user says: so many words, what a trace or a dataset says, or the scenario's own question.
fn asked(question: &str, options: &ScenarioOptions<'_>) -> String {
    match options.input_tokens {
        Some(tokens) => format!("{{{{ words({tokens}) }}}}"),
        None if of_trace("prompt", options) => "{{ prompt }}".into(),
        None if of_trace("input_length", options) => "{{ words(input_length) }}".into(),
        None if options.dataset.is_some() && !options.is_trace => "{{ prompt }}".into(),
        None if options.varied => format!("{question} ({{{{ uuid }}}})"),
        None => question.into(),
    }
}

/// The most tokens of an answer: so many, a trace's, or the scenario's own.
fn most_tokens(own: u32, options: &ScenarioOptions<'_>) -> Value {
    match options.output_tokens {
        None if of_trace("output_length", options) => json!(OUTPUT_LENGTH),
        tokens => json!(tokens.unwrap_or(own)),
    }
}

/// What a number of the trace is put in for; it must not stand between quotes.
const OUTPUT_LENGTH: &str = "{{ output_length }}";

/// The body as text, or the trace's own.
fn in_words(body: &Value, options: &ScenarioOptions<'_>) -> String {
    if of_trace("body", options) {
        return "{{ body }}".into();
    }
    body.to_string().replace(&format!("\"{OUTPUT_LENGTH}\""), OUTPUT_LENGTH)
}

/// Whether the requests of a trace say this.
fn of_trace(column: &str, options: &ScenarioOptions<'_>) -> bool {
    let columns = options.dataset.filter(|_| options.is_trace).map(DatasetFile::columns);
    columns.is_some_and(|columns| columns.iter().any(|known| known == column))
}

/// About 300 bytes.
fn simple_chat(options: &ScenarioOptions<'_>) -> Value {
    let question = "What is the difference between latency and throughput, and why does raising one not lower the other?";
    json!({
        "model": options.model,
        "messages": [
            { "role": "system", "content": "You are a helpful assistant. Answer in one or two short sentences." },
            { "role": "user", "content": asked(question, options) }
        ],
        "max_tokens": most_tokens(100, options),
        "temperature": 0.7
    })
}

/// About 1,500 bytes: an agent that looks after orders.
fn chat_with_tools(options: &ScenarioOptions<'_>) -> Value {
    let question = "Where is my order A-20417, and will it be delivered to Berlin in this rain?";
    json!({
        "model": options.model,
        "messages": [
            {
                "role": "system",
                "content": "You look after the orders of a shop. Use the tools to look things up; never guess an \
                    order's state."
            },
            { "role": "user", "content": asked(question, options) }
        ],
        "tools": [
            tool(
                "get_order",
                "Looks up an order: its items, its state, and the carrier's tracking number once it has been sent.",
                json!({
                    "order_id": { "type": "string", "description": "The order's number, such as A-10000" },
                    "include_items": { "type": "boolean", "description": "Whether to list the items as well" }
                }),
                &["order_id"],
            ),
            tool(
                "track_parcel",
                "Asks the carrier where a parcel is and when it is expected to arrive.",
                json!({
                    "carrier": { "type": "string", "enum": ["dhl", "ups", "fedex", "dpd"] },
                    "tracking_number": { "type": "string", "description": "As it stands on the parcel's label" }
                }),
                &["carrier", "tracking_number"],
            ),
            tool(
                "get_weather",
                "Tells the weather at a place, today or on one of the next seven days.",
                json!({
                    "city": { "type": "string", "description": "The city's name, such as Berlin" },
                    "unit": { "type": "string", "enum": ["celsius", "fahrenheit"] },
                    "days_ahead": { "type": "integer", "minimum": 0, "maximum": 7 }
                }),
                &["city"],
            )
        ],
        "tool_choice": "auto",
        "max_tokens": most_tokens(200, options),
        "temperature": 0.2
    })
}

fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    let parameters = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
}
