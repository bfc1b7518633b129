//! How far a search was allowed to go, so that it can be gone over again.

use std::time::Duration;

use proto::load::Rate;
use serde::{Deserialize, Serialize};

use super::nanos;
use crate::capacity::Bounds;

/// How far a search was allowed to go, and how closely it was to look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BoundsRecord {
    /// The first rate, in thousandths of a request a second.
    pub start_millihertz: u64,
    /// The highest rate that would have been tried, in thousandths of a request a second.
    pub most_millihertz: u64,
    /// How far above the highest rate that held the lowest that did not may lie, as a part of it.
    pub precision: f64,
    /// How long the first steps were to take.
    pub step_ns: u64,
    /// How long all steps were allowed to take together.
    pub time_ns: u64,
    /// How many requests all steps were allowed to offer together.
    pub requests: u64,
}

impl From<Bounds> for BoundsRecord {
    fn from(bounds: Bounds) -> Self {
        Self {
            start_millihertz: bounds.start.millihertz(),
            most_millihertz: bounds.most.millihertz(),
            precision: bounds.precision,
            step_ns: nanos(bounds.step),
            time_ns: nanos(bounds.time),
            requests: bounds.requests,
        }
    }
}

impl BoundsRecord {
    /// `None` where a rate is none.
    pub(super) fn content(&self) -> Option<Bounds> {
        Some(Bounds {
            start: Rate::from_millihertz(self.start_millihertz)?,
            most: Rate::from_millihertz(self.most_millihertz)?,
            precision: self.precision,
            step: Duration::from_nanos(self.step_ns),
            time: Duration::from_nanos(self.time_ns),
            requests: self.requests,
        })
    }
}
