//! A place for one connection, and what its request is doing.

use super::backoff::Backoff;
use crate::answer::Answer;
use crate::clock::Nanos;
use crate::http1::connection::Connection;
use crate::http1::response::Response;
use crate::outcome::Stage;

/// A place for one connection.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) connection: Option<Connection>,
    /// Which of the job's ways the connection took.
    pub(super) way: usize,
    pub(super) state: State,
    /// When the schedule wanted the current request sent.
    pub(super) due: Nanos,
    /// Just before the current request's first byte was written; `Nanos::ZERO` until then.
    pub(super) sent: Nanos,
    /// Just after the read that brought the first byte of the current answer; `Nanos::ZERO` until then.
    pub(super) first: Nanos,
    /// The current request's number among those of its thread.
    pub(super) request: u64,
    pub(super) response: Response,
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

impl Slot {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            connection: None,
            way: 0,
            state: State::Idle,
            due: Nanos::ZERO,
            sent: Nanos::ZERO,
            first: Nanos::ZERO,
            request: 0,
            response: Response::default(),
            answer: Answer::default(),
            backoff: Backoff::new(seed),
        }
    }

    /// Whether it has a request that has not come to an end.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Sending | State::Receiving)
    }

    /// How far the current request has come.
    pub(super) fn stage(&self) -> Stage {
        match &self.connection {
            Some(connection) if connection.is_ready() => self.response.stage(),
            _ => Stage::Connecting,
        }
    }
}
