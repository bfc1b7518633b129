//! One thread's part of the engine: an event loop over its connections, its schedule, its deadlines and its recorder.
//!
//! Per request of HTTP/1.1 it makes two system calls (send, recv) and shares one wait with all that happened meanwhile. It takes no
//! lock, allocates nothing and formats nothing; every second it hands its recorder to the collector and goes on with
//! another.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use mio::{Events, Poll, Token};

use super::deadlines::Deadlines;
use super::job::{Control, Job, Report, ShardEnd};
use super::protocol::Protocol;
use super::recorder::Recorder;
use super::schedule::{Lane, Limit, Schedule};
use super::slot::{Slot, State};
use super::span::Spans;
use super::timer::Timer;
use crate::answer::SpareMemory;
use crate::clock::{Clock, Nanos};
use crate::host::ThreadMeter;

/// Wakes the loop when `Control` has changed.
pub const WAKER: Token = Token(usize::MAX);
/// Wakes the loop when a moment has come.
const TIMER: Token = Token(usize::MAX - 1);

/// One read buffer per thread, not per connection.
const READ_BUFFER_BYTES: usize = 64 << 10;
const EVENTS_AT_ONCE: usize = 1024;
/// Connections that are being made at once before the block, so that opening thousands is no storm.
const OPENING_AT_ONCE: usize = 64;
/// How long the connections may take to open before the block begins without those that have not.
const OPENING_LIMIT: Nanos = Nanos(10_000_000_000);

/// One thread's part of the engine.
pub struct Shard<P: Protocol> {
    pub(super) job: Arc<Job>,
    control: Arc<Control>,
    lane: Lane,
    /// What is sent of each scenario: in the warm-up, and in the load.
    pub(super) rings: [Arc<[P::Ring]>; 2],
    pub(super) clock: Clock,
    pub(super) poll: Poll,
    pub(super) timer: Timer,
    pub(super) buffer: Box<[u8]>,
    pub(super) spare_memory: SpareMemory,
    pub(super) slots: Vec<Slot<P::Carrier>>,
    pub(super) protocol: P,
    /// Which of the job's ways the next connection takes; each thread begins with another.
    pub(super) next_way: usize,
    /// Idle slots of an open loop, the longest idle first, so that all connections stay in use.
    pub(super) idle: VecDeque<u32>,
    /// Slots that rest, the first to be free on top.
    pub(super) resting: BinaryHeap<Reverse<(Nanos, u32)>>,
    pub(super) deadlines: Deadlines,
    pub(super) schedule: Schedule,
    /// Requests that have been given a slot and have not come to an end.
    pub(super) in_flight: u32,
    pub(super) is_warm_up: bool,
    /// The beginning of the current phase on the clock.
    pub(super) origin: Nanos,
    pub(super) spans: Spans,
    pub(super) meter: ThreadMeter,
    /// What it took to hand over the last span, which that span cannot tell any more.
    pub(super) handing_over: Nanos,
    pub(super) recorder: Recorder,
    pub(super) last_completion: Option<Nanos>,
    reports: Sender<(usize, Report)>,
    pub(super) spares: Receiver<Recorder>,
    number: usize,
}

/// What a shard is made of, beside its job.
pub struct Wiring<R> {
    /// From 0 within the engine.
    pub number: usize,
    /// Its part of the load.
    pub lane: Lane,
    /// What it sends of each scenario: in the warm-up, and in the load.
    pub rings: [Arc<[R]>; 2],
    /// The engine's clock.
    pub clock: Clock,
    /// The event loop, whose waker the engine keeps.
    pub poll: Poll,
    /// What the engine says.
    pub control: Arc<Control>,
    /// To the collector.
    pub reports: Sender<(usize, Report)>,
    /// Cleared recorders from the collector.
    pub spares: Receiver<Recorder>,
}

impl<P: Protocol> Shard<P> {
    /// A shard that has not begun.
    ///
    /// # Errors
    /// When the process can have no more files.
    pub fn new(job: Arc<Job>, wiring: Wiring<P::Ring>) -> io::Result<Self> {
        let slots = wiring.lane.places;
        let timer = Timer::new(wiring.poll.registry(), TIMER)?;
        let seed = job.seed ^ (u64::from(wiring.lane.share.index()) << 32);
        Ok(Self {
            slots: (0..slots).map(|number| Slot::new(seed ^ u64::from(number))).collect(),
            protocol: P::new(&job, wiring.lane),
            next_way: wiring.lane.share.index() as usize,
            deadlines: Deadlines::new(slots as usize),
            schedule: Schedule::new(&job.load, wiring.lane, job.limit, job.seed)
                .dealt(job.dealer(&job.load, wiring.lane)),
            control: wiring.control,
            lane: wiring.lane,
            rings: wiring.rings,
            clock: wiring.clock,
            poll: wiring.poll,
            timer,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            spare_memory: SpareMemory::default(),
            idle: VecDeque::new(),
            resting: BinaryHeap::with_capacity(slots as usize),
            in_flight: 0,
            is_warm_up: false,
            origin: Nanos::ZERO,
            spans: Spans::endless(),
            meter: ThreadMeter::default(),
            handing_over: Nanos::ZERO,
            recorder: job.recorder(),
            last_completion: None,
            reports: wiring.reports,
            spares: wiring.spares,
            number: wiring.number,
            job,
        })
    }

