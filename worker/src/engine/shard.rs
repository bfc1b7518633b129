//! One thread's part of the engine: an event loop over its connections, its schedule, its deadlines and its recorder.
//!
//! Per request it makes two system calls (send, recv) and shares one wait with all that happened meanwhile. It takes no
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
use super::recorder::Recorder;
use super::ring::Ring;
use super::schedule::{Lane, Limit, Schedule};
use super::slot::{Slot, State};
use super::span::Spans;
use super::timer::Timer;
use crate::clock::{Clock, Nanos};
use crate::host::ThreadMeter;
use crate::outcome::Fault;

/// Wakes the loop when `Control` has changed.
pub const WAKER: Token = Token(usize::MAX);
/// Wakes the loop when a moment has come.
pub(super) const TIMER: Token = Token(usize::MAX - 1);

/// One read buffer per thread, not per connection.
const READ_BUFFER_BYTES: usize = 64 << 10;
const EVENTS_AT_ONCE: usize = 1024;
/// Connections that are being made at once before the block, so that opening thousands is no storm.
const OPENING_AT_ONCE: usize = 64;
/// How long the connections may take to open before the block begins without those that have not.
const OPENING_LIMIT: Nanos = Nanos(10_000_000_000);

/// One thread's part of the engine.
pub struct Shard {
    pub(super) job: Arc<Job>,
    control: Arc<Control>,
    lane: Lane,
    /// What is sent: in the warm-up, and in the load.
    pub(super) rings: [Ring; 2],
    pub(super) clock: Clock,
    pub(super) poll: Poll,
    timer: Timer,
    pub(super) buffer: Box<[u8]>,
    pub(super) slots: Vec<Slot>,
    /// Which of the job's ways the next connection takes; each thread begins with another.
    pub(super) next_way: usize,
    /// Idle slots of an open loop, the longest idle first, so that all connections stay in use.
    pub(super) idle: VecDeque<u32>,
    /// Slots that rest, the first to be free on top.
    pub(super) resting: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// Slots whose connections had more to read than their turn.
    pub(super) unread: VecDeque<u32>,
    pub(super) deadlines: Deadlines,
    pub(super) schedule: Schedule,
    /// Requests that have been given a slot and have not come to an end.
    pub(super) in_flight: u32,
    pub(super) is_warm_up: bool,
    /// The beginning of the current phase on the clock.
    pub(super) origin: Nanos,
    spans: Spans,
    meter: ThreadMeter,
    pub(super) recorder: Recorder,
    pub(super) last_completion: Option<Nanos>,
    reports: Sender<(usize, Report)>,
    spares: Receiver<Recorder>,
    number: usize,
}

