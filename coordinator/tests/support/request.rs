//! A request as a target sees it, and the answer that it gets.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use serde_json::{Value, json};

const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Enough for a debug build of a worker, which a fake storage takes.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

/// What a request was sent for, as its User-Agent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see whether the target is the right one.
    Preflight,
    /// Before the measurement.
    WarmUp,
    /// To be measured.
    Load,
    /// By somebody else.
    Other,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// An answer, and when it is given.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// From the last byte of the request to the first of the answer.
    pub after: Duration,
    /// The answer as it goes over the wire, head and body.
    pub bytes: Vec<u8>,
    /// Whether the connection is closed after it.
    pub close: bool,
    /// Whether the connection is torn down after it, with a TCP reset in place of an orderly end.
    pub reset: bool,
}

impl Purpose {
    fn of(user_agent: &str) -> Self {
        if !user_agent.starts_with("archestra-bench/") {
            return Self::Other;
        }
        match user_agent.split_once(' ') {
            Some((_, "(preflight)")) => Self::Preflight,
            Some((_, "(warm-up)")) => Self::WarmUp,
            Some((_, "(load)")) => Self::Load,
            _ => Self::Other,
        }
    }
}

impl Request {
    /// The next request of a connection; `None` when the client has closed it in between two.
    ///
    /// # Errors
    /// When the request breaks off or is no HTTP/1.1 with a Content-Length or in chunks.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = read_line(from)? else { return Ok(None) };
        let mut words = line.split(' ');
        let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0")) =
            (words.next(), words.next(), words.next())
        else {
            return Err(invalid(&line));
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        let mut request = Self { method, path, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            request.body = read_chunks(from)?;
            return Ok(Some(request));
        }
        let length = match request.header("content-length") {
            None => 0,
            Some(length) => length
                .parse()
                .ok()
                .filter(|length| *length <= MAX_BODY_BYTES)
                .ok_or_else(|| invalid(length))?,
        };
        request.body.resize(length, 0);
        from.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What it was sent for.
    pub fn purpose(&self) -> Purpose {
        Purpose::of(self.header("user-agent").unwrap_or_default())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &str) -> Self {
        Self::with_body(status, "application/json", body)
    }

    /// A whole answer of any type.
    pub fn with_body(status: u16, content_type: &str, body: &str) -> Self {
        let length = body.len();
        let bytes = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Self { bytes: bytes.into_bytes(), ..Self::default() }
    }

    /// What an OpenAI-compatible target answers: words, a tool call when tools are offered, a stream when asked for one.
    pub fn good(request: &Request) -> Self {
        let asked = request.json();
        let stream = asked["stream"] == true;
        let part = if stream { "delta" } else { "message" };
        let (message, finish_reason) = match asked["tools"].get(0) {
            None => (json!({"role": "assistant", "content": "Hello"}), "stop"),
            Some(tool) => {
                let function = json!({"name": tool["function"]["name"], "arguments": "{}"});
                let call = json!({"index": 0, "id": "call_1", "type": "function", "function": function});
                (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
            }
        };
        let completion = |message: Value, finish_reason: Value| {
            json!({
                "id": "chatcmpl-1", "object": if stream { "chat.completion.chunk" } else { "chat.completion" },
                "created": 1_700_000_000, "model": asked["model"],
                "choices": [{"index": 0, part: message, "finish_reason": finish_reason}],
            })
        };
        if !stream {
            return Self::json(200, &completion(message, finish_reason.into()).to_string());
        }
        let mut events = vec![completion(message, Value::Null), completion(json!({}), finish_reason.into())];
        if asked["stream_options"]["include_usage"] == true {
            let usage = json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12});
            events.push(json!({"object": "chat.completion.chunk", "choices": [], "usage": usage}));
        }
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        Self::with_body(200, "text/event-stream", &format!("{events}data: [DONE]\n\n"))
    }

    /// No answer: the connection is closed.
    pub fn nothing() -> Self {
        Self { close: true, ..Self::default() }
    }

    /// The beginning of the same, and a TCP reset.
    pub fn torn(mut self, bytes: usize) -> Self {
        self.bytes.truncate(bytes);
        Self { reset: true, ..self }
    }

    /// The same, so much later.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// A line without its end; `None` at the end of the connection.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if from.take(MAX_LINE_BYTES).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(invalid(&line)),
    }
}

/// A body in chunks, with nothing after the last one.
fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = usize::from_str_radix(&line, 16).ok();
        let length =
            length.filter(|length| *length <= MAX_BODY_BYTES - body.len()).ok_or_else(|| invalid(&line))?;
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(&mut body[start..])?;
        if !read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {
            return Err(invalid(&line));
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no request: {text}"))
}
