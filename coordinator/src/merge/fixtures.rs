//! Blocks, intervals and totals for tests.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::counters::Counters;
use proto::expectation::Expectation;
use proto::interval::{EndReason, Finished, HostReading, Interval, PartResult};
use proto::latencies::Latencies;
use proto::load::{Arrivals, Extent, Load, Pace, Rate, WarmUp};
use proto::target::{Request, Target};
use url::Url;

use crate::plan::{Arm, Block, Mixed, Purpose, TOGETHER};
use crate::scenario::Scenario;

pub(crate) fn closed(concurrency: u32) -> Load {
    Load::Closed { concurrency: NonZeroU32::new(concurrency).unwrap(), think_time: None }
}

pub(crate) fn open(per_second: u64) -> Load {
    Load::Open {
        pace: Pace::Steady(Rate::from_millihertz(per_second * 1_000).unwrap()),
        arrivals: Arrivals::Constant,
        connections: NonZeroU32::new(64).unwrap(),
        max_in_flight: None,
    }
}

pub(crate) fn requests(count: u64) -> Extent {
    Extent::Requests(NonZeroU64::new(count).unwrap())
}

pub(crate) fn block(load: Load, extent: Extent) -> Block {
    let scenario = Scenario {
        name: "simple_chat".into(),
        request: Request {
            method: "POST".into(),
            path: "/v1/openai/chat/completions".into(),
            headers: vec![("authorization".into(), "Bearer sk-secret".into())],
            body: br#"{"model":"gpt-4o"}"#.to_vec(),
        },
        variety: None,
        expectation: Expectation { finish_reason: Some("stop".into()), ..Expectation::default() },
    };
    Block {
        scenario,
        mix: Vec::new(),
        weight: None,
        arm: Arm::Gateway,
        repeat: 1,
        purpose: Purpose::Measurement,
        target: Target::new(Url::parse("http://127.0.0.1:9000").unwrap()),
        load,
        extent,
        warm_up: WarmUp::None,
        timeout: Duration::from_secs(30),
        keep_alive: true,
        streams: NonZeroU32::MIN,
        threads: None,
        seed: 7,
    }
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Good answers with these response times in nanoseconds, sent 1 µs after they were due.
pub(crate) fn successes(response_times: &[u64]) -> (Counters, Latencies) {
    let count = response_times.len() as u64;
    let mut latencies = Latencies::default();
    for nanos in response_times {
        latencies.response_time.record(*nanos);
        latencies.service_time.record(nanos.saturating_sub(1_000));
        latencies.send_lag.record(1_000);
        latencies.time_to_first_byte.record(nanos.saturating_sub(1_000) / 2);
        latencies.transfer_time.record(nanos.saturating_sub(1_000) / 2);
    }
    (Counters { offered: count, started: count, successes: count, ..Counters::default() }, latencies)
}

pub(crate) fn interval(sequence: u64, (start, end): (f64, f64), response_times: &[u64]) -> Interval {
    let (counters, latencies) = successes(response_times);
    let host = HostReading {
        process_cores: 0.2,
        busiest_thread: 0.1,
        scheduler_lag: 0.01,
        steal: 0.0,
        resident_bytes: 8 << 20,
        voluntary_switches: 900,
        involuntary_switches: 3,
        reporting: Duration::from_micros(40),
        wall_step_ns: 0,
    };
    let (start, end, parts) = (seconds(start), seconds(end), Vec::new());
    Interval { sequence, start, end, counters, latencies, host, parts }
}

/// The same of a mix of two scenarios, whose requests share 100 bytes.
pub(crate) fn mixed_interval(sequence: u64, span: (f64, f64), response_times: [&[u64]; 2]) -> Interval {
    let mut whole = interval(sequence, span, &response_times.concat());
    whole.counters.bytes_sent = 100;
    let part = |response_times| {
        let (counters, latencies) = successes(response_times);
        PartResult { counters, latencies }
    };
    Interval { parts: response_times.map(part).into(), ..whole }
}

/// A block of a mix of 7 to 3.
pub(crate) fn mixed_block(load: Load, extent: Extent) -> Block {
    let one = block(load, extent);
    let mixed = |(name, weight): (&str, u32)| Mixed {
        scenario: Scenario { name: name.into(), ..one.scenario.clone() },
        weight: NonZeroU32::new(weight).unwrap(),
    };
    let mix: Vec<Mixed> = [("simple_chat", 7), ("chat_with_tools", 3)].map(mixed).into();
    let scenario = Scenario { name: TOGETHER.into(), ..one.scenario.clone() };
    Block { scenario, mix, ..one }
}

/// Totals that agree with these intervals.
pub(crate) fn totals(intervals: &[Interval], end_reason: EndReason) -> Finished {
    let (mut totals, mut latencies) = (Counters::default(), Latencies::default());
    let mut parts = vec![PartResult::default(); intervals.first().map_or(0, |first| first.parts.len())];
    for interval in intervals {
        totals.add(&interval.counters);
        latencies.merge(&interval.latencies);
        for (sum, part) in parts.iter_mut().zip(&interval.parts) {
            sum.counters.add(&part.counters);
            sum.latencies.merge(&part.latencies);
        }
    }
    let end = intervals.last().map_or(Duration::ZERO, |last| last.end);
    let ended = |interval: &&Interval| interval.counters.successes + interval.counters.failed() > 0;
    Finished {
        assignment_id: "an-id".into(),
        end_reason,
        last_completion: intervals.iter().rfind(ended).map(|last| last.end),
        end,
        start_lateness_min: Duration::from_micros(5),
        start_lateness_max: Duration::from_micros(20),
        intervals: intervals.len() as u64,
        totals,
        latencies,
        parts,
    }
}
