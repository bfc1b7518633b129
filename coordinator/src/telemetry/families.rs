//! The run so far as metrics. Names and units follow Prometheus' conventions; docs/outputs.md lists them.

use std::collections::BTreeMap;

use proto::counters::Counters;
use proto::interval::HostReading;
use proto::latencies::Histogram;
use proto::{COMMIT, SOFTWARE_VERSION};

use super::meters::{Key, Meters, Sum};

/// A metric: what is said of everything that its labels tell apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    /// With its unit at the end.
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

/// Values with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Samples {
    /// Only ever grow.
    Counters(Vec<(Labels, u64)>),
    /// Stand as they are.
    Gauges(Vec<(Labels, f64)>),
    /// Counts of times.
    Histograms(Vec<(Labels, Buckets)>),
}

/// Names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// How many values there are at most as large as each of [`BOUNDS`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Buckets {
    /// One for each bound; each holds those before it.
    pub(super) at_most: Vec<u64>,
    pub(super) count: u64,
    /// In seconds.
    pub(super) sum: f64,
}

/// Upper ends of buckets, in nanoseconds: 100 µs to 60 s.
pub(super) const BOUNDS: [u64; 18] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// Every metric, also those that have no sample yet.
pub(super) fn families(meters: &Meters) -> Vec<Family> {
    let mut all = counters(meters);
    all.extend(histograms(meters));
    all.extend(of_the_run(meters));
    all.extend(of_workers(meters));
    all
}

/// A counter's name, its help, and where it is counted.
type Counter = (&'static str, &'static str, fn(&Counters) -> u64);

/// All counters but that of failures, which has labels of its own.
const COUNTERS: [Counter; 12] = [
    ("archestra_bench_requests_offered_total", "Requests that the schedule wanted.", |counters| {
        counters.offered
    }),
    ("archestra_bench_requests_started_total", "Requests that were given a connection.", |counters| {
        counters.started
    }),
    ("archestra_bench_requests_succeeded_total", "Requests whose answer was good.", |counters| {
        counters.successes
    }),
    (
        "archestra_bench_requests_dropped_total",
        "Arrivals beyond the limit of requests in flight.",
        |counters| counters.dropped,
    ),
    (
        "archestra_bench_requests_unsent_total",
        "Requests that were due and still waited when a block ended.",
        |counters| counters.unsent,
    ),
    (
        "archestra_bench_requests_abandoned_total",
        "Requests that were in flight when a block was stopped.",
        |counters| counters.abandoned,
    ),
    ("archestra_bench_connections_opened_total", "Connections that were made.", |counters| {
        counters.connections_opened
    }),
    ("archestra_bench_sent_bytes_total", "Bytes sent to the target, before TLS.", |counters| {
        counters.bytes_sent
    }),
    ("archestra_bench_received_bytes_total", "Bytes of answers, after TLS.", |counters| {
        counters.bytes_received
    }),
    ("archestra_bench_usage_reports_total", "Successful streams that told their usage.", |counters| {
        counters.usage_reports
    }),
    ("archestra_bench_input_tokens_total", "Tokens of those streams' requests, as they told.", |counters| {
        counters.input_tokens
    }),
    ("archestra_bench_output_tokens_total", "Tokens of those streams' answers, as they told.", |counters| {
        counters.output_tokens
    }),
];

fn counters(meters: &Meters) -> Vec<Family> {
    let family = |(name, help, count): Counter| {
        let samples = meters.sums.iter().map(|(key, sum)| (labels(key), count(&sum.counters)));
        Family { name, help, samples: Samples::Counters(samples.collect()) }
    };
    COUNTERS.into_iter().map(family).chain([failures(&meters.sums)]).collect()
}

/// By kind, and by status where that is the kind.
fn failures(sums: &BTreeMap<Key, Sum>) -> Family {
    let mut samples = Vec::new();
    for (key, sum) in sums {
        let mut kinds: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for (failure, count) in &sum.counters.failures {
            let status = failure.status.map(|status| status.to_string()).unwrap_or_default();
            let kind = kinds.entry((failure.kind.name(), status)).or_default();
            *kind = kind.saturating_add(*count);
        }
        samples.extend(kinds.into_iter().map(|((kind, status), count)| {
            let of_failure = [("kind", kind.to_owned()), ("status", status)];
            (labels(key).into_iter().chain(of_failure).collect(), count)
        }));
    }
    Family {
        name: "archestra_bench_requests_failed_total",
        help: "Requests that came to another end than a good answer.",
        samples: Samples::Counters(samples),
    }
}

