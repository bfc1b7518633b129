//! What the engine's shards are told and what they tell: the only things that pass between threads.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use proto::interval::EndReason;
use proto::load::Load;
use proto::mix::Deal;

use super::deal::{Dealer, Ticket};
use super::recorder::Recorder;
use super::schedule::{Lane, Limit};
use crate::answer::Criteria;
use crate::clock::Nanos;
use crate::host::ThreadReading;
use crate::tls::TargetTls;
use crate::way::Way;

/// What all shards of an engine have in common.
#[derive(Debug)]
pub struct Job {
    /// Where connections go, in turn.
    pub ways: Vec<Way>,
    /// How they are encrypted.
    pub tls: Option<TargetTls>,
    /// What comes back: of the one scenario, or of each of a mix.
    pub answers: Vec<Answers>,
    /// Which scenario of a mix each request is of; `None` for no mix.
    pub deal: Option<Deal>,
    /// How requests come about.
    pub load: Load,
    /// The same before the measurement.
    pub warm_up_load: Load,
    /// Where spans end, beside every whole second; in order.
    pub cuts: Vec<Nanos>,
    /// When the warm-up ends; `None` for no warm-up.
    pub warm_up: Option<Limit>,
    /// When the measurement ends.
    pub limit: Limit,
    /// From the moment a request is given a connection until its last byte.
    pub timeout: Nanos,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Seeds Poisson arrivals and back-off.
    pub seed: u64,
}

/// What comes back of one scenario.
#[derive(Debug)]
pub struct Answers {
    /// Whether the request's method is HEAD, whose answers have no body.
    pub is_head: bool,
    /// What a good answer is.
    pub criteria: Criteria,
}

impl Job {
    /// What a good answer to that request is.
    #[inline]
    pub fn criteria(&self, ticket: Ticket) -> &Criteria {
        &self.answers[ticket.part()].criteria
    }

    /// Whether the answer to that request has no body whatever it says.
    #[inline]
    pub fn is_head(&self, ticket: Ticket) -> bool {
        self.answers[ticket.part()].is_head
    }

    /// Who deals a lane's requests, where they are of a mix.
    pub fn dealer(&self, load: &Load, lane: Lane) -> Option<Dealer> {
        Some(Dealer::new(self.deal.as_ref()?, self.answers.len(), load, lane))
    }

    /// An empty recorder.
    pub fn recorder(&self) -> Recorder {
        Recorder::of_parts(if self.deal.is_some() { self.answers.len() } else { 0 })
    }
}

/// What the engine tells its shards.
#[derive(Debug)]
pub struct Control {
    /// When to begin; `u64::MAX` while that is not known.
    start: AtomicU64,
    stop: AtomicU8,
}

impl Default for Control {
    fn default() -> Self {
        Self { start: AtomicU64::new(u64::MAX), stop: AtomicU8::new(0) }
    }
}

impl Control {
    /// Sets the moment of the start.
    pub fn start_at(&self, at: Nanos) {
        self.start.store(at.0, Ordering::Release);
    }

    /// The moment of the start; `Nanos::MAX` while it is not known.
    pub fn start(&self) -> Nanos {
        Nanos(self.start.load(Ordering::Acquire))
    }

    /// Starts nothing more; the first reason stands.
    pub fn stop(&self, reason: EndReason) {
        let code = if reason == EndReason::Lease { 2 } else { 1 };
        let _ = self.stop.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why to stop; `None` to go on.
    #[inline]
    pub fn stop_reason(&self) -> Option<EndReason> {
        match self.stop.load(Ordering::Acquire) {
            0 => None,
            2 => Some(EndReason::Lease),
            _ => Some(EndReason::Stopped),
        }
    }
}

/// What a shard tells the collector. Times count from the start of the block.
#[derive(Debug)]
pub enum Report {
    /// Connected and warmed up.
    Prepared {
        /// What the warm-up did.
        warm_up: Recorder,
    },
    /// The measurement has begun.
    Started,
    /// One span is over.
    Span {
        /// Number of the span, from 0.
        index: u64,
        /// Beginning of the span.
        start: Nanos,
        /// End of the span.
        end: Nanos,
        /// What happened in it.
        recorder: Recorder,
        /// How hard the thread worked in it.
        thread: ThreadReading,
    },
    /// The shard has ended; there are no more spans.
    Ended(ShardEnd),
}

/// How a shard ended.
#[derive(Debug, Clone, Copy)]
pub struct ShardEnd {
    /// How much later than asked it began; `None` when it never did.
    pub start_lateness: Option<Nanos>,
    /// When its last request came to an end; `None` when none did.
    pub last_completion: Option<Nanos>,
    /// Whether its share of the requests was done.
    pub by_requests: bool,
}
