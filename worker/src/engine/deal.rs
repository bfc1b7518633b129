//! Which scenario of a mix each of a thread's requests is of, and its number among that scenario's.

use std::num::NonZeroU32;

use proto::load::Load;
use proto::mix::Deal;

use super::schedule::{Counts, Lane};

/// A request of a thread: which scenario it is of, and which of the thread's requests of that scenario it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticket(u64);

/// A week at ten million requests a second has fewer.
const NUMBER_BITS: u32 = 56;

impl Ticket {
    /// Of a block without a mix.
    #[inline]
    pub fn single(number: u64) -> Self {
        Self(number & ((1 << NUMBER_BITS) - 1))
    }

    /// Of a scenario of a mix.
    #[inline]
    pub fn new(part: u8, number: u64) -> Self {
        Self(u64::from(part) << NUMBER_BITS | Self::single(number).0)
    }

    /// Which scenario, from 0.
    #[inline]
    pub fn part(self) -> usize {
        (self.0 >> NUMBER_BITS) as usize
    }

    /// Which of the thread's requests of that scenario, from 0; one that was dropped has its number too.
    #[inline]
    pub fn number(self) -> u64 {
        Self::single(self.0).0
    }
}

/// Deals one lane's requests.
#[derive(Debug)]
pub struct Dealer {
    deal: Deal,
    lane: Lane,
    concurrency: Option<NonZeroU32>,
    /// How many there have been.
    dealt: u64,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    dealt: u64,
    counts: Counts,
}

impl Dealer {
    /// For a lane of a load.
    pub fn new(deal: &Deal, parts: usize, load: &Load, lane: Lane) -> Self {
        let parts = vec![Part::default(); parts];
        Self { deal: deal.clone(), lane, concurrency: load.concurrency(), dealt: 0, parts }
    }

    /// The lane's next request, which counts as offered.
    #[inline]
    pub fn next(&mut self) -> Ticket {
        let part = self.deal.part(self.lane.number(self.concurrency, self.dealt));
        self.dealt += 1;
        let of = &mut self.parts[part];
        let ticket = Ticket::new(part as u8, of.dealt);
        of.dealt += 1;
        of.counts.offered += 1;
        ticket
    }

    /// That request was beyond the limit.
    #[inline]
    pub fn dropped(&mut self, ticket: Ticket) {
        self.parts[ticket.part()].counts.dropped += 1;
    }

    /// What has been offered and dropped of each scenario since the last call.
    pub fn take_counts(&mut self) -> impl Iterator<Item = Counts> {
        self.parts.iter_mut().map(|part| std::mem::take(&mut part.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanos;
    use crate::engine::schedule::{Limit, Schedule};
    use proto::load::{Arrivals, Pace};
    use proto::share::Share;
    use std::num::NonZeroU64;

    fn closed(concurrency: u32) -> Load {
        Load::Closed { concurrency: NonZeroU32::new(concurrency).unwrap(), think_time: None }
    }

    fn open(most: u64) -> Load {
        Load::Open {
            pace: Pace::Steady("10".parse().unwrap()),
            arrivals: Arrivals::Constant,
            connections: NonZeroU32::new(64).unwrap(),
            max_in_flight: NonZeroU64::new(most),
        }
    }

    fn schedule(load: &Load, connections: u32, share: Share, requests: u64) -> Schedule {
        let weights = [7, 3].map(|weight| NonZeroU32::new(weight).unwrap());
        let mine = share.of(connections.into()) as u32;
        let lane = Lane { share, connections: mine, places: mine, of_connections: connections };
        let limit = Limit { requests: Some(requests), end: None };
        let dealer = Dealer::new(&Deal::new(&weights, 1).unwrap(), 2, load, lane);
        Schedule::new(load, lane, limit, 1).dealt(Some(dealer))
    }

    fn taken(schedule: &mut Schedule) -> [u64; 2] {
        let mut taken = [0; 2];
        while schedule.take(Nanos::ZERO).is_some() {
            let ticket = schedule.taken();
            assert_eq!(
                ticket.number(),
                taken[ticket.part()],
                "each scenario's requests are numbered by themselves"
            );
            taken[ticket.part()] += 1;
        }
        taken
    }

    #[test]
    fn lanes_of_both_loops_deal_the_fleets_requests_exactly() {
        for (load, connections) in [(closed(5), 5), (open(1_000), 64)] {
            let mut all = [0; 2];
            for share in (0..3).filter_map(|index| Share::new(index, 3)) {
                let mut schedule = schedule(&load, connections, share, 100);
                schedule.advance(Nanos::MAX);
                let taken = taken(&mut schedule);
                let counts: Vec<Counts> = schedule.dealer().unwrap().take_counts().collect();
                let offered = taken.map(|offered| Counts { offered, dropped: 0 });
                assert_eq!(counts, offered);
                all = [all[0] + taken[0], all[1] + taken[1]];
            }
            assert_eq!(all, [70, 30]);
        }
    }

    #[test]
    fn what_is_dropped_is_of_its_scenario() {
        let mut schedule = schedule(&open(4), 64, Share::WHOLE, 10);
        schedule.advance(Nanos::MAX);
        let counts: Vec<Counts> = schedule.dealer().unwrap().take_counts().collect();
        assert_eq!((counts[0].offered, counts[1].offered), (7, 3));
        assert_eq!(counts[0].dropped + counts[1].dropped, 6);
        assert_eq!(schedule.take_counts(), Counts { offered: 10, dropped: 6 });
        let waiting = schedule.abandon();
        for (part, counts) in counts.iter().enumerate() {
            let unsent = waiting.iter().filter(|(_, ticket)| ticket.part() == part).count() as u64;
            assert_eq!(counts.offered, counts.dropped + unsent);
        }
    }

    #[test]
    fn a_ticket_holds_both_numbers() {
        let ticket = Ticket::new(255, (1 << NUMBER_BITS) - 1);
        assert_eq!((ticket.part(), ticket.number()), (255, (1 << NUMBER_BITS) - 1));
        assert_eq!((Ticket::single(9).part(), Ticket::single(9).number()), (0, 9));
    }
}
