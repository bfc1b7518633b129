//! What workers measured, as `report.json` holds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::encode::nanos;
use super::{EndReason, FailureKind, Figures, HostReading};

/// One worker's part of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// The furthest that an interval ended after its report had come, on the coordinator's clock.
    #[serde(default)]
    pub clock_advance_ns: u64,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// Counts of one span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CountersRecord {
    /// Requests that the schedule wanted.
    pub offered: u64,
    /// Requests that were given a connection.
    pub started: u64,
    /// Requests whose answer was good.
    pub successes: u64,
    /// All others that came to an end.
    pub failures: Vec<FailureRecord>,
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
    #[serde(default)]
    pub usage_reports: u64,
    /// Tokens of those streams' requests, as they told.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens of those streams' answers, as they told.
    #[serde(default)]
    pub output_tokens: u64,
    /// Requests that were sent again, because a connection of HTTP/2 ended in peace and left them over; each time counts.
    #[serde(default)]
    pub resent: u64,
    /// Successes that did not keep to the goal.
    #[serde(default)]
    pub late: u64,
    /// Where connections went, and what TLS they spoke.
    #[serde(default)]
    pub connections_by_address: Vec<ConnectionRecord>,
}

/// Connections of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConnectionRecord {
    /// Address and port, or `unix:` and a path.
    pub address: String,
    /// `None` for plain text.
    pub tls: Option<TlsRecord>,
    /// How many.
    pub count: u64,
}

/// What TLS a connection spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TlsRecord {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// As rustls names it.
    pub cipher_suite: String,
    /// Whether it took up an earlier session.
    pub resumed: bool,
}

/// Failures of one kind, status and detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// The histograms of one span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LatenciesRecord {
    /// Due to last byte, of successes.
    pub response_time: HistogramRecord,
    /// Send to last byte, of successes.
    pub service_time: HistogramRecord,
    /// Due to send, of every request that was written.
    pub send_lag: HistogramRecord,
    /// Due to first content event, of successful streams.
    pub time_to_first_token: HistogramRecord,
    /// Content event to next content event, of successful streams.
    pub inter_token_gap: HistogramRecord,
    /// From the attempt until the connection stood, TLS apart, of connections that were made within the block.
    #[serde(default)]
    pub connect_time: HistogramRecord,
    /// From there until requests could be sent, of those that speak TLS.
    #[serde(default)]
    pub tls_handshake_time: HistogramRecord,
    /// Send to the first byte that came back, of successes.
    #[serde(default)]
    pub time_to_first_byte: HistogramRecord,
    /// First byte to last byte, of successes; 0 where one read brought both.
    #[serde(default)]
    pub transfer_time: HistogramRecord,
}

/// One histogram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PercentilesRecord {
    /// The median.
    pub p50_ns: u64,
    /// The 95th percentile.
    pub p95_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
}

/// How far apart the workers began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SkewRecord {
    /// From the first worker's first thread to the last worker's last thread.
    pub spread_ns: u64,
    /// Half the largest round trip: how well `spread_ns` is known.
    pub uncertainty_ns: u64,
}

/// A worker's process and its machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostRecord {
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
    // Records that were written before these were read have none.
    /// How often the engine threads gave their core up, because there was nothing to do; together.
    #[serde(default)]
    pub voluntary_switches: u64,
    /// How often their core was taken from the engine threads; together.
    #[serde(default)]
    pub involuntary_switches: u64,
    /// What the engine threads spent on ending the span and handing over what they had measured; together.
    #[serde(default)]
    pub reporting_ns: u64,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(remote = "EndReason", rename_all = "snake_case")]
enum EndReasonRecord {
    Requests,
    Duration,
    Stopped,
    Lease,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(remote = "FailureKind", rename_all = "snake_case")]
enum FailureKindRecord {
    Connect,
    Tls,
    Timeout,
    Reset,
    Refused,
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
