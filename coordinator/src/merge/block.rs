//! Merging one block: what the workers send goes in, in any order across workers; a [`MeasuredBlock`] comes out.

use std::time::Duration;

use proto::counters::Counters;
use proto::interval::{Finished, Interval};
use proto::latencies::Histogram;
use proto::target::HttpVersion;

use super::live::{answered, failures};
use super::parts::PartsMerge;
use super::series::Series;
use super::worker::WorkerMerge;
use super::{Arrival, Live, MeasuredBlock, MeasuredWorker, Percentiles, StartSkew, WorkerEnd};
use crate::plan::Block;

/// An interval that cannot belong to the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// An interval is missing.
    #[error(
        "worker {worker} sent interval {received} where {expected} was due, so at least one is missing: \
         use the same version on both sides and run again"
    )]
    Gap {
        /// From 0.
        worker: u32,
        /// The sequence number that was due.
        expected: u64,
        /// The one that came.
        received: u64,
    },
    /// An interval that lies before the one before it.
    #[error(
        "worker {worker} sent interval {sequence} from {start:?} to {end:?} after it had reported up to {reported:?}: \
         use the same version on both sides and run again"
    )]
    Backwards {
        /// From 0.
        worker: u32,
        /// The interval's number.
        sequence: u64,
        /// When it starts, from the start of the block.
        start: Duration,
        /// When it ends, from the start of the block.
        end: Duration,
        /// The end of the interval before it.
        reported: Duration,
    },
    /// Of another mix than the block's.
    #[error(
        "worker {worker} sent interval {sequence} of {found} scenarios, and the mix has {expected}: use the same version on \
         both sides and run again"
    )]
    OtherMix {
        /// From 0.
        worker: u32,
        /// The interval's number.
        sequence: u64,
        /// Scenarios of the interval.
        found: usize,
        /// Scenarios of the block.
        expected: usize,
    },
    /// From a worker that has nothing to do in this block, has ended or was lost.
    #[error(
        "worker {worker} sent interval {sequence} though nothing was due from it any more, so it is not counted: \
         use the same version on both sides and run again"
    )]
    NotRunning {
        /// From 0.
        worker: u32,
        /// The interval's number.
        sequence: u64,
    },
}

/// A block while it runs.
///
/// Workers are numbered from 0; those beyond [`Block::active_workers`] are idle. Calls about a worker that the fleet
/// does not have are ignored.
#[derive(Debug)]
pub struct BlockMerge {
    block: Block,
    workers: Vec<WorkerMerge>,
    series: Series,
    parts: PartsMerge,
    response_times: Histogram,
}

impl BlockMerge {
    /// A block of which nothing has come yet, on a fleet of `workers`.
    pub fn new(block: Block, workers: u32) -> Self {
        let active = block.active_workers(workers);
        Self {
            parts: PartsMerge::new(block.mix.len(), workers as usize),
            series: Series::of_block(&block, active),
            block,
            workers: (0..workers).map(|number| WorkerMerge::new(number, number < active)).collect(),
            response_times: Histogram::new(),
        }
    }

