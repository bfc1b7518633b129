//! A search for the highest rate that holds the objectives: one step after another, each a block of its own.

use std::time::Duration;

use proto::load::{Extent, Load, Pace, WarmUp};
use proto::random::mix;
use tokio::time::sleep;

use super::{Course, Kept, RunError};
use crate::capacity::{Search, Step, Tried, backlog};
use crate::clock;
use crate::config::CapacityConfig;
use crate::merge::Live;
use crate::plan::{Block, Plan, Purpose};
use crate::report::record::{BlockRecord, CapacityRecord, GrowingRecord, StepRecord};
use crate::screen::Place;

/// What goes before each step, at its own rate.
const WARM_UP: Duration = Duration::from_millis(500);
/// After a step that failed: for the target to get over it.
const REST: Duration = Duration::from_millis(500);
/// The longest that a queue is waited for which a step has left in the target.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

/// Searches with each scenario of the plan, one after another.
pub(super) async fn search(
    mut course: Course<'_>,
    plan: &Plan,
    config: &CapacityConfig,
    mut record: GrowingRecord,
) -> Result<Kept, RunError> {
    steps(&mut course, plan, config, &mut record).await?;
    Ok(course.conclude(record))
}

async fn steps(
    course: &mut Course<'_>,
    plan: &Plan,
    config: &CapacityConfig,
    record: &mut GrowingRecord,
) -> Result<(), RunError> {
    'scenarios: for template in &plan.blocks {
        let mut search = Search::new(config.bounds);
        course.screen.begin_search();
        let objectives = config.objectives_of(template);
        record.search(CapacityRecord::new(&template.scenario.name, &objectives, config.bounds));
        loop {
            let step = match search.next() {
                Ok(step) => step,
                Err(conclusion) => {
                    record.conclude_search(conclusion);
                    break;
                }
            };
            let begun = clock::now();
            let block = block(template, step, search.tried().len() as u64);
            let place = Place::in_search(1 + search.tried().len() as u32);
            let measured = course.block(&block, place, watch(step)).await?;
            record.add(&measured);
            let so_far = record.so_far();
            let (Some(last), Some(tried_so_far)) = (so_far.blocks.last(), so_far.capacities.last()) else {
                break;
            };
            let usual = tried_so_far.usual_service_time(&so_far.blocks, step.rate);
            let mut tried = last.tried(step, &objectives, usual);
            let failure = tried.failure.clone();
            let rest = failure.as_ref().map(|_| rest(&tried, &search) + drain(last, &search));
            if !measured.interrupted {
                tried.took = clock::now().saturating_duration_since(begun) + rest.unwrap_or_default();
            }
            let of_step = StepRecord::new(last, &tried);
            if !measured.interrupted {
                search.took(tried);
            }
            record.add_step(of_step, &search);
            course.save(record);
            if measured.interrupted {
                break 'scenarios;
            }
            course.screen.tried(step.rate.per_second(), failure.as_deref());
            if let Some(rest) = rest
                && course.interrupt.or(sleep(rest)).await.is_none()
            {
                break 'scenarios;
            }
        }
    }
    Ok(())
}

fn block(template: &Block, step: Step, number: u64) -> Block {
    let load = match &template.load {
        Load::Open { arrivals, connections, max_in_flight, .. } => Load::Open {
            pace: Pace::Steady(step.rate),
            arrivals: *arrivals,
            connections: *connections,
            max_in_flight: *max_in_flight,
        },
        closed @ Load::Closed { .. } => closed.clone(),
    };
    Block {
        load,
        extent: Extent::Duration(step.duration),
        warm_up: WarmUp::Duration(WARM_UP),
        purpose: Purpose::CapacityStep,
        repeat: 1 + number as u32,
        seed: mix(template.seed.wrapping_add(number)) >> 1,
        ..template.clone()
    }
}

/// Ends a step whose queue grows: it cannot pass any more, and would leave the target with a long queue.
fn watch(step: Step) -> super::measure::Watch<'static> {
    let mut lengths: Vec<u64> = Vec::new();
    let mut seen = Duration::ZERO;
    Box::new(move |live: &Live| {
        if live.elapsed <= seen || live.elapsed >= step.duration {
            return None;
        }
        seen = live.elapsed;
        lengths.push(live.offered.saturating_sub(live.successes + live.failed + live.dropped));
        let waiting = lengths.last().copied().unwrap_or_default();
        // As long as nothing is answered nothing is known of how long that takes.
        let settled = backlog::settled(&lengths, live.so_far?.p99);
        backlog::grows(settled, step.rate.per_second())
            .then(|| format!("{waiting} requests wait, and more with every second"))
    })
}

/// What the workers' machines were busy with may be over soon, and sooner or later it is.
fn rest(tried: &Tried, search: &Search) -> Duration {
    let spoilt = tried.limit.map_or(0, |_| 1 + search.hindered() as u32);
    REST * (1 + 3 * spoilt)
}

/// How long the target needs for what a step has left in it, at the best rate that it has shown.
fn drain(block: &BlockRecord, search: &Search) -> Duration {
    let left = block.figures.abandoned + block.figures.unsent;
    let rate = search.highest_passing().map_or(1.0, |rate| rate.per_second());
    Duration::from_secs_f64(left as f64 / rate.max(1.0)).min(LONGEST_DRAIN)
}
