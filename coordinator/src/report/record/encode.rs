//! From what was measured to the record.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proto::counters::{ConnectionKind, Counters};
use proto::description::WorkerDescription;
use proto::latencies::{Histogram, Latencies};
use proto::load::{Extent, Load, Pace, WarmUp};
use proto::route::Route;
use proto::target::{HttpVersion, Target};
use proto::tls::TlsSession;

use super::proof::{sha256_of_rows, sha256_of_seconds};
use super::stages::stage_figures;
use super::{
    BlockRecord, ConnectionRecord, CountersRecord, ExtentRecord, FailureRecord, FleetWorkerRecord,
    GoalRecord, HistogramRecord, HttpRecord, JsonExpectationRecord, LatenciesRecord, LoadRecord,
    PercentilesRecord, ScenarioRecord, SeriesRecord, SkewRecord, StageRecord, TargetRecord, ThinkTimeRecord,
    TlsRecord, TraceRecord, VarietyRecord, WarmUpRecord, WorkerEndRecord, WorkerRecord,
};
use crate::merge::{
    EncodedHistogram, MeasuredBlock, MeasuredWorker, SHORTEST_WHOLE_SECOND, SeriesPoint, StartSkew, WorkerEnd,
};
use crate::scenario::Scenario;
use crate::statistics::verdict::judge;
use crate::statistics::{Distribution, Evidence, Figures, Merged, WholeSecond, Window};

impl BlockRecord {
    /// The record of one measured block, with its figures and findings. Blocks are numbered from 1.
    pub fn new(number: u32, measured: &MeasuredBlock) -> Self {
        let block = &measured.block;
        let stream = block.scenario.expectation.is_stream();
        let series: Vec<_> = measured.series.iter().map(|point| SeriesRecord::new(stream, point)).collect();
        let merged = Merged::of(&measured.workers);
        let seconds = whole_seconds(&series, &merged.latencies.response_time);
        let evidence = Evidence::new(measured, &seconds);
        let figures = Figures::of_block(&evidence, &merged);
        let stages = stage_figures(&block.load, figures.window, &series);
        debug_assert!(stages.is_ok());
        let latencies = LatenciesRecord::from(&merged.latencies);
        Self {
            number,
            scenario: (&block.scenario).into(),
            arm: block.arm,
            repeat: block.repeat,
            purpose: block.purpose,
            seed: Some(block.seed),
            load: (&block.load).into(),
            extent: block.extent.into(),
            warm_up: block.warm_up.into(),
            timeout_ns: nanos(block.timeout),
            keep_alive: block.keep_alive,
            http_version: block.target.http_version.into(),
            streams: block.streams.get(),
            threads: block.threads.map(NonZeroU32::get),
            interrupted: measured.interrupted,
            aborted: measured.aborted.clone(),
            started: measured
                .started
                .as_ref()
                .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()),
            start_skew: measured.start_skew.into(),
            witness: measured.witness.as_ref().map(Into::into),
            unwitnessed: measured.unwitnessed.clone(),
            findings: judge(&evidence, &figures),
            totals: (&merged.totals).into(),
            histograms_sha256: Some(latencies.sha256()),
            latencies,
            workers: measured
                .workers
                .iter()
                .map(|worker| WorkerRecord::new(figures.window, worker))
                .collect(),
            seconds_sha256: Some(sha256_of_seconds(&series)),
            series,
            stages: stages.unwrap_or_default(),
            weight: block.weight.map(NonZeroU32::get),
            parts: measured.part_blocks().map(|part| Self::new(number, &part)).collect(),
            figures,
        }
    }
}

/// What rules look at of each whole second with an answer, beside all response times of its block.
pub(super) fn whole_seconds(series: &[SeriesRecord], all: &Histogram) -> Vec<WholeSecond> {
    let p99_ns = all.fine_quantile(0.99).map_or(f64::INFINITY, |p99| p99.value);
    let read = |second: &SeriesRecord| {
        // One that cannot be read is found out where its figures are worked out.
        let times = second.response_time_histogram.content("").ok()?;
        let (answers, slow) = (times.count(), times.fine_count_above(p99_ns));
        Some(WholeSecond { median_ns: second.response_time?.p50_ns, answers, slow })
    };
    series.iter().filter(|second| second.is_whole()).filter_map(read).collect()
}

impl SeriesRecord {
    /// Whether it is a second, and not what was left of one.
    pub(in crate::report) fn is_whole(&self) -> bool {
        self.end_ns.saturating_sub(self.start_ns) >= nanos(SHORTEST_WHOLE_SECOND)
    }
}

