//! The engine alone, for the benchmarks: posts a body for some seconds, and prints what came of it.
//!
//! `load URL BODY_FILE SECONDS [connections=N] [threads=N] [rate=N] [stream] [no-keep-alive]`: a closed loop over so many connections
//! (10), or an open loop at so many requests a second, on one thread or so many. Everything is on as in a run: a deadline per request, all
//! histograms, due times, the check of the answer.

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::sync::mpsc::channel;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::expectation::{Expectation, JsonExpectation, StreamFormat};
use proto::interval::Finished;
use proto::latencies::Histogram;
use proto::load::{Arrivals, Extent, Load, Pace, Rate, WarmUp};
use proto::share::Share;
use proto::target::{HttpVersion, Request, Target};
use worker::clock::Clock;
use worker::engine::{Engine, Output};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, body, seconds, options @ ..] = arguments.as_slice() else {
        return Err(
            "usage: load URL BODY_FILE SECONDS [connections=N] [streams=N] [threads=N] [rate=N] [stream] [no-keep-alive]"
                .into(),
        );
    };
    worker::host::raise_open_files_limit();
    let seconds = Duration::from_secs(seconds.parse()?);
    let assignment = assignment(&url.parse()?, std::fs::read(body)?, seconds, options)?;

    let (sender, outputs) = channel();
    let clock = Clock::new();
    let engine = Engine::prepare(&assignment, clock, move |output| drop(sender.send(output)))?;
    for output in outputs {
        match output {
            Output::Prepared { .. } => engine.start(clock.now()),
            Output::Interval(_) => {}
            Output::Failed(problem) => return Err(problem.into()),
            Output::Finished(finished) => return Ok(show(&finished)?),
        }
    }
    Err("the engine ended without a word".into())
}

fn assignment(
    url: &url::Url,
    body: Vec<u8>,
    seconds: Duration,
    options: &[String],
) -> Result<Assignment, Box<dyn Error>> {
    let is_set = |name: &str| options.iter().any(|option| option == name);
    let number = |name: &str| {
        let found = options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        found.map(str::parse::<NonZeroU32>).transpose()
    };
    let connections = number("connections")?.unwrap_or(const { NonZeroU32::new(10).unwrap() });
    let load = match number("rate")? {
        None => Load::Closed { concurrency: connections, think_time: None },
        Some(rate) => Load::Open {
            pace: Pace::Steady(
                Rate::from_millihertz(u64::from(rate.get()) * 1000).ok_or("a rate beyond what there is")?,
            ),
            arrivals: Arrivals::Constant,
            connections,
            max_in_flight: None,
        },
    };
    // Streams are HTTP/2's: so many requests share a connection.
    let streams = number("streams")?;
    let http_version = if streams.is_some() { HttpVersion::Http2 } else { HttpVersion::Http11 };
    let content = JsonExpectation { pointer: "/choices/0/message/content".into(), equals: None };
    let stream = is_set("stream");
    Ok(Assignment {
        id: "benchmark".into(),
        request: Request {
            method: "POST".into(),
            path: url.path().into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body,
        },
        target: Target { insecure: true, http_version, ..Target::new(url.join("/")?) },
        expectation: Expectation {
            json: if stream { Vec::new() } else { vec![content] },
            stream: stream.then(StreamFormat::default),
            ..Expectation::default()
        },
        load,
        extent: Extent::Duration(seconds),
        warm_up: WarmUp::None,
        share: Share::WHOLE,
        timeout: Duration::from_secs(30),
        keep_alive: !is_set("no-keep-alive"),
        streams: streams.unwrap_or(NonZeroU32::MIN),
        threads: Some(number("threads")?.unwrap_or(NonZeroU32::MIN)),
        seed: 1,
        lease: Duration::from_secs(10),
        variety: None,
        mix: Vec::new(),
    })
}

/// A figure a line. Times are in microseconds.
fn show(finished: &Finished) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "requests: {}", finished.totals.successes)?;
    writeln!(out, "events: {}", finished.totals.content_events)?;
    writeln!(out, "tokens: {}", finished.totals.output_tokens)?;
    writeln!(out, "failed: {} {:?}", finished.totals.failed(), finished.totals.failures)?;
    let mut line = |name: &str, histogram: &Histogram| {
        for (label, quantile) in [("P50", 0.5), ("P99", 0.99), ("P99.9", 0.999)] {
            let nanos = histogram.quantile(quantile).unwrap_or(0) as f64;
            writeln!(out, "{name} {label}: {:.1}", nanos / 1e3)?;
        }
        Ok::<_, io::Error>(())
    };
    line("response time", &finished.latencies.response_time)?;
    line("send lag", &finished.latencies.send_lag)
}
