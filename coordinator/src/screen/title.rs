//! How a block is called on the screen: its scenario, arm and load, and which of how many it is.

use proto::load::{Load, Pace};

use crate::plan::{Arm, Block, Plan, Purpose};
use crate::report::visible;

/// Where a block stands in what is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub number: u32,
    /// How many there are; `None` for the steps of a search, which nobody knows.
    pub of: Option<u32>,
    /// How often each is measured.
    pub repeats: u32,
    /// Whether there are two arms to tell apart.
    pub has_arms: bool,
}

impl Place {
    /// Of block `number`, from 1, in a plan.
    pub fn in_plan(plan: &Plan, number: u32) -> Self {
        let measured = plan.blocks.iter().filter(|block| block.purpose == Purpose::Measurement);
        Self {
            number,
            of: Some(plan.blocks.len() as u32),
            repeats: measured.map(|block| block.repeat).max().unwrap_or(1),
            has_arms: plan.blocks.iter().any(|block| block.arm == Arm::Direct),
        }
    }

    /// Of step `number`, from 1, in a search.
    pub fn in_search(number: u32) -> Self {
        Self { number, of: None, repeats: 1, has_arms: false }
    }
}

/// How a block is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Title {
    /// The scenario's name.
    pub(super) scenario: String,
    /// What tells it from other blocks of the scenario: arm, load, purpose.
    pub(super) traits: Vec<String>,
    /// Which of how many; `None` for the only one.
    pub(super) place: Option<String>,
    /// The names of the scenarios of a mix, in order; empty for no mix.
    pub(super) parts: Vec<String>,
}

impl Title {
    pub(super) fn new(block: &Block, place: Place) -> Self {
        let arm = place.has_arms.then(|| block.arm.name().to_owned());
        let check = (block.purpose == Purpose::QueueingCheck).then(|| "queueing check".to_owned());
        let which = match place.of {
            None => Some(format!("step {}", place.number)),
            Some(1) => None,
            Some(all) => Some(format!("block {} of {all}", place.number)),
        };
        let is_repeated = place.repeats > 1 && block.purpose == Purpose::Measurement;
        let repeat = is_repeated.then(|| format!("repeat {} of {}", block.repeat, place.repeats));
        let places: Vec<String> = which.into_iter().chain(repeat).collect();
        Self {
            scenario: visible(&block.scenario.name),
            traits: arm.into_iter().chain([load(&block.load)]).chain(check).collect(),
            place: (!places.is_empty()).then(|| places.join(", ")),
            parts: block.mix.iter().map(|mixed| visible(&mixed.scenario.name)).collect(),
        }
    }

    /// For a plain line.
    pub(super) fn line(&self) -> String {
        match &self.place {
            None => self.scenario.clone(),
            Some(place) => format!("{place}  {}  {}", self.scenario, self.traits.join("  ")),
        }
    }
}

fn load(load: &Load) -> String {
    match load {
        Load::Closed { concurrency, .. } => format!("{concurrency} in flight"),
        Load::Open { pace: Pace::Steady(rate), .. } => format!("{rate}/s"),
        Load::Open { pace: Pace::Stages(_), .. } => "stages".into(),
        Load::Open { pace: Pace::Trace(_), .. } => "a trace".into(),
    }
}
