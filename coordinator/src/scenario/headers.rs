//! The headers of a request: the shared ones, the scenario's, the user's.

use std::fmt;
use std::str::FromStr;

use proto::target::Request;

use super::{Draft, ScenarioOptions};

/// A header that the user adds to every request. The value may be a secret, so it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// As it was written.
    pub name: String,
    /// Trimmed; empty to take away the header of this name.
    pub value: String,
}

impl FromStr for Header {
    type Err = String;

    /// Reads `Name: value`. The error reads on from where the header was given and does not repeat the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once(':').ok_or("must be a name, a colon and a value, such as `x-team: checkout`")?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        check(&name, &value)?;
        Ok(Self { name, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The engine frames requests itself.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks a header that a user wants to send. The error does not show the value, which may be a secret.
/// The error reads
/// on from where the header was given.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if FRAMING.contains(&lower.as_str()) {
        return Err(format!("must not set `{name}`, which the engine writes itself; leave that header out"));
    }
    match lower.as_str() {
        "user-agent" => {
            return Err(format!(
                "must not set `{name}`, because the target's log tells preflight, warm-up and load apart by it; leave \
                 that header out"
            ));
        }
        "accept-encoding" => {
            return Err(format!(
                "must not set `{name}`, because answers are asked for uncompressed so that they can be checked; leave \
                 that header out"
            ));
        }
        _ => {}
    }

    let request = Request {
        method: "GET".into(),
        path: "/".into(),
        headers: vec![(name.to_owned(), value.to_owned())],
        body: Vec::new(),
    };
    request
        .check()
        .map_err(|invalid| format!("must be a header that HTTP can carry: headers {}", invalid.problem))
}

/// What every request carries, then the scenario's own, then the user's. A later one takes the place of an earlier one
/// of the same name; a user's without a value takes it away.
pub(super) fn merge(draft: &Draft, options: &ScenarioOptions<'_>) -> Vec<(String, String)> {
    let mut merged = Vec::new();
    if !draft.body.is_empty() {
        set(&mut merged, "content-type", "application/json");
    }
    set(&mut merged, "authorization", &format!("Bearer {}", options.api_key));
    set(
        &mut merged,
        "accept",
        if draft.expectation.is_stream() { "text/event-stream" } else { "application/json" },
    );

    for (name, value) in &draft.headers {
        set(&mut merged, name, value);
    }
    for header in options.headers {
        set(&mut merged, &header.name, &header.value);
        if header.value.is_empty() {
            merged.retain(|(name, _)| !name.eq_ignore_ascii_case(&header.name));
        }
    }
    merged
}

/// Whether a body of these headers is JSON.
pub(super) fn is_json(headers: &[(String, String)]) -> bool {
    let mut types = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    types.any(|(_, value)| value.to_ascii_lowercase().contains("json"))
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, known_value)) => *known_value = value.to_owned(),
        None => headers.push((name.to_owned(), value.to_owned())),
    }
}

/// Whether the value of a header or parameter of this name is nobody's business.
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "password", "credential", "cookie", "session", "signature"]
        .into_iter()
        .any(|sound| name.contains(sound))
}
