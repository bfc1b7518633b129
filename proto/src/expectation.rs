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
    /// The answer is a stream of such server-sent events, which carries content and comes to its end.
    pub stream: Option<StreamFormat>,
    /// What a success that is not late keeps to.
    pub goal: Goal,
}

/// Whose server-sent events a streamed answer is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamFormat {
    /// OpenAI's chat completions, which end with `data: [DONE]`, and what many others make of them.
    #[default]
    OpenAiChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `streamGenerateContent` with `alt=sse`.
    Gemini,
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

impl StreamFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini];

    /// As scenario files and records name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// What ends a stream, for a person.
    pub const fn end(self) -> &'static str {
        match self {
            Self::OpenAiChat => "data: [DONE]",
            Self::OpenAiResponses => "response.completed or response.incomplete",
            Self::Anthropic => "message_stop",
            Self::Gemini => "a finishReason",
        }
    }
}

impl Expectation {
    /// Whether the answer is a stream.
    #[inline]
    pub fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether the status alone decides.
    pub fn is_status_only(&self) -> bool {
        self.json.is_empty() && self.finish_reason.is_none() && !self.is_stream()
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
        let is_of_others = self.stream.is_some_and(|format| format != StreamFormat::OpenAiChat);
        if is_of_others && self.finish_reason.is_some() {
            return Err(InvalidMessage::new(
                "expectation.finish_reason",
                "is of chat completions alone; name this stream's own pointer and value under `equals`",
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
            stream: expectation.is_stream(),
            stream_format: wire::StreamFormat::from(expectation.stream.unwrap_or_default()).into(),
            goal: (!expectation.goal.is_none()).then(|| expectation.goal.into()),
        }
    }
}

impl TryFrom<wire::Expectation> for Expectation {
    type Error = InvalidMessage;

    fn try_from(expectation: wire::Expectation) -> Result<Self, InvalidMessage> {
        let status = u16::try_from(expectation.status)
            .map_err(|_| InvalidMessage::new("expectation.status", "is no HTTP status"))?;
        let stream_format = stream_format(expectation.stream_format)?;
        let json = expectation.json.into_iter();
        let expectation = Self {
            status: Some(status).filter(|status| *status != 0),
            json: json.map(|json| JsonExpectation { pointer: json.pointer, equals: json.equals }).collect(),
            finish_reason: Some(expectation.finish_reason).filter(|reason| !reason.is_empty()),
            stream: expectation.stream.then_some(stream_format),
            goal: expectation.goal.map(Goal::try_from).transpose()?.unwrap_or_default(),
        };
        expectation.check()?;
        Ok(expectation)
    }
}

impl From<StreamFormat> for wire::StreamFormat {
    fn from(format: StreamFormat) -> Self {
        match format {
            StreamFormat::OpenAiChat => Self::OpenaiChat,
            StreamFormat::OpenAiResponses => Self::OpenaiResponses,
            StreamFormat::Anthropic => Self::Anthropic,
            StreamFormat::Gemini => Self::Gemini,
        }
    }
}

fn stream_format(wire: i32) -> Result<StreamFormat, InvalidMessage> {
    match wire::StreamFormat::try_from(wire) {
        Ok(wire::StreamFormat::Unspecified | wire::StreamFormat::OpenaiChat) => Ok(StreamFormat::OpenAiChat),
        Ok(wire::StreamFormat::OpenaiResponses) => Ok(StreamFormat::OpenAiResponses),
        Ok(wire::StreamFormat::Anthropic) => Ok(StreamFormat::Anthropic),
        Ok(wire::StreamFormat::Gemini) => Ok(StreamFormat::Gemini),
        Err(_) => Err(InvalidMessage::new("expectation.stream_format", "is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_streams_round_trip_and_an_unnamed_one_is_a_chat() {
        for stream in [None].into_iter().chain(StreamFormat::ALL.map(Some)) {
            let expectation = Expectation { stream, ..Expectation::default() };
            assert_eq!(Expectation::try_from(wire::Expectation::from(&expectation)), Ok(expectation));
        }
        let unnamed = wire::Expectation { stream: true, ..wire::Expectation::default() };
        assert_eq!(Expectation::try_from(unnamed).unwrap().stream, Some(StreamFormat::OpenAiChat));
        let unknown = wire::Expectation { stream_format: 99, ..wire::Expectation::default() };
        assert_eq!(Expectation::try_from(unknown).unwrap_err().field, "expectation.stream_format");
    }

    #[test]
    fn a_finish_reason_is_of_chats_alone() {
        let with =
            |stream| Expectation { stream, finish_reason: Some("stop".into()), ..Expectation::default() };
        for stream in [None, Some(StreamFormat::OpenAiChat)] {
            assert_eq!(with(stream).check(), Ok(()));
        }
        for format in &StreamFormat::ALL[1..] {
            let refused = with(Some(*format)).check().unwrap_err();
            assert_eq!(refused.field, "expectation.finish_reason");
        }
    }
}
