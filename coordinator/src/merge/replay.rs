//! A block worked out once more from a log of its intervals, in the way in which the run itself did.

use std::time::Duration;

use proto::interval::Interval;

use super::parts::{MeasuredPart, PartsMerge};
use super::series::Series;
use super::worker::WorkerMerge;
use super::{Arrival, MeasuredWorker, SeriesPoint};

/// More seconds than any lease lets one worker be ahead of another: each that is open takes up to two megabytes.
const MOST_OPEN_SECONDS: usize = 600;

/// The log of one block, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Replay {
    duration: Option<Duration>,
    workers: Vec<WorkerMerge>,
    /// How many intervals each worker's log should hold.
    expected: Vec<u64>,
    series: Series,
    parts: PartsMerge,
}

impl Replay {
    /// Of a block with this duration, if it has one, and so many scenarios that are mixed. `intervals` says how many there
    /// should be of each worker.
    pub(crate) fn new(
        duration: Option<Duration>,
        intervals: impl Iterator<Item = u64>,
        parts: usize,
    ) -> Self {
        let expected: Vec<u64> = intervals.collect();
        let workers = (0..expected.len() as u32).map(|number| WorkerMerge::new(number, true)).collect();
        let parts = PartsMerge::new(parts, expected.len());
        Self { duration, workers, expected, series: Series::default(), parts }
    }

    /// Adds a worker's next interval.
    ///
    /// # Errors
    /// What is wrong with it, to be read after "it".
    pub(crate) fn add(&mut self, worker: u32, interval: &Interval, arrival: Arrival) -> Result<(), String> {
        let Some(sender) = self.workers.get_mut(worker as usize) else {
            return Err(format!("speaks of worker {worker}, which the record lacks"));
        };
        let (due, found) = (sender.measured.intervals, interval.sequence);
        if found != due {
            return Err(format!("holds interval {found} of worker {worker} where {due} was due"));
        }
        if interval.start < sender.measured.last_interval_end || interval.end < interval.start {
            return Err(format!("goes back in time, in interval {found} of worker {worker}"));
        }
        if !self.parts.fit(interval) {
            return Err(format!("is of another mix, in interval {found} of worker {worker}"));
        }
        sender.add(interval, self.duration);
        self.parts.add(worker, interval, self.duration);
        sender.arrived(arrival);
        self.series.add(worker, interval);
        self.series.seal_before(self.slowest());
        self.parts.seal_before(self.slowest());
        if self.series.open_seconds() > MOST_OPEN_SECONDS {
            return Err(format!("lies {MOST_OPEN_SECONDS} seconds ahead of another worker"));
        }
        Ok(())
    }

    /// Each worker as the log has it, all workers second by second, and each scenario of a mix.
    pub(crate) fn finish(self) -> (Vec<ReplayedWorker>, Vec<SeriesPoint>, Vec<MeasuredPart>) {
        let worker =
            |worker: WorkerMerge| ReplayedWorker { last_ended: worker.last_ended, measured: worker.measured };
        (self.workers.into_iter().map(worker).collect(), self.series.finish(), self.parts.finish())
    }

    /// How far the slowest has come of those that have not sent all.
    fn slowest(&self) -> Duration {
        let running = self.workers.iter().zip(&self.expected);
        let running = running.filter(|(worker, expected)| worker.measured.intervals < **expected);
        running.map(|(worker, _)| worker.measured.last_interval_end).min().unwrap_or(Duration::MAX)
    }
}

/// What a log says of one worker.
#[derive(Debug)]
pub(crate) struct ReplayedWorker {
    /// Only what comes from intervals means something.
    pub(crate) measured: MeasuredWorker,
    /// The last interval in which a request came to its end, from its start to its end.
    pub(crate) last_ended: Option<(Duration, Duration)>,
}
