//! The highest rate that held, and what each rate cost.

use super::format::{NONE, escape, milliseconds, percent, rate, seconds, table};
use crate::report::record::{
    BlockRecord, CapacityRecord, ConclusionRecord, LimitRecord, LoadRecord, RunRecord, StepRecord,
};
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
    match capacity.conclusion {
        None => "the search was interrupted".into(),
        Some(ConclusionRecord::Found) => "both rates are confirmed".into(),
        Some(ConclusionRecord::BeyondMost) => "the target carries more than --max-rate".into(),
        Some(ConclusionRecord::NothingPasses) => "no rate held: look at the steps".into(),
        Some(ConclusionRecord::Generator) => limit(capacity),
        Some(ConclusionRecord::OutOfBudget) => "--max-time or --max-requests was used up".into(),
    }
}

/// What of the workers was the limit, and how many more it would take.
fn limit(capacity: &CapacityRecord) -> String {
    let workers = capacity.more_workers.unwrap_or(1);
    let noun = if workers == 1 { "worker" } else { "workers" };
    let more = format!("the workers were the limit, not the target: give about {workers} {noun} more");
    match capacity.steps.last().and_then(|step| step.limit) {
        Some(LimitRecord::Connections) => format!("{more}, or as many times more --connections"),
        Some(LimitRecord::Cores) => format!("{more}, on machines where nothing else runs"),
        Some(LimitRecord::Threads) | None => more,
    }
}

/// Latency and throughput by rate, lowest first; of a mix each of its scenarios, then the whole.
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
    let mut has_mix = false;
    for capacity in &record.capacities {
        for curve in curves(record, capacity) {
            has_mix |= curve.iter().any(|(_, block)| block.weight.is_some());
            rows.extend(curve.into_iter().map(|(step, block)| row(capacity, step, block)));
        }
    }
    let note = match has_mix {
        true => "\n\nOffered is the rate of the whole mix, in which each scenario has its share.",
        false => "",
    };
    Some(table(2, &columns, &rows)? + note)
}

/// The steps with the blocks that they ran as, by rate; of a mix with each scenario's part of them, and last with the whole.
pub(in crate::report) fn curves<'a>(
    record: &'a RunRecord,
    capacity: &'a CapacityRecord,
) -> Vec<Vec<(&'a StepRecord, &'a BlockRecord)>> {
    let of_step = |step: &'a StepRecord| {
        let block = record.blocks.iter().find(|block| block.number == step.block)?;
        Some((step, block))
    };
    let mut steps: Vec<_> = capacity.steps.iter().filter_map(of_step).collect();
    steps.sort_by_key(|(step, _)| (step.rate_millihertz, step.block));
    let parts = steps.first().map_or(0, |(_, block)| block.parts.len());
    let of_part = |number: usize| {
        let part =
            |(step, block): &(&'a StepRecord, &'a BlockRecord)| Some((*step, block.parts.get(number)?));
        steps.iter().filter_map(part).collect()
    };
    (0..parts).map(of_part).chain([steps.clone()]).collect()
}

fn row(capacity: &CapacityRecord, step: &StepRecord, block: &BlockRecord) -> Vec<String> {
    let figures = &block.figures;
    let time = |value: fn(&Distribution) -> u64| milliseconds(figures.response_time.as_ref().map(value));
    let busiest = block.workers.iter().map(|worker| worker.host.busiest_thread).fold(0.0, f64::max);
    vec![
        escape(&block.scenario.name),
        step.kind.name().to_owned(),
        rate(Some(step.rate_millihertz as f64 / 1e3)),
        seconds(step.duration_ns),
        rate(figures.throughput),
        time(|time| time.p50_ns),
        time(|time| time.p95_ns),
        time(|time| time.p99_ns),
        figures.failure_rate.map_or_else(|| NONE.into(), percent),
        percent(busiest),
        escape(&if block.weight.is_some() { held_of_part(capacity, block) } else { held(capacity, step) }),
    ]
}

/// Whether a step held.
fn held(capacity: &CapacityRecord, step: &StepRecord) -> String {
    match &step.failure {
        _ if step.was_interrupted => "interrupted".into(),
        None if capacity.was_tried_again(step.block) => "too short to tell: tried again".into(),
        None if step.is_too_short => "too short to tell".into(),
        None => "yes".into(),
        Some(failure) if capacity.was_tried_again(step.block) => format!("tried again: {failure}"),
        Some(failure) => format!("no: {failure}"),
    }
}

/// Whether one scenario's part of a step kept to the objectives that name it; nothing where none does.
pub(in crate::report) fn held_of_part(capacity: &CapacityRecord, part: &BlockRecord) -> String {
    let judged: Vec<_> = capacity.objectives.iter().filter_map(|objective| part.own(objective)).collect();
    match judged.iter().find(|judged| judged.is_missed()) {
        _ if judged.is_empty() => NONE.into(),
        Some(missed) => format!("no: {}", missed.sentence()),
        None => "yes".into(),
    }
}
