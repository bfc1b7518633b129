//! What a good answer is.

use crate::goal::Goal;
use crate::{InvalidMessage, wire};

/// What an answer must be to count as a success. What is not asked for is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The only status that is a success; `None` for any 2xx.
    pub status: Option<u16>,
    /// What the JSON answer must hold; in a stream, what at least one event must hold.
    pub json: Vec<JsonExpectation>,
    /// The first choice's finish reason.
    pub finish_reason: Option<String>,
    /// The answer is a stream of server-sent events that carries content and ends with `data: [DONE]`.
    pub stream: bool,
    /// What a success that is not late keeps to.
    pub goal: Goal,
}

/// A value that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonExpectation {
    /// RFC 6901: empty for the whole document, or from a slash.
    pub pointer: String,
    /// JSON text that the value must equal; `None` when it need only exist.
    pub equals: Option<String>,
}

/// How many JSON expectations one scenario may have.
pub const MAX_JSON_EXPECTATIONS: usize = 16;

impl Expectation {
    /// Whether the status alone decides.
    pub fn is_status_only(&self) -> bool {
        self.json.is_empty() && self.finish_reason.is_none() && !self.stream
    }

    /// Whether an answer with this status may be a success.
    pub fn accepts_status(&self, status: u16) -> bool {
        self.status.map_or((200..300).contains(&status), |expected| expected == status)
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// Which part makes no sense.
    pub fn check(&self) -> Result<(), InvalidMessage> {
        if let Some(status) = self.status.filter(|status| !(200..300).contains(status)) {
            return Err(InvalidMessage::new(
                "expectation.status",
                format!("is {status}; only a 2xx answer can be a success"),
            ));
        }
        // On the wire an empty one is none.
        if self.finish_reason.as_deref() == Some("") {
            return Err(InvalidMessage::new(
                "expectation.finish_reason",
                "is empty; leave it out to accept any",
            ));
        }
        if self.json.len() > MAX_JSON_EXPECTATIONS {
            return Err(InvalidMessage::new(
                "expectation.json",
                format!("has more than {MAX_JSON_EXPECTATIONS} entries"),
            ));
        }
        for expectation in &self.json {
            let pointer = &expectation.pointer;
            if !(pointer.is_empty() || pointer.starts_with('/')) {
                return Err(InvalidMessage::new(
                    "expectation.json.pointer",
                    format!("`{pointer}` does not start with /"),
                ));
            }
            let mut escapes = pointer.split('~').skip(1);
            if !escapes.all(|rest| rest.starts_with(['0', '1'])) {
                return Err(InvalidMessage::new(
                    "expectation.json.pointer",
                    format!("`{pointer}` has a ~ that is not ~0 or ~1"),
                ));
            }
        }
        Ok(())
    }
}

impl From<&Expectation> for wire::Expectation {
    fn from(expectation: &Expectation) -> Self {
        let json = expectation.json.iter();
        wire::Expectation {
            status: expectation.status.map_or(0, u32::from),
            json: json
                .map(|json| wire::JsonExpectation {
                    pointer: json.pointer.clone(),
                    equals: json.equals.clone(),
                })
                .collect(),
            finish_reason: expectation.finish_reason.clone().unwrap_or_default(),
            stream: expectation.stream,
            goal: (!expectation.goal.is_none()).then(|| expectation.goal.into()),
        }
    }
}

impl TryFrom<wire::Expectation> for Expectation {
    type Error = InvalidMessage;

    fn try_from(expectation: wire::Expectation) -> Result<Self, InvalidMessage> {
        let status = u16::try_from(expectation.status)
            .map_err(|_| InvalidMessage::new("expectation.status", "is no HTTP status"))?;
        let json = expectation.json.into_iter();
        let expectation = Self {
            status: Some(status).filter(|status| *status != 0),
            json: json.map(|json| JsonExpectation { pointer: json.pointer, equals: json.equals }).collect(),
            finish_reason: Some(expectation.finish_reason).filter(|reason| !reason.is_empty()),
            stream: expectation.stream,
            goal: expectation.goal.map(Goal::try_from).transpose()?.unwrap_or_default(),
        };
        expectation.check()?;
        Ok(expectation)
    }
}
