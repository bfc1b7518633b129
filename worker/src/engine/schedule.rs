//! Which request is due when: pure, with the time as an argument, so that tests can drive it.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use proto::assignment::Assignment;
use proto::load::Load;
use proto::share::{Share, requests_of};

use super::deal::{Dealer, Ticket};
use super::sequence::Sequence;
use super::thinking::Thinking;
use crate::clock::Nanos;

/// One thread's part of a block's load. Times count from the start of the block.
#[derive(Debug)]
pub enum Schedule {
    /// A connection that becomes free takes the next request.
    Closed(Closed),
    /// Requests arrive whatever the target does.
    Open(Open),
}

/// Arrivals that wait for one thread, in 64 MiB: beyond it they are dropped even where no limit was asked for, because a
/// queue that only grows would end with the worker's memory, and all that it has measured.
const MOST_WAITING: u64 = 1 << 22;

/// How much one thread has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which part of the global sequence of arrivals (open loop) or of connections (closed loop) is this thread's.
    pub share: Share,
    /// Connections of this thread.
    pub connections: u32,
    /// Requests that they can carry at once.
    pub places: u32,
    /// Connections of the whole fleet, in a closed loop.
    pub of_connections: u32,
}

impl Lane {
    /// How many of the requests `0..all` are this lane's.
    pub fn requests_of(self, load: &Load, all: u64) -> u64 {
        match load {
            Load::Closed { concurrency, .. } => {
                let places = u64::from(concurrency.get());
                let rest = requests_of(self.share, self.of_connections, all % places);
                u64::from(self.places) * (all / places) + rest
            }
            Load::Open { .. } => self.share.of(all),
        }
    }

    /// Which of the fleet's places the lane's place is, in a closed loop.
    pub fn place(self, place: u64) -> u64 {
        let (round, connection) = (place / u64::from(self.connections), place % u64::from(self.connections));
        round * u64::from(self.of_connections) + self.share.item(connection)
    }

    /// Which of the fleet's requests the lane's request `n` is: in an open loop the one with the number of the arrival, in a
    /// closed loop, which has a concurrency, the one with the number of the request, which belongs to a place.
    #[inline]
    pub fn number(self, concurrency: Option<NonZeroU32>, n: u64) -> u64 {
        match concurrency {
            None => self.share.item(n),
            Some(concurrency) => {
                let (round, place) = (n / u64::from(self.places), n % u64::from(self.places));
                round * u64::from(concurrency.get()) + self.place(place)
            }
        }
    }

    fn places(self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.places)).map(move |place| self.place(place))
    }
}

/// Divides a worker's part among at most `threads` threads, so that each has a connection and room for a request.
///
/// Place *p* of a closed loop belongs to connection *p* modulo their number, and request *i* to place *i* modulo theirs:
/// both are dealt exactly, and to every connection alike.
pub fn lanes(assignment: &Assignment, threads: u32) -> Vec<Lane> {
    let room = match assignment.load {
        Load::Open { max_in_flight: Some(most), .. } => assignment.share.of(most.get()),
        _ => u64::MAX,
    };
    let threads = threads.min(assignment.connections()).min(u32::try_from(room).unwrap_or(u32::MAX));
    let all = assignment.load.connections(assignment.streams);
    let lane = |index: u32| {
        let share = assignment.share.sub(index, threads)?;
        let (connections, places) = match assignment.load {
            Load::Closed { concurrency, .. } => {
                (share.of(u64::from(all)), requests_of(share, all, u64::from(concurrency.get())))
            }
            Load::Open { .. } => {
                let connections = Share::new(index, threads)?.of(u64::from(all));
                (connections, connections * u64::from(assignment.streams.get()))
            }
        };
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        Some(Lane { share, connections: connections as u32, places, of_connections: all })
    };
    (0..threads).filter_map(lane).collect()
}

/// When a schedule ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests over the whole fleet.
    pub requests: Option<u64>,
    /// From the start of the block.
    pub end: Option<Nanos>,
}

