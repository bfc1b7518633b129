//! The common window: what every rate of a block is taken over.

use std::time::Duration;

use proto::interval::EndReason;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::merge::{MeasuredWorker, WorkerEnd};

/// A span from the common start, in which what is counted is divided by its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Window {
    /// How long it is.
    pub length_ns: u64,
    /// How its end was chosen.
    pub end: WindowEnd,
}

/// How a window's end was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WindowEnd {
    /// The block's duration: what completed after it was drained, and is no part of a rate.
    Duration,
    /// The last completion of any worker: all requests had been made.
    LastCompletion,
    /// The end of the last interval that arrived: the block was cut short.
    LastInterval,
}

impl Window {
    /// The window of a block.
    pub fn of(evidence: &Evidence<'_>) -> Self {
        let duration = evidence.extent.duration();
        let (end, length) = if evidence.is_cut() || all_lost(evidence.workers) {
            (WindowEnd::LastInterval, longest(evidence.workers, |worker| Some(worker.last_interval_end)))
        } else if duration.is_none() || all_requests_made(evidence.workers) {
            (WindowEnd::LastCompletion, longest(evidence.workers, last_activity))
        } else {
            (WindowEnd::Duration, duration.unwrap_or_default())
        };
        match duration {
            Some(duration) if length >= duration => Self::new(duration, WindowEnd::Duration),
            _ => Self::new(length, end),
        }
    }

    /// This one behind those before it, as one: the sum of their lengths.
    pub fn after(self, before: Option<Self>) -> Self {
        let length_ns = self.length_ns.saturating_add(before.map_or(0, |before| before.length_ns));
        let is_cut = before.is_some_and(|before| before.end == WindowEnd::LastInterval);
        Self { length_ns, end: if is_cut { WindowEnd::LastInterval } else { self.end } }
    }

    /// `count` a second; `None` when the window has no length.
    pub fn rate(self, count: u64) -> Option<f64> {
        (self.length_ns > 0).then(|| count as f64 * 1e9 / self.length_ns as f64)
    }

    /// From the first worker's last completion to the last one's, where the window ends with it.
    pub(super) fn tail_ns(self, evidence: &Evidence<'_>) -> Option<u64> {
        let completions = || evidence.workers.iter().filter_map(last_completion);
        let (first, last) = completions().min().zip(completions().max())?;
        (self.end == WindowEnd::LastCompletion && completions().count() > 1)
            .then(|| nanos(last.saturating_sub(first)))
    }

    fn new(length: Duration, end: WindowEnd) -> Self {
        Self { length_ns: nanos(length), end }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn longest(workers: &[MeasuredWorker], end: impl Fn(&MeasuredWorker) -> Option<Duration>) -> Duration {
    workers.iter().filter_map(end).max().unwrap_or_default()
}

fn last_completion(worker: &MeasuredWorker) -> Option<Duration> {
    match worker.end {
        WorkerEnd::Finished { last_completion, .. } => last_completion,
        WorkerEnd::Idle | WorkerEnd::Lost { .. } => None,
    }
}

/// A lost worker's last completion is known only to lie within its last interval.
fn last_activity(worker: &MeasuredWorker) -> Option<Duration> {
    match worker.end {
        WorkerEnd::Lost { .. } => Some(worker.last_interval_end),
        WorkerEnd::Idle | WorkerEnd::Finished { .. } => last_completion(worker),
    }
}

fn all_lost(workers: &[MeasuredWorker]) -> bool {
    let mut active = workers.iter().filter(|worker| worker.end != WorkerEnd::Idle);
    active.all(|worker| matches!(worker.end, WorkerEnd::Lost { .. }))
}

/// Whether every worker that came to its end had made its share of the requests.
fn all_requests_made(workers: &[MeasuredWorker]) -> bool {
    workers.iter().all(|worker| match worker.end {
        WorkerEnd::Finished { reason, .. } => reason == EndReason::Requests,
        WorkerEnd::Idle | WorkerEnd::Lost { .. } => true,
    })
}
