//! The run's metrics for an OpenTelemetry collector: OTLP over HTTP, in protobuf. Why nobody's SDK does it is in
//! `docs/decisions/0019-own-otlp-messages.md`.

mod messages;

use std::time::Duration;

use prost::Message as _;
use proto::SOFTWARE_VERSION;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use uuid::Uuid;

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
    /// Tells this run from others that go on at the same time.
    instance: String,
}

impl Exporter {
    /// `started` in nanoseconds since 1970; `None`, with a warning, where no client can be had.
    pub(super) fn new(config: &OtlpConfig, started: u64) -> Option<Self> {
        // Once for the process; the second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Headers that hold a key go to the collector that was named, and to nobody that it names.
        let client = reqwest::Client::builder().timeout(LIMIT).redirect(Policy::none()).build();
        let warn = |error: &reqwest::Error| tracing::warn!("no metrics are sent ({})", sentence(error));
        let client = client.inspect_err(warn).ok()?;
        Some(Self { client, config: config.clone(), started, instance: Uuid::new_v4().to_string() })
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
        let body = self.request(families, now).encode_to_vec();
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

    fn request(&self, families: &[Family], now: u64) -> ExportMetricsServiceRequest {
        let metrics = families.iter().map(|family| metric(family, self.started, now)).collect();
        let scope = InstrumentationScope { name: "archestra-bench".into(), version: SOFTWARE_VERSION.into() };
        let resource = [
            ("service.name", "archestra-bench"),
            ("service.version", SOFTWARE_VERSION),
            ("service.instance.id", &self.instance),
        ];
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource {
                    attributes: resource.map(|(key, value)| attribute(key, value)).into(),
                }),
                scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics }],
            }],
        }
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

/// What the end of a name says of its unit, as UCUM writes it. Whoever makes Prometheus' names of ours adds `_ratio` to a gauge
/// whose unit is 1, and nothing for what stands in braces.
const UNITS: [(&str, &str); 11] = [
    ("_seconds", "s"),
    ("_bytes", "By"),
    ("_ratio", "1"),
    ("_cores", "{cpu}"),
    ("_tokens", "{token}"),
    ("_reports", "{report}"),
    ("_workers", "{worker}"),
    ("_workers_alive", "{worker}"),
    ("_blocks_begun", "{block}"),
    ("_blocks_planned", "{block}"),
    ("_connections_opened", "{connection}"),
];

/// None where there is nothing to count.
fn unit(name: &str) -> &'static str {
    let name = name.trim_end_matches("_total");
    match UNITS.iter().find(|(end, _)| name.ends_with(end)) {
        Some((_, unit)) => unit,
        None if name.starts_with("archestra_bench_requests_") => "{request}",
        None => "",
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| attribute(key, value)).collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Text::String(value.into())) }) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::config::Secret;
    use crate::telemetry::families::families;
    use crate::telemetry::meters::Meters;

    #[test]
    fn whoever_makes_prometheus_names_of_ours_leaves_them_as_they_are() {
        for family in families(&Meters::default()) {
            let (name, unit) = (family.name, unit(family.name));
            let end = match unit {
                "s" => "_seconds",
                "By" => "_bytes",
                "1" => "_ratio",
                _ => "",
            };
            assert!(name.trim_end_matches("_total").ends_with(end), "{name} in {unit}");
            let is_of_none = ["archestra_bench_build_info", "archestra_bench_block_number"].contains(&name);
            assert_eq!(unit.is_empty(), is_of_none, "{name} in {unit}");
            assert!(!end.is_empty() || unit.is_empty() || unit.starts_with('{'), "{name} in {unit}");
        }
    }

    #[tokio::test]
    async fn what_a_collector_points_to_gets_no_key() {
        let [here, elsewhere] = [0; 2].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        elsewhere.set_nonblocking(true).unwrap();
        let place = elsewhere.local_addr().unwrap();
        let config = OtlpConfig {
            endpoint: format!("http://{}/v1/metrics", here.local_addr().unwrap()).parse().unwrap(),
            headers: vec![("api-key".parse().unwrap(), Secret::new("sk-secret"))],
            interval: Duration::from_secs(1),
        };
        let collector = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = here.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            let head = "HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0\r\nlocation:";
            stream.write_all(format!("{head} http://{place}/\r\n\r\n").as_bytes()).unwrap();
            stream
        });
        let sent = Exporter::new(&config, 0).unwrap().send(&[], 0).await;
        assert_eq!(sent.unwrap_err(), "it answered 307 Temporary Redirect");
        assert!(elsewhere.accept().is_err(), "nobody came");
        collector.await.unwrap();
    }

    #[test]
    fn two_runs_are_two_sources() {
        let config = OtlpConfig {
            endpoint: "http://127.0.0.1:9/v1/metrics".parse().unwrap(),
            headers: Vec::new(),
            interval: Duration::from_secs(1),
        };
        let instances = [(); 2].map(|()| {
            let exporter = Exporter::new(&config, 0).unwrap();
            let [first, second] =
                [0, 1].map(|now| exporter.request(&[], now).resource_metrics[0].resource.clone());
            assert_eq!(first, second, "the same in all that a run sends");
            let attributes = first.unwrap().attributes;
            attributes.into_iter().find(|attribute| attribute.key == "service.instance.id").unwrap().value
        });
        assert_ne!(instances[0], instances[1]);
    }
}
