//! What one thread notes in one span: counters and histograms, without a lock, an allocation or a word of text.

use proto::counters::Counters;
use proto::latencies::Latencies;

use crate::answer::StreamTimes;
use crate::clock::Nanos;
use crate::outcome::Fault;

/// Counters and histograms of one thread over one span.
#[derive(Debug, Default)]
pub struct Recorder {
    /// All counters but the failures, which are in `faults`.
    pub counters: Counters,
    /// Failures, each kind of fault once.
    pub faults: Vec<(Fault, u64)>,
    /// The histograms.
    pub latencies: Latencies,
}

/// When one request was due, sent and answered.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When the schedule wanted it sent.
    pub due: Nanos,
    /// Just before its first byte was written.
    pub sent: Nanos,
    /// Just after the read that brought the answer's last byte.
    pub done: Nanos,
}

impl Recorder {
    /// A request was written, due at `due`.
    #[inline]
    pub fn sent(&mut self, due: Nanos, sent: Nanos) {
        self.latencies.send_lag.record(sent.since(due).0);
    }

    /// A request was answered well.
    #[inline]
    pub fn success(&mut self, times: Times) {
        self.counters.successes += 1;
        self.latencies.response_time.record(times.done.since(times.due).0);
        self.latencies.service_time.record(times.done.since(times.sent).0);
    }

    /// A stream was answered well.
    pub fn stream(&mut self, due: Nanos, stream: StreamTimes<'_>) {
        if let Some(first) = stream.first_content {
            self.latencies.time_to_first_token.record(first.since(due).0);
        }
        for gap in stream.gaps {
            self.latencies.inter_token_gap.record(gap.0);
        }
        self.counters.content_events += stream.content_events;
        self.counters.coalesced_events += stream.coalesced_events;
    }

    /// A request failed.
    pub fn failure(&mut self, fault: Fault) {
        match self.faults.iter_mut().find(|entry| entry.0 == fault) {
            Some(entry) => entry.1 += 1,
            None => self.faults.push((fault, 1)),
        }
    }

    /// Adds another thread's notes.
    pub fn merge(&mut self, other: &Recorder) {
        self.counters.add(&other.counters);
        for (fault, count) in &other.faults {
            match self.faults.iter_mut().find(|entry| entry.0 == *fault) {
                Some(entry) => entry.1 += count,
                None => self.faults.push((*fault, *count)),
            }
        }
        self.latencies.merge(&other.latencies);
    }

    /// The counters with the failures in words. `pointers` are the scenario's JSON pointers.
    pub fn worded(&self, pointers: &[String]) -> Counters {
        let mut counters = self.counters.clone();
        for (fault, count) in &self.faults {
            *counters.failures.entry(fault.describe(pointers)).or_default() += count;
        }
        counters
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.counters = Counters::default();
        self.faults.clear();
        self.latencies.clear();
    }
}
