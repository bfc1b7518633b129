//! What one worker reports: interval by interval, and at the end.

use std::time::Duration;

use crate::assignment::nanos;
use crate::counters::Counters;
use crate::latencies::Latencies;
use crate::{InvalidMessage, wire};

/// What one worker did in one span of one block, of a second at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// From 0, without gaps, within one assignment.
    pub sequence: u64,
    /// From the start of the block.
    pub start: Duration,
    /// From the start of the block.
    pub end: Duration,
    /// What was counted in this span only.
    pub counters: Counters,
    /// Histograms of this span only.
    pub latencies: Latencies,
    /// The worker's machine in this span.
    pub host: HostReading,
    /// What each scenario of a mix has of it; empty for no mix.
    pub parts: Vec<PartResult>,
}

/// One scenario's part of what a mix did in some span. Bytes and connections, which scenarios share, are in none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartResult {
    /// What was counted.
    pub counters: Counters,
    /// The histograms.
    pub latencies: Latencies,
}

/// The worker's machine over some span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HostReading {
    /// Cores that the worker's process used.
    pub process_cores: f64,
    /// Share of the span for which the busiest engine thread ran, 0 to 1.
    pub busiest_thread: f64,
    /// Share of the span for which engine threads were ready to run but had no core, summed over them.
    pub scheduler_lag: f64,
    /// Share of the machine's time that the hypervisor gave to others, 0 to 1.
    pub steal: f64,
    /// Resident memory of the worker's process, in bytes.
    pub resident_bytes: u64,
    /// How often the engine threads gave their core up, because there was nothing to do; together.
    pub voluntary_switches: u64,
    /// How often their core was taken from the engine threads; together.
    pub involuntary_switches: u64,
    /// What the engine threads spent on ending the span and handing over what they had measured; together.
    pub reporting: Duration,
}

/// A worker's totals for one assignment.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Whose totals.
    pub assignment_id: String,
    /// Why the worker ended.
    pub end_reason: EndReason,
    /// When its last request completed, from the start of the block; `None` when none did.
    pub last_completion: Option<Duration>,
    /// When the engine ended, from the start of the block.
    pub end: Duration,
    /// How much later than asked the engine's first thread began.
    pub start_lateness_min: Duration,
    /// How much later than asked the engine's last thread began.
    pub start_lateness_max: Duration,
    /// How many intervals there were.
    pub intervals: u64,
    /// All intervals together.
    pub totals: Counters,
    /// All intervals together.
    pub latencies: Latencies,
    /// What each scenario of a mix has of it; empty for no mix.
    pub parts: Vec<PartResult>,
}

/// Why a worker's engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its share of the requests was done.
    Requests,
    /// The block's duration was over.
    Duration,
    /// It was told to stop.
    Stopped,
    /// It heard nothing from its coordinator for the length of the lease.
    Lease,
}

impl EndReason {
    /// The name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Duration => "duration",
            Self::Stopped => "stopped",
            Self::Lease => "lease",
        }
    }
}

impl From<&PartResult> for wire::PartResult {
    fn from(part: &PartResult) -> Self {
        wire::PartResult {
            counters: Some((&part.counters).into()),
            latencies: Some((&part.latencies).into()),
        }
    }
}

fn parts(parts: Vec<wire::PartResult>) -> Result<Vec<PartResult>, InvalidMessage> {
    let part = |part: wire::PartResult| {
        Ok(PartResult {
            counters: part.counters.ok_or(InvalidMessage::missing("parts.counters"))?.try_into()?,
            latencies: part.latencies.ok_or(InvalidMessage::missing("parts.latencies"))?.try_into()?,
        })
    };
    parts.into_iter().map(part).collect()
}

impl From<&Interval> for wire::Interval {
    fn from(interval: &Interval) -> Self {
        wire::Interval {
            sequence: interval.sequence,
            start_ns: nanos(interval.start),
            end_ns: nanos(interval.end),
            counters: Some((&interval.counters).into()),
            latencies: Some((&interval.latencies).into()),
            host: Some(interval.host.into()),
            parts: interval.parts.iter().map(Into::into).collect(),
        }
    }
}

