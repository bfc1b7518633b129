//! Makes connections, starts requests on them where there is room, and writes what that comes to.

use mio::Token;

use super::{Http2, Link, NONE};
use crate::clock::Nanos;
use crate::engine::deal::Ticket;
use crate::engine::ring::Http2Ring;
use crate::engine::shard::Shard;
use crate::engine::slot::State;
use crate::http2::request::Encoded;
use crate::http2::session::Session;
use crate::outcome::{Fault, Stage};

impl Shard<Http2> {
    /// Begins to make the line's connection.
    pub(super) fn open(&mut self, line: u32) -> Result<u32, Fault> {
        let token = self.protocol.free.pop().unwrap_or(self.protocol.links.len() as u32);
        let (connection, way) = match self.connect(Token(token as usize)) {
            Ok(opened) => opened,
            Err(fault) => {
                if (token as usize) < self.protocol.links.len() {
                    self.protocol.free.push(token);
                }
                return Err(fault);
            }
        };
        let now = self.clock.now();
        let link = Link {
            connection,
            way,
            // Of a mix all are, or none.
            session: Session::new(self.job.is_head(Ticket::default())),
            line,
            opened: now,
            heard: now,
            unsent: Vec::new(),
            is_unwritten: false,
        };
        match self.protocol.links.get_mut(token as usize) {
            Some(free) => *free = Some(link),
            None => self.protocol.links.push(Some(link)),
        }
        self.protocol.lines[line as usize].link = token;
        Ok(token)
    }

    /// Starts as many of the requests that wait at a line as its connection has room for.
    #[inline]
    pub(super) fn serve(&mut self, line: u32, now: Nanos) {
        while let Some(&slot) = self.protocol.lines[line as usize].waiting.front() {
            let number = self.protocol.lines[line as usize].link;
            match self.protocol.links.get_mut(number as usize) {
                Some(Some(link)) if link.session.has_room() => {
                    let (rings, slots) = (&self.rings[usize::from(!self.is_warm_up)], &self.slots);
                    let requests = |place: u32| request(rings, slots[place as usize].ticket);
                    let stream = link.session.start(slot, requests);
                    link.unsent.push(slot);
                    let place = &mut self.slots[slot as usize].carrier;
                    (place.link, place.stream) = (number, stream);
                    self.protocol.lines[line as usize].waiting.pop_front();
                    self.protocol.has_to_write(number);
                }
                // It takes no more requests, and goes when those that it has are over.
                Some(Some(link)) if link.session.is_spent() => self.protocol.lines[line as usize].link = NONE,
                Some(Some(_)) => return,
                Some(None) | None => {
                    if let Err(fault) = self.open(line) {
                        self.protocol.lines[line as usize].waiting.pop_front();
                        self.end(slot, Err(fault), now);
                    }
                }
            }
        }
    }

    /// Takes a slot out of those that wait at its line. How far it had come. A connection that has not come about within
    /// the time of a request is given up.
    #[cold]
    pub(super) fn leave_line(&mut self, slot: u32, now: Nanos) -> Stage {
        let line = self.protocol.line_of(slot);
        let Http2 { lines, links, .. } = &mut self.protocol;
        let line = &mut lines[line as usize];
        line.waiting.retain(|waiting| *waiting != slot);
        let number = line.link;
        match links.get(number as usize) {
            Some(Some(link)) if link.session.is_known() => {
                self.look_after(number, now);
                Stage::Waiting
            }
            Some(Some(link)) => {
                if link.opened + self.job.timeout <= now {
                    self.protocol.take(number);
                }
                Stage::Connecting
            }
            Some(None) | None => Stage::Connecting,
        }
    }

    /// A request that a link had, or that waited for room on it, is out of time. Where nothing has come for as long as that,
    /// it is dead as far as anyone can tell: its line has another, and what is under way ends as it would have. A link that
    /// takes no more requests goes with its last one, since the target may never close it.
    #[cold]
    pub(super) fn look_after(&mut self, number: u32, now: Nanos) {
        if self.protocol.link(number).is_some_and(|link| link.heard + self.job.timeout <= now) {
            self.protocol.detach(number);
        }
        if self.protocol.is_over(number) {
            self.protocol.take(number);
        }
    }

    /// Writes what a link has to write, as far as its connection takes it.
    pub(super) fn write(&mut self, number: u32) {
        let Some(link) = self.protocol.links.get_mut(number as usize).and_then(Option::as_mut) else {
            return;
        };
        link.is_unwritten = false;
        if !link.connection.is_ready() {
            return;
        }
        if !link.unsent.is_empty() {
            let now = self.clock.now();
            link.session.hand_over();
            self.protocol.lines[link.line as usize].fruitless = 0;
            for slot in link.unsent.drain(..) {
                let slot = &mut self.slots[slot as usize];
                // Not one that has been given up and begun anew elsewhere.
                let is_here = slot.state == State::Sending && slot.carrier.link == number;
                if is_here && slot.carrier.stream != 0 {
                    slot.state = State::Receiving;
                    // Unless it was sent before, on a connection that left it over.
                    if slot.sent == Nanos::ZERO {
                        slot.sent = now;
                        self.recorder.of(slot.ticket).sent(slot.due, now);
                    }
                }
            }
        }
        let (rings, slots) = (&self.rings[usize::from(!self.is_warm_up)], &self.slots);
        let requests = |place: u32| request(rings, slots[place as usize].ticket);
        while link.session.wants_to_write() {
            link.session.pump(requests);
            if link.session.out().is_empty() {
                break;
            }
            match link.connection.send(link.session.out()) {
                Ok(false) => return,
                Ok(true) => {
                    self.recorder.counters.bytes_sent += link.session.out().len() as u64;
                    link.session.written();
                    link.connection.begin_request();
                }
                // The target closed its side; answers, and why, may already be there.
                Err(_) => return self.read(number, true),
            }
        }
        let line = link.line;
        if !self.protocol.lines[line as usize].waiting.is_empty() {
            let now = self.clock.now();
            self.serve(line, now);
        }
    }
}

/// What is sent for a ticket.
#[inline]
fn request(rings: &[Http2Ring], ticket: Ticket) -> &Encoded {
    rings[ticket.part()].get(ticket.number())
}
