//! What one thread notes in one span: counters and histograms, without a lock, an allocation or a word of text.

use proto::counters::{ConnectionKind, Counters};
use proto::interval::PartResult;
use proto::latencies::Latencies;

use super::deal::Ticket;
use super::schedule::Counts;
use crate::answer::StreamTimes;
use crate::clock::Nanos;
use crate::outcome::Fault;
use crate::tls::Spoken;

/// Counters and histograms of one thread over one span.
#[derive(Debug, Default)]
pub struct Recorder {
    /// All counters but the failures and the kinds of connections, which are in `faults` and `made`.
    pub counters: Counters,
    /// Connections, each kind once.
    pub made: Vec<(Made, u64)>,
    /// Failures, each kind of fault once. The faults that there can be are bounded: a target has statuses of three digits and
    /// the names of the standard's error codes to choose from.
    pub faults: Vec<(Fault, u64)>,
    /// The histograms.
    pub latencies: Latencies,
    /// What each scenario of a mix did; bytes and connections, which they share, stay in the whole. Empty for no mix.
    pub parts: Vec<Recorder>,
}

/// When one request was due, sent and answered.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When the schedule wanted it sent.
    pub due: Nanos,
    /// Just before its first byte was written.
    pub sent: Nanos,
    /// Just after the read that brought the answer's first byte.
    pub first: Nanos,
    /// Just after the read that brought the answer's last byte.
    pub done: Nanos,
}

/// A connection that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Which of the job's ways it took.
    pub way: usize,
    /// What TLS it speaks; `None` in plain text.
    pub tls: Option<Spoken>,
}

/// What notes are put into words with.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The JSON pointers of the one scenario, or of each of a mix.
    pub pointers: Vec<Vec<String>>,
    /// Where each of the job's ways leads.
    pub addresses: Vec<String>,
}

/// What was noted, in words: all of it, and what each scenario of a mix has of it.
#[derive(Debug)]
pub struct Told {
    /// All that was counted.
    pub counters: Counters,
    /// All histograms.
    pub latencies: Latencies,
    /// Empty for no mix.
    pub parts: Vec<PartResult>,
}

impl Recorder {
    /// For a mix of so many scenarios, 0 for no mix.
    pub fn of_parts(parts: usize) -> Self {
        Self { parts: (0..parts).map(|_| Self::default()).collect(), ..Self::default() }
    }

    /// Where what becomes of that request is noted.
    #[inline]
    pub fn of(&mut self, ticket: Ticket) -> &mut Self {
        if self.parts.is_empty() {
            return self;
        }
        &mut self.parts[ticket.part()]
    }

    /// The schedule asked for so much.
    pub fn asked(&mut self, counts: Counts) {
        self.counters.offered += counts.offered;
        self.counters.dropped += counts.dropped;
    }

    /// A connection is ready for requests, so long after it was begun, and so long after it stood when it speaks TLS.
    pub fn connected(&mut self, made: Made, (connect, handshake): (Nanos, Option<Nanos>)) {
        self.counters.connections_opened += 1;
        self.latencies.connect_time.record(connect.0);
        if let Some(handshake) = handshake {
            self.latencies.tls_handshake_time.record(handshake.0);
        }
        add(&mut self.made, made, 1);
    }

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
        self.latencies.time_to_first_byte.record(times.first.since(times.sent).0);
        self.latencies.transfer_time.record(times.done.since(times.first).0);
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
        if let Some(usage) = stream.usage {
            self.counters.usage_reports += 1;
            self.counters.input_tokens += u64::from(usage.input_tokens);
            self.counters.output_tokens += u64::from(usage.output_tokens);
        }
    }

    /// A request failed.
    pub fn failure(&mut self, fault: Fault) {
        add(&mut self.faults, fault, 1);
    }

    /// Adds another thread's notes.
    pub fn merge(&mut self, other: &Recorder) {
        self.counters.add(&other.counters);
        other.faults.iter().for_each(|(fault, count)| add(&mut self.faults, *fault, *count));
        other.made.iter().for_each(|(made, count)| add(&mut self.made, *made, *count));
        self.latencies.merge(&other.latencies);
        if self.parts.len() < other.parts.len() {
            self.parts.resize_with(other.parts.len(), Self::default);
        }
        self.parts.iter_mut().zip(&other.parts).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// Whether anything but times was noted.
    pub fn is_used(&self) -> bool {
        self.counters != Counters::default()
            || !self.faults.is_empty()
            || self.parts.iter().any(Self::is_used)
    }

    /// Requests that were not sent, or not waited for.
    pub fn given_up(&self) -> u64 {
        let of_parts: u64 = self.parts.iter().map(Self::given_up).sum();
        self.counters.abandoned + self.counters.unsent + of_parts
    }

    /// All of it in words.
    pub fn told(self, words: &Words) -> Told {
        let (mut counters, mut latencies) = (self.worded(words, 0), self.latencies);
        let part = |(number, part): (usize, Self)| PartResult {
            counters: part.worded(words, number),
            latencies: part.latencies,
        };
        let parts: Vec<PartResult> = self.parts.into_iter().enumerate().map(part).collect();
        for part in &parts {
            counters.add(&part.counters);
            latencies.merge(&part.latencies);
        }
        Told { counters, latencies, parts }
    }

    /// The counters with the failures and the connections in words, those of a scenario's own answers in its own.
    fn worded(&self, words: &Words, scenario: usize) -> Counters {
        let mut counters = self.counters.clone();
        let pointers = words.pointers.get(scenario).map_or(&[][..], Vec::as_slice);
        for (fault, count) in &self.faults {
            counters.failed_with(fault.describe(pointers), *count);
        }
        for (made, count) in &self.made {
            let address = words.addresses.get(made.way).cloned().unwrap_or_default();
            let kind = ConnectionKind { address, tls: made.tls.map(Spoken::describe) };
            *counters.connections.entry(kind).or_default() += count;
        }
        counters
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.counters = Counters::default();
        self.faults.clear();
        self.made.clear();
        self.latencies.clear();
        self.parts.iter_mut().for_each(Self::clear);
    }
}

/// There are few kinds of anything in one span.
fn add<Kind: Copy + PartialEq>(entries: &mut Vec<(Kind, u64)>, kind: Kind, count: u64) {
    match entries.iter_mut().find(|entry| entry.0 == kind) {
        Some(entry) => entry.1 += count,
        None => entries.push((kind, count)),
    }
}
