//! Which blocks a run has, and in which order. Pure.
//!
//! What drifts while a run goes on must not be taken for what a gateway adds. In the order ABBA each arm goes first as
//! often as the other, so that a drift that is the same from block to block cancels out within two pairs (Box, Hunter and
//! Hunter, Statistics for Experimenters, 2005, on blocking).

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::load::{Extent, Load, WarmUp};
use proto::random::mix;
use proto::target::Target;

use super::mix::{Mixed, together};
use super::{Arm, Block, Level, Plan, Purpose};
use crate::scenario::Scenario;

/// In which order the two blocks of a pair run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Gateway, direct, direct, gateway, and so on.
    Abba,
    /// Each pair as the seed says.
    Random,
}

impl Order {
    /// The name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abba => "abba",
            Self::Random => "random",
        }
    }

    /// The arms of pair `repeat`, from 1.
    fn of_pair(self, repeat: u32, seed: u64) -> [Arm; 2] {
        let gateway_first = match self {
            Self::Abba => repeat % 2 == 1,
            Self::Random => seed & 1 == 0,
        };
        if gateway_first { [Arm::Gateway, Arm::Direct] } else { [Arm::Direct, Arm::Gateway] }
    }
}

/// Everything that blocks are made of.
#[derive(Debug, Clone)]
pub struct Design<'a> {
    /// What the gateway is sent.
    pub scenarios: &'a [Scenario],
    /// The weight of each, where they are mixed in blocks of all; empty where each has blocks of its own.
    pub weights: &'a [NonZeroU32],
    /// Where that goes.
    pub target: &'a Target,
    /// What the upstream is sent, in the same order, and where that goes; `None` for the gateway alone.
    pub direct: Option<(&'a [Scenario], &'a Target)>,
    /// Each is measured with each scenario.
    pub levels: &'a [Level],
    /// How often.
    pub repeats: NonZeroU32,
    /// In which order the blocks of a pair run.
    pub order: Order,
    /// Whether a single level of a closed loop is held against half of it.
    pub queueing_check: bool,
    /// When a block ends, over the whole fleet.
    pub extent: Extent,
    /// For one request.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// HTTP/2: the most requests that are in flight on a connection.
    pub streams: NonZeroU32,
    /// Threads of each worker; `None` for one per core.
    pub threads: Option<NonZeroU32>,
    /// Of the first blocks; what is random in later ones follows from it.
    pub seed: u64,
}

impl Design<'_> {
    /// The blocks in order: scenario by scenario, level by level, pair by pair.
    pub fn plan(&self) -> Plan {
        let mut blocks = Vec::new();
        let kinds = if self.weights.is_empty() { self.scenarios.len() } else { 1 };
        for number in 0..kinds {
            for (place, level) in self.levels.iter().enumerate() {
                let seed = |repeat| self.seed_of(place, repeat);
                let repeats = 1..=self.repeats.get();
                blocks.extend(repeats.flat_map(|repeat| self.pair(number, level, repeat, seed(repeat))));
            }
            blocks.extend(self.queueing_checks(number));
        }
        Plan { blocks }
    }

    /// One block of each arm.
    fn pair(&self, scenario: usize, level: &Level, repeat: u32, seed: u64) -> Vec<Block> {
        let arms = self.order.of_pair(repeat, mix(seed ^ u64::from(repeat)));
        arms.into_iter().filter_map(|arm| self.block(scenario, arm, level, repeat, seed)).collect()
    }

    /// The blocks of a pair send the same, and no other pair does: a cache knows nothing of it yet.
    fn seed_of(&self, level: usize, repeat: u32) -> u64 {
        if (level, repeat) == (0, 1) {
            return self.seed;
        }
        mix(self.seed.wrapping_add((level as u64) << 32 | u64::from(repeat))) >> 1
    }

    /// `None` for an arm that is not there.
    fn block(&self, scenario: usize, arm: Arm, level: &Level, repeat: u32, seed: u64) -> Option<Block> {
        let (scenarios, target) = match arm {
            Arm::Gateway => (self.scenarios, self.target),
            Arm::Direct => self.direct?,
        };
        let mixed = scenarios.iter().zip(self.weights);
        let mix: Vec<Mixed> =
            mixed.map(|(scenario, weight)| Mixed { scenario: scenario.clone(), weight: *weight }).collect();
        Some(Block {
            scenario: if mix.is_empty() { scenarios.get(scenario)?.clone() } else { together(&mix) },
            mix,
            weight: None,
            arm,
            repeat,
            purpose: Purpose::Measurement,
            target: target.clone(),
            load: level.load.clone(),
            extent: self.extent,
            warm_up: level.warm_up,
            timeout: self.timeout,
            keep_alive: self.keep_alive,
            streams: self.streams,
            threads: self.threads,
            seed,
        })
    }

    /// Half as much in flight, for half as long, once for each arm.
    fn queueing_checks(&self, scenario: usize) -> Vec<Block> {
        let [Level { load: Load::Closed { concurrency, think_time: None }, warm_up }] = self.levels else {
            return Vec::new();
        };
        let Some(half) = NonZeroU32::new(concurrency.get() / 2).filter(|_| self.queueing_check) else {
            return Vec::new();
        };
        let warm_up = match warm_up {
            WarmUp::Requests(_) => WarmUp::Requests(half.into()),
            other => *other,
        };
        let level = Level { load: Load::Closed { concurrency: half, think_time: None }, warm_up };
        let arms = [Arm::Gateway, Arm::Direct];
        let repeat = self.repeats.get() + 1;
        let seed = self.seed_of(0, repeat);
        let blocks = arms.into_iter().filter_map(|arm| self.block(scenario, arm, &level, repeat, seed));
        blocks
            .map(|block| Block { purpose: Purpose::QueueingCheck, extent: half_of(self.extent), ..block })
            .collect()
    }
}

/// Half as many requests, half as long.
fn half_of(extent: Extent) -> Extent {
    let requests = extent.requests().map(halved);
    Extent::new(requests, extent.duration().map(|duration| duration / 2)).unwrap_or(extent)
}

fn halved(number: NonZeroU64) -> NonZeroU64 {
    NonZeroU64::new(number.get().div_ceil(2)).unwrap_or(NonZeroU64::MIN)
}