impl WorkerRecord {
    fn new(window: Window, worker: &MeasuredWorker) -> Self {
        let latencies = LatenciesRecord::from(&worker.latencies);
        Self {
            number: worker.number,
            end: (&worker.end).into(),
            connections: worker.connections,
            http_version: worker.http_version.map(HttpRecord::from),
            threads: worker.threads,
            addresses_left_out: worker.addresses_left_out.clone(),
            bodies: worker.bodies,
            intervals: worker.intervals,
            last_interval_end_ns: nanos(worker.last_interval_end),
            start_offset_ns: worker.start_offset.map(nanos),
            round_trip_ns: nanos(worker.round_trip),
            report_delay_ns: nanos(worker.report_delay),
            clock_advance_ns: nanos(worker.clock_advance),
            host: worker.host.into(),
            mismatch: worker.mismatch.clone(),
            figures: Figures::of_worker(window, worker),
            successes_in_window: worker.successes_in_window,
            started_in_window: worker.started_in_window,
            warm_up: (&worker.warm_up).into(),
            totals: (&worker.totals).into(),
            histograms_sha256: Some(latencies.sha256()),
            latencies,
        }
    }
}

impl SeriesRecord {
    pub(in crate::report) fn new(stream: bool, point: &SeriesPoint) -> Self {
        let SeriesPoint { response_time, time_to_first_token, .. } = point;
        let mut record = Self {
            start_ns: nanos(point.start),
            end_ns: nanos(point.end),
            workers: point.workers,
            successes_by_worker: point.successes_by_worker.clone(),
            throughput: None,
            response_time: None,
            time_to_first_token: None,
            counters: (&point.counters).into(),
            response_time_histogram: response_time.into(),
            time_to_first_token_histogram: stream.then(|| time_to_first_token.into()),
        };
        // What was encoded by the merge can be decoded.
        let worked_out = record.work_out();
        debug_assert!(worked_out.is_ok());
        record
    }
}

impl FleetWorkerRecord {
    /// A worker as it described itself; workers are numbered from 0.
    pub fn new(number: u32, address: String, description: &WorkerDescription) -> Self {
        let description = description.clone();
        Self {
            number,
            address,
            software_version: description.software_version,
            commit: description.commit,
            hostname: description.hostname,
            cpu_model: description.cpu_model,
            architecture: description.architecture,
            kernel: description.kernel,
            cores: description.cores,
            memory_bytes: description.memory_bytes,
            open_files_limit: description.open_files_limit,
        }
    }
}

impl TargetRecord {
    /// A target, and whether it is the mock upstream that the run started itself.
    pub fn new(target: &Target, is_built_in_mock: bool) -> Self {
        Self {
            url: target.shown(),
            is_built_in_mock,
            insecure_target: target.insecure,
            extra_roots: target.extra_roots.is_some(),
            connect_to: match &target.route {
                Route::ConnectTo { host, port } if host.contains(':') => Some(format!("[{host}]:{port}")),
                Route::ConnectTo { host, port } => Some(format!("{host}:{port}")),
                Route::Url | Route::UnixSocket(_) => None,
            },
            local_addresses: target.local_addresses.iter().map(ToString::to_string).collect(),
            tls_server_name: target.server_name.clone(),
            tls_session_resumption: target.is_tls().then_some(target.session_resumption),
            tls_client_certificate: target.client_identity.is_some(),
        }
    }
}

impl From<&Scenario> for ScenarioRecord {
    fn from(scenario: &Scenario) -> Self {
        let (request, expectation) = (&scenario.request, &scenario.expectation);
        let json = expectation.json.iter();
        Self {
            name: scenario.name.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            header_names: request.headers.iter().map(|(name, _)| name.clone()).collect(),
            body: match &scenario.variety {
                Some(variety) => variety.template.clone(),
                None => String::from_utf8_lossy(&request.body).into_owned(),
            },
            variety: scenario.variety.as_deref().map(|variety| VarietyRecord {
                bodies: variety.bodies,
                dataset_rows: variety.dataset.rows.len() as u64,
                dataset_sha256: sha256_of_rows(&variety.dataset),
            }),
            expected_status: expectation.status,
            expected_json: json
                .map(|json| JsonExpectationRecord {
                    pointer: json.pointer.clone(),
                    equals: json.equals.clone(),
                })
                .collect(),
            expected_finish_reason: expectation.finish_reason.clone(),
            stream: expectation.is_stream(),
            stream_format: expectation.stream.map(|format| format.name().to_owned()),
            goal: GoalRecord::of(expectation.goal),
        }
    }
}

