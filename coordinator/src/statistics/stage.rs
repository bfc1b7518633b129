//! One stage's share of a block's figures.

use proto::counters::Counters;
use proto::latencies::Histogram;
use serde::{Deserialize, Serialize};

use super::{Distribution, Window};

/// What came of one stage: what happened in it, whenever it had been due. Times in nanoseconds, rates a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StageFigures {
    /// From the start of the block.
    pub start_ns: u64,
    /// From the start of the block.
    pub end_ns: u64,
    /// How much of it lies in the block's window: all of it, unless the block was cut short.
    pub measured_ns: u64,
    /// Requests that fell due in it.
    pub offered: u64,
    /// Requests that were given a connection.
    pub requests: u64,
    /// Good answers.
    pub successes: u64,
    /// All others that came to an end.
    pub failed: u64,
    /// Arrivals beyond the limit of requests in flight.
    pub dropped: u64,
    /// Offered ÷ what was measured; `None` when nothing was.
    pub offered_rate: Option<f64>,
    /// Requests started ÷ what was measured.
    pub achieved_rate: Option<f64>,
    /// Successes ÷ what was measured.
    pub throughput: Option<f64>,
    /// Due to last byte, of successes.
    pub response_time: Option<Distribution>,
    /// Due to first content event, of successful streams.
    pub time_to_first_token: Option<Distribution>,
}

/// The sum of the spans within a stage.
#[derive(Debug, Clone, Default)]
pub struct StageSum {
    /// Their counts.
    pub counters: Counters,
    /// Their response times.
    pub response_time: Histogram,
    /// Their times to first token.
    pub time_to_first_token: Histogram,
}

impl StageFigures {
    /// Of a stage from `start_ns` to `end_ns`, in blocks with these windows: measured is the sum over them.
    pub fn of(
        (start_ns, end_ns): (u64, u64),
        windows: impl IntoIterator<Item = Window>,
        sum: &StageSum,
    ) -> Self {
        let StageSum { counters, response_time, time_to_first_token } = sum;
        let measured = |window: Window| window.length_ns.min(end_ns).saturating_sub(start_ns);
        let measured_ns = windows.into_iter().map(measured).fold(0, u64::saturating_add);
        let rate = |count: u64| (measured_ns > 0).then(|| count as f64 * 1e9 / measured_ns as f64);
        Self {
            start_ns,
            end_ns,
            measured_ns,
            offered: counters.offered,
            requests: counters.started,
            successes: counters.successes,
            failed: counters.failed(),
            dropped: counters.dropped,
            offered_rate: rate(counters.offered),
            achieved_rate: rate(counters.started),
            throughput: rate(counters.successes),
            response_time: Distribution::of(response_time),
            time_to_first_token: Distribution::of(time_to_first_token),
        }
    }
}