impl Schedule {
    /// One lane's schedule for a load that ends at `limit`.
    pub fn new(load: &Load, lane: Lane, limit: Limit, seed: u64) -> Self {
        let end = limit.end.unwrap_or(Nanos::MAX);
        let left = limit.requests.map_or(u64::MAX, |all| lane.requests_of(load, all));
        match load {
            Load::Closed { think_time, .. } => {
                let thinking = think_time.map(|time| Thinking::new(time, lane.places(), seed));
                let (taken, ticket) = (0, Ticket::default());
                Self::Closed(Closed { left, end, started: 0, taken, ticket, thinking, dealer: None })
            }
            Load::Open { pace, arrivals, max_in_flight, .. } => Self::Open(Open {
                arrivals: Sequence::new(pace, *arrivals, lane.share, seed),
                left,
                end,
                waiting: VecDeque::new(),
                arrived: 0,
                taken: Ticket::default(),
                dealer: None,
                most_in_flight: max_in_flight
                    .map_or(MOST_WAITING, |most| lane.share.of(most.get()).min(MOST_WAITING)),
                in_flight: 0,
                offered: 0,
                dropped: 0,
                last_due: Nanos::ZERO,
            }),
        }
    }

    /// The same for a mix.
    pub fn dealt(mut self, with: Option<Dealer>) -> Self {
        match &mut self {
            Self::Closed(Closed { dealer, .. }) | Self::Open(Open { dealer, .. }) => *dealer = with,
        }
        self
    }

    /// Who deals the requests of a mix.
    pub fn dealer(&mut self) -> Option<&mut Dealer> {
        match self {
            Self::Closed(Closed { dealer, .. }) | Self::Open(Open { dealer, .. }) => dealer.as_mut(),
        }
    }

    /// The due time of the request that a connection, free since `free_since`, should send now; `None` when there is
    /// nothing to send.
    #[inline]
    pub fn take(&mut self, free_since: Nanos) -> Option<Nanos> {
        match self {
            Self::Closed(closed) => closed.take(free_since),
            Self::Open(open) => open.take(),
        }
    }

    /// The due time of a request that waits for a connection; in a closed loop none ever does.
    #[inline]
    pub fn take_waiting(&mut self) -> Option<Nanos> {
        match self {
            Self::Closed(_) => None,
            Self::Open(open) => open.take(),
        }
    }

    /// Which of the lane's requests was taken last.
    #[inline]
    pub fn taken(&self) -> Ticket {
        match self {
            Self::Closed(closed) => closed.ticket,
            Self::Open(open) => open.taken,
        }
    }

    /// Lets time pass: arrivals that have fallen due begin to wait, or are dropped.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        if let Self::Open(open) = self {
            open.advance(now);
        }
    }

    /// When the next request falls due by itself.
    #[inline]
    pub fn next_arrival(&self) -> Option<Nanos> {
        match self {
            Self::Closed(_) => None,
            Self::Open(open) => open.next_arrival(),
        }
    }

    /// A request that was taken has come to an end.
    #[inline]
    pub fn complete(&mut self) {
        if let Self::Open(open) = self {
            open.in_flight -= 1;
        }
    }

    /// How long a connection rests after an answer, before it is free for its next request.
    #[inline]
    pub fn rest(&mut self, slot: u32) -> Option<Nanos> {
        match self {
            Self::Closed(closed) => closed.thinking.as_mut().map(|thinking| thinking.rest(slot)),
            Self::Open(_) => None,
        }
    }

    /// When it is over even if its connections still rest; `None` where only requests end it.
    #[inline]
    pub fn end_of_rests(&self) -> Option<Nanos> {
        match self {
            Self::Closed(closed) => Some(closed.end).filter(|end| *end < Nanos::MAX),
            Self::Open(_) => None,
        }
    }

    /// Whether nothing more will ever be due, at `now`.
    #[inline]
    pub fn is_exhausted(&self, now: Nanos) -> bool {
        match self {
            Self::Closed(closed) => closed.left == 0 || now >= closed.end,
            Self::Open(open) => open.waiting.is_empty() && open.next_arrival().is_none(),
        }
    }

    /// Whether it was the count of requests, not the time, that ended it.
    pub fn ended_by_requests(&self) -> bool {
        match self {
            Self::Closed(closed) => closed.left == 0,
            Self::Open(open) => open.left == 0,
        }
    }

    /// Until when what is due may be drained, given the block's timeout; `None` while it is not known.
    pub fn drain_end(&self, timeout: Nanos) -> Option<Nanos> {
        match self {
            // Requests in flight end by their own deadlines, and nothing waits.
            Self::Closed(_) => None,
            Self::Open(open) if open.next_arrival().is_some() => None,
            Self::Open(open) if open.left == 0 => Some(open.last_due + timeout),
            Self::Open(open) => Some(open.end + timeout),
        }
    }

    /// Requests that have been offered and dropped since the last call.
    #[inline]
    pub fn take_counts(&mut self) -> Counts {
        match self {
            Self::Closed(closed) => Counts { offered: std::mem::take(&mut closed.started), dropped: 0 },
            Self::Open(open) => Counts {
                offered: std::mem::take(&mut open.offered),
                dropped: std::mem::take(&mut open.dropped),
            },
        }
    }

    /// Gives up on what is still waiting, and says what that was.
    pub fn abandon(&mut self) -> VecDeque<(Nanos, Ticket)> {
        match self {
            Self::Closed(closed) => {
                closed.end = Nanos::ZERO;
                VecDeque::new()
            }
            Self::Open(open) => {
                open.end = Nanos::ZERO;
                std::mem::take(&mut open.waiting)
            }
        }
    }
}

