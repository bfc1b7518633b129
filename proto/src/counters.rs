//! What is counted: every request has a row, whatever became of it.

use std::collections::BTreeMap;

use crate::outcome::{Failure, FailureKind, MOST_OF_A_KIND};
use crate::tls::TlsSession;
use crate::{InvalidMessage, wire};

/// Counts over some span.
///
/// `offered = started + dropped + unsent`; when a block has ended, `started = successes + failures + abandoned`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that the schedule wanted.
    pub offered: u64,
    /// Requests that were given a connection.
    pub started: u64,
    /// Requests whose answer was good.
    pub successes: u64,
    /// All others that came to an end; see `failed_with`.
    pub failures: BTreeMap<Failure, u64>,
    /// Arrivals beyond the limit of requests in flight.
    pub dropped: u64,
    /// Due, but still waiting for a connection when the block ended.
    pub unsent: u64,
    /// In flight when the block was stopped.
    pub abandoned: u64,
    /// Bytes handed to the target's connections, before TLS.
    pub bytes_sent: u64,
    /// Bytes of answers, after TLS.
    pub bytes_received: u64,
    /// Connections that were made.
    pub connections_opened: u64,
    /// Server-sent events that carried content.
    pub content_events: u64,
    /// Content events that arrived in one read with the content event before them.
    pub coalesced_events: u64,
    /// Successful streams that told their usage.
    pub usage_reports: u64,
    /// Tokens of those streams' requests, as they told.
    pub input_tokens: u64,
    /// Tokens of those streams' answers, as they told.
    pub output_tokens: u64,
    /// Successes that did not keep to the goal.
    pub late: u64,
    /// Requests that were sent again, because a connection of HTTP/2 ended in peace and left them over; each time counts.
    pub resent: u64,
    /// The connections that were made, by where they went and what they speak; together `connections_opened`.
    pub connections: BTreeMap<ConnectionKind, u64>,
}

/// Where a connection went, and what TLS it speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionKind {
    /// Address and port, or `unix:` and a path.
    pub address: String,
    /// `None` for plain text.
    pub tls: Option<TlsSession>,
}

