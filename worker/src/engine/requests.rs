//! One request from the schedule to its outcome: given a slot, written, judged, recorded.

use std::cmp::Reverse;

use mio::Token;

use super::protocol::Protocol;
use super::recorder::Times;
use super::shard::Shard;
use super::slot::{Slot, State};
use crate::clock::Nanos;
use crate::connection::Connection;
use crate::outcome::{Fault, Stage};

impl<P: Protocol> Shard<P> {
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
        let ticket = self.schedule.taken();
        self.recorder.of(ticket).counters.started += 1;
        self.deadlines.set(number, now + self.job.timeout);

        let slot = &mut self.slots[number as usize];
        slot.ticket = ticket;
        slot.due = self.origin + due;
        (slot.sent, slot.first) = (Nanos::ZERO, Nanos::ZERO);
        slot.state = State::Sending;
        slot.answer.begin();
        P::begin(self, number, now);
    }

    /// Begins to make a connection by the next of the ways, and says which that is.
    pub(super) fn connect(&mut self, token: Token) -> Result<(Connection, usize), Fault> {
        let way = self.next_way % self.job.ways.len();
        self.next_way = way + 1;
        let (way_there, tls, now) = (&self.job.ways[way], self.job.tls.as_ref(), self.clock.now());
        let connection = Connection::open(way_there, tls, self.poll.registry(), token, now)?;
        Ok((connection, way))
    }

    /// What came of the slot's request, whose answer is complete.
    #[inline]
    pub(super) fn judge(&mut self, number: u32, now: Nanos) -> Result<(), Fault> {
        if now > self.deadlines.of(number) {
            return Err(Fault::Timeout(Stage::Body));
        }
        let slot = &mut self.slots[number as usize];
        slot.answer.verdict(self.job.criteria(slot.ticket))
    }

    /// The slot's request has come to an end at `now`.
    #[inline]
    pub(super) fn end(&mut self, number: u32, outcome: Result<(), Fault>, now: Nanos) {
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
        let recorder = self.recorder.of(slot.ticket);
        let rest = match outcome {
            Ok(()) => {
                slot.backoff.reset();
                let Slot { due, sent, first, .. } = *slot;
                recorder.success(Times { due, sent, first, done: now });
                if self.job.criteria(slot.ticket).is_stream() {
                    recorder.stream(slot.due, slot.answer.stream());
                }
                None
            }
            Err(fault) => {
                recorder.failure(fault);
                slot.backoff.after(fault)
            }
        };
        slot.answer.give_back(&mut self.spare_memory);
        match rest.max(self.schedule.rest(number)) {
            None => self.release(number, elapsed, now),
            Some(rest) => {
                slot.state = State::Resting;
                self.resting.push(Reverse((now + rest, number)));
            }
        }
    }
}
