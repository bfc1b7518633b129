//! Scenario files, TOML and JSON alike:
//!
//! ```toml
//! name = "embeddings"                # default: the file's name without its ending
//! method = "POST"                    # the default
//! path = "/v1/openai/embeddings"     # default: --path
//! direct_path = "/v1/embeddings"     # at the upstream of --direct; default: --direct-path
//! headers = { x-team = "checkout" }
//! body = { model = "text-embedding-3-small", input = "a sentence" }   # or text, which is sent as it is
//! # body_file = "embeddings.json"    # in place of body; relative to this file
//! # template = false                # `{{` and `{%` in the body mean nothing
//!
//! [expect]
//! status = 200                       # default: any 2xx
//! exists = ["/data/0/embedding/0"]   # JSON pointers that must be there, whatever their value
//! equals = { "/object" = "list" }    # and those that must have this value
//! # finish_reason = "stop"
//! # stream = true                    # server-sent events up to data: [DONE], or "anthropic" and the like for those of others
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use proto::expectation::{Expectation, JsonExpectation, StreamFormat};
use serde::de::{Deserialize, DeserializeSeed as _, Deserializer, Error};
use serde_json::Value;

use super::error::with_nearest_key;
use super::json_value::JsonValue;
use super::{Draft, ScenarioError, ScenarioOptions, headers};

/// The wire carries a request in one message.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Whether a scenario is asked for by its file.
pub(super) fn is_file_name(name: &str) -> bool {
    Format::of(Path::new(name)).is_some()
}

/// Reads a scenario and the file of its body.
pub(super) fn read(path: &Path, options: &ScenarioOptions<'_>) -> Result<Draft, ScenarioError> {
    let text = String::from_utf8(read_bytes("the scenario file", path)?)
        .map_err(|_| invalid(path, "is not UTF-8; save it as UTF-8"))?;
    let file = parse(path, text.trim_start_matches('\u{feff}'))?;

    let name = match &file.name {
        Some(name) => name.clone(),
        None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(invalid(path, "has a `name` that is empty or holds a control character; change it"));
    }
    // Thresholds are separated by commas, and what stands round one is trimmed.
    if name.contains(',') || name.trim() != name {
        let problem = "has a name that holds a comma, or begins or ends with a space, so that no threshold could name it; \
                       give it another `name`";
        return Err(invalid(path, problem));
    }
    for (name, value) in &file.headers {
        headers::check(name, value).map_err(|problem| invalid(path, problem))?;
    }

    Ok(Draft {
        name,
        method: file.method.unwrap_or_else(|| "POST".into()),
        path: if options.is_direct { file.direct_path } else { file.path }
            .unwrap_or_else(|| options.path.into()),
        // What may open the gateway is none of the upstream's business.
        headers: (file.headers.into_iter())
            .filter(|(name, _)| !options.is_direct || !headers::sounds_secret(name))
            .collect(),
        body: body(path, file.body, file.body_file)?,
        may_be_template: file.template,
        expectation: file.expect.into(),
    })
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    name: Option<String>,
    method: Option<String>,
    path: Option<String>,
    direct_path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Body>,
    body_file: Option<String>,
    #[serde(default = "yes")]
    template: bool,
    #[serde(default)]
    expect: ExpectTable,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectTable {
    status: Option<u16>,
    #[serde(default)]
    exists: Vec<String>,
    #[serde(default)]
    equals: Equals,
    finish_reason: Option<String>,
    #[serde(default)]
    stream: Stream,
}

/// The bytes of a body: text as it is, tables and lists as JSON.
#[derive(Debug)]
struct Body(Vec<u8>);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match (JsonValue { key: "body" }).deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text.into_bytes())),
            body @ (Value::Object(_) | Value::Array(_)) => Ok(Self(body.to_string().into_bytes())),
            _ => Err(D::Error::custom("`body` must be text, a table or a list")),
        }
    }
}

/// Values by their JSON pointers, in the order of the pointers.
#[derive(Debug, Default)]
struct Equals(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Equals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match (JsonValue { key: "equals" }).deserialize(deserializer)? {
            Value::Object(values) => Ok(Self(values.into_iter().collect())),
            _ => Err(D::Error::custom("`equals` must be a table of JSON pointers and values")),
        }
    }
}

/// Whose events the answer is made of, if it is a stream.
#[derive(Debug, Default)]
struct Stream(Option<StreamFormat>);

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let format = match (JsonValue { key: "stream" }).deserialize(deserializer)? {
            Value::Bool(false) => return Ok(Self(None)),
            Value::Bool(true) => Some(StreamFormat::default()),
            Value::String(name) => StreamFormat::ALL.into_iter().find(|format| format.name() == name),
            _ => None,
        };
        let names = StreamFormat::ALL.map(StreamFormat::name).join(", ");
        let error = || D::Error::custom(format!("`stream` must be true, false or one of {names}"));
        format.map(|format| Self(Some(format))).ok_or_else(error)
    }
}

impl From<ExpectTable> for Expectation {
    fn from(table: ExpectTable) -> Self {
        let exists = table.exists.into_iter().map(|pointer| JsonExpectation { pointer, equals: None });
        let equals = table
            .equals
            .0
            .into_iter()
            .map(|(pointer, value)| JsonExpectation { pointer, equals: Some(value.to_string()) });
        Self {
            status: table.status,
            json: exists.chain(equals).collect(),
            finish_reason: table.finish_reason,
            stream: table.stream.0,
            ..Self::default()
        }
    }
}

#[derive(Clone, Copy)]
enum Format {
    Toml,
    Json,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<ScenarioFile, ScenarioError> {
    let (line, problem) = match Format::of(path) {
        Some(Format::Json) => match serde_json::from_str(text) {
            Ok(file) => return Ok(file),
            Err(error) => (error.line(), json_problem(&error)),
        },
        Some(Format::Toml) | None => match toml::from_str(text) {
            Ok(file) => return Ok(file),
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                (before.matches('\n').count() + 1, error.message().replace('\n', ", "))
            }
        },
    };
    let problem = with_nearest_key(problem);
    Err(ScenarioError::Syntax { path: path.to_owned(), line: line.max(1), problem })
}

/// serde_json puts the place at the end, where it stands in front here.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

fn body(path: &Path, inline: Option<Body>, file: Option<String>) -> Result<Vec<u8>, ScenarioError> {
    let body = match (inline, file) {
        (Some(_), Some(_)) => return Err(invalid(path, "has both `body` and `body_file`; leave one out")),
        (Some(Body(bytes)), None) => bytes,
        (None, Some(file)) => {
            read_bytes("the body file", &path.parent().unwrap_or(Path::new("")).join(file))?
        }
        (None, None) => Vec::new(),
    };
    if body.len() > MAX_BODY_BYTES {
        return Err(invalid(path, "has a body of more than 64 MiB; make it smaller"));
    }
    Ok(body)
}

fn read_bytes(what: &'static str, path: &Path) -> Result<Vec<u8>, ScenarioError> {
    std::fs::read(path).map_err(|source| ScenarioError::Unreadable { what, path: path.to_owned(), source })
}

fn invalid(path: &Path, problem: impl Into<String>) -> ScenarioError {
    ScenarioError::Invalid { scenario: path.display().to_string(), problem: problem.into() }
}
