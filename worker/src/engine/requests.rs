//! One request from the schedule to its outcome: given a slot, written, judged, recorded.

use std::cmp::Reverse;

use mio::Token;

use super::recorder::Times;
use super::shard::Shard;
use super::slot::{Slot, State};
use crate::clock::Nanos;
use crate::http1::connection::Connection;
use crate::outcome::{Fault, Stage};

impl Shard {
    /// The slot is free since `free_since` (from the beginning of the phase): gives it the next request or lets it idle.
    #[inline]
    pub(super) fn release(&mut self, number: u32, free_since: Nanos, now: Nanos) {
        match self.schedule.take(free_since) {
            Some(due) => self.assign(number, due, now),
            None => {
                self.slots[number as usize].state = State::Idle;
                self.idle.push_back(number);
            }
        }
    }

    /// Gives the slot the request that is due at `due` (from the beginning of the phase).
    #[inline]
    pub(super) fn assign(&mut self, number: u32, due: Nanos, now: Nanos) {
        self.in_flight += 1;
        self.recorder.counters.started += 1;
        self.deadlines.set(number, now + self.job.timeout);

        let slot = &mut self.slots[number as usize];
        slot.request = self.schedule.taken();
        slot.due = self.origin + due;
        (slot.sent, slot.first) = (Nanos::ZERO, Nanos::ZERO);
        slot.state = State::Sending;
        slot.response.begin(self.job.is_head);
        slot.answer.begin();
        match &mut slot.connection {
            Some(connection) => {
                connection.begin_request();
                self.send(number);
            }
            None => {
                if let Err(fault) = self.open(number) {
                    self.fail(number, fault, now);
                }
            }
        }
    }

    /// Begins to make the slot's connection.
    pub(super) fn open(&mut self, number: u32) -> Result<(), Fault> {
        let token = Token(number as usize);
        let way = self.next_way % self.job.ways.len();
        self.next_way = way + 1;
        let (way_there, tls, now) = (&self.job.ways[way], self.job.tls.as_ref(), self.clock.now());
        let connection = Connection::open(way_there, tls, self.poll.registry(), token, now)?;
        let slot = &mut self.slots[number as usize];
        (slot.connection, slot.way) = (Some(connection), way);
        Ok(())
    }

    /// Writes the slot's request, or what is left of it.
    #[inline]
    pub(super) fn send(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        let Some(connection) = &mut slot.connection else { return };
        let request = self.rings[usize::from(!self.is_warm_up)].get(slot.request);
        if slot.sent == Nanos::ZERO {
            slot.sent = self.clock.now();
            self.recorder.sent(slot.due, slot.sent);
        }
        match connection.send(request) {
            Ok(false) => {}
            Ok(true) => {
                self.recorder.counters.bytes_sent += request.len() as u64;
                slot.state = State::Receiving;
            }
            // The target closed its side; an answer that says why may already be there.
            Err(_) => self.read(number, true),
        }
    }

    /// The answer is complete: it is judged, and the slot goes on.
    #[inline]
    pub(super) fn complete(&mut self, number: u32, now: Nanos, may_reuse: bool) {
        if now > self.deadlines.of(number) {
            return self.fail(number, Fault::Timeout(Stage::Body), now);
        }
        let slot = &mut self.slots[number as usize];
        let is_written = slot.state == State::Receiving;
        let reusable = may_reuse && is_written && self.job.keep_alive && slot.response.keep_alive();
        let outcome = slot.answer.verdict(&self.job.criteria);
        self.end(number, outcome, now, reusable);
    }

    /// The slot's request has failed, and with it the connection.
    #[cold]
    pub(super) fn fail(&mut self, number: u32, fault: Fault, now: Nanos) {
        self.end(number, Err(fault), now, false);
    }

    /// The slot's request has come to an end at `now`.
    #[inline]
    fn end(&mut self, number: u32, outcome: Result<(), Fault>, now: Nanos, reusable: bool) {
        let elapsed = now.since(self.origin);
        self.cut_until(elapsed);
        // What fell due before this moment finds the request still in flight.
        self.schedule.advance(elapsed);
        self.schedule.complete();
        self.in_flight -= 1;
        self.deadlines.clear(number);
        // A request that fails while another is begun may end at an earlier moment than one that was recorded before it.
        self.last_completion = self.last_completion.max(Some(elapsed));

        let slot = &mut self.slots[number as usize];
        if !reusable {
            slot.connection = None;
        }
        let rest = match outcome {
            Ok(()) => {
                slot.backoff.reset();
                let Slot { due, sent, first, .. } = *slot;
                self.recorder.success(Times { due, sent, first, done: now });
                if self.job.criteria.is_stream() {
                    self.recorder.stream(slot.due, slot.answer.stream());
                }
                None
            }
            Err(fault) => {
                self.recorder.failure(fault);
                slot.backoff.after(fault)
            }
        };
        match rest.max(self.schedule.rest(number)) {
            None => self.release(number, elapsed, now),
            Some(rest) => {
                slot.state = State::Resting;
                self.resting.push(Reverse((now + rest, number)));
            }
        }
    }
}