impl From<&Load> for LoadRecord {
    fn from(load: &Load) -> Self {
        match load {
            Load::Closed { concurrency, think_time } => Self::Closed {
                concurrency: concurrency.get(),
                think_time: think_time.map(|time| ThinkTimeRecord {
                    min_ns: nanos(time.shortest()),
                    max_ns: nanos(time.longest()),
                }),
            },
            Load::Open { pace, arrivals, connections, max_in_flight } => Self::Open {
                rate_millihertz: match pace {
                    Pace::Steady(rate) => Some(rate.millihertz()),
                    Pace::Stages(_) | Pace::Trace(_) => None,
                },
                stages: match pace {
                    Pace::Stages(stages) => stages.iter().map(StageRecord::from).collect(),
                    Pace::Steady(_) | Pace::Trace(_) => Vec::new(),
                },
                trace: match pace {
                    Pace::Trace(trace) => Some(TraceRecord {
                        requests: trace.requests(),
                        duration_ns: nanos(trace.duration()),
                        gaps_deflate: BASE64.encode(trace.encode()),
                    }),
                    Pace::Steady(_) | Pace::Stages(_) => None,
                },
                arrivals: *arrivals,
                connections: connections.get(),
                max_in_flight: max_in_flight.map(NonZeroU64::get),
            },
        }
    }
}

impl From<HttpVersion> for HttpRecord {
    fn from(version: HttpVersion) -> Self {
        match version {
            HttpVersion::Http11 => Self::Http11,
            HttpVersion::Http2 => Self::Http2,
            HttpVersion::Auto => Self::Auto,
        }
    }
}

impl From<Extent> for ExtentRecord {
    fn from(extent: Extent) -> Self {
        Self { requests: extent.requests().map(NonZeroU64::get), duration_ns: extent.duration().map(nanos) }
    }
}

impl From<WarmUp> for WarmUpRecord {
    fn from(warm_up: WarmUp) -> Self {
        match warm_up {
            WarmUp::None => Self::None,
            WarmUp::Requests(requests) => Self::Requests { requests: requests.get() },
            WarmUp::Duration(duration) => Self::Duration { duration_ns: nanos(duration) },
        }
    }
}

impl From<&WorkerEnd> for WorkerEndRecord {
    fn from(end: &WorkerEnd) -> Self {
        match end {
            WorkerEnd::Idle => Self::Idle,
            WorkerEnd::Lost { why } => Self::Lost { why: why.clone() },
            WorkerEnd::Finished { reason, last_completion, start_lateness_min, start_lateness_max } => {
                Self::Finished {
                    reason: *reason,
                    last_completion_ns: last_completion.map(nanos),
                    start_lateness_min_ns: nanos(*start_lateness_min),
                    start_lateness_max_ns: nanos(*start_lateness_max),
                }
            }
        }
    }
}

impl From<StartSkew> for SkewRecord {
    fn from(skew: StartSkew) -> Self {
        Self { spread_ns: nanos(skew.spread), uncertainty_ns: nanos(skew.uncertainty) }
    }
}

impl From<&Counters> for CountersRecord {
    fn from(counters: &Counters) -> Self {
        let failures = counters.failures.iter().map(|(failure, count)| FailureRecord {
            kind: failure.kind,
            status: failure.status,
            detail: failure.detail.clone(),
            count: *count,
        });
        Self {
            offered: counters.offered,
            started: counters.started,
            successes: counters.successes,
            failures: failures.collect(),
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
            connections_by_address: counters.connections.iter().map(connections).collect(),
        }
    }
}

fn connections((kind, count): (&ConnectionKind, &u64)) -> ConnectionRecord {
    let tls = kind.tls.clone().map(|TlsSession { version, cipher_suite, resumed }| TlsRecord {
        version,
        cipher_suite,
        resumed,
    });
    ConnectionRecord { address: kind.address.clone(), tls, count: *count }
}

impl From<&Latencies> for LatenciesRecord {
    fn from(latencies: &Latencies) -> Self {
        let record = |histogram: &Histogram| (&EncodedHistogram::from(histogram)).into();
        Self {
            response_time: record(&latencies.response_time),
            service_time: record(&latencies.service_time),
            send_lag: record(&latencies.send_lag),
            time_to_first_token: record(&latencies.time_to_first_token),
            inter_token_gap: record(&latencies.inter_token_gap),
            connect_time: record(&latencies.connect_time),
            tls_handshake_time: record(&latencies.tls_handshake_time),
            time_to_first_byte: record(&latencies.time_to_first_byte),
            transfer_time: record(&latencies.transfer_time),
        }
    }
}

impl From<&EncodedHistogram> for HistogramRecord {
    fn from(encoded: &EncodedHistogram) -> Self {
        Self {
            v2_deflate: BASE64.encode(&encoded.v2_deflate),
            below_range: encoded.below_range,
            above_range: encoded.above_range,
        }
    }
}

impl From<Distribution> for PercentilesRecord {
    fn from(distribution: Distribution) -> Self {
        let Distribution { p50_ns, p95_ns, p99_ns, .. } = distribution;
        Self { p50_ns, p95_ns, p99_ns }
    }
}

pub(in crate::report) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
