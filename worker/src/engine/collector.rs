//! Gathers what the shards report into the worker's intervals and totals, off the engine's threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use proto::counters::Counters;
use proto::interval::{EndReason, Finished, Interval};
use proto::target::HttpVersion;

use super::job::{Control, Report, ShardEnd};
use super::recorder::{Recorder, Told, Words};
use crate::clock::{Clock, Nanos};
use crate::host::{Meter, ThreadReading};

/// What an engine tells its owner, in this order: prepared, intervals, finished.
#[derive(Debug)]
pub enum Output {
    /// Connected and warmed up on all threads.
    Prepared {
        /// Threads that carry the load.
        threads: u32,
        /// Connections that they hold.
        connections: u32,
        /// What is spoken with the target.
        http_version: HttpVersion,
        /// Bodies that were rendered for it; 0 where all requests are the same.
        bodies: u64,
        /// What the warm-up did.
        warm_up: Counters,
        /// Addresses of the target's name that accepted no connection, so that none goes there.
        left_out: Vec<String>,
    },
    /// One span is complete on all threads.
    Interval(Box<Interval>),
    /// The engine has ended.
    Finished(Box<Finished>),
    /// A thread of the engine has failed; nothing more will come.
    Failed(String),
}

/// Gathers the reports of one engine.
pub(super) struct Collector {
    pub(super) assignment_id: String,
    pub(super) connections: u32,
    pub(super) http_version: HttpVersion,
    /// For failures and connections.
    pub(super) words: Words,
    /// Addresses of the target's name that no connection goes to.
    pub(super) left_out: Vec<String>,
    /// Bodies that were rendered.
    pub(super) bodies: u64,
    pub(super) clock: Clock,
    pub(super) control: Arc<Control>,
    /// Returns cleared recorders to each shard.
    pub(super) spares: Vec<Sender<Recorder>>,
}

/// A span that not all shards have reported.
#[derive(Default)]
struct Gathering {
    start: Nanos,
    end: Nanos,
    recorder: Recorder,
    threads: ThreadReading,
}

/// How far the gathering has come.
struct Progress {
    /// Spans reported by each shard; `u64::MAX` once it has ended.
    reported: Vec<u64>,
    spans: BTreeMap<u64, Gathering>,
    totals: Recorder,
    intervals: u64,
    end: Nanos,
    ends: Vec<ShardEnd>,
    /// None before the start.
    meter: Option<Meter>,
}

impl Collector {
    /// Gathers until all shards have ended or one is gone.
    pub(super) fn run(self, reports: &Receiver<(usize, Report)>, mut output: impl FnMut(Output)) {
        let Some((warm_up, early)) = self.gather_preparation(reports) else {
            return output(Output::Failed("a thread of the engine ended before it was prepared".into()));
        };
        let threads = self.spares.len() as u32;
        output(Output::Prepared {
            threads,
            connections: self.connections,
            http_version: self.http_version,
            bodies: self.bodies,
            warm_up: warm_up.told(&self.words).counters,
            left_out: self.left_out.clone(),
        });

        let shards = self.spares.len();
        let mut progress = Progress {
            reported: vec![0; shards],
            spans: BTreeMap::new(),
            totals: Recorder::default(),
            intervals: 0,
            end: Nanos::ZERO,
            ends: Vec::new(),
            meter: None,
        };
        let mut early = early.into_iter();
        while progress.ends.len() < shards {
            let Some((shard, report)) = early.next().or_else(|| reports.recv().ok()) else {
                return output(Output::Failed("a thread of the engine ended unexpectedly".into()));
            };
            match report {
                Report::Prepared { .. } => {}
                Report::Started => {
                    progress.meter.get_or_insert_with(|| Meter::new(self.clock.now()));
                }
                Report::Span { index, start, end, recorder, thread } => {
                    progress.take(index, start, end, &recorder, thread);
                    progress.reported[shard] = index + 1;
                    self.give_back(shard, recorder);
                }
                Report::Ended(end) => {
                    progress.reported[shard] = u64::MAX;
                    progress.ends.push(end);
                }
            }
            while let Some(interval) = progress.seal(&self.words, self.clock.now()) {
                output(Output::Interval(Box::new(interval)));
            }
        }
        output(Output::Finished(Box::new(self.finish(progress))));
    }

    /// What the warm-up did, and the reports that came before all shards were prepared: the order to start, or to stop, may
    /// be given at any time, and a quick shard obeys it before a slow one is prepared.
    fn gather_preparation(
        &self,
        reports: &Receiver<(usize, Report)>,
    ) -> Option<(Recorder, Vec<(usize, Report)>)> {
        let (mut all, mut early, mut prepared) = (Recorder::default(), Vec::new(), 0);
        while prepared < self.spares.len() {
            match reports.recv().ok()? {
                (_, Report::Prepared { warm_up }) => {
                    all.merge(&warm_up);
                    prepared += 1;
                }
                later => early.push(later),
            }
        }
        Some((all, early))
    }

    fn give_back(&self, shard: usize, mut recorder: Recorder) {
        recorder.clear();
        // A shard that has ended needs no more.
        let _ = self.spares[shard].send(recorder);
    }

    fn finish(&self, progress: Progress) -> Finished {
        let lateness = || progress.ends.iter().filter_map(|end| end.start_lateness);
        let last_completion = progress.ends.iter().filter_map(|end| end.last_completion).max();
        let by_requests = progress.ends.iter().all(|end| end.by_requests);
        let Told { counters: totals, latencies, parts } = progress.totals.told(&self.words);
        Finished {
            assignment_id: self.assignment_id.clone(),
            end_reason: match self.control.stop_reason() {
                Some(reason) => reason,
                None if by_requests => EndReason::Requests,
                None => EndReason::Duration,
            },
            last_completion: last_completion.map(Duration::from),
            end: progress.end.into(),
            start_lateness_min: lateness().min().unwrap_or_default().into(),
            start_lateness_max: lateness().max().unwrap_or_default().into(),
            intervals: progress.intervals,
            totals,
            latencies,
            parts,
        }
    }
}

impl Progress {
    fn take(&mut self, index: u64, start: Nanos, end: Nanos, recorder: &Recorder, thread: ThreadReading) {
        let span = self.spans.entry(index).or_default();
        span.start = start;
        span.end = span.end.max(end);
        span.recorder.merge(recorder);
        span.threads = span.threads.and(thread);
    }

    /// The next interval, once every shard has reported it or ended.
    fn seal(&mut self, words: &Words, now: Nanos) -> Option<Interval> {
        let sequence = self.intervals;
        if self.reported.iter().any(|spans| *spans <= sequence) {
            return None;
        }
        let span = self.spans.remove(&sequence)?;
        self.intervals += 1;
        self.end = self.end.max(span.end);
        self.totals.merge(&span.recorder);
        let Told { counters, latencies, parts } = span.recorder.told(words);
        let host = self.meter.as_mut().map(|meter| meter.read(now, span.end.since(span.start), span.threads));
        Some(Interval {
            sequence,
            start: span.start.into(),
            end: span.end.into(),
            counters,
            latencies,
            host: host.unwrap_or_default(),
            parts,
        })
    }
}
