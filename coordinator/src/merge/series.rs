//! The workers' intervals, second by second: open until every worker that still runs has passed, then sealed.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::counters::Counters;
use proto::interval::{Interval, PartResult};
use proto::latencies::{Histogram, Latencies};

use super::steady::Steady;
use super::{LastSecond, Percentiles, SeriesPoint};
use crate::plan::Block;

const MINUTE: usize = 60;
/// A rate over less is noise.
const SHORTEST_SECOND: f64 = 0.2;

/// Interval boundaries are the same on all workers, so a second is known by its start. Only open seconds hold decoded
/// histograms, of which each takes up to a quarter of a megabyte.
#[derive(Debug, Default)]
pub(super) struct Series {
    sealed: Vec<SeriesPoint>,
    open: BTreeMap<Duration, OpenSecond>,
    last: Option<LastSecond>,
    steady: Option<Steady>,
}

#[derive(Debug, Default)]
pub(super) struct OpenSecond {
    pub(super) end: Duration,
    /// Of the worker whose part of it is the shortest.
    pub(super) shortest_end: Duration,
    /// What each that reported it had of its successes.
    pub(super) workers: BTreeMap<u32, u64>,
    pub(super) counters: Counters,
    response_time: Histogram,
    time_to_first_token: Histogram,
}

impl Series {
    /// Of a whole block while it runs.
    pub(super) fn of_block(block: &Block, workers: u32) -> Self {
        Self { steady: Some(Steady::new(block, workers)), ..Self::default() }
    }

    /// Adds one worker's interval.
    pub(super) fn add(&mut self, worker: u32, interval: &Interval) {
        self.add_to(worker, interval, &interval.counters, &interval.latencies);
    }

    /// Adds what one scenario of a mix has of one worker's interval.
    pub(super) fn add_part(&mut self, worker: u32, interval: &Interval, part: &PartResult) {
        self.add_to(worker, interval, &part.counters, &part.latencies);
    }

    fn add_to(&mut self, worker: u32, interval: &Interval, counters: &Counters, latencies: &Latencies) {
        let second = self.open.entry(interval.start).or_default();
        let shortest = if second.workers.is_empty() { interval.end } else { second.shortest_end };
        second.shortest_end = shortest.min(interval.end);
        second.end = second.end.max(interval.end);
        let successes = second.workers.entry(worker).or_default();
        *successes = successes.saturating_add(counters.successes);
        second.counters.add(counters);
        second.response_time.merge(&latencies.response_time);
        second.time_to_first_token.merge(&latencies.time_to_first_token);
    }

    /// How many seconds have not been sealed.
    pub(super) fn open_seconds(&self) -> usize {
        self.open.len()
    }

    /// Seals every second that began before `passed`: no worker that still runs can add to it.
    pub(super) fn seal_before(&mut self, passed: Duration) {
        while let Some(second) = self.open.first_entry().filter(|second| *second.key() < passed) {
            let (start, second) = second.remove_entry();
            self.seal(start, &second);
        }
    }

    /// Seals what is still open.
    pub(super) fn finish(mut self) -> Vec<SeriesPoint> {
        for (start, second) in std::mem::take(&mut self.open) {
            self.seal(start, &second);
        }
        self.sealed
    }

    /// The last sealed second.
    pub(super) fn last(&self) -> Option<LastSecond> {
        self.last
    }

    /// Where the last second starts in which the whole load was at work; see [`Steady`].
    pub(super) fn last_steady(&self) -> Option<Duration> {
        self.steady.as_ref()?.last()
    }

    /// Successes a second of the sealed second that starts there.
    pub(super) fn throughput_from(&self, start: Duration) -> Option<f64> {
        let point = self.sealed.iter().rfind(|point| point.start == start)?;
        let seconds = point.end.saturating_sub(start).as_secs_f64();
        (seconds > 0.0).then(|| point.counters.successes as f64 / seconds)
    }

    /// Successes a second of the last sixty sealed seconds, the oldest first. Pieces of a second are put together again;
    /// what is left of one that is shorter than [`SHORTEST_SECOND`] is left out.
    pub(super) fn last_minute(&self) -> Vec<f64> {
        let mut seconds: Vec<(u64, u64, f64)> = Vec::with_capacity(MINUTE);
        for point in self.sealed.iter().rev() {
            let second = point.start.as_secs();
            let (successes, span) =
                (point.counters.successes, point.end.saturating_sub(point.start).as_secs_f64());
            let is_full = seconds.len() == MINUTE;
            match seconds.last_mut() {
                Some(last) if last.0 == second => *last = (second, last.1 + successes, last.2 + span),
                _ if is_full => break,
                _ => seconds.push((second, successes, span)),
            }
        }
        let whole = seconds.into_iter().rev().filter(|(_, _, span)| *span >= SHORTEST_SECOND);
        whole.map(|(_, successes, span)| successes as f64 / span).collect()
    }

    fn seal(&mut self, start: Duration, second: &OpenSecond) {
        let seconds = second.end.saturating_sub(start).as_secs_f64();
        if seconds > 0.0 {
            self.last = Some(LastSecond {
                offered: second.counters.offered as f64 / seconds,
                throughput: second.counters.successes as f64 / seconds,
                response_time: Percentiles::of(&second.response_time),
            });
        }
        if let Some(steady) = &mut self.steady {
            steady.pass(start, second);
        }
        self.sealed.push(SeriesPoint {
            start,
            end: second.end,
            workers: second.workers.len() as u32,
            successes_by_worker: by_worker(&second.workers),
            counters: second.counters.clone(),
            response_time: (&second.response_time).into(),
            time_to_first_token: (&second.time_to_first_token).into(),
        });
    }
}

/// In the order of the workers' numbers, up to the last that reported.
fn by_worker(successes: &BTreeMap<u32, u64>) -> Vec<u64> {
    let workers = successes.last_key_value().map_or(0, |(last, _)| *last + 1);
    (0..workers).map(|worker| successes.get(&worker).copied().unwrap_or_default()).collect()
}
