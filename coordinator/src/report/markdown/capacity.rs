//! The highest rate that held, and what each rate cost.

use super::format::{NONE, escape, milliseconds, percent, rate, seconds, table};
use crate::report::record::{CapacityRecord, ConclusionRecord, LoadRecord, RunRecord, StepKindRecord};
use crate::statistics::Distribution;

/// Which rates were tried, over all steps; `None` without a search.
pub(super) fn rates(record: &RunRecord) -> Option<String> {
    let steps = || record.capacities.iter().flat_map(|capacity| &capacity.steps);
    let lowest = steps().map(|step| step.rate_millihertz).min()?;
    let highest = steps().map(|step| step.rate_millihertz).max()?;
    let arrivals = record.blocks.iter().find_map(|block| match &block.load {
        LoadRecord::Open { arrivals, .. } => Some(arrivals.name()),
        LoadRecord::Closed { .. } => None,
    })?;
    let [lowest, highest] = [lowest, highest].map(|rate| rate as f64 / 1e3);
    Some(format!(
        "searched in {} steps from {lowest} to {highest} req/s, {arrivals} arrivals",
        steps().count()
    ))
}

/// The knees; `None` without a search.
pub(super) fn knees(record: &RunRecord) -> Option<String> {
    let row = |capacity: &CapacityRecord| {
        let of = |millihertz: Option<u64>| rate(millihertz.map(|rate| rate as f64 / 1e3));
        vec![
            escape(&capacity.scenario),
            of(capacity.highest_passing_millihertz),
            of(capacity.lowest_failing_millihertz),
            escape(&capacity.objectives.join(", ")),
            conclusion(capacity),
        ]
    };
    let columns = ["Test Scenario", "Capacity (req/s)", "Fails at (req/s)", "Objectives", "Found"];
    table(1, &columns, &record.capacities.iter().map(row).collect::<Vec<_>>())
}

fn conclusion(capacity: &CapacityRecord) -> String {
    let more = |workers: u32| {
        let noun = if workers == 1 { "worker" } else { "workers" };
        format!("the workers were the limit, not the target: give about {workers} {noun} more")
    };
    match capacity.conclusion {
        None => "the search was interrupted".into(),
        Some(ConclusionRecord::Found) => "both rates are confirmed".into(),
        Some(ConclusionRecord::BeyondMost) => "the target carries more than --max-rate".into(),
        Some(ConclusionRecord::NothingPasses) => "no rate held: look at the steps".into(),
        Some(ConclusionRecord::Generator) => more(capacity.more_workers.unwrap_or(1)),
        Some(ConclusionRecord::OutOfBudget) => "--max-time or --max-requests was used up".into(),
    }
}

/// Latency and throughput by rate, lowest first.
pub(super) fn curve(record: &RunRecord) -> Option<String> {
    let columns = [
        "Test Scenario",
        "Step",
        "Offered (req/s)",
        "For",
        "Throughput (req/s)",
        "P50 (ms)",
        "P95 (ms)",
        "P99 (ms)",
        "Failed",
        "Busiest thread",
        "Held",
    ];
    let mut rows = Vec::new();
    for capacity in &record.capacities {
        let mut steps: Vec<_> = capacity.steps.iter().collect();
        steps.sort_by_key(|step| (step.rate_millihertz, step.block));
        for step in steps {
            let Some(block) = record.blocks.iter().find(|block| block.number == step.block) else { continue };
            let figures = &block.figures;
            let time =
                |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
            let kind = match step.kind {
                StepKindRecord::Coarse => "coarse",
                StepKindRecord::Fine => "fine",
                StepKindRecord::Confirmation => "confirmation",
            };
            let busiest = block.workers.iter().map(|worker| worker.host.busiest_thread).fold(0.0, f64::max);
            rows.push(vec![
                escape(&capacity.scenario),
                kind.to_owned(),
                rate(Some(step.rate_millihertz as f64 / 1e3)),
                seconds(step.duration_ns),
                rate(figures.throughput),
                time(|time| time.p50_ns),
                time(|time| time.p95_ns),
                time(|time| time.p99_ns),
                figures.failure_rate.map_or_else(|| NONE.into(), percent),
                percent(busiest),
                match &step.failure {
                    _ if step.was_interrupted => "interrupted".into(),
                    None if capacity.was_tried_again(step.block) => "too short to tell: tried again".into(),
                    None if step.is_too_short => "too short to tell".into(),
                    None => "yes".into(),
                    Some(failure) if capacity.was_tried_again(step.block) => {
                        format!("tried again: {}", escape(failure))
                    }
                    Some(failure) => format!("no: {}", escape(failure)),
                },
            ]);
        }
    }
    table(2, &columns, &rows)
}