/// What a shard is made of, beside its job.
pub struct Wiring {
    /// From 0 within the engine.
    pub number: usize,
    /// Its part of the load.
    pub lane: Lane,
    /// What it sends.
    pub rings: [Ring; 2],
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

impl Shard {
    /// A shard that has not begun.
    ///
    /// # Errors
    /// When the process can have no more files.
    pub fn new(job: Arc<Job>, wiring: Wiring) -> io::Result<Self> {
        let slots = wiring.lane.connections;
        let timer = Timer::new(wiring.poll.registry(), TIMER)?;
        let seed = job.seed ^ (u64::from(wiring.lane.share.index()) << 32);
        Ok(Self {
            slots: (0..slots).map(|number| Slot::new(seed ^ u64::from(number))).collect(),
            next_way: wiring.lane.share.index() as usize,
            deadlines: Deadlines::new(slots as usize),
            schedule: Schedule::new(&job.load, wiring.lane, job.limit, job.seed),
            control: wiring.control,
            lane: wiring.lane,
            rings: wiring.rings,
            clock: wiring.clock,
            poll: wiring.poll,
            timer,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            idle: VecDeque::new(),
            resting: BinaryHeap::with_capacity(slots as usize),
            unread: VecDeque::new(),
            in_flight: 0,
            is_warm_up: false,
            origin: Nanos::ZERO,
            spans: Spans::endless(),
            meter: ThreadMeter::default(),
            recorder: Recorder::default(),
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
        let warm_up = std::mem::take(&mut self.recorder);
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

    fn report(&self, report: Report) {
        // The collector is gone only when the engine is being dropped.
        let _ = self.reports.send((self.number, report));
    }

    fn is_stopped(&self) -> bool {
        self.control.stop_reason().is_some()
    }
}

// The phases of a block.
impl Shard {
    fn open_connections(&mut self, events: &mut Events) -> io::Result<()> {
        let limit = self.clock.now() + self.job.timeout.min(OPENING_LIMIT);
        let mut next = 0;
        loop {
            let opening = |slot: &&Slot| slot.state == State::Opening;
            let mut under_way = self.slots[..next].iter().filter(opening).count();
            while under_way < OPENING_AT_ONCE && next < self.slots.len() {
                self.slots[next].state = State::Opening;
                match self.open(next as u32) {
                    Ok(()) => under_way += 1,
                    Err(_) => self.slots[next].state = State::Idle,
                }
                next += 1;
            }
            let now = self.clock.now();
            if under_way == 0 || now >= limit || self.is_stopped() {
                break;
            }
            self.wait(limit, now, events)?;
            self.handle(events);
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Opening) {
            slot.state = State::Idle;
            slot.connection = None;
        }
        Ok(())
    }

    fn warm_up(&mut self, limit: Limit, events: &mut Events) -> io::Result<()> {
        let measured = Schedule::new(&self.job.warm_up_load, self.lane, limit, !self.job.seed);
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
        if self.recorder_is_used() || self.spans.start() < end {
            self.cut(end);
        }
        Ok(())
    }

    /// Where all requests were made and answered, the last span ends with the last of them, however late this thread comes
    /// to see it: then whoever reads the spans can check when that was.
    fn last_span_end(&self) -> Nanos {
        let given_up = self.recorder.counters.abandoned + self.recorder.counters.unsent;
        if self.schedule.ended_by_requests() && given_up == 0 && !self.is_stopped() {
            self.last_completion.unwrap_or(Nanos::ZERO).max(self.spans.start())
        } else {
            self.clock.now().since(self.origin)
        }
    }

    /// Follows the schedule until it is exhausted and everything in flight has come to an end, or until it is stopped.
    fn carry(&mut self, events: &mut Events) -> io::Result<()> {
        self.idle.clear();
        self.resting.clear();
        self.unread.clear();
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
            let wake = self.next_wake();
            self.wait(wake, now, events)?;
            self.handle(events);
            self.read_on();
            self.expire(now);
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
        self.recorder.counters.unsent += self.schedule.abandon();
        self.recorder.counters.abandoned += u64::from(self.in_flight);
        self.in_flight = 0;
        for number in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[number as usize];
            if slot.is_busy() {
                self.deadlines.clear(number);
                slot.connection = None;
                slot.state = State::Idle;
            }
        }
    }
}

// Time.
impl Shard {
    /// Does all that has fallen due: spans that are over, slots that have rested, arrivals.
    fn pass_time(&mut self, now: Nanos) {
        let elapsed = now.since(self.origin);
        self.cut_until(elapsed);
        self.schedule.advance(elapsed);
        while let Some(Reverse((until, slot))) = self.resting.peek().copied().filter(|rest| rest.0.0 <= now) {
            self.resting.pop();
            self.release(slot, until.since(self.origin), now);
        }
        while let Some(slot) = self.idle.front().copied() {
            let Some(due) = self.schedule.take_waiting() else { break };
            self.idle.pop_front();
            self.assign(slot, due, now);
        }
    }

    /// Fails the requests whose time was over at `looked`, before the sockets were last looked at: what they had to say
    /// has been heard, however long this thread was kept from it.
    fn expire(&mut self, looked: Nanos) {
        while let Some(slot) = self.deadlines.expired(looked) {
            let (stage, now) = (self.slots[slot as usize].stage(), self.clock.now());
            self.fail(slot, Fault::Timeout(stage), now);
        }
    }

    fn next_wake(&self) -> Nanos {
        if !self.unread.is_empty() {
            return Nanos::ZERO;
        }
        let mut wake = self.deadlines.first().unwrap_or(Nanos::MAX);
        if let Some(span) = self.spans.next_boundary() {
            wake = wake.min(self.origin + span);
        }
        // With every connection busy, an arrival can only wait, and needs no waking.
        if let Some(arrival) = self.schedule.next_arrival().filter(|_| !self.idle.is_empty()) {
            wake = wake.min(self.origin + arrival);
        }
        if let Some(end) = self.schedule.drain_end(self.job.timeout) {
            wake = wake.min(self.origin + end);
        }
        // Otherwise nothing need wake it before the first of the resting is free.
        if let Some(end) = self.schedule.end_of_rests().filter(|_| self.in_flight == 0) {
            wake = wake.min(self.origin + end);
        }
        self.resting.peek().map_or(wake, |Reverse((until, _))| wake.min(*until))
    }

    fn wait(&mut self, wake: Nanos, now: Nanos, events: &mut Events) -> io::Result<()> {
        let limit = self.timer.until(wake, now, self.clock)?;
        match self.poll.poll(events, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            polled => polled,
        }
    }

    /// Ends every span that ends at or before `elapsed`.
    #[inline]
    pub(super) fn cut_until(&mut self, elapsed: Nanos) {
        while let Some(end) = self.spans.next_boundary().filter(|end| *end <= elapsed) {
            // What falls due at the boundary belongs to the next span.
            self.schedule.advance(Nanos(end.0 - 1));
            self.count_schedule();
            self.cut(end);
        }
    }

    fn cut(&mut self, end: Nanos) {
        let next = self.spares.try_recv().unwrap_or_default();
        let recorder = std::mem::replace(&mut self.recorder, next);
        let (index, start) = self.spans.cut(end);
        let thread = self.meter.read(self.clock.now(), end.since(start));
        self.report(Report::Span { index, start, end, recorder, thread });
    }

    fn count_schedule(&mut self) {
        let counts = self.schedule.take_counts();
        self.recorder.counters.offered += counts.offered;
        self.recorder.counters.dropped += counts.dropped;
    }

    fn recorder_is_used(&self) -> bool {
        self.recorder.counters != Default::default() || !self.recorder.faults.is_empty()
    }
}
