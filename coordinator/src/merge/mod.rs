//! What the workers' intervals add up to: totals of each worker, totals of all, and a series over time.

use std::time::Duration;

use jiff::ZonedDateTime;
use proto::counters::Counters;
use proto::interval::{EndReason, HostReading};
use proto::latencies::{Histogram, Latencies};
use proto::target::HttpVersion;

use crate::plan::Block;

mod arrival;
mod block;
mod compare;
mod live;
mod parts;
mod replay;
mod series;
mod steady;
mod worker;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use arrival::Arrival;
pub use block::{BlockMerge, MergeError};
pub(crate) use compare::{completion_problem, counters_difference, latencies_difference};
pub(crate) use live::answered;
pub use live::{LastSecond, Live, LiveWorker, Percentiles, WorkerReading, WorkerState};
pub(crate) use parts::whole_difference;
pub use parts::{MeasuredPart, PartSum};
pub(crate) use replay::{Replay, ReplayedWorker};
pub(crate) use steady::SHORTEST_WHOLE_SECOND;

/// A block after it has run.
#[derive(Debug, Clone)]
pub struct MeasuredBlock {
    /// What was asked for.
    pub block: Block,
    /// One entry per worker of the fleet, in order; idle ones too.
    pub workers: Vec<MeasuredWorker>,
    /// All workers together, second by second.
    pub series: Vec<SeriesPoint>,
    /// When its load began, on the coordinator's clock; `None` where it never did.
    pub started: Option<ZonedDateTime>,
    /// How far apart the workers began.
    pub start_skew: StartSkew,
    /// Whether it was cut short by the user.
    pub interrupted: bool,
    /// Why it was ended before its time, where that was not the user's doing; in a clause.
    pub aborted: Option<String>,
    /// What the upstream says of it; `None` where it says nothing.
    pub witness: Option<Witnessed>,
    /// Why what it says could not be told from what came before the block, in a clause.
    pub unwitnessed: Option<String>,
    /// What each scenario of a mix adds up to; empty for no mix.
    pub parts: Vec<MeasuredPart>,
}

/// What the upstream saw from just before the load until it had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed {
    /// Completions that it was asked for.
    pub requests: u64,
    /// Completions that it answered to the end.
    pub answered: u64,
    /// From when it had read a request until its answer was complete, summed over those.
    pub service_time: Duration,
}

/// One worker's part of a block.
#[derive(Debug, Clone)]
pub struct MeasuredWorker {
    /// From 0.
    pub number: u32,
    /// How it ended.
    pub end: WorkerEnd,
    /// Connections that it was to hold.
    pub connections: u32,
    /// What it spoke with the target; `None` when it never said.
    pub http_version: Option<HttpVersion>,
    /// Engine threads that it used.
    pub threads: u32,
    /// Addresses of the target's name that accepted no connection, so that none went there.
    pub addresses_left_out: Vec<String>,
    /// Bodies that it made before the load; 0 where all requests are the same.
    pub bodies: u64,
    /// What the warm-up did; never part of a figure.
    pub warm_up: Counters,
    /// The sum of its intervals.
    pub totals: Counters,
    /// Successes in intervals that ended within the block's duration; all of them where the block has none.
    pub successes_in_window: u64,
    /// Requests started in intervals that ended within the block's duration; all of them where the block has none.
    pub started_in_window: u64,
    /// The sum of its intervals.
    pub latencies: Latencies,
    /// How many intervals arrived.
    pub intervals: u64,
    /// When its last interval ended, from the start of the block.
    pub last_interval_end: Duration,
    /// When its first thread began, against the fleet's first; `None` when it never said.
    pub start_offset: Option<Duration>,
    /// Half of this is how well `start_offset` is known.
    pub round_trip: Duration,
    /// The longest that a report of an interval took to come, from the interval's end.
    pub report_delay: Duration,
    /// The furthest that an interval ended after its report had come, which no clock that goes right can say.
    pub clock_advance: Duration,
    /// The highest readings of any interval; shares only of intervals that are long enough to mean something.
    pub host: HostReading,
    /// How its totals disagree with the sum of its intervals; `None` when they agree or never came.
    pub mismatch: Option<String>,
}

/// How a worker's part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEnd {
    /// It had no connection and so nothing to do.
    Idle,
    /// It reported its totals.
    Finished {
        /// Why its engine ended.
        reason: EndReason,
        /// From the start of the block; `None` when no request completed.
        last_completion: Option<Duration>,
        /// How much later than asked its first thread began.
        start_lateness_min: Duration,
        /// How much later than asked its last thread began.
        start_lateness_max: Duration,
    },
    /// It was lost; what it had sent counts.
    Lost {
        /// In a sentence.
        why: String,
    },
}

/// All workers together in one span.
#[derive(Debug, Clone)]
pub struct SeriesPoint {
    /// From the start of the block.
    pub start: Duration,
    /// From the start of the block.
    pub end: Duration,
    /// How many workers reported this span.
    pub workers: u32,
    /// What each worker had of the successes, from worker 0 on; none for those after the last that reported.
    pub successes_by_worker: Vec<u64>,
    /// The sum.
    pub counters: Counters,
    /// Due to last byte, of successes; encoded, because decoded it takes up to a quarter of a megabyte.
    pub response_time: EncodedHistogram,
    /// Due to first content event, of successful streams. The other histograms are only summed up over the block: a run
    /// of hours has many seconds.
    pub time_to_first_token: EncodedHistogram,
}

/// A histogram in the V2 DEFLATE encoding, with what that encoding has no room for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedHistogram {
    /// Empty when there are no values.
    pub v2_deflate: Vec<u8>,
    /// Values below the bounds.
    pub below_range: u64,
    /// Values above the bounds.
    pub above_range: u64,
}

impl From<&Histogram> for EncodedHistogram {
    fn from(histogram: &Histogram) -> Self {
        Self {
            v2_deflate: histogram.encode(),
            below_range: histogram.below_range(),
            above_range: histogram.above_range(),
        }
    }
}

/// How far apart the workers began, on the coordinator's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartSkew {
    /// From the first worker's first thread to the last worker's last thread, of the workers that reported it.
    pub spread: Duration,
    /// Half the largest round trip: how well `spread` is known.
    pub uncertainty: Duration,
}
