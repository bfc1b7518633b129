//! A call as the fake understands it, and the answer that it gives.

use serde_json::{Value, json};

use crate::support::request::Request;

/// A call of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// Such as `POST`.
    pub method: String,
    /// Without the query, as it was sent.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it was sent.
    pub body: Vec<u8>,
    /// The same as JSON; `None` when it is none.
    pub json: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// Of a request.
    pub fn of(request: Request) -> Self {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (path, json) = (path.to_owned(), serde_json::from_slice(&request.body).ok());
        Self { method: request.method, path, query, headers: request.headers, body: request.body, json }
    }

    /// The first value of a parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The token after `Authorization: Bearer`.
    pub fn token(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The body, which is null when it is no JSON.
    pub fn body(&self) -> Value {
        self.json.clone().unwrap_or_default()
    }
}

impl Answer {
    /// JSON.
    pub fn json_of(status: u16, body: &Value) -> Self {
        let content_type = "application/json; charset=UTF-8".to_owned();
        Self { status, content_type, body: body.to_string().into_bytes() }
    }

    /// JSON, and all is well.
    pub fn good(body: &Value) -> Self {
        Self::json_of(200, body)
    }

    /// Bytes, and all is well.
    pub fn bytes(content_type: &str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type: content_type.to_owned(), body }
    }

    /// Done, and there is nothing to say.
    pub fn empty() -> Self {
        Self { status: 204, content_type: "text/plain".to_owned(), body: Vec::new() }
    }

    /// An error with one reason, in the shape that both APIs have.
    pub fn error(status: u16, domain: &str, reason: &str, message: &str) -> Self {
        let error = json!({"message": message, "domain": domain, "reason": reason});
        Self::json_of(status, &json!({"error": {"code": status, "message": message, "errors": [error]}}))
    }

    /// Whether the body says that it is JSON.
    pub fn is_json(&self) -> bool {
        self.content_type.starts_with("application/json")
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// As it goes over the wire at a time, which it says.
    pub fn on_the_wire(&self, now: jiff::Timestamp) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let length = body.len();
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
        let mut bytes = format!("HTTP/1.1 {status} Fake\r\ndate: {date}\r\n").into_bytes();
        if *status != 204 {
            bytes.extend(format!("content-type: {content_type}\r\ncontent-length: {length}\r\n").as_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }
}

/// A segment of a path without its percent signs.
pub fn decoded(segment: &str) -> String {
    // A plus sign is no space in a path.
    let text = format!("={}", segment.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