impl From<HostReading> for wire::HostReading {
    fn from(host: HostReading) -> Self {
        wire::HostReading {
            process_cores: host.process_cores,
            busiest_thread: host.busiest_thread,
            scheduler_lag: host.scheduler_lag,
            steal: host.steal,
            resident_bytes: host.resident_bytes,
            voluntary_switches: host.voluntary_switches,
            involuntary_switches: host.involuntary_switches,
            reporting_ns: nanos(host.reporting),
        }
    }
}

impl TryFrom<wire::HostReading> for HostReading {
    type Error = InvalidMessage;

    fn try_from(host: wire::HostReading) -> Result<Self, InvalidMessage> {
        let shares = [host.process_cores, host.busiest_thread, host.scheduler_lag, host.steal];
        if !shares.iter().all(|share| share.is_finite() && *share >= 0.0) {
            return Err(InvalidMessage::new("interval.host", "holds a share that is no number"));
        }
        Ok(Self {
            process_cores: host.process_cores,
            busiest_thread: host.busiest_thread,
            scheduler_lag: host.scheduler_lag,
            steal: host.steal,
            resident_bytes: host.resident_bytes,
            voluntary_switches: host.voluntary_switches,
            involuntary_switches: host.involuntary_switches,
            reporting: Duration::from_nanos(host.reporting_ns),
        })
    }
}

impl TryFrom<wire::Interval> for Interval {
    type Error = InvalidMessage;

    fn try_from(interval: wire::Interval) -> Result<Self, InvalidMessage> {
        if interval.end_ns < interval.start_ns {
            return Err(InvalidMessage::new("interval.end_ns", "lies before interval.start_ns"));
        }
        Ok(Self {
            sequence: interval.sequence,
            start: Duration::from_nanos(interval.start_ns),
            end: Duration::from_nanos(interval.end_ns),
            counters: interval.counters.ok_or(InvalidMessage::missing("interval.counters"))?.try_into()?,
            latencies: interval.latencies.ok_or(InvalidMessage::missing("interval.latencies"))?.try_into()?,
            host: interval.host.unwrap_or_default().try_into()?,
            parts: parts(interval.parts)?,
        })
    }
}