/// What a schedule asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that the schedule wanted, dropped ones too.
    pub offered: u64,
    /// Arrivals beyond the limit of requests in flight.
    pub dropped: u64,
}

/// A number of requests and a time, whichever ends first.
#[derive(Debug)]
pub struct Closed {
    left: u64,
    end: Nanos,
    started: u64,
    /// All that were ever taken.
    taken: u64,
    /// The one that was taken last.
    ticket: Ticket,
    thinking: Option<Thinking>,
    dealer: Option<Dealer>,
}

impl Closed {
    #[inline]
    fn take(&mut self, free_since: Nanos) -> Option<Nanos> {
        if self.left == 0 || free_since >= self.end {
            return None;
        }
        self.left -= 1;
        self.started += 1;
        self.ticket = next(&mut self.dealer, self.taken);
        self.taken += 1;
        Some(free_since)
    }
}

/// Arrivals, and those of them that wait for a connection.
#[derive(Debug)]
pub struct Open {
    arrivals: Sequence,
    left: u64,
    end: Nanos,
    /// When each is due, and which it is.
    waiting: VecDeque<(Nanos, Ticket)>,
    arrived: u64,
    taken: Ticket,
    dealer: Option<Dealer>,
    most_in_flight: u64,
    in_flight: u64,
    offered: u64,
    dropped: u64,
    last_due: Nanos,
}

impl Open {
    #[inline]
    fn next_arrival(&self) -> Option<Nanos> {
        (self.left > 0).then(|| self.arrivals.next_due()).filter(|due| *due < self.end)
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        while let Some(due) = self.next_arrival().filter(|due| *due <= now) {
            self.arrivals.advance();
            self.left -= 1;
            self.offered += 1;
            self.last_due = due;
            let ticket = next(&mut self.dealer, self.arrived);
            if self.in_flight + self.waiting.len() as u64 >= self.most_in_flight {
                self.dropped += 1;
                if let Some(dealer) = &mut self.dealer {
                    dealer.dropped(ticket);
                }
            } else {
                self.waiting.push_back((due, ticket));
            }
            self.arrived += 1;
        }
    }

    #[inline]
    fn take(&mut self) -> Option<Nanos> {
        let (due, ticket) = self.waiting.pop_front()?;
        self.taken = ticket;
        self.in_flight += 1;
        Some(due)
    }
}

/// The lane's next request, which is its request `number` over all scenarios.
#[inline]
fn next(dealer: &mut Option<Dealer>, number: u64) -> Ticket {
    match dealer {
        None => Ticket::single(number),
        Some(dealer) => dealer.next(),
    }
}

#[cfg(test)]
mod tests;