    /// Connects, warms up, waits for the start, carries the load, and reports the end.
    ///
    /// # Errors
    /// When the system's event queue fails.
    pub fn run(mut self) -> io::Result<()> {
        self.meter = ThreadMeter::new();
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        if self.job.keep_alive {
            self.open_connections(&mut events)?;
        }
        if let Some(limit) = self.job.warm_up {
            self.warm_up(limit, &mut events)?;
        }
        let warm_up = std::mem::replace(&mut self.recorder, self.job.recorder());
        self.report(Report::Prepared { warm_up });

        let start_lateness = match self.wait_for_start(&mut events)? {
            Some(start) => {
                let lateness = self.clock.now().since(start);
                self.measure(start, &mut events)?;
                Some(lateness)
            }
            None => None,
        };
        let by_requests = self.schedule.ended_by_requests();
        self.report(Report::Ended(ShardEnd {
            start_lateness,
            last_completion: self.last_completion,
            by_requests,
        }));
        Ok(())
    }

    pub(super) fn report(&self, report: Report) {
        // The collector is gone only when the engine is being dropped.
        let _ = self.reports.send((self.number, report));
    }

    fn is_stopped(&self) -> bool {
        self.control.stop_reason().is_some()
    }
}

// The phases of a block.
impl<P: Protocol> Shard<P> {
    fn open_connections(&mut self, events: &mut Events) -> io::Result<()> {
        let limit = self.clock.now() + self.job.timeout.min(OPENING_LIMIT);
        let mut next = 0;
        loop {
            let mut under_way = P::opening(self);
            while under_way < OPENING_AT_ONCE && next < P::connections(self) {
                under_way += usize::from(P::open_ahead(self, next));
                next += 1;
            }
            let now = self.clock.now();
            if under_way == 0 || now >= limit || self.is_stopped() {
                break;
            }
            P::flush(self);
            self.wait(limit, now, events)?;
            self.handle(events);
        }
        P::end_opening(self);
        Ok(())
    }

    fn warm_up(&mut self, limit: Limit, events: &mut Events) -> io::Result<()> {
        let load = &self.job.warm_up_load;
        let measured =
            Schedule::new(load, self.lane, limit, !self.job.seed).dealt(self.job.dealer(load, self.lane));
        let measured = std::mem::replace(&mut self.schedule, measured);
        self.is_warm_up = true;
        self.origin = self.clock.now();
        self.carry(events)?;
        self.is_warm_up = false;
        self.schedule = measured;
        self.last_completion = None;
        Ok(())
    }

    /// The moment of the start, once it has come; `None` when the block is stopped before.
    fn wait_for_start(&mut self, events: &mut Events) -> io::Result<Option<Nanos>> {
        loop {
            if self.is_stopped() {
                return Ok(None);
            }
            let (start, now) = (self.control.start(), self.clock.now());
            if start <= now {
                return Ok(Some(start));
            }
            P::flush(self);
            self.wait(start, now, events)?;
            self.handle(events);
        }
    }

    fn measure(&mut self, start: Nanos, events: &mut Events) -> io::Result<()> {
        self.origin = start;
        self.spans = Spans::new(self.job.cuts.clone());
        self.meter.restart(self.clock.now());
        self.report(Report::Started);
        self.carry(events)?;
        let end = self.last_span_end();
        self.cut_until(end);
        if self.recorder.is_used() || self.spans.start() < end {
            self.cut(end);
        }
        Ok(())
    }

    /// Where all requests were made and answered, the last span ends with the last of them, however late this thread comes
    /// to see it: then whoever reads the spans can check when that was.
    fn last_span_end(&self) -> Nanos {
        let all_answered = self.recorder.given_up() == 0;
        if self.schedule.ended_by_requests() && all_answered && !self.is_stopped() {
            self.last_completion.unwrap_or(Nanos::ZERO).max(self.spans.start())
        } else {
            self.clock.now().since(self.origin)
        }
    }

    /// Follows the schedule until it is exhausted and everything in flight has come to an end, or until it is stopped.
    fn carry(&mut self, events: &mut Events) -> io::Result<()> {
        self.idle.clear();
        self.resting.clear();
        if self.is_stopped() {
            self.abandon();
            return Ok(());
        }
        let now = self.clock.now();
        for slot in 0..self.slots.len() as u32 {
            self.slots[slot as usize].state = State::Idle;
            self.release(slot, Nanos::ZERO, now);
        }
        loop {
            let now = self.clock.now();
            self.pass_time(now);
            let is_over = self.is_over(now);
            if is_over {
                self.expire(now);
            }
            if is_over || self.is_stopped() {
                self.abandon();
                return Ok(());
            }
            P::flush(self);
            let wake = self.next_wake();
            self.wait(wake, now, events)?;
            self.handle(events);
            P::read_on(self);
            self.expire(now);
        }
    }

    /// Handles what one wait brought.
    fn handle(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                TIMER => self.timer.fired(self.clock.now()),
                WAKER => {}
                Token(number) => P::on_event(self, number as u32, event),
            }
        }
    }

    fn is_over(&self, now: Nanos) -> bool {
        let elapsed = now.since(self.origin);
        if self.in_flight == 0 && self.schedule.is_exhausted(elapsed) {
            return true;
        }
        self.schedule.drain_end(self.job.timeout).is_some_and(|end| elapsed >= end)
    }

    /// Gives up on everything that is not over; nothing when all is.
    fn abandon(&mut self) {
        self.count_schedule();
        for (_, ticket) in self.schedule.abandon() {
            self.recorder.of(ticket).counters.unsent += 1;
        }
        self.in_flight = 0;
        for number in 0..self.slots.len() as u32 {
            if self.slots[number as usize].is_busy() {
                let ticket = self.slots[number as usize].ticket;
                self.recorder.of(ticket).counters.abandoned += 1;
                self.deadlines.clear(number);
                P::abandon(self, number);
                self.slots[number as usize].state = State::Idle;
            }
        }
    }
}
