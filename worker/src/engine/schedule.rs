//! Which request is due when: pure, with the time as an argument, so that tests can drive it.

use std::collections::VecDeque;

use proto::assignment::Assignment;
use proto::load::{Arrivals, Load, Rate};
use proto::share::{Share, requests_of};

use crate::clock::Nanos;

/// One thread's part of a block's load. Times count from the start of the block.
#[derive(Debug)]
pub enum Schedule {
    /// A connection that becomes free takes the next request.
    Closed(Closed),
    /// Requests arrive whatever the target does.
    Open(Open),
}

/// How much one thread has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which part of the global sequence of arrivals (open loop) or of connections (closed loop) is this thread's.
    pub share: Share,
    /// Connections of this thread.
    pub connections: u32,
}

/// Divides a worker's part among at most `threads` threads, so that each has a connection and room for a request.
pub fn lanes(assignment: &Assignment, threads: u32) -> Vec<Lane> {
    let room = match assignment.load {
        Load::Open { max_in_flight: Some(most), .. } => assignment.share.of(most.get()),
        _ => u64::MAX,
    };
    let threads = threads.min(assignment.connections()).min(u32::try_from(room).unwrap_or(u32::MAX));
    let lane = |index: u32| {
        let share = assignment.share.sub(index, threads)?;
        let connections = match assignment.load {
            Load::Closed { concurrency } => share.of(u64::from(concurrency.get())),
            Load::Open { connections, .. } => Share::new(index, threads)?.of(u64::from(connections.get())),
        };
        Some(Lane { share, connections: connections as u32 })
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
    pub fn new(load: Load, lane: Lane, limit: Limit, seed: u64) -> Self {
        let end = limit.end.unwrap_or(Nanos::MAX);
        match load {
            Load::Closed { concurrency } => {
                let left =
                    limit.requests.map_or(u64::MAX, |all| requests_of(lane.share, concurrency.get(), all));
                Self::Closed(Closed { left, end, started: 0 })
            }
            Load::Open { rate, arrivals, max_in_flight, .. } => Self::Open(Open {
                arrivals: match arrivals {
                    Arrivals::Constant => Sequence::Constant { rate, share: lane.share, next: 0 },
                    Arrivals::Poisson => Sequence::poisson(rate, lane.share, seed),
                },
                left: limit.requests.map_or(u64::MAX, |all| lane.share.of(all)),
                end,
                waiting: VecDeque::new(),
                most_in_flight: max_in_flight.map_or(u64::MAX, |most| lane.share.of(most.get())),
                in_flight: 0,
                offered: 0,
                dropped: 0,
                last_due: Nanos::ZERO,
            }),
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

    /// Gives up on what is still waiting, and says how many that were.
    pub fn abandon(&mut self) -> u64 {
        match self {
            Self::Closed(closed) => {
                closed.end = Nanos::ZERO;
                0
            }
            Self::Open(open) => {
                open.end = Nanos::ZERO;
                let waiting = open.waiting.len() as u64;
                open.waiting.clear();
                waiting
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
}

impl Closed {
    #[inline]
    fn take(&mut self, free_since: Nanos) -> Option<Nanos> {
        if self.left == 0 || free_since >= self.end {
            return None;
        }
        self.left -= 1;
        self.started += 1;
        Some(free_since)
    }
}

/// Arrivals, and those of them that wait for a connection.
#[derive(Debug)]
pub struct Open {
    arrivals: Sequence,
    left: u64,
    end: Nanos,
    waiting: VecDeque<Nanos>,
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
            if self.in_flight + self.waiting.len() as u64 >= self.most_in_flight {
                self.dropped += 1;
            } else {
                self.waiting.push_back(due);
            }
        }
    }

    #[inline]
    fn take(&mut self) -> Option<Nanos> {
        let due = self.waiting.pop_front()?;
        self.in_flight += 1;
        Some(due)
    }
}

/// The due times of one share of the global sequence. Item *i* has the same due time whatever the share.
#[derive(Debug)]
enum Sequence {
    /// Item *i* is due at *i* ÷ rate.
    Constant { rate: Rate, share: Share, next: u64 },
    /// Item *i* is due after *i* + 1 gaps drawn from the exponential distribution: a Poisson process.
    Poisson { rate: Rate, share: Share, seed: u64, next: u64, due: f64 },
}

impl Sequence {
    fn poisson(rate: Rate, share: Share, seed: u64) -> Self {
        let mut due = 0.0;
        for item in 0..=share.item(0) {
            due += exponential_gap(seed, item, rate);
        }
        Self::Poisson { rate, share, seed, next: 0, due }
    }

    #[inline]
    fn next_due(&self) -> Nanos {
        match self {
            Self::Constant { rate, share, next } => {
                let picos = u128::from(share.item(*next)) * 1_000_000_000_000;
                Nanos(u64::try_from(picos / u128::from(rate.millihertz())).unwrap_or(u64::MAX))
            }
            Self::Poisson { due, .. } => Nanos(*due as u64),
        }
    }

    #[inline]
    fn advance(&mut self) {
        match self {
            Self::Constant { next, .. } => *next += 1,
            Self::Poisson { rate, share, seed, next, due } => {
                let (from, to) = (share.item(*next) + 1, share.item(*next + 1));
                for item in from..=to {
                    *due += exponential_gap(*seed, item, *rate);
                }
                *next += 1;
            }
        }
    }
}

/// The gap before item `item` of a Poisson process, in nanoseconds: −ln(u) ÷ rate with u uniform in (0, 1].
fn exponential_gap(seed: u64, item: u64, rate: Rate) -> f64 {
    let uniform = ((mix(seed ^ mix(item)) >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln() * 1e12 / rate.millihertz() as f64
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes every bit of the result.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::latencies::Histogram;
    use std::num::{NonZeroU32, NonZeroU64};

    const SECOND: u64 = 1_000_000_000;

    fn open(
        rate: &str,
        arrivals: Arrivals,
        share: Share,
        limit: Limit,
        max_in_flight: Option<u64>,
    ) -> Schedule {
        let load = Load::Open {
            rate: rate.parse().unwrap(),
            arrivals,
            connections: NonZeroU32::new(64).unwrap(),
            max_in_flight: max_in_flight.and_then(NonZeroU64::new),
        };
        Schedule::new(load, Lane { share, connections: 64 }, limit, 7)
    }

    fn due_times(schedule: &mut Schedule) -> Vec<u64> {
        schedule.advance(Nanos::MAX);
        std::iter::from_fn(|| schedule.take(Nanos::ZERO)).map(|due| due.0).collect()
    }

    fn for_duration(seconds: u64) -> Limit {
        Limit { requests: None, end: Some(Nanos(seconds * SECOND)) }
    }

    #[test]
    fn a_constant_rate_is_exact() {
        let mut schedule = open("3", Arrivals::Constant, Share::WHOLE, for_duration(2), None);
        assert_eq!(
            due_times(&mut schedule),
            [0, 333_333_333, 666_666_666, SECOND, 1_333_333_333, 1_666_666_666]
        );
        assert!(schedule.is_exhausted(Nanos::MAX));
        assert_eq!(schedule.take_counts(), Counts { offered: 6, dropped: 0 });
    }

    #[test]
    fn a_poisson_process_has_the_rate_and_the_spread_that_it_should() {
        let times = due_times(&mut open("1000", Arrivals::Poisson, Share::WHOLE, for_duration(100), None));
        // 100,000 expected with a standard deviation of 316.
        assert!((98_700..101_300).contains(&times.len()), "{}", times.len());
        // The share of gaps longer than the mean gap is 1/e.
        let long = times.windows(2).filter(|pair| pair[1] - pair[0] > SECOND / 1000).count() as f64;
        assert!((long / times.len() as f64 - (-1f64).exp()).abs() < 0.01);
    }

    #[test]
    fn arrivals_beyond_the_limit_in_flight_are_dropped_and_counted() {
        let mut schedule = open("10", Arrivals::Constant, Share::WHOLE, for_duration(1), Some(3));
        schedule.advance(Nanos(SECOND / 2));
        assert_eq!(schedule.take_counts(), Counts { offered: 6, dropped: 3 });
        assert!(schedule.take(Nanos::ZERO).is_some());
        schedule.complete();
        schedule.advance(Nanos(SECOND));
        assert_eq!(schedule.take_counts(), Counts { offered: 4, dropped: 3 });
        assert_eq!(schedule.abandon(), 3);
    }

    #[test]
    fn a_closed_loop_is_due_when_its_connection_is_free() {
        let load = Load::Closed { concurrency: NonZeroU32::new(2).unwrap() };
        let limit = Limit { requests: Some(3), end: Some(Nanos(100)) };
        let mut schedule = Schedule::new(load, Lane { share: Share::WHOLE, connections: 2 }, limit, 0);
        assert_eq!(schedule.take(Nanos(5)), Some(Nanos(5)));
        assert_eq!(schedule.take(Nanos(100)), None);
        assert_eq!(schedule.take(Nanos(99)), Some(Nanos(99)));
        assert!(!schedule.is_exhausted(Nanos(99)));
        assert_eq!(schedule.take(Nanos(6)), Some(Nanos(6)));
        assert!(schedule.is_exhausted(Nanos(7)) && schedule.ended_by_requests());
    }

    #[test]
    fn what_is_due_is_drained_for_one_timeout() {
        let timeout = Nanos(30 * SECOND);
        let mut timed = open("10", Arrivals::Constant, Share::WHOLE, for_duration(1), None);
        assert_eq!(timed.drain_end(timeout), None);
        timed.advance(Nanos(SECOND));
        assert_eq!(timed.drain_end(timeout), Some(Nanos(31 * SECOND)));

        let limit = Limit { requests: Some(3), end: None };
        let mut counted = open("10", Arrivals::Constant, Share::WHOLE, limit, None);
        counted.advance(Nanos(SECOND));
        assert_eq!(counted.drain_end(timeout), Some(Nanos(200_000_000) + timeout));
    }

    /// A server with `connections` places that answers in `service` but sleeps through the first `stall` of every
    /// `period`, driven by scripted time. Returns the response times.
    fn against_a_stalling_server(
        rate: &str,
        seconds: u64,
        service: u64,
        stall: u64,
        period: u64,
    ) -> Histogram {
        let connections = 64;
        let mut schedule = open(rate, Arrivals::Constant, Share::WHOLE, for_duration(seconds), None);
        let mut busy: VecDeque<(u64, u64)> = VecDeque::new();
        let mut served_until = 0u64;
        let mut responses = Histogram::new();
        loop {
            let arrival = schedule.next_arrival().map(|due| due.0);
            let completion = busy.front().map(|(done, _)| *done);
            let Some(now) = arrival.into_iter().chain(completion).min() else { break };
            schedule.advance(Nanos(now));
            while let Some((_, due)) = busy.pop_front_if(|(done, _)| *done <= now) {
                responses.record(now - due);
                schedule.complete();
            }
            while busy.len() < connections {
                let Some(due) = schedule.take(Nanos(now)) else { break };
                // One request after the other; the server is awake from `stall` to `period`.
                let mut begin = served_until.max(now);
                if begin % period < stall {
                    begin += stall - begin % period;
                }
                served_until = begin + service;
                busy.push_back((served_until, due.0));
            }
        }
        responses
    }

    /// The formula of an M/D/1-like stall: with rate R and drain capacity C the fraction f = (stall ÷ period) ÷ (1 − R÷C)
    /// of requests waits, evenly between 0 and the stall, so that P_q = stall × (1 − (1 − q) ÷ f).
    #[test]
    fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
        let (stall, period) = (200_000_000u64, 2 * SECOND);
        for rate in [2_000u64, 5_000, 20_000] {
            let service = SECOND / 100_000;
            let responses = against_a_stalling_server(&rate.to_string(), 20, service, stall, period);
            assert_eq!(responses.count(), rate * 20, "every request is sent and answered");

            let waiting =
                (stall as f64 / period as f64) / (1.0 - rate as f64 * service as f64 / SECOND as f64);
            for q in [0.95, 0.99, 0.999] {
                let on_paper = stall as f64 * (1.0 - (1.0 - q) / waiting);
                let measured = responses.quantile(q).unwrap() as f64;
                let error = (measured - on_paper).abs();
                assert!(error < 0.01 * on_paper + 100_000.0, "{rate}/s P{q}: {measured} against {on_paper}");
            }
            assert!(responses.quantile(0.5).unwrap() < 100_000);
        }
    }

    proptest! {
        #[test]
        fn shares_of_a_schedule_make_up_the_whole(workers in 1u32..5, threads in 1u32..4, poisson: bool, requests in 0u64..300) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            let limit = Limit { requests: Some(requests), end: Some(Nanos(SECOND / 4)) };
            let whole = due_times(&mut open("700", arrivals, Share::WHOLE, limit, None));
            let mut parts = Vec::new();
            for k in 0..workers {
                for j in 0..threads {
                    let share = Share::new(k, workers).unwrap().sub(j, threads).unwrap();
                    parts.extend(due_times(&mut open("700", arrivals, share, limit, None)));
                }
            }
            parts.sort_unstable();
            prop_assert_eq!(parts, whole);
        }
    }
}
