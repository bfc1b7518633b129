//! Which requests run out of time next.
//!
//! All requests of a block share one timeout, so deadlines fall due in the order in which they were set: a list threaded
//! through the slots, to which setting, clearing and looking at the first cost the same few nanoseconds each, and which
//! holds no memory for requests that are over.

use crate::clock::Nanos;

const NONE: u32 = u32::MAX;

/// Deadlines of numbered slots, at most one each, in the order in which they were set.
#[derive(Debug)]
pub struct Deadlines {
    entries: Vec<Entry>,
    first: u32,
    last: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Nanos,
    previous: u32,
    next: u32,
}

/// An entry that is in no list.
const UNSET: Entry = Entry { at: Nanos::MAX, previous: NONE, next: NONE };

impl Deadlines {
    /// For the slots `0..slots`, none of them with a deadline.
    pub fn new(slots: usize) -> Self {
        Self { entries: vec![UNSET; slots], first: NONE, last: NONE }
    }

    /// Sets the slot's deadline. One that is earlier than the last that is set is moved up to it: of several requests that
    /// are given their slots with one reading of the clock, a failure among them may read it again.
    #[inline]
    pub fn set(&mut self, slot: u32, at: Nanos) {
        debug_assert!(at < Nanos::MAX);
        self.clear(slot);
        let at = self.last().map_or(at, |last| last.max(at));
        self.entries[slot as usize] = Entry { at, previous: self.last, next: NONE };
        match self.last {
            NONE => self.first = slot,
            last => self.entries[last as usize].next = slot,
        }
        self.last = slot;
    }

    /// Forgets the slot's deadline, if it has one.
    #[inline]
    pub fn clear(&mut self, slot: u32) {
        let entry = self.entries[slot as usize];
        if entry.at == Nanos::MAX {
            return;
        }
        match entry.previous {
            NONE => self.first = entry.next,
            previous => self.entries[previous as usize].next = entry.next,
        }
        match entry.next {
            NONE => self.last = entry.previous,
            next => self.entries[next as usize].previous = entry.previous,
        }
        self.entries[slot as usize] = UNSET;
    }

    /// The slot's deadline; later than anything when it has none.
    #[inline]
    pub fn of(&self, slot: u32) -> Nanos {
        self.entries[slot as usize].at
    }

    /// The earliest deadline.
    #[inline]
    pub fn first(&self) -> Option<Nanos> {
        (self.first != NONE).then(|| self.entries[self.first as usize].at)
    }

    /// Takes a slot whose deadline is not later than `now`.
    #[inline]
    pub fn expired(&mut self, now: Nanos) -> Option<u32> {
        let slot = self.first;
        if self.first().is_none_or(|at| at > now) {
            return None;
        }
        self.clear(slot);
        Some(slot)
    }

    fn last(&self) -> Option<Nanos> {
        (self.last != NONE).then(|| self.entries[self.last as usize].at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_earlier_deadline_is_moved_up_to_the_last() {
        let mut deadlines = Deadlines::new(2);
        deadlines.set(0, Nanos(10));
        deadlines.set(1, Nanos(7));
        assert_eq!((deadlines.of(1), deadlines.expired(Nanos(9))), (Nanos(10), None));
        assert_eq!((deadlines.expired(Nanos(10)), deadlines.expired(Nanos(10))), (Some(0), Some(1)));
    }

    /// A loop with 5,000 requests in flight that answers most of them in time and never turns faster than once in 3 ms:
    /// a request that is not answered is failed by the first turn after its deadline, and by no turn before it.
    #[test]
    fn under_load_a_deadline_is_met_by_the_first_turn_after_it() {
        const SLOTS: u32 = 5_000;
        const TIMEOUT: u64 = 100_000_000;
        let mut deadlines = Deadlines::new(SLOTS as usize);
        let (mut before, mut now, mut random, mut expired) = (Nanos(0), Nanos(0), 1u64, 0);
        (0..SLOTS).for_each(|slot| deadlines.set(slot, Nanos(TIMEOUT)));
        for _ in 0..2_000 {
            let due: Vec<_> = (0..SLOTS).filter(|slot| deadlines.of(*slot) <= now).collect();
            let mut failed = Vec::new();
            while let Some((at, slot)) = deadlines.first().zip(deadlines.expired(now)) {
                assert!(at > before && at <= now, "{at:?} between {before:?} and {now:?}");
                failed.push(slot);
            }
            expired += failed.len();
            failed.iter().for_each(|slot| deadlines.set(*slot, now + Nanos(TIMEOUT)));
            failed.sort_unstable();
            assert_eq!(failed, due);
            for _ in 0..100 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                deadlines.set((random >> 33) as u32 % SLOTS, now + Nanos(TIMEOUT));
            }
            (before, now) = (now, now + Nanos(random >> 33).min(Nanos(3_000_000)));
        }
        assert!(expired > 1_000, "{expired}");
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map(steps in proptest::collection::vec((0u32..6, 0u64..4, 0u8..3), 0..200)) {
            let mut deadlines = Deadlines::new(6);
            let mut model: Vec<(u32, Nanos)> = Vec::new();
            let mut now = Nanos(0);
            for (slot, pause, action) in steps {
                now += Nanos(pause);
                match action {
                    0 => {
                        model.retain(|entry| entry.0 != slot);
                        model.push((slot, now + Nanos(10)));
                        deadlines.set(slot, now + Nanos(10));
                    }
                    1 => {
                        model.retain(|entry| entry.0 != slot);
                        deadlines.clear(slot);
                    }
                    _ => {
                        let due = model.first().filter(|entry| entry.1 <= now).copied();
                        prop_assert_eq!(deadlines.expired(now), due.map(|entry| entry.0));
                        model.retain(|entry| Some(entry.0) != due.map(|due| due.0));
                    }
                }
                prop_assert_eq!(deadlines.first(), model.first().map(|entry| entry.1));
            }
        }
    }
}
