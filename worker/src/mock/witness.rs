//! What the mock says of itself: how many completions it was asked for, and how long it took over them.
//!
//! Whoever loads a gateway can hold that against what it sent: a gateway that answers from a cache or asks twice is seen.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::clock::{Clock, Nanos};
use crate::request::{Purpose, user_agent};

/// Where it is asked for.
pub(super) const PATH: &str = "/archestra-bench/witness";

/// Counts that all connections share. None of them decides anything, so that their order among each other is left open.
#[derive(Debug)]
pub(super) struct Witness {
    clock: Clock,
    /// What the load's requests are sent with.
    load_agent: String,
    requests: AtomicU64,
    of_load: AtomicU64,
    answered: AtomicU64,
    service_time_ns: AtomicU64,
}

impl Witness {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::new(),
            load_agent: user_agent(Purpose::Load),
            requests: AtomicU64::new(0),
            of_load: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            service_time_ns: AtomicU64::new(0),
        }
    }

    /// A completion is asked for: its whole request has been read. Few gateways hand a user agent on.
    pub(super) fn asked(&self, user_agent: Option<&[u8]>) -> Nanos {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if user_agent == Some(self.load_agent.as_bytes()) {
            self.of_load.fetch_add(1, Ordering::Relaxed);
        }
        self.clock.now()
    }

    /// The last part of the answer to what was asked for at `asked` is ready to be sent.
    pub(super) fn answered(&self, asked: Nanos) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.service_time_ns.fetch_add(self.clock.now().since(asked).0, Ordering::Relaxed);
    }

    /// What it saw so far. A probe reports only the beginning of an answer, so that this has to be short.
    pub(super) fn render(&self) -> Bytes {
        let [requests, of_load, answered, service_time_ns] =
            [&self.requests, &self.of_load, &self.answered, &self.service_time_ns]
                .map(|count| count.load(Ordering::Relaxed));
        format!(
            r#"{{"object":"archestra-bench.witness","requests":{requests},"of_load":{of_load},"answered":{answered},"service_time_ns":{service_time_ns}}}"#
        )
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counts_fit_into_what_a_probe_reports() {
        let witness = Witness::new();
        for count in [&witness.requests, &witness.of_load, &witness.answered, &witness.service_time_ns] {
            count.store(u64::MAX, Ordering::Relaxed);
        }
        let said = witness.render();
        assert!(said.len() < 200, "{} bytes", said.len());
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        assert_eq!(said["service_time_ns"], u64::MAX);
    }
}
