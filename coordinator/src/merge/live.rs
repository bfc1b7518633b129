//! What can be said of a block while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::counters::Counters;
use proto::latencies::Histogram;
use proto::outcome::FailureKind;

/// A block while it runs, for showing to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// How far the furthest worker's intervals reach, from the start of the block.
    pub elapsed: Duration,
    /// Requests that the schedule wanted so far.
    pub offered: u64,
    /// Requests that were given a connection so far.
    pub started: u64,
    /// Good answers so far.
    pub successes: u64,
    /// Failed requests so far.
    pub failed: u64,
    /// Arrivals beyond the limit of requests in flight so far.
    pub dropped: u64,
    /// The last second that every worker has reported; `None` before there is one.
    pub last_second: Option<LastSecond>,
    /// Successes a second of the last second in which the whole load was at work; `None` before there is one. The first one
    /// with answers is none, and neither is what is drained when the load has ended.
    pub steady_throughput: Option<f64>,
    /// Response times of all successes so far; `None` before there is one.
    pub so_far: Option<Percentiles>,
    /// Workers that have something to do and were not lost.
    pub workers_alive: u32,
    /// Workers that have something to do.
    pub workers: u32,
    /// Failed requests so far, by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Each worker of the fleet, in order.
    pub of_workers: Vec<LiveWorker>,
    /// Successes a second in each of the last seconds that every worker has reported, the oldest first; a minute at most.
    pub last_minute: Vec<f64>,
    /// Each scenario of a mix, in order; empty for no mix.
    pub parts: Vec<Live>,
}

/// All failures, by kind.
pub(super) fn failures<'a>(totals: impl Iterator<Item = &'a Counters>) -> BTreeMap<FailureKind, u64> {
    let mut failures: BTreeMap<FailureKind, u64> = BTreeMap::new();
    for (failure, count) in totals.flat_map(|totals| &totals.failures) {
        let sum = failures.entry(failure.kind).or_default();
        *sum = sum.saturating_add(*count);
    }
    failures
}

/// How many requests got a whole answer, good or bad: of the others nobody knows whether they came to the upstream.
pub(crate) fn answered(totals: &Counters) -> u64 {
    let whole = [FailureKind::Status, FailureKind::Body];
    let badly = totals.failures.iter().filter(|(failure, _)| whole.contains(&failure.kind));
    badly.fold(totals.successes, |sum, (_, count)| sum.saturating_add(*count))
}

/// One worker's part of a block while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveWorker {
    /// From 0.
    pub number: u32,
    /// How far it is.
    pub state: WorkerState,
    /// Its last interval that was long enough to mean something; `None` before there is one.
    pub reading: Option<WorkerReading>,
}

/// How far a worker is with its part of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// It has nothing to do.
    Idle,
    /// It makes its bodies and connections, and warms up.
    Preparing,
    /// It waits for the others.
    Ready,
    /// It loads the target.
    Running,
    /// It has reported its totals.
    Finished,
    /// It was given up.
    Lost,
}

/// What one worker reported of one interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerReading {
    /// Successes a second.
    pub throughput: f64,
    /// Cores that its process used.
    pub cores: f64,
    /// The 99th percentile from due to send; `None` when nothing succeeded.
    pub send_lag: Option<Duration>,
}

/// The last second that every worker has reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastSecond {
    /// Requests that the schedule wanted, a second.
    pub offered: f64,
    /// Successes a second.
    pub throughput: f64,
    /// Response times; `None` when nothing succeeded.
    pub response_time: Option<Percentiles>,
}

/// What is shown of a histogram while a block runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The 99th percentile.
    pub p99: Duration,
}

impl Percentiles {
    /// `None` for an empty histogram.
    pub fn of(histogram: &Histogram) -> Option<Self> {
        let at = |quantile| histogram.quantile(quantile).map(Duration::from_nanos);
        Some(Self { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)? })
    }
}
