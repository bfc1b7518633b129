//! A place for one request at a time, and what that request is doing.

use super::backoff::Backoff;
use super::deal::Ticket;
use crate::answer::Answer;
use crate::clock::Nanos;

/// A place for one request at a time.
#[derive(Debug)]
pub(super) struct Slot<C> {
    /// What carries its requests.
    pub(super) carrier: C,
    pub(super) state: State,
    /// When the schedule wanted the current request sent.
    pub(super) due: Nanos,
    /// Just before the current request's first byte was written; `Nanos::ZERO` until then.
    pub(super) sent: Nanos,
    /// Just after the read that brought the first byte of the current answer; `Nanos::ZERO` until then.
    pub(super) first: Nanos,
    /// Which of the thread's requests the current one is.
    pub(super) ticket: Ticket,
    pub(super) answer: Answer,
    pub(super) backoff: Backoff,
}

/// What a slot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for work; connected or not.
    Idle,
    /// Connects before the block, without a request.
    Opening,
    /// Has a request that has not been written in full, perhaps because the connection is still being made.
    Sending,
    /// Waits for the rest of the answer.
    Receiving,
    /// Must not take its next request yet: after a failure, or because a user would think.
    Resting,
}

impl<C: Default> Slot<C> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            carrier: C::default(),
            state: State::Idle,
            due: Nanos::ZERO,
            sent: Nanos::ZERO,
            first: Nanos::ZERO,
            ticket: Ticket::default(),
            answer: Answer::default(),
            backoff: Backoff::new(seed),
        }
    }

    /// Whether it has a request that has not come to an end.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Sending | State::Receiving)
    }
}
