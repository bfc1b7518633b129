//! A run that searches for the highest rate that a target carries.

use std::num::NonZeroU32;

use super::error::QuestionError;
use super::{ConfigError, RunConfig};
use crate::capacity::Bounds;
use crate::cli::{CapacityArgs, Given, Origin, RunArgs};
use crate::plan::{Block, TOGETHER};
use crate::threshold::Threshold;

/// A search: within which bounds, and for what.
#[derive(Debug, Clone)]
pub struct CapacityConfig {
    /// How far it goes.
    pub bounds: Bounds,
    /// What must hold at a rate that passes; at least one for each scenario, or for the mix.
    pub objectives: Vec<Threshold>,
}

/// Enough for a slow answer at a high rate: what waits for a connection waits in the tool.
const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// What a search finds itself, or what makes no sense within one. Their variables may be set for another run.
const NOT_OF_A_SEARCH: [&str; 13] = [
    "concurrency",
    "rate",
    "stages",
    "trace",
    "trace_speed",
    "think_time",
    "requests",
    "duration",
    "repeats",
    "queueing_check",
    "thresholds",
    "abort_on",
    "direct",
];

impl RunConfig {
    /// Of a search: everything as in a run, but for the load.
    ///
    /// # Errors
    /// What makes no sense, where it was given, and how to mend it.
    pub fn of_capacity(args: &CapacityArgs, given: &Given) -> Result<Self, ConfigError> {
        let by_flag = |id: &&str| given.origin(id) == Origin::Flag;
        if let Some(id) = NOT_OF_A_SEARCH.into_iter().find(by_flag) {
            return Err(QuestionError::NotOfASearch { flag: given.place(id).into() }.into());
        }
        let start = args.start_rate.min(args.max_rate);
        // Bodies are made for the highest rate, so that no step sends one more often than a run at its rate would.
        let rate = vec![args.max_rate];
        let mut run = RunArgs { rate, duration: Some(args.step), requests: None, ..args.run.clone() };
        run.concurrency.clear();
        run.shape.stages.clear();
        (run.shape.trace, run.shape.think_time) = (None, None);
        (run.arms.direct, run.arms.repeats, run.arms.queueing_check) = (None, None, Some(false));
        run.judge.thresholds.clear();
        run.judge.abort_on.clear();
        if given.origin("connections") == Origin::Default {
            run.connections = CONNECTIONS;
        }
        let config = Self::new(&run, given)?;
        let objectives = objectives(args, given, &config)?;
        let bounds = Bounds {
            start,
            most: args.max_rate,
            precision: f64::from(args.precision.0) / 1e3,
            step: args.step,
            time: args.max_time,
            requests: args.max_requests.get(),
        };
        Ok(Self { capacity: Some(CapacityConfig { bounds, objectives }), ..config })
    }
}

impl CapacityConfig {
    /// What must hold in the search with this block's scenario, as it is written: what names no other one. Of a mix that is
    /// everything.
    pub fn objectives_of(&self, block: &Block) -> Vec<String> {
        let is_mix = !block.mix.is_empty();
        let is_of = |objective: &&Threshold| is_mix || is_about(objective, &block.scenario.name);
        self.objectives.iter().filter(is_of).map(ToString::to_string).collect()
    }
}

fn is_about(objective: &Threshold, scenario: &str) -> bool {
    objective.scenario.as_ref().is_none_or(|named| named == scenario)
}

fn objectives(args: &CapacityArgs, given: &Given, config: &RunConfig) -> Result<Vec<Threshold>, ConfigError> {
    if let Some(slo) = args.slos.iter().find(|slo| slo.metric.is_overhead()) {
        let (place, objective) = (given.place("slos").into(), slo.to_string());
        return Err(QuestionError::OverheadInASearch { place, objective }.into());
    }
    let names: Vec<&str> = config.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    let is_mix = !config.weights.is_empty();
    let known: Vec<&str> = names.iter().copied().chain(is_mix.then_some(TOGETHER)).collect();
    let has_goal = config.scenarios.iter().any(|scenario| !scenario.expectation.goal.is_none());
    super::thresholds::check_all(&args.slos, "slos", given, &known, false, has_goal)?;
    if args.slos.is_empty() {
        // Both are written as they are parsed.
        return Ok(["p99<1s", "failed<1%"].into_iter().filter_map(|text| text.parse().ok()).collect());
    }
    let is_without = |name: &&&str| !args.slos.iter().any(|slo| is_about(slo, name));
    match names.iter().find(is_without).filter(|_| !is_mix) {
        Some(scenario) => {
            let (place, scenario) = (given.place("slos").into(), (*scenario).to_owned());
            Err(QuestionError::NoObjective { place, scenario }.into())
        }
        None => Ok(args.slos.clone()),
    }
}
