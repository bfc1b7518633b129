//! What the gateway adds, and the figures of both arms.

use super::format::{NONE, escape, milliseconds, rate, table};
use crate::report::record::{ArmRecord, ResultRecord, RunRecord};
use crate::statistics::overhead::{Added, Overhead};
use crate::statistics::{Distribution, Upstream};

/// What the gateway adds to each scenario and load; `None` without an upstream.
pub(super) fn added(record: &RunRecord) -> Option<String> {
    let compared = || record.results.iter().filter_map(|result| Some((result, result.overhead.as_ref()?)));
    let columns =
        ["Test Scenario", "Load", "Added mean", "Added P50", "Added P95", "Added P99", "Throughput ratio"];
    let row = |(result, overhead): (&ResultRecord, &Overhead)| {
        let Added { mean, p50, p95, p99 } = &overhead.response_time;
        let mut row = name(result);
        row.extend([mean, p50, p95, p99].map(ToString::to_string));
        row.push(overhead.throughput_ratio.to_string());
        row
    };
    let times = table(2, &columns, &compared().map(row).collect::<Vec<_>>())?;

    let streams = compared().filter_map(|(result, overhead)| {
        let mut row = name(result);
        for added in [overhead.time_to_first_token.as_ref(), overhead.inter_token_gap.as_ref()] {
            let cells = |added: &Added| [&added.p50, &added.p95, &added.p99].map(ToString::to_string);
            row.extend(added.map_or_else(|| [NONE; 3].map(String::from), cells));
        }
        overhead.time_to_first_token.is_some().then_some(row)
    });
    let columns = [
        "Test Scenario",
        "Load",
        "Added TTFT P50",
        "Added TTFT P95",
        "Added TTFT P99",
        "Added gap P50",
        "Added gap P95",
        "Added gap P99",
    ];
    let streams = table(2, &columns, &streams.collect::<Vec<_>>());
    let order = match record.run.order.as_deref() {
        Some("random") => "in an order that the seed chose",
        _ => "in the order gateway, direct, direct, gateway",
    };
    let about = format!(
        "Gateway less direct, each block against the one beside it ({order}): the mean over the pairs, and in brackets its \
         95 % interval (Student's t over the pairs, one degree of freedom fewer than pairs). An interval that holds 0 means \
         that no difference was found."
    );
    Some([Some(times), streams, Some(about)].into_iter().flatten().collect::<Vec<_>>().join("\n\n"))
}

/// Both arms side by side; `None` without an upstream.
pub(super) fn arms(record: &RunRecord) -> Option<String> {
    let columns = [
        "Test Scenario",
        "Load",
        "Arm",
        "Blocks",
        "Throughput (req/s)",
        "Mean (ms)",
        "P50 (ms)",
        "P95 (ms)",
        "P99 (ms)",
        "Requests",
        "Failed",
    ];
    let row = |result: &ResultRecord, arm: &str, record: &ArmRecord| {
        let figures = &record.figures;
        let time = |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
        let mut row = name(result);
        row.extend([
            arm.to_owned(),
            record.blocks.len().to_string(),
            rate(figures.throughput),
            time(|response_time| response_time.mean_ns),
            time(|response_time| response_time.p50_ns),
            time(|response_time| response_time.p95_ns),
            time(|response_time| response_time.p99_ns),
            figures.requests.to_string(),
            figures.failed.to_string(),
        ]);
        row
    };
    let rows = record.results.iter().filter_map(|result| Some((result, result.direct.as_ref()?)));
    let rows = rows.flat_map(|(result, direct)| {
        [row(result, "gateway", &result.gateway), row(result, "direct", direct)]
    });
    table(3, &columns, &rows.collect::<Vec<_>>())
}

/// What the upstream saw of each arm, where it says so.
pub(super) fn upstream(record: &RunRecord) -> Option<String> {
    let columns =
        ["Test Scenario", "Load", "Arm", "Workers sent", "Answered", "Upstream saw", "Its own mean (ms)"];
    let row = |result: &ResultRecord, arm: &str, record: &ArmRecord| {
        let Upstream { sent, answered, seen, service_time_mean_ns } = record.upstream?;
        let mut row = name(result);
        row.extend([arm.to_owned(), sent.to_string(), answered.to_string(), seen.to_string()]);
        row.push(milliseconds(service_time_mean_ns));
        Some(row)
    };
    let rows = record.results.iter().flat_map(|result| {
        let direct = result.direct.as_ref().and_then(|direct| row(result, "direct", direct));
        [row(result, "gateway", &result.gateway), direct].into_iter().flatten()
    });
    let seen = table(3, &columns, &rows.collect::<Vec<_>>()).map(|table| {
        format!(
            "{table}\n\nThe upstream is this project's mock, which counts the completions that it is asked for. It was asked \
             just before the load of each block and after it, so that warm-ups are left out. Its mean is from when it had \
             read a request until its answer was complete."
        )
    });
    let left_out = record.blocks.iter().filter_map(|block| {
        Some(format!(
            "What it saw of block {} is left out: {}.",
            block.number,
            escape(block.unwitnessed.as_ref()?)
        ))
    });
    let paragraphs: Vec<String> = seen.into_iter().chain(left_out).collect();
    (!paragraphs.is_empty()).then(|| paragraphs.join("\n\n"))
}

fn name(result: &ResultRecord) -> Vec<String> {
    vec![escape(&result.scenario), result.load.level()]
}