impl From<&Finished> for wire::Finished {
    fn from(finished: &Finished) -> Self {
        let end_reason = match finished.end_reason {
            EndReason::Requests => wire::EndReason::Requests,
            EndReason::Duration => wire::EndReason::Duration,
            EndReason::Stopped => wire::EndReason::Stopped,
            EndReason::Lease => wire::EndReason::Lease,
        };
        wire::Finished {
            assignment_id: finished.assignment_id.clone(),
            end_reason: end_reason as i32,
            last_completion_ns: finished.last_completion.map_or(0, nanos),
            end_ns: nanos(finished.end),
            start_lateness_min_ns: nanos(finished.start_lateness_min),
            start_lateness_max_ns: nanos(finished.start_lateness_max),
            intervals: finished.intervals,
            totals: Some((&finished.totals).into()),
            latencies: Some((&finished.latencies).into()),
            parts: finished.parts.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::Finished> for Finished {
    type Error = InvalidMessage;

    fn try_from(finished: wire::Finished) -> Result<Self, InvalidMessage> {
        let end_reason = match wire::EndReason::try_from(finished.end_reason) {
            Ok(wire::EndReason::Requests) => EndReason::Requests,
            Ok(wire::EndReason::Duration) => EndReason::Duration,
            Ok(wire::EndReason::Stopped) => EndReason::Stopped,
            Ok(wire::EndReason::Lease) => EndReason::Lease,
            Ok(wire::EndReason::Unspecified) | Err(_) => {
                return Err(InvalidMessage::new(
                    "finished.end_reason",
                    "is one that this version does not know",
                ));
            }
        };
        Ok(Self {
            assignment_id: finished.assignment_id,
            end_reason,
            last_completion: Some(finished.last_completion_ns)
                .filter(|nanos| *nanos > 0)
                .map(Duration::from_nanos),
            end: Duration::from_nanos(finished.end_ns),
            start_lateness_min: Duration::from_nanos(finished.start_lateness_min_ns),
            start_lateness_max: Duration::from_nanos(finished.start_lateness_max_ns),
            intervals: finished.intervals,
            totals: finished.totals.ok_or(InvalidMessage::missing("finished.totals"))?.try_into()?,
            latencies: finished.latencies.ok_or(InvalidMessage::missing("finished.latencies"))?.try_into()?,
            parts: parts(finished.parts)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::ConnectionKind;
    use crate::outcome::{Failure, FailureKind};
    use crate::tls::TlsSession;

    fn counters() -> Counters {
        let failure = |kind, status, detail: &str| Failure { kind, status, detail: detail.into() };
        let (version, cipher_suite) = ("TLSv1.3".into(), "TLS13_AES_256_GCM_SHA384".into());
        let tls = TlsSession { version, cipher_suite, resumed: true };
        Counters {
            offered: 12,
            started: 10,
            successes: 7,
            failures: [
                (failure(FailureKind::Status, Some(429), ""), 1),
                (failure(FailureKind::Reset, None, "closed"), 1),
            ]
            .into(),
            dropped: 1,
            unsent: 1,
            abandoned: 1,
            bytes_sent: 100,
            bytes_received: 200,
            connections_opened: 3,
            content_events: 4,
            coalesced_events: 2,
            usage_reports: 5,
            input_tokens: 6,
            output_tokens: 7,
            late: 3,
            resent: 1,
            connections: [
                (ConnectionKind { address: "127.0.0.1:80".into(), tls: None }, 1),
                (ConnectionKind { address: "[::1]:443".into(), tls: Some(tls) }, 2),
            ]
            .into(),
        }
    }

    fn latencies() -> Latencies {
        let mut latencies = Latencies::default();
        latencies.response_time.record(5_000_000);
        latencies.inter_token_gap.record(0);
        for (number, (_, histogram)) in (1..).zip(latencies.each_mut()) {
            histogram.record(number * 1_000);
        }
        latencies
    }

    #[test]
    fn intervals_survive_the_wire() {
        let host = HostReading {
            process_cores: 0.5,
            busiest_thread: 0.4,
            scheduler_lag: 0.1,
            steal: 0.0,
            resident_bytes: 9,
            voluntary_switches: 10,
            involuntary_switches: 11,
            reporting: Duration::from_nanos(12),
        };
        let interval = Interval {
            sequence: 3,
            start: Duration::from_secs(3),
            end: Duration::from_secs(4),
            counters: counters(),
            latencies: latencies(),
            host,
            parts: vec![PartResult { counters: counters(), latencies: latencies() }, PartResult::default()],
        };
        assert_eq!(Interval::try_from(wire::Interval::from(&interval)).unwrap(), interval);
    }

    #[test]
    fn totals_survive_the_wire() {
        let finished = Finished {
            assignment_id: "an-id".into(),
            end_reason: EndReason::Lease,
            last_completion: Some(Duration::from_millis(5)),
            end: Duration::from_secs(1),
            start_lateness_min: Duration::from_micros(2),
            start_lateness_max: Duration::from_micros(3),
            intervals: 1,
            totals: counters(),
            latencies: latencies(),
            parts: vec![PartResult::default(), PartResult { counters: counters(), latencies: latencies() }],
        };
        assert_eq!(Finished::try_from(wire::Finished::from(&finished)).unwrap(), finished);
    }

    #[test]
    fn a_reading_that_is_no_number_is_refused() {
        let interval = wire::Interval {
            host: Some(wire::HostReading { steal: f64::NAN, ..Default::default() }),
            counters: Some(wire::Counters::default()),
            latencies: Some(wire::Latencies::default()),
            ..Default::default()
        };
        assert_eq!(Interval::try_from(interval).unwrap_err().field, "interval.host");
    }
}