    /// A worker is prepared and warm.
    pub fn ready(
        &mut self,
        worker: u32,
        threads: u32,
        warm_up: Counters,
        connections: u32,
        http_version: HttpVersion,
    ) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.measured.threads = threads;
            worker.measured.warm_up = warm_up;
            worker.measured.connections = connections;
            worker.measured.http_version = Some(http_version);
        }
    }

    /// Addresses of the target's name to which a worker makes no connections, because they accepted none.
    pub fn left_out(&mut self, worker: u32, addresses: Vec<String>) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.measured.addresses_left_out = addresses;
        }
    }

    /// A worker has made so many bodies.
    pub fn made(&mut self, worker: u32, bodies: u64) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.measured.bodies = bodies;
        }
    }

    /// A worker was told to start: `planned_start` on the coordinator's clock, from the fleet's first planned start.
    pub fn started(&mut self, worker: u32, planned_start: Duration, round_trip: Duration) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.planned_start = Some(planned_start);
            worker.measured.round_trip = round_trip;
        }
    }

    /// When a worker was told to start, on the coordinator's clock, from the fleet's planned start.
    pub fn planned_start(&mut self, worker: u32, offset: Duration) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.planned_start = Some(offset);
        }
    }

    /// Adds an interval. `false` when it had come before, as after a reconnect, and so changed nothing.
    ///
    /// # Errors
    /// When it cannot follow what the worker sent before; nothing is changed then.
    pub fn interval(&mut self, worker: u32, interval: &Interval) -> Result<bool, MergeError> {
        let duration = self.block.extent.duration();
        let (fits, expected_parts) = (self.parts.fit(interval), self.block.mix.len());
        let not_running = MergeError::NotRunning { worker, sequence: interval.sequence };
        let Some(sender) = self.worker_mut(worker) else { return Err(not_running) };

        let expected = sender.measured.intervals;
        if interval.sequence < expected {
            return Ok(false);
        }
        if !sender.running {
            return Err(not_running);
        }
        if interval.sequence > expected {
            return Err(MergeError::Gap { worker, expected, received: interval.sequence });
        }
        let reported = sender.measured.last_interval_end;
        if interval.start < reported || interval.end < interval.start {
            let Interval { sequence, start, end, .. } = *interval;
            return Err(MergeError::Backwards { worker, sequence, start, end, reported });
        }

        if !fits {
            let (sequence, found) = (interval.sequence, interval.parts.len());
            return Err(MergeError::OtherMix { worker, sequence, found, expected: expected_parts });
        }

        sender.add(interval, duration);
        self.parts.add(worker, interval, duration);
        self.response_times.merge(&interval.latencies.response_time);
        self.series.add(worker, interval);
        self.seal();
        Ok(true)
    }

    /// The report of an interval came at this time.
    pub fn arrived(&mut self, worker: u32, arrival: Arrival) {
        if let Some(worker) = self.worker_mut(worker) {
            worker.arrived(arrival);
        }
    }

    /// A worker has ended and says what it did; whether that agrees with its intervals is noted.
    pub fn finished(&mut self, worker: u32, finished: Finished) {
        let disagreement = self.parts.disagreement(worker, &finished);
        if let Some(worker) = self.worker_mut(worker).filter(|worker| worker.running) {
            worker.finish(&finished);
            worker.measured.mismatch = worker.measured.mismatch.take().or(disagreement);
            self.seal();
        }
    }

    /// A worker is given up; what it had sent counts. `why` is a sentence.
    pub fn lost(&mut self, worker: u32, why: impl Into<String>) {
        if let Some(worker) = self.worker_mut(worker).filter(|worker| worker.running) {
            worker.lose(why.into());
            self.seal();
        }
    }

    /// Whether there are requests, of the warm-up or of the load, to which no whole answer has come.
    pub fn has_given_up(&self) -> bool {
        let counts =
            self.workers.iter().flat_map(|worker| [&worker.measured.warm_up, &worker.measured.totals]);
        counts.into_iter().any(|counts| counts.started > answered(counts))
    }

    /// Whether nothing more can come: every worker is idle, has finished or was lost.
    pub fn is_complete(&self) -> bool {
        self.workers.iter().all(|worker| !worker.running)
    }

    /// The block so far.
    pub fn live(&self) -> Live {
        let measured = || self.workers.iter().map(|worker| &worker.measured);
        let sum = |count: fn(&Counters) -> u64| {
            measured().fold(0, |sum: u64, worker| sum.saturating_add(count(&worker.totals)))
        };
        let active = measured().filter(|worker| worker.end != WorkerEnd::Idle).count();
        let lost = self.workers.iter().filter(|worker| is_lost(worker)).count();
        let steady = self.series.last_steady();
        let whole = Live {
            elapsed: measured().map(|worker| worker.last_interval_end).max().unwrap_or_default(),
            offered: sum(|totals| totals.offered),
            started: sum(|totals| totals.started),
            successes: sum(|totals| totals.successes),
            failed: sum(Counters::failed),
            dropped: sum(|totals| totals.dropped),
            last_second: self.series.last(),
            steady_throughput: steady.and_then(|start| self.series.throughput_from(start)),
            so_far: Percentiles::of(&self.response_times),
            workers_alive: (active - lost) as u32,
            workers: active as u32,
            failures: failures(measured().map(|worker| &worker.totals)),
            of_workers: self.workers.iter().map(WorkerMerge::live).collect(),
            last_minute: self.series.last_minute(),
            parts: Vec::new(),
        };
        Live { parts: self.parts.live(&whole, steady), ..whole }
    }

    /// The block as it stands; a worker that has not reported its totals counts as lost.
    pub fn finish(mut self, interrupted: bool) -> MeasuredBlock {
        if interrupted {
            for worker in self.workers.iter_mut().filter(|worker| worker.running) {
                worker.lose("the run was interrupted before it reported its totals".into());
            }
        }
        let start_skew = start_skew(&self.workers);
        let first_start = self.workers.iter().filter_map(|worker| Some(worker.start()?.0)).min();
        let with_offset = |worker: WorkerMerge| MeasuredWorker {
            start_offset: worker.start().zip(first_start).map(|(start, first)| start.0.saturating_sub(first)),
            ..worker.measured
        };
        MeasuredBlock {
            block: self.block,
            workers: self.workers.into_iter().map(with_offset).collect(),
            series: self.series.finish(),
            started: None,
            start_skew,
            interrupted,
            aborted: None,
            witness: None,
            unwitnessed: None,
            parts: self.parts.finish(),
        }
    }

    fn worker_mut(&mut self, number: u32) -> Option<&mut WorkerMerge> {
        self.workers.get_mut(number as usize)
    }

    /// Seals the seconds to which no running worker can add: each sends its intervals in order.
    fn seal(&mut self) {
        let running = self.workers.iter().filter(|worker| worker.running);
        let slowest = running.map(|worker| worker.measured.last_interval_end).min();
        self.series.seal_before(slowest.unwrap_or(Duration::MAX));
        self.parts.seal_before(slowest.unwrap_or(Duration::MAX));
    }
}

fn is_lost(worker: &WorkerMerge) -> bool {
    !worker.running && matches!(worker.measured.end, WorkerEnd::Lost { .. })
}

fn start_skew(workers: &[WorkerMerge]) -> StartSkew {
    let starts = || workers.iter().filter_map(WorkerMerge::start);
    let first = starts().map(|(first, _)| first).min().unwrap_or_default();
    let last = starts().map(|(_, last)| last).max().unwrap_or_default();
    let round_trip = workers.iter().map(|worker| worker.measured.round_trip).max().unwrap_or_default();
    StartSkew { spread: last.saturating_sub(first), uncertainty: round_trip / 2 }
}
