//! What workers measured, as `report.json` holds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::encode::nanos;
use super::{EndReason, FailureKind, Figures, HostReading};

/// One worker's part of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// From 0.
    pub number: u32,
    /// How it ended.
    pub end: WorkerEndRecord,
    /// Connections that it was to hold.
    pub connections: u32,
    /// What it spoke with the target; `None` when it never said.
    #[serde(default)]
    pub http_version: Option<HttpRecord>,
    /// Engine threads that it used.
    pub threads: u32,
    /// Addresses of the target's name that accepted no connection, so that none went there.
    #[serde(default)]
    pub addresses_left_out: Vec<String>,
    /// Bodies that it made before the load; 0 where all requests were the same.
    #[serde(default)]
    pub bodies: u64,
    /// How many intervals arrived.
    pub intervals: u64,
    /// From the start of the block.
    pub last_interval_end_ns: u64,
    /// When its first thread began, against the fleet's first; `None` when it never said.
    pub start_offset_ns: Option<u64>,
    /// Half of this is how well `start_offset_ns` is known.
    pub round_trip_ns: u64,
    /// The longest that a report of an interval took to come, from the interval's end.
    #[serde(default)]
    pub report_delay_ns: u64,
    /// The highest readings of any interval.
    pub host: HostRecord,
    /// How its totals disagree with the sum of its intervals.
    pub mismatch: Option<String>,
    /// Its share of the figures, over the whole block's window.
    pub figures: Figures,
    /// Successes within the window.
    pub successes_in_window: u64,
    /// Requests started within the window.
    pub started_in_window: u64,
    /// What the warm-up did; never part of a figure.
    pub warm_up: CountersRecord,
    /// The sum of its intervals.
    pub totals: CountersRecord,
    /// The sum of its intervals.
    pub latencies: LatenciesRecord,
    /// The SHA-256 of these histograms; `None` in older records.
    #[serde(default)]
    pub histograms_sha256: Option<String>,
}

/// What is spoken with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HttpRecord {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    Http11,
    /// HTTP/2.
    #[serde(rename = "2")]
    Http2,
    /// Left to the target.
    #[serde(rename = "auto")]
    Auto,
}

/// How a worker's part ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkerEndRecord {
    /// It had nothing to do.
    Idle,
    /// It reported its totals.
    Finished {
        /// Why its engine ended.
        #[serde(with = "EndReasonRecord")]
        reason: EndReason,
        /// From the start of the block.
        last_completion_ns: Option<u64>,
        /// How much later than asked its first thread began.
        start_lateness_min_ns: u64,
        /// How much later than asked its last thread began.
        start_lateness_max_ns: u64,
    },
    /// It was lost; what it had sent counts.
    Lost {
        /// In a sentence.
        why: String,
    },
}

/// Counts; see [`proto::counters::Counters`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CountersRecord {
    pub offered: u64,
    pub started: u64,
    pub successes: u64,
    pub failures: Vec<FailureRecord>,
    pub dropped: u64,
    pub unsent: u64,
    pub abandoned: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub connections_opened: u64,
    pub content_events: u64,
    pub coalesced_events: u64,
    #[serde(default)]
    pub late: u64,
    #[serde(default)]
    pub connections_by_address: Vec<ConnectionRecord>,
}

/// Connections of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// Address and port, or `unix:` and a path.
    pub address: String,
    /// `None` for plain text.
    pub tls: Option<TlsRecord>,
    /// How many.
    pub count: u64,
}

/// What TLS a connection spoke; see [`proto::tls::TlsSession`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TlsRecord {
    pub version: String,
    pub cipher_suite: String,
    pub resumed: bool,
}

/// Failures of one kind, status and detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The kind.
    #[serde(with = "FailureKindRecord")]
    pub kind: FailureKind,
    /// Where the kind is `status`.
    pub status: Option<u16>,
    /// What exactly.
    pub detail: String,
    /// How many.
    pub count: u64,
}

/// The histograms of one span; see [`proto::latencies::Latencies`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LatenciesRecord {
    pub response_time: HistogramRecord,
    pub service_time: HistogramRecord,
    pub send_lag: HistogramRecord,
    pub time_to_first_token: HistogramRecord,
    pub inter_token_gap: HistogramRecord,
    #[serde(default)]
    pub connect_time: HistogramRecord,
    #[serde(default)]
    pub tls_handshake_time: HistogramRecord,
    #[serde(default)]
    pub time_to_first_byte: HistogramRecord,
    #[serde(default)]
    pub transfer_time: HistogramRecord,
}

/// One histogram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramRecord {
    /// Base64 of HdrHistogram's V2 encoding with DEFLATE, values in nanoseconds; empty when there are none.
    pub v2_deflate: String,
    /// Values below 100 ns, counted at 100 ns.
    pub below_range: u64,
    /// Values above 1 h, counted at 1 h.
    pub above_range: u64,
}

/// All workers together in one span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// From the start of the block.
    pub start_ns: u64,
    /// From the start of the block.
    pub end_ns: u64,
    /// How many workers reported this span.
    pub workers: u32,
    /// Successes ÷ length; `None` when it has no length.
    pub throughput: Option<f64>,
    /// Due to last byte, of successes.
    pub response_time: Option<PercentilesRecord>,
    /// Due to first content event, of successful streams.
    pub time_to_first_token: Option<PercentilesRecord>,
    /// The sum.
    pub counters: CountersRecord,
    /// Merged.
    pub response_time_histogram: HistogramRecord,
    /// Merged; `None` where the block does not stream.
    pub time_to_first_token_histogram: Option<HistogramRecord>,
}

/// What is shown of a second's histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PercentilesRecord {
    pub p50_ns: u64,
    pub p95_ns: u64,
    pub p99_ns: u64,
}

/// How far apart the workers began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkewRecord {
    /// From the first worker's first thread to the last worker's last thread.
    pub spread_ns: u64,
    /// Half the largest round trip: how well `spread_ns` is known.
    pub uncertainty_ns: u64,
}

/// A worker's machine; see [`proto::interval::HostReading`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct HostRecord {
    pub process_cores: f64,
    pub busiest_thread: f64,
    pub scheduler_lag: f64,
    pub steal: f64,
    pub resident_bytes: u64,
    // Records that were written before these were read have none.
    #[serde(default)]
    pub voluntary_switches: u64,
    #[serde(default)]
    pub involuntary_switches: u64,
    #[serde(default)]
    pub reporting_ns: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EndReason", rename_all = "snake_case")]
enum EndReasonRecord {
    Requests,
    Duration,
    Stopped,
    Lease,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "FailureKind", rename_all = "snake_case")]
enum FailureKindRecord {
    Connect,
    Tls,
    Timeout,
    Reset,
    Protocol,
    Status,
    Body,
    Truncated,
}

impl WorkerRecord {
    /// Whether it had nothing to do.
    pub fn is_idle(&self) -> bool {
        self.end == WorkerEndRecord::Idle
    }
}

impl From<HostReading> for HostRecord {
    fn from(host: HostReading) -> Self {
        Self {
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

impl From<HostRecord> for HostReading {
    fn from(host: HostRecord) -> Self {
        Self {
            process_cores: host.process_cores,
            busiest_thread: host.busiest_thread,
            scheduler_lag: host.scheduler_lag,
            steal: host.steal,
            resident_bytes: host.resident_bytes,
            voluntary_switches: host.voluntary_switches,
            involuntary_switches: host.involuntary_switches,
            reporting: Duration::from_nanos(host.reporting_ns),
        }
    }
}