fn histograms(meters: &Meters) -> Vec<Family> {
    let family = |name, help, of: fn(&Sum) -> &Histogram| {
        let samples = meters.sums.iter().map(|(key, sum)| (labels(key), Buckets::of(of(sum))));
        Family { name, help, samples: Samples::Histograms(samples.collect()) }
    };
    vec![
        family("archestra_bench_response_time_seconds", "Due to last byte, of successes.", |sum| {
            &sum.response_time
        }),
        family(
            "archestra_bench_time_to_first_token_seconds",
            "Due to first content event, of successful streams.",
            |sum| &sum.time_to_first_token,
        ),
        family(
            "archestra_bench_send_lag_seconds",
            "Due to send, of every request that was written.",
            |sum| &sum.send_lag,
        ),
    ]
}

fn of_the_run(meters: &Meters) -> Vec<Family> {
    let one =
        |name, help, value: f64| Family { name, help, samples: Samples::Gauges(vec![(Vec::new(), value)]) };
    let current = |name, help, value: fn(&super::meters::Current) -> f64| {
        let samples = meters.current.iter().map(|current| (labels(&current.key), value(current)));
        Family { name, help, samples: Samples::Gauges(samples.collect()) }
    };
    let (version, commit) = (("version", SOFTWARE_VERSION.to_owned()), ("commit", COMMIT.to_owned()));
    vec![
        Family {
            name: "archestra_bench_build_info",
            help: "Always 1; what measures.",
            samples: Samples::Gauges(vec![(vec![version, commit], 1.0)]),
        },
        one("archestra_bench_blocks_begun", "Blocks that have begun.", f64::from(meters.blocks)),
        one(
            "archestra_bench_blocks_planned",
            "Blocks that the run has; 0 where nobody knows yet.",
            meters.planned.map_or(0.0, f64::from),
        ),
        current("archestra_bench_block_number", "The block that runs, from 1.", |current| {
            f64::from(current.number)
        }),
        current(
            "archestra_bench_requests_in_flight",
            "Requests that were given a connection and have not ended, of the block that runs.",
            |current| current.in_flight() as f64,
        ),
        current(
            "archestra_bench_requests_waiting",
            "Requests that are due and wait for a connection, of the block that runs.",
            |current| current.waiting() as f64,
        ),
        one("archestra_bench_workers", "Workers that have something to do.", f64::from(meters.workers)),
        one(
            "archestra_bench_workers_alive",
            "Those of them that were not lost.",
            f64::from(meters.workers_alive),
        ),
    ]
}

fn of_workers(meters: &Meters) -> Vec<Family> {
    let family = |name, help, value: fn(&HostReading) -> f64| {
        let samples =
            meters.hosts.iter().map(|(worker, host)| (vec![("worker", worker.to_string())], value(host)));
        Family { name, help, samples: Samples::Gauges(samples.collect()) }
    };
    vec![
        family(
            "archestra_bench_worker_cpu_cores",
            "Cores that the worker used in its last second.",
            |host| host.process_cores,
        ),
        family(
            "archestra_bench_worker_busiest_thread_ratio",
            "Share of its last second for which the worker's busiest engine thread ran.",
            |host| host.busiest_thread,
        ),
        family(
            "archestra_bench_worker_scheduler_lag_ratio",
            "Share of its last second for which engine threads waited for a core, summed over them.",
            |host| host.scheduler_lag,
        ),
        family(
            "archestra_bench_worker_steal_ratio",
            "Share of its last second that the hypervisor gave to others.",
            |host| host.steal,
        ),
        family("archestra_bench_worker_resident_memory_bytes", "Memory that the worker holds.", |host| {
            host.resident_bytes as f64
        }),
    ]
}

fn labels(key: &Key) -> Labels {
    vec![("scenario", key.scenario.clone()), ("arm", key.arm.to_owned()), ("load", key.load.clone())]
}

impl Buckets {
    fn of(histogram: &Histogram) -> Self {
        let count = histogram.count();
        Self {
            at_most: BOUNDS.iter().map(|bound| histogram.count_at_most(*bound)).collect(),
            count,
            sum: histogram.mean().unwrap_or_default() * count as f64 / 1e9,
        }
    }
}
