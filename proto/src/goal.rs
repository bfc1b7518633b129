//! What one request must keep to for whoever waits for it to be content.

use std::time::Duration;

use crate::assignment::{nanos, span};
use crate::{InvalidMessage, wire};

/// Bounds for one request, each inclusive. A success beyond one of them is late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Goal {
    /// Due to last byte.
    pub response_time: Option<Duration>,
    /// Of a stream: due to first content event.
    pub time_to_first_token: Option<Duration>,
    /// Of a stream: the mean of the gaps between its content events.
    pub mean_gap: Option<Duration>,
}

impl Goal {
    /// Nothing is late.
    pub const NONE: Goal = Goal { response_time: None, time_to_first_token: None, mean_gap: None };

    /// Whether nothing can be late.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether it bounds what only streams have.
    pub fn is_of_streams(self) -> bool {
        self.time_to_first_token.is_some() || self.mean_gap.is_some()
    }
}

impl From<Goal> for wire::Goal {
    fn from(goal: Goal) -> Self {
        wire::Goal {
            response_time_ns: goal.response_time.map(nanos),
            time_to_first_token_ns: goal.time_to_first_token.map(nanos),
            mean_gap_ns: goal.mean_gap.map(nanos),
        }
    }
}

impl TryFrom<wire::Goal> for Goal {
    type Error = InvalidMessage;

    fn try_from(goal: wire::Goal) -> Result<Self, InvalidMessage> {
        let bound = |field, nanos: Option<u64>| nanos.map(|nanos| span(field, nanos)).transpose();
        Ok(Self {
            response_time: bound("expectation.goal.response_time_ns", goal.response_time_ns)?,
            time_to_first_token: bound(
                "expectation.goal.time_to_first_token_ns",
                goal.time_to_first_token_ns,
            )?,
            mean_gap: bound("expectation.goal.mean_gap_ns", goal.mean_gap_ns)?,
        })
    }
}
