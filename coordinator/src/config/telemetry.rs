//! Who can follow a run while it goes on.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use url::Url;

use super::error::QuestionError;
use super::{ConfigError, Secret};
use crate::cli::{Given, OutputArgs};

/// The variable of headers for the collector. There is no flag for them, because they may hold a key.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Who can follow a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Prometheus, which comes and looks.
    pub prometheus: Option<PrometheusConfig>,
    /// An OpenTelemetry collector, which is told.
    pub otlp: Option<OtlpConfig>,
}

/// How Prometheus can follow a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrometheusConfig {
    /// Of this machine.
    pub address: SocketAddr,
    /// How long the end waits for one last look.
    pub linger: Duration,
}

/// How a collector is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// Where metrics are posted to.
    pub endpoint: Url,
    /// Of every request to it.
    pub headers: Vec<(HeaderName, Secret)>,
    /// Between two requests.
    pub interval: Duration,
}

impl TelemetryConfig {
    pub(super) fn new(args: &OutputArgs, given: &Given) -> Result<Self, ConfigError> {
        let prometheus =
            args.prometheus.map(|address| PrometheusConfig { address, linger: args.prometheus_linger });
        let otlp = match &args.otlp {
            Some(base) => Some(OtlpConfig {
                endpoint: endpoint(base),
                headers: headers(given)?,
                interval: args.otlp_interval,
            }),
            None => None,
        };
        Ok(Self { prometheus, otlp })
    }
}

/// As OTLP has it for each kind of signal.
fn endpoint(base: &Url) -> Url {
    let mut url = base.clone();
    // A base URL over HTTP always has a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "metrics"]);
    }
    url
}

fn headers(given: &Given) -> Result<Vec<(HeaderName, Secret)>, ConfigError> {
    let Some(text) = given.variable(HEADERS) else { return Ok(Vec::new()) };
    let list = text.to_str().and_then(parse);
    list.ok_or_else(|| QuestionError::OtlpHeaders { name: HEADERS }.into())
}

/// `name=value,other=value`, values percent-encoded.
fn parse(text: &str) -> Option<Vec<(HeaderName, Secret)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let header = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = decoded(value.trim())?;
        HeaderValue::from_str(&value).ok()?;
        Some((name.trim().parse().ok()?, Secret::new(value)))
    };
    parts.map(header).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_a_path_of_their_own_below_the_endpoint() {
        let of = |base: &str| endpoint(&base.parse().unwrap()).to_string();
        assert_eq!(of("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(of("https://collector.example/otlp/"), "https://collector.example/otlp/v1/metrics");
    }

    #[test]
    fn headers_are_a_list_whose_values_are_percent_encoded() {
        let list = parse("Authorization=Bearer%20k%3D1, x-team = a,").unwrap();
        let shown: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(shown, [("authorization", "Bearer k=1"), ("x-team", "a")]);
        for bad in ["Authorization", "a b=c", "a=%zz", "a=%0a", "a=%2"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
