//! What the event loop brings: connections that were made, bytes that came, connections that were closed.

use mio::event::Event;

use super::Http1;
use crate::clock::Nanos;
use crate::connection::{Connection, Received};
use crate::engine::protocol::READS_IN_A_ROW;
use crate::engine::recorder::Made;
use crate::engine::shard::Shard;
use crate::engine::slot::State;
use crate::http1::response::End;
use crate::outcome::{Fault, ProtocolFault, Stage};

impl Shard<Http1> {
    /// Handles what one wait brought of one connection.
    #[inline]
    pub(super) fn on_event(&mut self, number: u32, event: &Event) {
        if !self.is_connected(number) {
            return;
        }
        let slot = &mut self.slots[number as usize];
        // What this event says is of a connection that may have been replaced.
        if slot.state == State::Sending && !self.send(number) {
            return;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(number, event.is_read_closed() || event.is_error());
        }
    }

    /// Whether the slot's connection can carry requests, after it has been helped along.
    #[inline]
    fn is_connected(&mut self, number: u32) -> bool {
        let slot = &mut self.slots[number as usize];
        let Some(connection) = &mut slot.carrier.connection else { return false };
        if connection.is_ready() {
            return true;
        }
        let now = self.clock.now();
        match connection.advance(now) {
            Ok(false) => false,
            Ok(true) => {
                let made = Made { way: slot.carrier.way, tls: connection.spoken() };
                // The last step of a handshake is work of its own.
                self.recorder.connected(made, connection.making(self.clock.now()));
                if slot.state == State::Opening {
                    slot.state = State::Idle;
                }
                true
            }
            Err(fault) => {
                slot.carrier.connection = None;
                match slot.state {
                    State::Sending => self.fail(number, fault, now),
                    _ => slot.state = State::Idle,
                }
                false
            }
        }
    }

    /// Goes on with the connections that had more to read than their turn.
    pub(super) fn read_left_off(&mut self) {
        for _ in 0..self.protocol.unread.len() {
            let Some(number) = self.protocol.unread.pop_front() else { return };
            let connection = self.slots[number as usize].carrier.connection.as_mut();
            // None for a connection that has been given up, or replaced, meanwhile.
            if let Some(closed) = connection.and_then(Connection::take_up) {
                self.read(number, closed);
            }
        }
    }

    /// Reads what there is, for one turn. `closed` says that the target has closed its side, perhaps behind more bytes.
    pub(super) fn read(&mut self, number: u32, closed: bool) {
        for _ in 0..READS_IN_A_ROW {
            let slot = &mut self.slots[number as usize];
            let Some(connection) = &mut slot.carrier.connection else { return };
            match connection.receive(&mut self.buffer) {
                Received::Data { bytes, drained } => {
                    if !self.on_bytes(number, bytes, drained, closed) || (drained && !closed) {
                        return;
                    }
                }
                Received::Unreadable => {}
                Received::Nothing => return,
                Received::Closed | Received::Broken if !slot.is_busy() => {
                    slot.carrier.connection = None;
                    return;
                }
                Received::Closed => return self.on_close(number),
                Received::Broken => {
                    let stage = slot.carrier.stage();
                    let fault = self.early_end(number, stage);
                    let now = self.clock.now();
                    return self.fail(number, fault, now);
                }
            }
        }
        self.leave_off(number, closed);
    }

    /// The connection has had its turn and may have more: nothing will wake the loop for that.
    #[cold]
    fn leave_off(&mut self, number: u32, closed: bool) {
        let connection = self.slots[number as usize].carrier.connection.as_mut();
        if connection.is_some_and(|connection| connection.leave_off(closed)) {
            self.protocol.unread.push_back(number);
        }
    }

    /// Takes in what the buffer holds. `false` when the connection is not to be read any further.
    #[inline]
    fn on_bytes(&mut self, number: u32, bytes: usize, drained: bool, closed: bool) -> bool {
        let now = self.clock.now();
        self.recorder.counters.bytes_received += bytes as u64;
        let slot = &mut self.slots[number as usize];
        if !slot.is_busy() {
            // Bytes that nobody asked for: this connection cannot be trusted with the next request.
            slot.carrier.connection = None;
            return false;
        }
        if slot.first == Nanos::ZERO {
            slot.first = now;
        }
        slot.answer.lend(&mut self.spare_memory);
        let reading = &mut slot.answer.reading(self.job.criteria(slot.ticket), now);
        match slot.carrier.response.feed(&self.buffer[..bytes], reading) {
            Ok(None) => true,
            Ok(Some(consumed)) if consumed < bytes => {
                self.fail(number, Fault::Protocol(ProtocolFault::Surplus), now);
                false
            }
            Ok(Some(_)) if drained => {
                self.complete(number, now, !closed);
                false
            }
            Ok(Some(_)) => {
                self.complete_at_the_brim(number, now, closed);
                false
            }
            Err(fault) => {
                self.fail(number, Fault::Protocol(fault), now);
                false
            }
        }
    }

    /// The answer ended just where the read did: only another look shows whether more came than belongs to it.
    #[cold]
    fn complete_at_the_brim(&mut self, number: u32, now: Nanos, closed: bool) {
        for _ in 0..READS_IN_A_ROW {
            let Some(connection) = &mut self.slots[number as usize].carrier.connection else { return };
            match connection.receive(&mut self.buffer) {
                Received::Unreadable => {}
                Received::Nothing => return self.complete(number, now, !closed),
                Received::Closed | Received::Broken => return self.complete(number, now, false),
                Received::Data { .. } => {
                    return self.fail(number, Fault::Protocol(ProtocolFault::Surplus), now);
                }
            }
        }
        self.complete(number, now, false);
    }

    fn on_close(&mut self, number: u32) {
        let now = self.clock.now();
        match self.slots[number as usize].carrier.response.end() {
            End::Complete => self.complete(number, now, false),
            End::Early(stage) => {
                let fault = self.early_end(number, stage);
                self.fail(number, fault, now);
            }
        }
    }

    /// What a connection that ended at `stage` means for the slot's request.
    fn early_end(&mut self, number: u32, stage: Stage) -> Fault {
        let slot = &mut self.slots[number as usize];
        let stage = match stage {
            Stage::Waiting if slot.carrier.is_kept => Stage::WaitingOnKept,
            stage => stage,
        };
        slot.answer.early_end(self.job.criteria(slot.ticket), stage)
    }
}
