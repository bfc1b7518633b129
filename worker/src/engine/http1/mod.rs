//! Requests over HTTP/1.1: each slot has a connection of its own.

mod events;

use std::collections::VecDeque;

use mio::Token;
use mio::event::Event;

use super::job::Job;
use super::protocol::Protocol;
use super::ring::Http1Ring;
use super::schedule::Lane;
use super::shard::Shard;
use super::slot::State;
use crate::clock::Nanos;
use crate::connection::Connection;
use crate::http1::response::Response;
use crate::outcome::{Fault, Stage};

/// What a shard needs for it.
#[derive(Debug)]
pub(super) struct Http1 {
    /// Slots whose connections had more to read than their turn.
    unread: VecDeque<u32>,
}

/// A slot's connection.
#[derive(Debug, Default)]
pub(super) struct Line {
    connection: Option<Connection>,
    /// Which of the job's ways it took.
    way: usize,
    /// It has brought an answer, and was kept.
    is_kept: bool,
    response: Response,
}

impl Line {
    /// How far the current request has come.
    fn stage(&self) -> Stage {
        match &self.connection {
            Some(connection) if connection.is_ready() => self.response.stage(),
            _ => Stage::Connecting,
        }
    }
}

impl Protocol for Http1 {
    type Carrier = Line;
    type Ring = Http1Ring;

    fn new(_: &Job, _: Lane) -> Self {
        Self { unread: VecDeque::new() }
    }

    #[inline]
    fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    fn connections(shard: &Shard<Self>) -> usize {
        shard.slots.len()
    }

    fn open_ahead(shard: &mut Shard<Self>, number: usize) -> bool {
        shard.slots[number].state = State::Opening;
        let is_under_way = shard.open(number as u32).is_ok();
        if !is_under_way {
            shard.slots[number].state = State::Idle;
        }
        is_under_way
    }

    fn opening(shard: &Shard<Self>) -> usize {
        shard.slots.iter().filter(|slot| slot.state == State::Opening).count()
    }

    fn end_opening(shard: &mut Shard<Self>) {
        for slot in shard.slots.iter_mut().filter(|slot| slot.state == State::Opening) {
            slot.state = State::Idle;
            slot.carrier.connection = None;
        }
    }

    #[inline]
    fn begin(shard: &mut Shard<Self>, slot: u32, now: Nanos) {
        let ticket = shard.slots[slot as usize].ticket;
        let line = &mut shard.slots[slot as usize].carrier;
        line.response.begin(shard.job.is_head(ticket));
        match &mut line.connection {
            Some(connection) => {
                connection.begin_request();
                shard.send(slot);
            }
            None => {
                if let Err(fault) = shard.open(slot) {
                    shard.fail(slot, fault, now);
                }
            }
        }
    }

    #[inline]
    fn on_event(shard: &mut Shard<Self>, number: u32, event: &Event) {
        shard.on_event(number, event);
    }

    #[inline]
    fn read_on(shard: &mut Shard<Self>) {
        shard.read_left_off();
    }

    #[inline]
    fn flush(_: &mut Shard<Self>) {}

    fn give_up(shard: &mut Shard<Self>, slot: u32, _: Nanos) -> Stage {
        let line = &mut shard.slots[slot as usize].carrier;
        let stage = line.stage();
        line.connection = None;
        stage
    }

    fn gave_up(_: &mut Shard<Self>, _: u32, _: Nanos) {}

    fn abandon(shard: &mut Shard<Self>, slot: u32) {
        shard.slots[slot as usize].carrier.connection = None;
    }
}

impl Shard<Http1> {
    /// Begins to make the slot's connection.
    fn open(&mut self, number: u32) -> Result<(), Fault> {
        let (connection, way) = self.connect(Token(number as usize))?;
        let line = &mut self.slots[number as usize].carrier;
        (line.connection, line.way, line.is_kept) = (Some(connection), way, false);
        Ok(())
    }

    /// Writes the slot's request, or what is left of it. `false` where the connection is broken and has been seen to: the
    /// slot may have another by now.
    #[inline]
    fn send(&mut self, number: u32) -> bool {
        let slot = &mut self.slots[number as usize];
        let Some(connection) = &mut slot.carrier.connection else { return false };
        let rings = &self.rings[usize::from(!self.is_warm_up)];
        let request = rings[slot.ticket.part()].get(slot.ticket.number());
        if slot.sent == Nanos::ZERO {
            slot.sent = self.clock.now();
            self.recorder.of(slot.ticket).sent(slot.due, slot.sent);
        }
        match connection.send(request) {
            Ok(false) => true,
            Ok(true) => {
                self.recorder.counters.bytes_sent += request.len() as u64;
                slot.state = State::Receiving;
                true
            }
            // The target closed its side; an answer that says why may already be there.
            Err(_) => {
                self.read(number, true);
                false
            }
        }
    }

    /// The answer is complete: it is judged, and the slot goes on.
    #[inline]
    fn complete(&mut self, number: u32, now: Nanos, may_reuse: bool) {
        let outcome = self.judge(number, now);
        let slot = &mut self.slots[number as usize];
        let is_written = slot.state == State::Receiving;
        let in_time = !matches!(outcome, Err(Fault::Timeout(_)));
        let is_reusable = may_reuse && is_written && in_time && self.job.keep_alive;
        slot.carrier.is_kept = is_reusable && slot.carrier.response.keep_alive();
        if !slot.carrier.is_kept {
            slot.carrier.connection = None;
        }
        self.end(number, outcome, now);
    }

    /// The slot's request has failed, and with it the connection.
    #[cold]
    fn fail(&mut self, number: u32, fault: Fault, now: Nanos) {
        self.slots[number as usize].carrier.connection = None;
        self.end(number, Err(fault), now);
    }
}
