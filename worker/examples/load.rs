//! The engine alone, for `benches/compare.sh`: posts a body over some connections for some seconds.
//!
//! `load URL CONNECTIONS SECONDS BODY_FILE` prints `requests: N` and the latency that it measured. Everything is on as in
//! a run: a deadline per request, all histograms, due times, the check of the answer.

use std::error::Error;
use std::io::Write;
use std::num::NonZeroU32;
use std::sync::mpsc::channel;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::expectation::{Expectation, JsonExpectation};
use proto::load::{Extent, Load, WarmUp};
use proto::share::Share;
use proto::target::{HttpVersion, Request, Target};
use worker::clock::Clock;
use worker::engine::{Engine, Output};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, seconds, body] = arguments.as_slice() else {
        return Err("usage: load URL CONNECTIONS SECONDS BODY_FILE".into());
    };
    worker::host::raise_open_files_limit();
    let url: url::Url = url.parse()?;
    // STREAMS=25 speaks HTTP/2 with so many streams on each connection.
    let streams = std::env::var("STREAMS").ok().map(|streams| streams.parse()).transpose()?;
    let http_version = if streams.is_some() { HttpVersion::Http2 } else { HttpVersion::Http11 };
    let assignment = Assignment {
        id: "benchmark".into(),
        request: Request {
            method: "POST".into(),
            path: url.path().into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: std::fs::read(body)?,
        },
        target: Target { url: url.join("/")?, extra_roots: None, insecure: true, http_version },
        expectation: Expectation {
            json: vec![JsonExpectation { pointer: "/choices/0/message/content".into(), equals: None }],
            ..Expectation::default()
        },
        load: Load::Closed { concurrency: connections.parse()? },
        extent: Extent::Duration(Duration::from_secs(seconds.parse()?)),
        warm_up: WarmUp::None,
        share: Share::WHOLE,
        timeout: Duration::from_secs(30),
        keep_alive: std::env::var_os("NO_KEEPALIVE").is_none(),
        streams: streams.unwrap_or(NonZeroU32::MIN),
        threads: NonZeroU32::new(1),
        seed: 1,
        lease: Duration::from_secs(10),
    };

    let (sender, outputs) = channel();
    let clock = Clock::new();
    let engine = Engine::prepare(&assignment, clock, move |output| drop(sender.send(output)))?;
    for output in outputs {
        match output {
            Output::Prepared { .. } => engine.start(clock.now()),
            Output::Interval(_) => {}
            Output::Failed(problem) => return Err(problem.into()),
            Output::Finished(finished) => {
                let quantile = |q| finished.latencies.response_time.quantile(q).unwrap_or(0) as f64 / 1e3;
                let mut out = std::io::stdout();
                writeln!(out, "requests: {}", finished.totals.successes)?;
                writeln!(out, "failed: {} {:?}", finished.totals.failed(), finished.totals.failures)?;
                writeln!(out, "P50 {:.1} us, P99 {:.1} us", quantile(0.5), quantile(0.99))?;
                return Ok(());
            }
        }
    }
    Err("the engine ended without a word".into())
}
