//! What a run will do: its blocks in order, and each worker's part of each block.

use std::num::NonZeroU32;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::load::{Extent, Load, WarmUp};
use proto::share::Share;
use proto::target::Target;

use crate::scenario::Scenario;

mod mix;
mod order;
#[cfg(test)]
mod tests;

pub use mix::{Mixed, TOGETHER};
pub use order::{Design, Order};

/// The role of a target in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// The system under test.
    Gateway,
    /// The upstream that the gateway would call: the baseline.
    Direct,
}

impl Arm {
    /// The name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Direct => "direct",
        }
    }
}

/// What a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Its figures are the answer.
    Measurement,
    /// At half the concurrency, to see whether the throughput is the same there: then requests only queue.
    QueueingCheck,
    /// One rate of a search; whether the target holds is what it is about, and speaks against nothing.
    CapacityStep,
}

impl Purpose {
    /// The name in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measurement => "measurement",
            Self::QueueingCheck => "queueing_check",
            Self::CapacityStep => "capacity_step",
        }
    }
}

/// How much is asked of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// How requests come about, over the whole fleet.
    pub load: Load,
    /// What goes before each block of it.
    pub warm_up: WarmUp,
}

/// One scenario or a mix of several, one arm, one load, run by all workers at once.
#[derive(Debug, Clone)]
pub struct Block {
    /// What is sent, and what a good answer is; what stands for all of a mix.
    pub scenario: Scenario,
    /// What is sent of which weight, where several scenarios are mixed; empty for no mix.
    pub mix: Vec<Mixed>,
    /// Its weight, where this is the part of one scenario of a mix.
    pub weight: Option<NonZeroU32>,
    /// The role of the target.
    pub arm: Arm,
    /// Which of its likes it is, from 1; the two blocks of a pair share it.
    pub repeat: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// Where requests go.
    pub target: Target,
    /// How requests come about, over the whole fleet.
    pub load: Load,
    /// When the block ends, over the whole fleet.
    pub extent: Extent,
    /// What goes before it.
    pub warm_up: WarmUp,
    /// From the moment a request is given a connection until its last byte.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// HTTP/2: the most requests that are in flight on a connection.
    pub streams: NonZeroU32,
    /// Threads of each worker; `None` for one per core that it may use.
    pub threads: Option<NonZeroU32>,
    /// Seeds Poisson arrivals, think times, what is random in bodies, and back-off.
    pub seed: u64,
}

/// The ordered blocks of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Run one after another.
    pub blocks: Vec<Block>,
}

impl Block {
    /// How many of `workers` workers have something to do: in a closed loop, no more than there are connections.
    pub fn active_workers(&self, workers: u32) -> u32 {
        match &self.load {
            Load::Closed { .. } => workers.min(self.load.connections(self.streams)),
            Load::Open { .. } => workers,
        }
    }

    /// The part of the active worker that `share` names.
    pub fn assignment(&self, id: String, share: Share, lease: Duration) -> Assignment {
        let Scenario { request, expectation, variety, .. } =
            self.mix.first().map_or(&self.scenario, |mixed| &mixed.scenario);
        Assignment {
            id,
            target: self.target.clone(),
            request: request.clone(),
            expectation: expectation.clone(),
            load: self.load.clone(),
            extent: self.extent,
            warm_up: self.warm_up,
            share,
            timeout: self.timeout,
            keep_alive: self.keep_alive,
            streams: self.streams,
            threads: self.threads,
            seed: self.seed,
            lease,
            variety: variety.clone().filter(|_| self.mix.is_empty()),
            mix: self.assigned_mix(),
        }
    }
}
