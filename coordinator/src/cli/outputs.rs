//! Flags of `run` that say where else its results go.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::{OUTPUT, values};

/// Where results go beside the results folder.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// File that thresholds and the rules of the verdict are written to as test cases (JUnit's XML) [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_JUNIT", help_heading = OUTPUT)]
    pub junit: Option<PathBuf>,

    /// Address of this machine at which Prometheus can follow the run, at /metrics; whoever reaches it may read it; port 0
    /// takes a free one, and what was taken is printed [default: none]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    #[arg(env = "ARCHESTRA_BENCH_PROMETHEUS", help_heading = OUTPUT)]
    pub prometheus: Option<SocketAddr>,

    /// How long the end waits for a Prometheus that followed the run to read it once more; or none
    #[arg(long, value_name = "DURATION|none", default_value = "20s", value_parser = linger)]
    #[arg(env = "ARCHESTRA_BENCH_PROMETHEUS_LINGER", help_heading = OUTPUT)]
    pub prometheus_linger: Duration,

    /// Base URL of an OpenTelemetry collector that the run's metrics are sent to, over HTTP in protobuf; the headers of
    /// OTEL_EXPORTER_OTLP_HEADERS go with them [default: none]
    #[arg(long, value_name = "URL", value_parser = collector)]
    #[arg(env = "OTEL_EXPORTER_OTLP_ENDPOINT", help_heading = OUTPUT)]
    pub otlp: Option<Url>,

    /// Time between two requests to the collector; one more is sent in the end
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_OTLP_INTERVAL", help_heading = OUTPUT)]
    pub otlp_interval: Duration,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "must be an address with its port, such as 127.0.0.1:9464, or with port 0 for a free one, not `{}`",
            text.trim()
        )
    })
}

fn collector(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).ok().filter(|url| {
        let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        ["http", "https"].contains(&url.scheme()) && is_bare
    });
    // What it is may hold a password.
    url.ok_or_else(|| "must be a base URL without a user or a query, such as http://127.0.0.1:4318".into())
}

pub(super) fn linger(text: &str) -> Result<Duration, String> {
    if text.trim() == "none" { Ok(Duration::ZERO) } else { values::duration(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_a_wait_may_be_none() {
        assert_eq!(address(" [::1]:9464 ").unwrap().port(), 9464);
        assert_eq!(address("127.0.0.1:0").unwrap().port(), 0);
        for bad in ["9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "localhost:9464"] {
            assert!(address(bad).unwrap_err().starts_with("must be an address with its port"), "{bad}");
        }
        assert_eq!((linger("none"), linger("5s")), (Ok(Duration::ZERO), Ok(Duration::from_secs(5))));
        assert!(linger("5").is_err());
        assert!(collector("http://127.0.0.1:4318").is_ok());
        for bad in ["127.0.0.1:4318", "grpc://a:4317", "http://user:secret@a:4318", "http://a?b"] {
            assert!(!collector(bad).unwrap_err().contains("secret"), "{bad}");
        }
    }
}
