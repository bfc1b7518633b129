//! What has been counted and measured so far, by scenario, arm and load. Pure.

use std::collections::BTreeMap;

use proto::counters::Counters;
use proto::interval::{HostReading, Interval};
use proto::latencies::Histogram;

use crate::merge::Live;
use crate::plan::Block;
use crate::report::record::LoadRecord;

/// What is told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The scenario's name.
    pub(super) scenario: String,
    /// `gateway` or `direct`.
    pub(super) arm: &'static str,
    /// Such as `10 in flight`.
    pub(super) load: String,
}

/// Of all blocks of one key, since the run began.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) counters: Counters,
    pub(super) response_time: Histogram,
    pub(super) send_lag: Histogram,
    pub(super) time_to_first_token: Histogram,
}

/// The block that runs.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) key: Key,
    pub(super) number: u32,
    /// Of this block alone.
    pub(super) counters: Counters,
}

/// A run so far.
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub(super) sums: BTreeMap<Key, Sum>,
    pub(super) current: Option<Current>,
    pub(super) planned: Option<u32>,
    pub(super) blocks: u32,
    /// The last reading of each worker's process and machine.
    pub(super) hosts: BTreeMap<u32, HostReading>,
    pub(super) workers: u32,
    pub(super) workers_alive: u32,
}

impl Meters {
    pub(super) fn begin_block(&mut self, number: u32, planned: Option<u32>, block: &Block) {
        let key = Key {
            scenario: block.scenario.name.clone(),
            arm: block.arm.name(),
            load: LoadRecord::from(&block.load).level(),
        };
        self.sums.entry(key.clone()).or_default();
        self.current = Some(Current { key, number, counters: Counters::default() });
        (self.blocks, self.planned) = (number, planned);
        self.hosts.clear();
    }

    pub(super) fn interval(&mut self, worker: u32, interval: &Interval) {
        let Some(current) = &mut self.current else { return };
        current.counters.add(&interval.counters);
        let sum = self.sums.entry(current.key.clone()).or_default();
        sum.counters.add(&interval.counters);
        sum.response_time.merge(&interval.latencies.response_time);
        sum.send_lag.merge(&interval.latencies.send_lag);
        sum.time_to_first_token.merge(&interval.latencies.time_to_first_token);
        self.hosts.insert(worker, interval.host);
    }

    pub(super) fn look(&mut self, live: &Live) {
        (self.workers, self.workers_alive) = (live.workers, live.workers_alive);
    }

    pub(super) fn end_block(&mut self) {
        self.current = None;
    }
}

impl Current {
    /// Requests that were given a connection and have come to no end, as of the intervals that came.
    pub(super) fn in_flight(&self) -> u64 {
        let Counters { started, successes, abandoned, .. } = self.counters;
        started.saturating_sub(successes).saturating_sub(self.counters.failed()).saturating_sub(abandoned)
    }

    /// Requests that are due and wait for a connection, as of the intervals that came.
    pub(super) fn waiting(&self) -> u64 {
        let Counters { offered, started, dropped, unsent, .. } = self.counters;
        offered.saturating_sub(started).saturating_sub(dropped).saturating_sub(unsent)
    }
}
