//! The run's metrics for an OpenTelemetry collector: OTLP over HTTP, in protobuf. Why nobody's SDK does it is in
//! `docs/decisions/0019-own-otlp-messages.md`.

mod messages;

use std::time::Duration;

use prost::Message as _;
use proto::SOFTWARE_VERSION;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::families::{BOUNDS, Family, Labels, Samples};
use crate::causes::sentence;
use crate::config::OtlpConfig;
use messages::{
    AnyValue, Data, ExportMetricsServiceRequest, Gauge, Histogram, HistogramDataPoint, InstrumentationScope,
    KeyValue, Metric, Number, NumberDataPoint, Resource, ResourceMetrics, ScopeMetrics, Sum, Text,
};

/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Sums count from the start of the run.
const CUMULATIVE: i32 = 2;

/// Where metrics are sent.
#[derive(Debug)]
pub(super) struct Exporter {
    client: reqwest::Client,
    config: OtlpConfig,
    /// In nanoseconds since 1970.
    started: u64,
}

impl Exporter {
    /// `started` in nanoseconds since 1970; `None`, with a warning, where no client can be had.
    pub(super) fn new(config: &OtlpConfig, started: u64) -> Option<Self> {
        // Once for the process; the second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(LIMIT).build();
        let warn = |error: &reqwest::Error| tracing::warn!("no metrics are sent ({})", sentence(error));
        let client = client.inspect_err(warn).ok()?;
        Some(Self { client, config: config.clone(), started })
    }

    /// Where it sends, for a person.
    pub(super) fn place(&self) -> &str {
        self.config.endpoint.host_str().unwrap_or("the collector")
    }

    /// Sends everything as it stands at `now`.
    ///
    /// # Errors
    /// Why the collector did not take it, in a clause.
    pub(super) async fn send(&self, families: &[Family], now: u64) -> Result<(), String> {
        let body = request(families, self.started, now).encode_to_vec();
        let post = self.client.post(self.config.endpoint.clone()).body(body);
        let mut post = post.header(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        for (name, value) in &self.config.headers {
            post = post.header(name, value.expose());
        }
        let answer = post.send().await.map_err(|error| sentence(&error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }
}

fn request(families: &[Family], started: u64, now: u64) -> ExportMetricsServiceRequest {
    let metrics = families.iter().map(|family| metric(family, started, now)).collect();
    let scope = InstrumentationScope { name: "archestra-bench".into(), version: SOFTWARE_VERSION.into() };
    let resource = [("service.name", "archestra-bench"), ("service.version", SOFTWARE_VERSION)];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: resource.map(|(key, value)| attribute(key, value)).into(),
            }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics }],
        }],
    }
}

fn metric(family: &Family, started: u64, now: u64) -> Metric {
    let number = |labels: &Labels, value: Number| NumberDataPoint {
        start_time_unix_nano: started,
        time_unix_nano: now,
        value: Some(value),
        attributes: attributes(labels),
    };
    let data = match &family.samples {
        Samples::Counters(samples) => Data::Sum(Sum {
            data_points: samples
                .iter()
                .map(|(labels, count)| number(labels, Number::Int(i64::try_from(*count).unwrap_or(i64::MAX))))
                .collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Samples::Gauges(samples) => Data::Gauge(Gauge {
            data_points: samples
                .iter()
                .map(|(labels, value)| number(labels, Number::Double(*value)))
                .collect(),
        }),
        Samples::Histograms(samples) => Data::Histogram(Histogram {
            data_points: samples
                .iter()
                .map(|(labels, buckets)| HistogramDataPoint {
                    start_time_unix_nano: started,
                    time_unix_nano: now,
                    count: buckets.count,
                    sum: Some(buckets.sum),
                    bucket_counts: apart(&buckets.at_most, buckets.count),
                    explicit_bounds: BOUNDS.iter().map(|bound| *bound as f64 / 1e9).collect(),
                    attributes: attributes(labels),
                })
                .collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: family.name.into(),
        description: family.help.into(),
        unit: unit(family.name).into(),
        data: Some(data),
    }
}

/// Each bucket without those before it; the last is above all bounds.
fn apart(at_most: &[u64], count: u64) -> Vec<u64> {
    let befores = std::iter::once(0).chain(at_most.iter().copied());
    let ends = at_most.iter().copied().chain([count]);
    ends.zip(befores).map(|(end, before)| end.saturating_sub(before)).collect()
}

/// As UCUM writes it.
fn unit(name: &str) -> &'static str {
    match name.trim_end_matches("_total") {
        name if name.ends_with("_seconds") => "s",
        name if name.ends_with("_bytes") => "By",
        _ => "1",
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| attribute(key, value)).collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Text::String(value.into())) }) }
}
