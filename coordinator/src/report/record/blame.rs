//! Whether a step failed because of the machines that carried the load, or because of the target.

use std::time::Duration;

use super::{BlockRecord, FailureKind};
use crate::capacity::Limit;
use crate::statistics::thresholds::Judged;
use crate::threshold::{Metric, Quantity, Threshold};

/// What a step came short of.
pub(super) struct Shortcoming<'a> {
    /// More and more requests waited.
    pub(super) grows: bool,
    /// The first objective that was missed.
    pub(super) missed: Option<&'a Judged>,
    /// How many requests were due and not answered in the end.
    pub(super) waiting: u64,
    /// What an answer takes where the target keeps up; `None` where that is not known.
    pub(super) usual: Option<Duration>,
}

/// An engine thread that ran, or waited for a core, for no more of its worst second had time left in every second to catch up
/// with what it was late with.
const MOST_OCCUPIED: f64 = 0.9;
/// A wait may lie across the end of a second, which counts half of it.
const SECONDS_OF_A_WAIT: f64 = 2.0;
/// Answers that take so much longer than usual wait for each other in the target.
const MUCH_LONGER: f64 = 1.5;

impl BlockRecord {
    /// What of the machines that carried the load made the step fail that ran as this block, and what speaks for that, in a
    /// clause; `None` where it was the target.
    pub(super) fn blame(&self, short: &Shortcoming<'_>) -> Option<(Limit, String)> {
        if let Some(reason) = self.too_few_connections(short) {
            return Some((Limit::Connections, reason));
        }
        let found = |rule: &str| self.findings.iter().find(|finding| finding.rule == rule);
        if let Some(busy) = found("generator_cpu") {
            return Some((Limit::Threads, busy.reason.clone()));
        }
        let starved = found("starved")?;
        (!self.is_the_targets(short)).then(|| (Limit::Cores, starved.reason.clone()))
    }

    /// Where more requests wait than there are connections, the target has as many as it will ever have. If it answers them
    /// as fast as ever, it might answer more.
    fn too_few_connections(&self, short: &Shortcoming<'_>) -> Option<String> {
        let (places, usual) = (self.places(), short.usual?);
        let takes = Duration::from_nanos(self.figures.service_time.as_ref()?.p50_ns);
        (short.waiting > places && takes < usual.mul_f64(MUCH_LONGER)).then(|| {
            format!(
                "the generator was the bottleneck: all {places} places for requests were taken, and answers took no longer than \
                 at lower rates: use more --connections or workers"
            )
        })
    }

    /// How many requests can be under way.
    fn places(&self) -> u64 {
        let connections: u64 = self.workers.iter().map(|worker| u64::from(worker.connections)).sum();
        connections.saturating_mul(self.streams.into())
    }

    /// Whether a step would have failed also if no engine thread had waited for a core.
    fn is_the_targets(&self, short: &Shortcoming<'_>) -> bool {
        let lost = |worker: &super::WorkerRecord| {
            worker.host.scheduler_lag + worker.host.steal * f64::from(worker.threads.max(1))
        };
        let most = |of: &dyn Fn(&super::WorkerRecord) -> f64| self.workers.iter().map(of).fold(0.0, f64::max);
        if most(&|worker| worker.host.busiest_thread + lost(worker)) > MOST_OCCUPIED {
            return false;
        }
        // What is caught up with in every second makes no queue that grows from each to the next.
        short.grows || short.missed.is_some_and(|missed| self.is_missed_without(missed, most(&lost)))
    }

    /// Whether an objective would be missed also without so many waits a second.
    fn is_missed_without(&self, missed: &Judged, waits: f64) -> bool {
        let Ok(objective) = missed.threshold.parse::<Threshold>() else { return false };
        match (objective.metric, missed.measured, objective.bound) {
            (Metric::Time(..), Some(Quantity::Nanos(found)), Quantity::Nanos(bound)) => {
                found - SECONDS_OF_A_WAIT * waits * 1e9 > bound
            }
            (Metric::Failed, ..) => {
                let is_of_waits =
                    |kind: FailureKind| [FailureKind::Timeout, FailureKind::Connect].contains(&kind);
                !self.totals.failures.iter().any(|failure| is_of_waits(failure.kind))
            }
            _ => false,
        }
    }

    /// How many more workers would have carried this step with room to spare.
    pub(super) fn more_workers(&self, limit: Option<Limit>) -> u32 {
        let workers = self.workers.len() as f64;
        let needed = match limit {
            Some(Limit::Connections) => workers * self.wanted_places() / (self.places().max(1) as f64),
            _ => {
                let busiest =
                    self.workers.iter().map(|worker| worker.host.busiest_thread + worker.host.scheduler_lag);
                workers * busiest.fold(0.0, f64::max)
            }
        };
        ((needed / COMFORTABLE).ceil() - workers).max(1.0) as u32
    }

    /// How many requests would be under way at this rate, were there room for them (Little's law).
    fn wanted_places(&self) -> f64 {
        let takes = self.figures.service_time.as_ref().map_or(0, |times| times.p50_ns);
        self.figures.offered_rate.unwrap_or_default() * takes as f64 / 1e9
    }
}

/// An engine thread that is this busy has room for bursts, and so have connections.
const COMFORTABLE: f64 = 0.6;

#[cfg(test)]
mod tests;
