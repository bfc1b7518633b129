//! What the upstream says of a block, where it is this project's mock.

use serde::{Deserialize, Serialize};

use super::{BlockRecord, WorkerEndRecord, nanos};
use crate::merge::Witnessed;

/// What the upstream was asked for, from just before the load of a block until it had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WitnessRecord {
    /// Completions that it was asked for.
    pub requests: u64,
    /// Completions that it answered to the end.
    pub answered: u64,
    /// From when it had read a request until its answer was complete; `None` when it completed none.
    pub service_time_mean_ns: Option<u64>,
}

impl From<&Witnessed> for WitnessRecord {
    fn from(witnessed: &Witnessed) -> Self {
        let Witnessed { requests, answered, service_time } = *witnessed;
        Self { requests, answered, service_time_mean_ns: nanos(service_time).checked_div(answered) }
    }
}

impl BlockRecord {
    /// What the upstream says, where the workers' counts are whole, so that they can be held against it.
    pub(super) fn testimony(&self) -> Option<WitnessRecord> {
        let lost = |worker: &super::WorkerRecord| matches!(worker.end, WorkerEndRecord::Lost { .. });
        let is_whole = !self.interrupted && !self.workers.iter().any(lost);
        self.witness.filter(|_| is_whole)
    }
}
