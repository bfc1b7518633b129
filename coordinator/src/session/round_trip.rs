//! How long a message takes to a worker and back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Pings that are under way, and the shortest round trip so far: the one that queued least.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    under_way: BTreeMap<u64, Instant>,
    next_nonce: u64,
    shortest: Option<Duration>,
    samples: u32,
}

impl RoundTrip {
    /// A ping leaves now: the number that it carries.
    pub(super) fn ping(&mut self, now: Instant) -> u64 {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        self.under_way.insert(nonce, now);
        nonce
    }

    /// The answer to a ping has come. One that was not sent, or was answered already, counts for nothing.
    pub(super) fn pong(&mut self, nonce: u64, now: Instant) {
        let Some(sent) = self.under_way.remove(&nonce) else { return };
        let round_trip = now.saturating_duration_since(sent);
        self.shortest = Some(self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip)));
        self.samples += 1;
    }

    /// The pings that are under way will not be answered: their stream is gone.
    pub(super) fn forget(&mut self) {
        self.under_way.clear();
    }

    /// The shortest so far, once there are enough to choose from.
    pub(super) fn known(&self, samples: u32) -> Option<Duration> {
        self.shortest.filter(|_| self.samples >= samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_of_enough_samples_counts() {
        let start = crate::clock::now();
        let mut round_trip = RoundTrip::default();
        for (sent, taken) in [(0, 9), (10, 3), (20, 5)] {
            let nonce = round_trip.ping(start + Duration::from_millis(sent));
            assert_eq!(round_trip.known(3), None);
            round_trip.pong(nonce, start + Duration::from_millis(sent + taken));
            round_trip.pong(nonce, start);
        }
        round_trip.pong(77, start);
        assert_eq!(round_trip.known(3), Some(Duration::from_millis(3)));
    }
}
