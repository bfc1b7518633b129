//! What a client asks of the mock: as much of an OpenAI chat request as decides the answer.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A chat completion request. What is not here is not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct ChatRequest<'a> {
    /// Echoed in the answer.
    #[serde(borrow, default = "unnamed_model")]
    pub(super) model: Cow<'a, str>,
    /// Must be there. Counted only, so that nothing is allocated for them.
    pub(super) messages: Vec<IgnoredAny>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[serde(borrow)]
    tools: Option<Vec<Tool<'a>>>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl ChatRequest<'_> {
    /// Whether the answer is wanted as server-sent events.
    pub(super) fn wants_stream(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether a stream ends with a chunk that tells the usage.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }

    /// The name of the tool to call: the first one offered. `None` when there are none.
    pub(super) fn first_tool(&self) -> Option<&str> {
        let first = self.tools.as_ref()?.first()?;
        Some(first.function.as_ref().map_or("function", |function| &function.name))
    }
}

fn unnamed_model() -> Cow<'static, str> {
    Cow::Borrowed("mock")
}
