//! What was sent, and what a good answer to it was, in a record.

use proto::goal::Goal;
use serde::{Deserialize, Serialize};

use super::nanos;

/// A request, and what a good answer is, without the values of headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScenarioRecord {
    /// As reports name it.
    pub name: String,
    /// Such as `POST`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Their values may be secrets.
    pub header_names: Vec<String>,
    /// As text; bytes that are no UTF-8 are replaced. Where bodies differed, the template.
    pub body: String,
    /// How bodies differed; `None` where all were the same.
    #[serde(default)]
    pub variety: Option<VarietyRecord>,
    /// The only status that is a success; `None` for any 2xx.
    pub expected_status: Option<u16>,
    /// What the answer must hold.
    pub expected_json: Vec<JsonExpectationRecord>,
    /// The first choice's finish reason.
    pub expected_finish_reason: Option<String>,
    /// The answer is a stream of server-sent events.
    pub stream: bool,
    /// Whose events they are, such as `openai-chat`, by the names of scenario files; of a mix, those of its first stream.
    /// `None` for no stream, and in records of before it was kept.
    #[serde(default)]
    pub stream_format: Option<String>,
    /// What a success that was not late kept to; `None` where nothing could be late.
    #[serde(default)]
    pub goal: Option<GoalRecord>,
}

/// Bodies that differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VarietyRecord {
    /// How many were asked for, over the whole fleet.
    pub bodies: u32,
    /// Rows of the dataset that they were made with; 0 for none.
    pub dataset_rows: u64,
    /// The SHA-256 of those rows, in hexadecimal digits, over the columns that were put in: one JSON list of their names, then
    /// one of values for each row, a line each; `None` without a dataset, and in records of before it was kept.
    #[serde(default)]
    pub dataset_sha256: Option<String>,
}

/// A value that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JsonExpectationRecord {
    /// RFC 6901.
    pub pointer: String,
    /// JSON text; `None` when the value need only exist.
    pub equals: Option<String>,
}

/// Bounds for one request; see [`Goal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GoalRecord {
    /// Due to last byte.
    pub response_time_ns: Option<u64>,
    /// Of a stream: due to first content event.
    pub time_to_first_token_ns: Option<u64>,
    /// Of a stream: the mean of the gaps between its content events.
    pub mean_gap_ns: Option<u64>,
}

impl GoalRecord {
    /// `None` where nothing could be late.
    pub(super) fn of(goal: Goal) -> Option<Self> {
        let Goal { response_time, time_to_first_token, mean_gap } = goal;
        (!goal.is_none()).then(|| Self {
            response_time_ns: response_time.map(nanos),
            time_to_first_token_ns: time_to_first_token.map(nanos),
            mean_gap_ns: mean_gap.map(nanos),
        })
    }
}
