//! The load as it was asked for, as `report.json` holds it.

use proto::load::Arrivals;
use serde::{Deserialize, Serialize};

use super::StageRecord;

/// How requests came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LoadRecord {
    /// A fixed number in flight.
    Closed {
        /// Over the whole fleet.
        concurrency: u32,
        /// How long a connection rested after an answer; `None` for not at all.
        #[serde(default)]
        think_time: Option<ThinkTimeRecord>,
    },
    /// Arrivals that did not wait for the target.
    Open {
        /// Thousandths of a request a second, over the whole fleet; `None` where there were stages or a trace.
        rate_millihertz: Option<u64>,
        /// One after another, in place of a rate.
        #[serde(default)]
        stages: Vec<StageRecord>,
        /// The moments of a trace, in place of a rate.
        #[serde(default)]
        trace: Option<TraceRecord>,
        /// How they were spaced.
        #[serde(with = "ArrivalsRecord")]
        arrivals: Arrivals,
        /// Of each worker.
        connections: u32,
        /// Over the whole fleet; `None` for no limit.
        max_in_flight: Option<u64>,
    },
}

/// The moments at which requests were due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TraceRecord {
    /// How many.
    pub requests: u64,
    /// When the last one was.
    pub duration_ns: u64,
    /// Base64 of the gaps between them in nanoseconds (LEB128), DEFLATE-compressed.
    pub gaps_deflate: String,
}

/// A time, or a range from which it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThinkTimeRecord {
    /// The shortest.
    pub min_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// When a block was to end: at whichever came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExtentRecord {
    /// Over the whole fleet.
    pub requests: Option<u64>,
    /// From the start of the block.
    pub duration_ns: Option<u64>,
}

/// What went before the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WarmUpRecord {
    /// Nothing but making the connections.
    None,
    /// This many requests.
    Requests {
        /// Over the whole fleet.
        requests: u64,
    },
    /// This long.
    Duration {
        /// How long.
        duration_ns: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(remote = "Arrivals", rename_all = "snake_case")]
enum ArrivalsRecord {
    Constant,
    Poisson,
}
