//! How long a connection of a closed loop rests after an answer, as a user reads and thinks before the next request.

use proto::load::ThinkTime;
use proto::random::{below, mix};

use crate::clock::Nanos;

/// The rests of one thread's connections. Rest *n* of connection *c* depends on the seed, *c* and *n* alone.
#[derive(Debug)]
pub struct Thinking {
    shortest: u64,
    /// How many nanoseconds there are to choose from.
    choice: u64,
    /// Of each place, the last number drawn.
    drawn: Vec<u64>,
}

impl Thinking {
    /// For the places of a thread, by their numbers in the fleet.
    pub fn new(time: ThinkTime, places: impl Iterator<Item = u64>, seed: u64) -> Self {
        let (shortest, longest) = (Nanos::from(time.shortest()).0, Nanos::from(time.longest()).0);
        let first = |place| mix(seed ^ mix(place));
        Self { shortest, choice: longest - shortest + 1, drawn: places.map(first).collect() }
    }

    /// The next rest of this connection.
    #[inline]
    pub fn rest(&mut self, slot: u32) -> Nanos {
        let drawn = &mut self.drawn[slot as usize];
        *drawn = mix(*drawn);
        Nanos(self.shortest + below(self.choice, *drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    fn time(shortest: u64, longest: u64) -> ThinkTime {
        ThinkTime::new(Duration::from_millis(shortest), Duration::from_millis(longest)).unwrap()
    }

    fn rests(thinking: &mut Thinking, slot: u32, count: usize) -> Vec<u64> {
        (0..count).map(|_| thinking.rest(slot).0).collect()
    }

    #[test]
    fn a_fixed_time_is_that_time() {
        assert_eq!(rests(&mut Thinking::new(time(100, 100), 0..1, 7), 0, 3), [100 * MS; 3]);
    }

    #[test]
    fn a_range_is_drawn_from_evenly_and_a_seed_repeats_it() {
        let drawn = |seed| rests(&mut Thinking::new(time(50, 150), 0..2, seed), 1, 10_000);
        let all = drawn(7);
        assert!(all.iter().all(|rest| (50 * MS..=150 * MS).contains(rest)));
        for tenth in 0..10u64 {
            let within = (50 + tenth * 10) * MS..(60 + tenth * 10) * MS;
            let count = all.iter().filter(|rest| within.contains(rest)).count();
            // 1,000 with a standard deviation of 30.
            assert!((880..1_120).contains(&count), "{count} in {within:?}");
        }
        assert_eq!(all, drawn(7));
        assert_ne!(all, drawn(8));
    }

    #[test]
    fn a_connection_rests_the_same_whoever_holds_it() {
        let whole = &mut Thinking::new(time(0, 1_000), 0..6, 7);
        for slot in 0..6u32 {
            let part = [0, 1].map(|own| u64::from(slot % 3 + 3 * own));
            let apart = &mut Thinking::new(time(0, 1_000), part.into_iter(), 7);
            assert_eq!(rests(apart, slot / 3, 5), rests(whole, slot, 5));
        }
    }
}