impl Counters {
    /// All failures together.
    pub fn failed(&self) -> u64 {
        self.failures.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts failures. A target that thinks of ever new ones makes nothing grow: of each kind the first 64 in their order
    /// are told apart, and all that come behind them are counted together. What is among the first of all is among the first
    /// of every part, so that sums agree however they were added up.
    pub fn failed_with(&mut self, failure: Failure, count: u64) {
        count_failures(&mut self.failures, failure, count);
    }

    /// Adds the counts of another span; a sum that no run can reach stays at the largest number.
    pub fn add(&mut self, other: &Counters) {
        self.offered = self.offered.saturating_add(other.offered);
        self.started = self.started.saturating_add(other.started);
        self.successes = self.successes.saturating_add(other.successes);
        for (failure, count) in &other.failures {
            self.failed_with(failure.clone(), *count);
        }
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.unsent = self.unsent.saturating_add(other.unsent);
        self.abandoned = self.abandoned.saturating_add(other.abandoned);
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
        self.connections_opened = self.connections_opened.saturating_add(other.connections_opened);
        self.content_events = self.content_events.saturating_add(other.content_events);
        self.coalesced_events = self.coalesced_events.saturating_add(other.coalesced_events);
        self.usage_reports = self.usage_reports.saturating_add(other.usage_reports);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.late = self.late.saturating_add(other.late);
        self.resent = self.resent.saturating_add(other.resent);
        for (kind, count) in &other.connections {
            let sum = self.connections.entry(kind.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
}

fn count_failures(failures: &mut BTreeMap<Failure, u64>, failure: Failure, count: u64) {
    if let Some(sum) = failures.get_mut(&failure) {
        *sum = sum.saturating_add(count);
        return;
    }
    let kind = failure.kind;
    failures.insert(failure, count);
    if let Some(last) = one_too_many(failures, kind) {
        let count = failures.remove(&last).unwrap_or_default();
        let sum = failures.entry(Failure::others(kind)).or_default();
        *sum = sum.saturating_add(count);
    }
}

/// The first failure of a kind that is not told apart any more.
fn one_too_many(failures: &BTreeMap<Failure, u64>, kind: FailureKind) -> Option<Failure> {
    let mut of_kind = failures.keys().filter(|failure| failure.kind == kind && !failure.is_others());
    of_kind.nth(MOST_OF_A_KIND).cloned()
}

impl From<&Counters> for wire::Counters {
    fn from(counters: &Counters) -> Self {
        let failures = counters
            .failures
            .iter()
            .map(|(failure, count)| wire::FailureCount { failure: Some(failure.into()), count: *count })
            .collect();
        wire::Counters {
            offered: counters.offered,
            started: counters.started,
            successes: counters.successes,
            failures,
            dropped: counters.dropped,
            unsent: counters.unsent,
            abandoned: counters.abandoned,
            bytes_sent: counters.bytes_sent,
            bytes_received: counters.bytes_received,
            connections_opened: counters.connections_opened,
            content_events: counters.content_events,
            coalesced_events: counters.coalesced_events,
            usage_reports: counters.usage_reports,
            input_tokens: counters.input_tokens,
            output_tokens: counters.output_tokens,
            resent: counters.resent,
            connections: counters.connections.iter().map(connection_to_wire).collect(),
            late: counters.late,
        }
    }
}

fn connection_to_wire((kind, count): (&ConnectionKind, &u64)) -> wire::ConnectionCount {
    wire::ConnectionCount {
        address: kind.address.clone(),
        tls: kind.tls.as_ref().map(Into::into),
        count: *count,
    }
}

impl TryFrom<wire::Counters> for Counters {
    type Error = InvalidMessage;

    fn try_from(counters: wire::Counters) -> Result<Self, InvalidMessage> {
        let mut failures = BTreeMap::new();
        for entry in counters.failures {
            let failure = entry.failure.ok_or(InvalidMessage::missing("counters.failures.failure"))?;
            count_failures(&mut failures, Failure::try_from(failure)?, entry.count);
        }
        let mut connections = BTreeMap::new();
        for entry in counters.connections {
            let kind = ConnectionKind { address: entry.address, tls: entry.tls.map(Into::into) };
            let sum: &mut u64 = connections.entry(kind).or_default();
            *sum = sum.saturating_add(entry.count);
        }
        Ok(Self {
            offered: counters.offered,
            started: counters.started,
            successes: counters.successes,
            failures,
            dropped: counters.dropped,
            unsent: counters.unsent,
            abandoned: counters.abandoned,
            bytes_sent: counters.bytes_sent,
            bytes_received: counters.bytes_received,
            connections_opened: counters.connections_opened,
            content_events: counters.content_events,
            coalesced_events: counters.coalesced_events,
            usage_reports: counters.usage_reports,
            input_tokens: counters.input_tokens,
            output_tokens: counters.output_tokens,
            late: counters.late,
            resent: counters.resent,
            connections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(status: u16) -> Failure {
        Failure { kind: FailureKind::Status, status: Some(status), detail: String::new() }
    }

    proptest! {
        /// Whoever adds up what, and in whatever order: the same failures are told apart, and none is lost.
        #[test]
        fn failures_of_ever_new_kinds_are_counted_together_and_sums_agree(
            spans in prop::collection::vec(prop::collection::vec((100u16..300, 1u64..9), 0..120), 1..6),
        ) {
            let span = |failures: &[(u16, u64)]| {
                let mut span = Counters::default();
                failures.iter().for_each(|(code, count)| span.failed_with(status(*code), *count));
                span
            };
            let sum = |spans: &mut dyn Iterator<Item = Counters>| {
                spans.fold(Counters::default(), |mut sum, span| { sum.add(&span); sum })
            };
            let all = span(&spans.concat());
            let counted: u64 = spans.iter().flatten().map(|(_, count)| count).sum();
            prop_assert_eq!(all.failed(), counted);
            prop_assert!(all.failures.len() <= MOST_OF_A_KIND + 1);
            let mut heard = spans.iter().map(|failures| {
                Counters::try_from(wire::Counters::from(&span(failures))).unwrap()
            });
            prop_assert_eq!(&sum(&mut heard), &all);
            prop_assert_eq!(&sum(&mut spans.iter().rev().map(|failures| span(failures))), &all);
            let halves = spans.chunks(2).map(|half| sum(&mut half.iter().map(|failures| span(failures))));
            prop_assert_eq!(&sum(&mut halves.collect::<Vec<_>>().into_iter().rev()), &all);
        }
    }

    #[test]
    fn what_a_worker_says_of_ever_new_failures_is_bounded_and_each_kind_keeps_its_own_count() {
        let entry = |kind: FailureKind, number: u64| wire::FailureCount {
            failure: Some((&Failure { kind, status: None, detail: format!("{number:05}") }).into()),
            count: 2,
        };
        let of_kind = |kind| (0..10_000).map(move |number| entry(kind, number));
        let failures = of_kind(FailureKind::Reset).chain(of_kind(FailureKind::Protocol)).collect();
        let counters = Counters::try_from(wire::Counters { failures, ..Default::default() }).unwrap();
        assert_eq!((counters.failures.len(), counters.failed()), (130, 40_000));
        assert_eq!(counters.failures[&Failure::others(FailureKind::Reset)], 2 * (10_000 - 64));
    }

    #[test]
    fn a_sum_that_no_run_can_reach_stays_at_the_largest_number() {
        let failure = Failure { kind: FailureKind::Timeout, status: None, detail: String::new() };
        let huge =
            Counters { started: u64::MAX, failures: [(failure, u64::MAX)].into(), ..Counters::default() };
        let mut sum = huge.clone();
        sum.add(&huge);
        assert_eq!((sum.started, sum.failed()), (u64::MAX, u64::MAX));
    }
}
