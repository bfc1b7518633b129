//! A streamed answer: what its events say, and when those that carry content arrived.

use crate::answer::{Criteria, StreamTimes, Usage};
use crate::clock::Nanos;
use crate::json::{Scan, Wants};
use crate::outcome::{BodyFault, Fault};
use crate::sse::{Event, Events};

/// The most content events that one stream may have. The gaps between them are kept until it is known to be good: 8 MiB.
const MOST_CONTENT_EVENTS: u64 = 1 << 20;
/// Gaps for which the memory is kept from one stream to the next.
const GAPS_TO_KEEP_ROOM_FOR: usize = 1 << 16;

/// One stream after another, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Stream {
    events: Events,
    progress: Progress,
}

/// What has been learnt from the events so far.
#[derive(Debug, Default)]
struct Progress {
    /// `[DONE]` has come; what follows it is not looked at.
    done: bool,
    error: bool,
    not_json: bool,
    met: Wants,
    seen: Wants,
    first_content: Option<Nanos>,
    last_content: Option<Nanos>,
    gaps: Vec<Nanos>,
    content_events: u64,
    coalesced_events: u64,
    /// What the last event said that said anything of it: some upstreams count as they go.
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
}

impl Stream {
    /// Expects the next stream.
    pub(super) fn begin(&mut self) {
        self.events.begin();
        let mut gaps = std::mem::take(&mut self.progress.gaps);
        gaps.clear();
        gaps.shrink_to(GAPS_TO_KEEP_ROOM_FOR);
        self.progress = Progress { gaps, ..Progress::default() };
    }

    /// Takes the next bytes, which a read brought at `now`.
    pub(super) fn feed(&mut self, criteria: &Criteria, scan: &mut Scan, bytes: &[u8], now: Nanos) {
        let Self { events, progress } = self;
        let fed = events.feed(bytes, &mut |event| progress.event(criteria, scan, event, now));
        // Nothing that a model says at once has 16 MiB.
        progress.not_json |= fed.is_err();
    }

    /// Whether the stream, now at its end, is good.
    pub(super) fn verdict(&mut self, criteria: &Criteria) -> Result<(), Fault> {
        let progress = &mut self.progress;
        if progress.error {
            return Err(Fault::Body(BodyFault::StreamError));
        }
        if progress.not_json {
            return Err(Fault::Body(BodyFault::EventNotJson));
        }
        if progress.is_full() {
            return Err(Fault::Body(BodyFault::TooManyEvents));
        }
        // Some gateways close right after the end mark, without the blank line that would complete the event.
        let is_at_end = match criteria.ends_by_event {
            false => progress.done || self.events.finish(),
            true => progress.met.contains(Criteria::END),
        };
        if !is_at_end {
            return Err(Fault::Truncated);
        }
        if progress.content_events == 0 {
            return Err(Fault::Body(BodyFault::NoContent));
        }
        criteria.judge(progress.met, progress.seen)
    }

    pub(super) fn times(&self) -> StreamTimes<'_> {
        let progress = &self.progress;
        StreamTimes {
            first_content: progress.first_content,
            gaps: &progress.gaps,
            content_events: progress.content_events,
            coalesced_events: progress.coalesced_events,
            usage: progress.output_tokens.map(|output_tokens| Usage {
                input_tokens: progress.input_tokens.unwrap_or_default(),
                output_tokens,
            }),
        }
    }
}

impl Progress {
    fn event(&mut self, criteria: &Criteria, scan: &mut Scan, event: Event<'_>, now: Nanos) {
        if self.done || self.error || self.is_full() {
            return;
        }
        if event.is_error {
            self.error = true;
            return;
        }
        if event.data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return;
        }
        // What an earlier event has met is not looked for again, but each may carry content, or tell the usage.
        scan.begin(criteria.wanted(), self.met.without(Criteria::OF_EACH_EVENT));
        scan.feed(criteria.wanted(), event.data);
        if scan.finish(criteria.wanted()).is_err() {
            self.not_json = true;
            return;
        }
        self.met = self.met.and(scan.met());
        self.seen = self.seen.and(scan.seen());
        self.input_tokens = scan.count(Criteria::INPUT_COUNT).or(self.input_tokens);
        self.output_tokens = scan.count(Criteria::OUTPUT_COUNT).or(self.output_tokens);
        self.error = scan.met().contains(Criteria::STREAM_ERROR);
        if scan.met().contains(Criteria::CONTENT) {
            self.content(now);
        }
    }

    /// Whether it had more content events than are kept; it is not looked at any further.
    fn is_full(&self) -> bool {
        self.content_events > MOST_CONTENT_EVENTS
    }

    /// An event carried content, and the read that brought it ended at `now`: a time that no two reads share.
    fn content(&mut self, now: Nanos) {
        self.content_events += 1;
        if self.is_full() {
            return;
        }
        self.first_content = self.first_content.or(Some(now));
        if let Some(last) = self.last_content.replace(now) {
            self.gaps.push(now.since(last));
            self.coalesced_events += u64::from(last == now);
        }
    }
}
