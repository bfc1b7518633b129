//! What the event loop brings: connections that were made, bytes that came, connections that were closed.

use mio::event::Event;

use super::{Http2, Link, Place};
use crate::answer::SpareMemory;
use crate::clock::Nanos;
use crate::connection::{Connection, Received};
use crate::engine::job::Job;
use crate::engine::protocol::READS_IN_A_ROW;
use crate::engine::recorder::Made;
use crate::engine::shard::Shard;
use crate::engine::slot::Slot;
use crate::http1::response::{Body, Head};
use crate::http2::session::{Answers, Ending};
use crate::outcome::{Fault, ProtocolFault, TlsFault, Violation};

impl Shard<Http2> {
    /// Handles what one wait brought of one connection.
    #[inline]
    pub(super) fn on_event(&mut self, number: u32, event: &Event) {
        if !self.is_connected(number) {
            return;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(number, event.is_read_closed() || event.is_error());
        }
        if self.protocol.link(number).is_some_and(|link| link.session.wants_to_write()) {
            self.protocol.has_to_write(number);
        }
    }

    /// Whether the link can be used, after it has been helped along.
    #[inline]
    fn is_connected(&mut self, number: u32) -> bool {
        let Some(link) = self.protocol.link(number) else { return false };
        if link.connection.is_ready() {
            return true;
        }
        let fault = match link.connection.advance(self.clock.now()) {
            Ok(false) => return false,
            Ok(true) if self.job.tls.is_some() && link.connection.agreed() != Some(b"h2") => {
                Fault::Tls(TlsFault::NoHttp2)
            }
            Ok(true) => {
                let made = Made { way: link.way, tls: link.connection.spoken() };
                // The last step of a handshake is work of its own.
                self.recorder.connected(made, link.connection.making(self.clock.now()));
                return true;
            }
            Err(fault) => fault,
        };
        self.not_made(number, fault);
        false
    }

    /// Goes on with the links that had more to read than their turn.
    pub(super) fn read_left_off(&mut self) {
        for _ in 0..self.protocol.unread.len() {
            let Some(number) = self.protocol.unread.pop_front() else { return };
            let connection = self.protocol.link(number).map(|link| &mut link.connection);
            // None for a connection that has been given up, or replaced, meanwhile.
            if let Some(closed) = connection.and_then(Connection::take_up) {
                self.read(number, closed);
            }
        }
    }

    /// Reads what there is, for one turn. `closed` says that the target has closed its side, perhaps behind more bytes.
    pub(super) fn read(&mut self, number: u32, closed: bool) {
        for _ in 0..READS_IN_A_ROW {
            let Some(link) = self.protocol.links.get_mut(number as usize).and_then(Option::as_mut) else {
                return;
            };
            match link.connection.receive(&mut self.buffer) {
                Received::Data { bytes, drained } => {
                    if !self.on_bytes(number, bytes) || (drained && !closed) {
                        return;
                    }
                }
                Received::Unreadable => {}
                Received::Nothing => return,
                Received::Closed | Received::Broken => return self.on_close(number),
            }
        }
        self.leave_off(number, closed);
    }

    /// The connection has had its turn and may have more: nothing will wake the loop for that.
    #[cold]
    fn leave_off(&mut self, number: u32, closed: bool) {
        let connection = self.protocol.link(number).map(|link| &mut link.connection);
        if connection.is_some_and(|connection| connection.leave_off(closed)) {
            self.protocol.unread.push_back(number);
        }
    }

    /// Takes in what the buffer holds. `false` when the link is gone, and its number perhaps another's.
    #[inline]
    fn on_bytes(&mut self, number: u32, bytes: usize) -> bool {
        let now = self.clock.now();
        self.recorder.counters.bytes_received += bytes as u64;
        let Some(Some(link)) = self.protocol.links.get_mut(number as usize) else { return false };
        link.heard = now;
        let mut judging =
            Judging { slots: &mut self.slots, spare: &mut self.spare_memory, job: &self.job, now };
        let fed = link.session.feed(&self.buffer[..bytes], &mut judging);
        let (line, is_known) = (link.line, link.session.is_known());
        let gone_away = link.session.gone_away();
        if fed.is_err() && is_known {
            // What is settled now must not begin anew on it.
            self.protocol.detach(number);
        }
        if let Some(code) = gone_away {
            self.sent_away(number, code, now);
        }
        self.settle(number, now);
        if let Err(fault) = fed {
            self.broken(number, fault, now);
            return false;
        }
        let Some(link) = self.protocol.link(number) else { return false };
        let wants_to_write = link.session.wants_to_write();
        let is_over = self.protocol.is_over(number);
        if is_over {
            self.protocol.take(number);
        } else if wants_to_write {
            self.protocol.has_to_write(number);
        }
        if !self.protocol.lines[line as usize].waiting.is_empty() {
            self.serve(line, now);
        }
        !is_over
    }

    fn on_close(&mut self, number: u32) {
        let now = self.clock.now();
        let Some(link) = self.protocol.link(number) else { return };
        if link.session.is_known() {
            self.lost(number, Ending::Closed, now);
        } else {
            self.not_made(number, Fault::Protocol(Violation::NoSettings.into()));
        }
    }
}

/// Hands the answers of a connection's streams on to the slots whose requests they answer.
struct Judging<'a> {
    slots: &'a mut [Slot<Place>],
    spare: &'a mut SpareMemory,
    job: &'a Job,
    now: Nanos,
}

impl Answers for Judging<'_> {
    #[inline]
    fn begun(&mut self, place: u32) {
        let slot = &mut self.slots[place as usize];
        if slot.first == Nanos::ZERO {
            slot.first = self.now;
        }
    }

    #[inline]
    fn head(&mut self, place: u32, head: &Head) {
        let slot = &mut self.slots[place as usize];
        slot.answer.lend(self.spare);
        slot.answer.reading(self.job.criteria(slot.ticket), self.now).head(head);
    }

    #[inline]
    fn data(&mut self, place: u32, bytes: &[u8]) {
        let slot = &mut self.slots[place as usize];
        slot.answer.reading(self.job.criteria(slot.ticket), self.now).data(bytes);
    }
}

impl Link {
    /// Says why the connection is given up; whether that gets through is of no matter.
    pub(super) fn say_goodbye(&mut self, fault: ProtocolFault) {
        self.session.say_goodbye(fault);
        if self.connection.is_ready() {
            let _ = self.connection.send(self.session.out());
        }
    }
}
