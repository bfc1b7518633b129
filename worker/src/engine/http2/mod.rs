//! Requests over HTTP/2: many slots share a connection, and what they have to say is written together.

mod events;
mod lines;
mod outcomes;

use std::collections::VecDeque;

use mio::event::Event;

use super::job::Job;
use super::protocol::Protocol;
use super::ring::Http2Ring;
use super::schedule::Lane;
use super::shard::Shard;
use crate::clock::Nanos;
use crate::connection::Connection;
use crate::http2::session::Session;
use crate::outcome::Stage;

/// No connection.
const NONE: u32 = u32::MAX;

/// What a shard needs for it.
#[derive(Debug)]
pub(super) struct Http2 {
    /// What requests are started on; slot *i* belongs to line *i* modulo their number.
    lines: Vec<Line>,
    /// All connections by their tokens: those of the lines, and those that only finish what is under way.
    links: Vec<Option<Link>>,
    /// Tokens that are free.
    free: Vec<u32>,
    /// Links that have something to write.
    unwritten: Vec<u32>,
    /// Links that had more to read than their turn.
    unread: VecDeque<u32>,
}

/// A place for a connection that takes requests.
#[derive(Debug)]
struct Line {
    /// Its connection; `NONE` while there is none.
    link: u32,
    /// Slots whose requests wait for room on it, the longest waiting first.
    waiting: VecDeque<u32>,
    /// Connections in a row that ended before they carried a request.
    fruitless: u32,
}

/// One connection.
#[derive(Debug)]
struct Link {
    connection: Connection,
    /// Which of the job's ways it took.
    way: usize,
    session: Session,
    line: u32,
    opened: Nanos,
    /// When something last came on it.
    heard: Nanos,
    /// Slots whose requests are in what is to be written and have not begun to be.
    unsent: Vec<u32>,
    /// It is among those that have something to write.
    is_unwritten: bool,
}

/// Where a slot's request is.
#[derive(Debug)]
pub(super) struct Place {
    link: u32,
    /// Its stream; 0 while it waits for one.
    stream: u32,
}

impl Default for Place {
    fn default() -> Self {
        Self { link: NONE, stream: 0 }
    }
}

impl Http2 {
    #[inline]
    fn link(&mut self, number: u32) -> Option<&mut Link> {
        self.links.get_mut(number as usize)?.as_mut()
    }

    /// The line of a slot.
    #[inline]
    fn line_of(&self, slot: u32) -> u32 {
        slot % self.lines.len() as u32
    }

    /// Remembers that a link has something to write.
    #[inline]
    fn has_to_write(&mut self, number: u32) {
        if let Some(link) = self.links.get_mut(number as usize).and_then(Option::as_mut)
            && !link.is_unwritten
        {
            link.is_unwritten = true;
            self.unwritten.push(number);
        }
    }

    /// Whether nothing is under way on a link, and nothing will be.
    #[inline]
    fn is_over(&self, number: u32) -> bool {
        let Some(Some(link)) = self.links.get(number as usize) else { return false };
        let takes_more = !link.session.is_spent() && self.lines[link.line as usize].link == number;
        link.session.open() == 0 && !takes_more
    }

    /// Takes a link off its line, which starts nothing more on it.
    fn detach(&mut self, number: u32) {
        let Some(line) = self.link(number).map(|link| link.line) else { return };
        let line = &mut self.lines[line as usize];
        if line.link == number {
            line.link = NONE;
        }
    }

    /// Takes a link out.
    fn take(&mut self, number: u32) -> Option<Link> {
        self.detach(number);
        let link = self.links.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(link)
    }
}

impl Protocol for Http2 {
    type Carrier = Place;
    type Ring = Http2Ring;

    fn new(_: &Job, lane: Lane) -> Self {
        let line = |_| Line { link: NONE, waiting: VecDeque::new(), fruitless: 0 };
        Self {
            lines: (0..lane.connections).map(line).collect(),
            links: Vec::new(),
            free: Vec::new(),
            unwritten: Vec::new(),
            unread: VecDeque::new(),
        }
    }

    #[inline]
    fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    fn connections(shard: &Shard<Self>) -> usize {
        shard.protocol.lines.len()
    }

    fn open_ahead(shard: &mut Shard<Self>, number: usize) -> bool {
        shard.open(number as u32).is_ok()
    }

    fn opening(shard: &Shard<Self>) -> usize {
        shard.protocol.links.iter().flatten().filter(|link| !link.session.is_known()).count()
    }

    fn end_opening(shard: &mut Shard<Self>) {
        for number in 0..shard.protocol.links.len() as u32 {
            if shard.protocol.link(number).is_some_and(|link| !link.session.is_known()) {
                shard.protocol.take(number);
            }
        }
    }

    #[inline]
    fn begin(shard: &mut Shard<Self>, slot: u32, now: Nanos) {
        shard.slots[slot as usize].carrier = Place::default();
        let line = shard.protocol.line_of(slot);
        shard.protocol.lines[line as usize].waiting.push_back(slot);
        shard.serve(line, now);
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
    fn flush(shard: &mut Shard<Self>) {
        while let Some(number) = shard.protocol.unwritten.pop() {
            shard.write(number);
        }
    }

    fn give_up(shard: &mut Shard<Self>, slot: u32, now: Nanos) -> Stage {
        let Place { link: number, stream } = shard.slots[slot as usize].carrier;
        if let Some(link) = shard.protocol.link(number).filter(|_| stream != 0) {
            let stage = link.session.cancel(stream);
            shard.protocol.has_to_write(number);
            shard.look_after(number, now);
            return stage.unwrap_or(Stage::Waiting);
        }
        shard.leave_line(slot, now)
    }

    fn gave_up(shard: &mut Shard<Self>, slot: u32, now: Nanos) {
        let line = shard.protocol.line_of(slot);
        shard.serve(line, now);
    }

    /// With it all other requests of its connection, which are abandoned as well.
    fn abandon(shard: &mut Shard<Self>, slot: u32) {
        let line = shard.protocol.line_of(slot);
        shard.protocol.lines[line as usize].waiting.clear();
        let place = std::mem::take(&mut shard.slots[slot as usize].carrier);
        if place.stream != 0 {
            shard.protocol.take(place.link);
        }
    }
}
