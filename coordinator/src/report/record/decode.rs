//! From a record, which may be corrupt or hostile, back to what was measured.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proto::counters::{ConnectionKind, Counters};
use proto::latencies::{CodecError, Histogram, Latencies};
use proto::load::{Extent, Load, Pace, Rate, ThinkTime};
use proto::outcome::Failure;
use proto::stages::{Stage, Stages};
use proto::target::HttpVersion;
use proto::tls::TlsSession;
use proto::trace::Trace;

use super::{
    BlockRecord, CountersRecord, ExtentRecord, HistogramRecord, HttpRecord, LatenciesRecord, LoadRecord,
    OLDEST_SCHEMA_VERSION, SCHEMA_VERSION, TlsRecord, TraceRecord, WorkerEndRecord, WorkerRecord, nanos,
};
use crate::merge::{MeasuredWorker, StartSkew, WorkerEnd};
use crate::plan::Purpose;
use crate::statistics::{Evidence, WholeSecond};

/// More values than any run can have, few enough that no sum of them overflows.
const MAX_VALUES: u64 = 1 << 40;

/// A record that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Nothing is in it.
    #[error("it is empty: copy it again from where the run wrote it")]
    Empty,
    /// Its end is missing.
    #[error("it ends in the middle of line {line}: copy it again, whole, from where the run wrote it")]
    CutOff {
        /// From 1.
        line: usize,
    },
    /// JSON without a version of ours.
    #[error("it is JSON, and of another program: name the report.json that `archestra-bench run` wrote")]
    OfAnotherProgram,
    /// Not JSON, or not a record.
    #[error("it is no report.json of archestra-bench ({problem}): use the file as the run wrote it")]
    NotARecord {
        /// What the parser says.
        problem: String,
    },
    /// Of another version of this software.
    #[error(
        "it has schema version {found}, and this version reads {OLDEST_SCHEMA_VERSION} to {SCHEMA_VERSION}: \
         use the version of archestra-bench that wrote it"
    )]
    OtherVersion {
        /// What it says.
        found: String,
    },
    /// A number that no run can produce.
    #[error("{place} holds a number that no run can produce: use the file as the run wrote it")]
    Impossible {
        /// Where in the record.
        place: String,
    },
    /// A histogram that cannot be decoded.
    #[error("the histogram {place} cannot be read, because {problem}: use the file as the run wrote it")]
    Histogram {
        /// Where in the record.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What a block's record says was measured.
pub(super) struct BlockContent {
    purpose: Purpose,
    is_part: bool,
    load: Load,
    extent: Extent,
    start_skew: StartSkew,
    interrupted: bool,
    aborted: Option<String>,
    pub(super) workers: Vec<MeasuredWorker>,
}

impl BlockContent {
    /// As statistics want it.
    pub(super) fn evidence<'a>(&'a self, seconds: &'a [WholeSecond]) -> Evidence<'a> {
        Evidence {
            load: &self.load,
            extent: self.extent,
            purpose: self.purpose,
            is_part: self.is_part,
            workers: &self.workers,
            start_skew: self.start_skew,
            interrupted: self.interrupted,
            aborted: self.aborted.as_deref(),
            seconds,
        }
    }
}

impl BlockRecord {
    /// How messages name it.
    pub(super) fn place(&self) -> String {
        format!("block {}", self.number)
    }

    /// Reads everything back that figures rest on but each worker's histograms, which [`WorkerRecord::histograms`] reads: those of
    /// all workers at once take so much memory that a file of some megabytes could ask for all there is.
    pub(super) fn content(&self) -> Result<BlockContent, RecordError> {
        let place = self.place();
        Ok(BlockContent {
            purpose: self.purpose,
            is_part: self.weight.is_some(),
            load: load(&self.load).ok_or_else(|| impossible(&place, "load"))?,
            extent: extent(&self.extent).ok_or_else(|| impossible(&place, "extent"))?,
            start_skew: StartSkew {
                spread: Duration::from_nanos(self.start_skew.spread_ns),
                uncertainty: Duration::from_nanos(self.start_skew.uncertainty_ns),
            },
            interrupted: self.interrupted,
            aborted: self.aborted.clone(),
            workers: self.workers.iter().map(WorkerRecord::content).collect(),
        })
    }

    /// The stored sum of all workers.
    pub(in crate::report) fn stored_sum(&self) -> Result<(Counters, Latencies), RecordError> {
        let place = self.place();
        Ok((self.totals.content(), self.latencies.content(&place)?))
    }
}

impl WorkerRecord {
    /// The histograms; `block` names the block.
    pub(super) fn histograms(&self, block: &str) -> Result<Latencies, RecordError> {
        self.latencies.content(&format!("{block}, worker {}", self.number))
    }

    /// Everything else.
    fn content(&self) -> MeasuredWorker {
        MeasuredWorker {
            number: self.number,
            end: (&self.end).into(),
            connections: self.connections,
            http_version: self.http_version.map(HttpVersion::from),
            threads: self.threads,
            addresses_left_out: self.addresses_left_out.clone(),
            bodies: self.bodies,
            warm_up: self.warm_up.content(),
            totals: self.totals.content(),
            successes_in_window: self.successes_in_window,
            started_in_window: self.started_in_window,
            latencies: Latencies::default(),
            intervals: self.intervals,
            last_interval_end: Duration::from_nanos(self.last_interval_end_ns),
            start_offset: self.start_offset_ns.map(Duration::from_nanos),
            round_trip: Duration::from_nanos(self.round_trip_ns),
            report_delay: Duration::from_nanos(self.report_delay_ns),
            clock_advance: Duration::from_nanos(self.clock_advance_ns),
            host: self.host.into(),
            mismatch: self.mismatch.clone(),
        }
    }
}

impl CountersRecord {
    /// The counts; equal failures, or equal kinds of connections, that are listed twice are added.
    pub(in crate::report) fn content(&self) -> Counters {
        let mut counters = Counters {
            offered: self.offered,
            started: self.started,
            successes: self.successes,
            failures: Default::default(),
            dropped: self.dropped,
            unsent: self.unsent,
            abandoned: self.abandoned,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            connections_opened: self.connections_opened,
            content_events: self.content_events,
            coalesced_events: self.coalesced_events,
            usage_reports: self.usage_reports,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            late: self.late,
            resent: self.resent,
            connections: Default::default(),
        };
        for entry in &self.failures {
            let failure = Failure { kind: entry.kind, status: entry.status, detail: entry.detail.clone() };
            let sum = counters.failures.entry(failure).or_default();
            *sum = sum.saturating_add(entry.count);
        }
        for entry in &self.connections_by_address {
            let tls = entry.tls.clone().map(|TlsRecord { version, cipher_suite, resumed }| TlsSession {
                version,
                cipher_suite,
                resumed,
            });
            let kind = ConnectionKind { address: entry.address.clone(), tls };
            let sum = counters.connections.entry(kind).or_default();
            *sum = sum.saturating_add(entry.count);
        }
        counters
    }
}

impl LatenciesRecord {
    /// The histograms; `place` names the span that they are of.
    pub(in crate::report) fn content(&self, place: &str) -> Result<Latencies, RecordError> {
        let decode =
            |name: &str, histogram: &HistogramRecord| histogram.content(&format!("{name} of {place}"));
        Ok(Latencies {
            response_time: decode("response_time", &self.response_time)?,
            service_time: decode("service_time", &self.service_time)?,
            send_lag: decode("send_lag", &self.send_lag)?,
            time_to_first_token: decode("time_to_first_token", &self.time_to_first_token)?,
            inter_token_gap: decode("inter_token_gap", &self.inter_token_gap)?,
            connect_time: decode("connect_time", &self.connect_time)?,
            tls_handshake_time: decode("tls_handshake_time", &self.tls_handshake_time)?,
            time_to_first_byte: decode("time_to_first_byte", &self.time_to_first_byte)?,
            transfer_time: decode("transfer_time", &self.transfer_time)?,
        })
    }
}

impl TraceRecord {
    /// The moments; `None` when they make no trace, or another one than it says.
    pub(in crate::report) fn content(&self) -> Option<Trace> {
        let trace = Trace::decode(&BASE64.decode(&self.gaps_deflate).ok()?).ok()?;
        let fits = trace.requests() == self.requests && nanos(trace.duration()) == self.duration_ns;
        fits.then_some(trace)
    }
}

impl HistogramRecord {
    /// The histogram; `place` names it.
    pub(in crate::report) fn content(&self, place: &str) -> Result<Histogram, RecordError> {
        #[cfg(test)]
        tests::READ.with(|read| read.set(read.get() + 1));
        let broken = |problem: String| RecordError::Histogram { place: place.to_owned(), problem };
        let bytes = BASE64.decode(&self.v2_deflate).map_err(|_| broken("it is not base64".into()))?;
        let histogram = Histogram::decode(&bytes).map_err(|error| broken(error.to_string()))?;
        if histogram.count() > MAX_VALUES {
            return Err(broken(CodecError::Impossible.to_string()));
        }
        if self.below_range.checked_add(self.above_range).is_none_or(|outside| outside > histogram.count()) {
            return Err(broken("it counts more values out of range than there are values".into()));
        }
        Ok(histogram.with_out_of_range(self.below_range, self.above_range))
    }
}

impl From<&WorkerEndRecord> for WorkerEnd {
    fn from(end: &WorkerEndRecord) -> Self {
        match end {
            WorkerEndRecord::Idle => Self::Idle,
            WorkerEndRecord::Lost { why } => Self::Lost { why: why.clone() },
            WorkerEndRecord::Finished {
                reason,
                last_completion_ns,
                start_lateness_min_ns,
                start_lateness_max_ns,
            } => Self::Finished {
                reason: *reason,
                last_completion: last_completion_ns.map(Duration::from_nanos),
                start_lateness_min: Duration::from_nanos(*start_lateness_min_ns),
                start_lateness_max: Duration::from_nanos(*start_lateness_max_ns),
            },
        }
    }
}

impl From<HttpRecord> for HttpVersion {
    fn from(version: HttpRecord) -> Self {
        match version {
            HttpRecord::Http11 => Self::Http11,
            HttpRecord::Http2 => Self::Http2,
            HttpRecord::Auto => Self::Auto,
        }
    }
}

pub(super) fn load(record: &LoadRecord) -> Option<Load> {
    Some(match record {
        LoadRecord::Closed { concurrency, think_time } => Load::Closed {
            concurrency: NonZeroU32::new(*concurrency)?,
            think_time: match think_time {
                Some(time) => Some(ThinkTime::new(
                    Duration::from_nanos(time.min_ns),
                    Duration::from_nanos(time.max_ns),
                )?),
                None => None,
            },
        },
        LoadRecord::Open { rate_millihertz, stages, trace, arrivals, connections, max_in_flight } => {
            Load::Open {
                pace: match (rate_millihertz, trace) {
                    (Some(rate), _) => Pace::Steady(Rate::from_millihertz(*rate)?),
                    (None, Some(trace)) => Pace::Trace(trace.content()?),
                    (None, None) => Pace::Stages(Stages::new(stages.iter().map(Stage::from)).ok()?),
                },
                arrivals: *arrivals,
                connections: NonZeroU32::new(*connections)?,
                max_in_flight: max_in_flight.and_then(NonZeroU64::new),
            }
        }
    })
}

fn extent(record: &ExtentRecord) -> Option<Extent> {
    Extent::new(record.requests.and_then(NonZeroU64::new), record.duration_ns.map(Duration::from_nanos))
}

pub(super) fn impossible(block: &str, part: &str) -> RecordError {
    RecordError::Impossible { place: format!("the {part} of {block}") }
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// How many histograms this thread has read.
        pub(in crate::report) static READ: Cell<u64> = const { Cell::new(0) };
    }
}
