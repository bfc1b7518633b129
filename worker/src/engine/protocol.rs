//! What differs between HTTP/1.1 and HTTP/2: how a slot's request gets onto a connection, and its answer off it.

use mio::event::Event;

use super::job::Job;
use super::ring::Ring;
use super::schedule::Lane;
use super::shard::Shard;
use crate::clock::Nanos;
use crate::outcome::Stage;

/// Reads of one connection before the others have their turn: a megabyte, some milliseconds of work.
pub(super) const READS_IN_A_ROW: u32 = 16;

/// One way to carry requests. A shard is compiled once for each, so that none pays for the other.
pub trait Protocol: Sized {
    /// What each slot needs.
    type Carrier: Default + std::fmt::Debug;

    /// The requests as they are sent.
    type Ring: Ring;

    /// Without a connection.
    fn new(job: &Job, lane: Lane) -> Self;

    /// Whether a connection had more to read than its turn.
    fn has_unread(&self) -> bool;

    /// How many connections there are to be.
    fn connections(shard: &Shard<Self>) -> usize;

    /// Begins to make a connection before there are requests; whether it is under way.
    fn open_ahead(shard: &mut Shard<Self>, number: usize) -> bool;

    /// How many of those are under way.
    fn opening(shard: &Shard<Self>) -> usize;

    /// Does not wait for those any longer.
    fn end_opening(shard: &mut Shard<Self>);

    /// The slot has been given a request: it is written, or will be.
    fn begin(shard: &mut Shard<Self>, slot: u32, now: Nanos);

    /// Handles what one wait brought of the connection with this number.
    fn on_event(shard: &mut Shard<Self>, number: u32, event: &Event);

    /// Goes on with the connections that had more to read than their turn.
    fn read_on(shard: &mut Shard<Self>);

    /// Writes what has been put off to be written together.
    fn flush(shard: &mut Shard<Self>);

    /// The time of the slot's request is over: takes it off its connection, and says how far it had come.
    fn give_up(shard: &mut Shard<Self>, slot: u32, now: Nanos) -> Stage;

    /// That has been recorded, and the slot may have gone on: others may take its place on the connection.
    fn gave_up(shard: &mut Shard<Self>, slot: u32, now: Nanos);

    /// The slot's request is abandoned.
    fn abandon(shard: &mut Shard<Self>, slot: u32);
}
