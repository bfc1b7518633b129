//! The mock's streamed answers: server-sent events as OpenAI sends them, at the pace asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::answers::{Completion, WORDS, put};
use super::pace::Pace;
use super::witness::Witness;
use crate::clock::Nanos;

/// Chunks sent together when nothing paces them: few writes, but no buffer of megabytes.
const BURST: u64 = 64;

const EVENT_BYTES: usize = 256;

/// The body of a streamed answer.
pub(super) struct EventStream {
    events: Events,
    /// Ticks once for every chunk after those that are `due`; `None` when all are due at once.
    pace: Option<Arc<Pace>>,
    /// At least 1 to begin with.
    due: u64,
    /// Who is told of the last chunk, and since when it is wanted.
    witness: (Arc<Witness>, Nanos),
}

impl EventStream {
    /// Sends `due` chunks at once and the others as `pace` ticks; without it, all at once. `witness` is told of the end of
    /// what was asked for at that time.
    pub(super) fn new(
        events: Events,
        pace: Option<Arc<Pace>>,
        due: u64,
        witness: (Arc<Witness>, Nanos),
    ) -> Self {
        Self { events, pace, due, witness }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.events.ended() {
            return Poll::Ready(None);
        }
        let due = std::mem::take(&mut self.due);
        let due = match (&self.pace, due) {
            (None, _) => BURST,
            (Some(pace), 0) => ready!(pace.poll_ticks(context))?,
            (Some(_), due) => due,
        };
        let chunks = self.events.take(due);
        if self.events.ended() {
            let (witness, asked) = &self.witness;
            witness.answered(*asked);
        }
        Poll::Ready(Some(Ok(Frame::data(chunks))))
    }

    fn is_end_stream(&self) -> bool {
        self.events.ended()
    }
}

/// The events of one streamed answer: the role, the chunks, the end, the usage when asked for, and the end mark.
pub(super) struct Events {
    completion: Completion,
    /// What every event begins with.
    head: Vec<u8>,
    /// What every event ends with.
    tail: &'static [u8],
    with_usage: bool,
    chunks: u32,
    sent: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Role,
    Chunks,
    Ended,
}

impl Events {
    /// The events of `completion` in `chunks` content chunks.
    pub(super) fn new(completion: Completion, chunks: u32, with_usage: bool) -> Self {
        let mut head = b"data: ".to_vec();
        completion.begin(&mut head, "chat.completion.chunk");
        // When the usage is asked for, every chunk but the one that tells it has a null there.
        let tail: &[u8] = if with_usage { b"],\"usage\":null}\n\n" } else { b"]}\n\n" };
        Self { completion, head, tail, with_usage, chunks, sent: 0, stage: Stage::Role }
    }

    /// Whether all events have been taken.
    pub(super) fn ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The next `due` chunks, or as many as there are. The role goes with the first, the end with the last.
    pub(super) fn take(&mut self, due: u64) -> Bytes {
        let due = u32::try_from(due).unwrap_or(u32::MAX).min(self.chunks - self.sent);
        let mut out = Vec::with_capacity((due as usize + 3) * (self.head.len() + EVENT_BYTES));
        if self.stage == Stage::Role {
            self.role(&mut out);
            self.stage = Stage::Chunks;
        }
        for _ in 0..due {
            self.chunk(&mut out);
            self.sent += 1;
        }
        if self.sent == self.chunks {
            self.end(&mut out);
            self.stage = Stage::Ended;
        }
        out.into()
    }

    fn role(&self, out: &mut Vec<u8>) {
        self.event(out, None, |out| match &self.completion.tool {
            None => out.extend_from_slice(br#""role":"assistant","content":"","refusal":null"#),
            Some(name) => {
                put(
                    out,
                    format_args!(
                        r#""role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"call_{:024x}","type":"function","function":{{"name":"#,
                        self.completion.number
                    ),
                );
                out.extend_from_slice(name);
                out.extend_from_slice(br#","arguments":""}}],"refusal":null"#);
            }
        });
    }

    fn chunk(&self, out: &mut Vec<u8>) {
        let word = WORDS[self.sent as usize % WORDS.len()];
        let space = if self.sent == 0 { "" } else { " " };
        self.event(out, None, |out| match self.completion.tool {
            None => put(out, format_args!(r#""content":"{space}{word}""#)),
            Some(_) => {
                let open = if self.sent == 0 { r#"{\"query\":\""# } else { "" };
                let close = if self.sent + 1 == self.chunks { r#"\"}"# } else { "" };
                let call = format_args!(
                    r#""tool_calls":[{{"index":0,"function":{{"arguments":"{open}{space}{word}{close}"}}}}]"#
                );
                put(out, call);
            }
        });
    }

    fn end(&self, out: &mut Vec<u8>) {
        self.event(out, Some(self.completion.finish_reason()), |_| ());
        if self.with_usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],");
            self.completion.usage(out, self.chunks as usize);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// One event whose delta holds what `delta` writes.
    fn event(&self, out: &mut Vec<u8>, finish_reason: Option<&str>, delta: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#"{"index":0,"delta":{"#);
        delta(out);
        out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
        match finish_reason {
            None => out.extend_from_slice(b"null}"),
            Some(reason) => put(out, format_args!(r#""{reason}"}}"#)),
        }
        out.extend_from_slice(self.tail);
    }
}
