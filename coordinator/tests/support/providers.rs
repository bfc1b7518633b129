//! A target that streams as the providers of models do, each under its own path, as their documents show it.

use super::request::{Reply, Request};
use super::target::Target;

/// One of them.
pub struct Provider {
    /// As scenario files name its streams.
    pub format: &'static str,
    /// The end of its path.
    path: &'static str,
    /// What the body must hold, and must not be null.
    asked: &'static str,
    /// A stream of it.
    pub stream: &'static str,
    /// The last event's beginning, before which a stream is cut.
    pub end: &'static str,
    /// An event that says that something went wrong.
    pub error: &'static str,
    /// Content events of the stream, and the tokens that it tells.
    pub told: [u64; 3],
}

/// All of them.
pub const PROVIDERS: [Provider; 3] = [
    Provider {
        format: "anthropic",
        path: "/v1/messages",
        asked: "messages",
        stream: include_str!("../../../worker/tests/streams/anthropic.sse"),
        end: "event: message_stop",
        error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        told: [3, 25, 15],
    },
    Provider {
        format: "openai-responses",
        path: "/v1/responses",
        asked: "input",
        stream: include_str!("../../../worker/tests/streams/openai-responses.sse"),
        end: "event: response.completed",
        error: "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":\
                {\"code\":\"server_error\",\"message\":\"The model failed.\"},\"usage\":null}}\n\n",
        told: [2, 37, 11],
    },
    Provider {
        format: "gemini",
        path: ":streamGenerateContent?alt=sse",
        asked: "contents",
        stream: include_str!("../../../worker/tests/streams/gemini.sse"),
        end: "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" of",
        error: "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}\n\n",
        told: [3, 9, 12],
    },
];

/// A target that answers as they all do. What is asked for in another way than theirs is refused.
pub fn target() -> Target {
    Target::scripted(|_, request| {
        let provider = PROVIDERS.iter().find(|provider| provider.is_asked_by(request));
        provider
            .map_or_else(|| Reply::json(400, &format!("{request:?}")), |provider| streamed(provider.stream))
    })
}

/// A whole stream.
pub fn streamed(events: &str) -> Reply {
    Reply::with_body(200, "text/event-stream", events)
}

impl Provider {
    /// Whether a request is meant for it, and is one that it would take.
    pub fn is_asked_by(&self, request: &Request) -> bool {
        let asked = request.json();
        let streams = self.format == "gemini" || asked["stream"] == true;
        let has_version =
            self.format != "anthropic" || request.header("anthropic-version") == Some("2023-06-01");
        let has_limit = self.format != "anthropic" || asked["max_tokens"].is_u64();
        let is_post_of_events =
            request.method == "POST" && request.header("accept") == Some("text/event-stream");
        request.path.ends_with(self.path)
            && is_post_of_events
            && !asked[self.asked].is_null()
            && streams
            && has_version
            && has_limit
    }
}
