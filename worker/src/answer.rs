//! Is this answer good? Judged while its bytes pass, without storing it.
//!
//! [`Criteria`] are compiled once a block from what the scenario expects; each connection has one [`Answer`] that it
//! uses again and again.

mod criteria;
mod formats;
mod stream;

pub use criteria::Criteria;

use crate::answer::stream::Stream;
use crate::clock::Nanos;
use crate::http1::response::{Body, Head};
use crate::http2::frame::ErrorCode;
use crate::http2::session::{Ended, Ending};
use crate::json::{Scan, Wants};
use crate::outcome::{BodyFault, Fault, Stage};

/// One connection's answers, one after another.
///
/// What looking at a body takes is held while there is a body, so that thousands of connections whose answers come in one
/// read each share the memory for one.
#[derive(Debug, Default)]
pub struct Answer {
    course: Course,
    memory: Option<Box<Memory>>,
}

/// Memory for looking at a body, which is used again from answer to answer.
#[derive(Debug, Default)]
struct Memory {
    scan: Scan,
    stream: Stream,
}

/// Memory that no answer has: for as many as were under way at once, and no more are now.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "it goes to and fro as a whole, by its pointer")]
pub struct SpareMemory(Vec<Box<Memory>>);

/// What the head has settled about the way in which the body is looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// No head yet.
    #[default]
    Waiting,
    /// The head alone shows that the answer is not good.
    Refused(Fault),
    /// The status decides, and is good.
    Unchecked,
    Json,
    Stream,
}

/// Where an answer goes while one read is taken apart.
#[derive(Debug)]
pub struct Reading<'a> {
    answer: &'a mut Answer,
    criteria: &'a Criteria,
    now: Nanos,
}

/// When a stream's content arrived, and what it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTimes<'a> {
    /// The first content event.
    pub first_content: Option<Nanos>,
    /// From each content event to the next; zero for those that came in one read.
    pub gaps: &'a [Nanos],
    /// Events that carried content.
    pub content_events: u64,
    /// Content events that came in one read with the content event before them.
    pub coalesced_events: u64,
    /// How many tokens it took, where the upstream told.
    pub usage: Option<Usage>,
}

/// How many tokens an upstream says that a request and its answer have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Of the request; 0 where only the answer's are told.
    pub input_tokens: u32,
    /// Of the answer.
    pub output_tokens: u32,
}

impl Answer {
    /// Expects the next answer.
    pub fn begin(&mut self) {
        self.course = Course::Waiting;
    }

    /// Takes memory to look at the next body with, unless it has some; what has none when a body begins allocates it.
    #[inline]
    pub fn lend(&mut self, spare: &mut SpareMemory) {
        if self.memory.is_none() {
            self.memory = spare.0.pop();
        }
    }

    /// Gives its memory back: the answer has been judged, or never will be.
    #[inline]
    pub fn give_back(&mut self, spare: &mut SpareMemory) {
        spare.0.extend(self.memory.take());
    }

    /// What [`Response::feed`](crate::http1::response::Response::feed) hands a read's bytes to; `now` is when the read
    /// brought them.
    #[inline]
    pub fn reading<'a>(&'a mut self, criteria: &'a Criteria, now: Nanos) -> Reading<'a> {
        Reading { answer: self, criteria, now }
    }

    /// What it means that the connection ended at `stage`, before the answer was complete.
    pub fn early_end(&mut self, criteria: &Criteria, stage: Stage) -> Fault {
        if !self.is_stream_begun() {
            return Fault::Reset(stage);
        }
        // An error within the stream explains its end better than the end itself.
        match self.memory.as_mut().map(|memory| memory.stream.verdict(criteria)) {
            Some(Err(error @ Fault::Body(BodyFault::StreamError))) => error,
            _ => Fault::Truncated,
        }
    }

    /// What it means that a stream of HTTP/2 ended before the answer was complete, or by breaking the protocol.
    pub fn stream_end(&mut self, criteria: &Criteria, ended: Ended) -> Fault {
        // A stream that was cut short is called so, whoever cut it.
        match (ended.ending, self.early_end(criteria, ended.stage)) {
            (Ending::Broken(fault), _) => Fault::Protocol(fault),
            (Ending::Reset(code), Fault::Reset(_)) => Fault::StreamReset(code),
            (Ending::GoneAway(code), Fault::Reset(_)) => Fault::GoneAway(code),
            (Ending::LeftOver, Fault::Reset(_)) => Fault::GoneAway(ErrorCode::NO_ERROR),
            (_, early) => early,
        }
    }

    /// Whether a good head of a stream has arrived, so that an early end is a stream cut short.
    fn is_stream_begun(&self) -> bool {
        self.course == Course::Stream
    }

    /// Whether the answer, now complete, is good.
    ///
    /// # Errors
    /// The first thing that is not as it should be: the status before everything else, the head before the body.
    #[inline]
    pub fn verdict(&mut self, criteria: &Criteria) -> Result<(), Fault> {
        match (self.course, &mut self.memory) {
            (Course::Refused(fault), _) => Err(fault),
            (Course::Unchecked, _) => Ok(()),
            (Course::Stream, Some(memory)) => memory.stream.verdict(criteria),
            (Course::Json, Some(memory)) => match memory.scan.finish(criteria.wanted()) {
                Ok(()) => criteria.judge(memory.scan.met(), memory.scan.seen()),
                Err(_) => Err(Fault::Body(BodyFault::NotJson)),
            },
            (Course::Waiting | Course::Stream | Course::Json, _) => Err(Fault::Reset(Stage::Waiting)),
        }
    }

    /// When the content of a stream arrived; nothing of an answer that is none.
    pub fn stream(&self) -> StreamTimes<'_> {
        match (self.course, &self.memory) {
            (Course::Stream, Some(memory)) => memory.stream.times(),
            _ => StreamTimes {
                first_content: None,
                gaps: &[],
                content_events: 0,
                coalesced_events: 0,
                usage: None,
            },
        }
    }
}

impl Course {
    fn set_by(head: &Head, criteria: &Criteria) -> Self {
        if !criteria.accepts_status(head.status) {
            Self::Refused(Fault::Status(head.status))
        } else if criteria.is_status_only() {
            Self::Unchecked
        } else if head.encoded {
            Self::Refused(Fault::Body(BodyFault::Encoded))
        } else if !criteria.is_stream() {
            Self::Json
        } else if head.event_stream {
            Self::Stream
        } else {
            Self::Refused(Fault::Body(BodyFault::NotAStream))
        }
    }
}

impl Body for Reading<'_> {
    #[inline]
    fn head(&mut self, head: &Head) {
        let answer = &mut *self.answer;
        answer.course = Course::set_by(head, self.criteria);
        match answer.course {
            Course::Json => {
                answer.memory.get_or_insert_default().scan.begin(self.criteria.wanted(), Wants::NONE);
            }
            Course::Stream => answer.memory.get_or_insert_default().stream.begin(),
            Course::Waiting | Course::Refused(_) | Course::Unchecked => {}
        }
    }

    #[inline]
    fn data(&mut self, bytes: &[u8]) {
        let Some(Memory { scan, stream }) = self.answer.memory.as_deref_mut() else { return };
        match self.answer.course {
            Course::Json => scan.feed(self.criteria.wanted(), bytes),
            Course::Stream => stream.feed(self.criteria, scan, bytes, self.now),
            Course::Waiting | Course::Refused(_) | Course::Unchecked => {}
        }
    }
}

#[cfg(test)]
mod tests;
