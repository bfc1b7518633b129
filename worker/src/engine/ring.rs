//! The requests of one thread, rendered before the block as its protocol sends them: per request, only an index is
//! looked up.

use std::fmt::Debug;
use std::sync::Arc;

use proto::assignment::Assignment;
use proto::load::Load;
use proto::target::{Request, Target};
use proto::variety::template::{Template, TemplateError};
use proto::variety::{MAX_RING_BYTES, Variety};

use super::schedule::Lane;
use crate::http2::request::Encoded;
use crate::request::{Purpose, render};

/// Bodies of the warm-up, of each thread; they are not the load's, so that no cache knows the load's before it begins.
const MOST_WARM_UP_BODIES: u64 = 256;

/// Requests that are sent one after another, and from the first again.
pub trait Ring: Debug + Default + Send + Sync + 'static {
    /// Renders one more, and says how many bytes it takes.
    fn add(&mut self, target: &Target, request: &Request, keep_alive: bool, purpose: Purpose) -> usize;

    /// How many there are.
    fn len(&self) -> usize;
}

/// Whole requests of HTTP/1.1, one behind the other.
#[derive(Debug, Default)]
pub struct Http1Ring {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Http1Ring {
    /// The bytes of the thread's request `number`, which begin again after the last.
    #[inline]
    pub fn get(&self, number: u64) -> &[u8] {
        // Nearly always there is one, and no need to divide.
        if self.ends.len() == 1 {
            return &self.bytes;
        }
        let number = (number % self.ends.len() as u64) as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }
}

impl Ring for Http1Ring {
    fn add(&mut self, target: &Target, request: &Request, keep_alive: bool, purpose: Purpose) -> usize {
        let rendered = render(target, request, keep_alive, purpose);
        self.bytes.extend_from_slice(&rendered);
        self.ends.push(self.bytes.len());
        rendered.len()
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Requests of HTTP/2, whose heads and bodies travel apart.
#[derive(Debug, Default)]
pub struct Http2Ring(Vec<Encoded>);

impl Http2Ring {
    /// The thread's request `number`, which begin again after the last.
    #[inline]
    pub fn get(&self, number: u64) -> &Encoded {
        &self.0[(number % self.0.len() as u64) as usize]
    }
}

impl Ring for Http2Ring {
    fn add(&mut self, target: &Target, request: &Request, _: bool, purpose: Purpose) -> usize {
        let encoded = Encoded::new(target, request, purpose);
        let size = encoded.size();
        self.0.push(encoded);
        size
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// What the threads of an engine send.
pub struct Rings<R> {
    /// Of each lane: for the warm-up, and for the load.
    pub lanes: Vec<[Arc<R>; 2]>,
    /// How many bodies there are for the load; 0 where all requests are the same.
    pub bodies: u64,
}

/// Bodies that cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The template is wrong.
    #[error("the body's template cannot be used: {0}")]
    Template(#[from] TemplateError),
    /// There are too many, or they are too long.
    #[error(
        "the bodies of this worker take more than {} MiB: ask for fewer (--bodies), for shorter ones, or use more workers",
        MAX_RING_BYTES >> 20
    )]
    TooLarge,
}

impl<R: Ring> Rings<R> {
    /// Renders what the lanes of an assignment send.
    ///
    /// # Errors
    /// When bodies cannot be rendered, or take too much memory.
    pub fn new(assignment: &Assignment, lanes: &[Lane]) -> Result<Self, RingError> {
        let Some(variety) = &assignment.variety else {
            let one = |purpose| {
                let Assignment { target, request, keep_alive, .. } = assignment;
                let mut ring = R::default();
                ring.add(target, request, *keep_alive, purpose);
                Arc::new(ring)
            };
            let lane = [one(Purpose::WarmUp), one(Purpose::Load)];
            return Ok(Self { lanes: vec![lane; lanes.len()], bodies: 0 });
        };
        let template = Template::new(variety, assignment.seed)?;
        let mut press = Press { assignment, template, room: MAX_RING_BYTES };
        let mut rings = Self { lanes: Vec::new(), bodies: 0 };
        for lane in lanes {
            let bodies = bodies_of(&assignment.load, *lane, variety);
            let after = bodies.min(MOST_WARM_UP_BODIES);
            let numbers = |from, count| (from..from + count).map(|n| body_number(&assignment.load, *lane, n));
            let load: Arc<R> = press.ring(Purpose::Load, numbers(0, bodies))?;
            let warm_up = press.ring(Purpose::WarmUp, numbers(bodies, after))?;
            rings.bodies += load.len() as u64;
            rings.lanes.push([warm_up, load]);
        }
        Ok(rings)
    }
}

/// How many of the fleet's bodies are this lane's; at least one.
fn bodies_of(load: &Load, lane: Lane, variety: &Variety) -> u64 {
    lane.requests_of(load, u64::from(variety.bodies)).max(1)
}

/// Which of the fleet's bodies this lane's request `n` carries, where they last: in an open loop the one with the number
/// of the arrival, in a closed loop the one with the number of the request, which belongs to a place.
fn body_number(load: &Load, lane: Lane, n: u64) -> u64 {
    match load {
        Load::Open { .. } => lane.share.item(n),
        Load::Closed { concurrency, .. } => {
            let (round, place) = (n / u64::from(lane.places), n % u64::from(lane.places));
            round * u64::from(concurrency.get()) + lane.place(place)
        }
    }
}

/// Makes requests as long as there is room for them.
struct Press<'a> {
    assignment: &'a Assignment,
    template: Template<'a>,
    room: usize,
}

impl Press<'_> {
    fn ring<R: Ring>(
        &mut self,
        purpose: Purpose,
        numbers: impl Iterator<Item = u64>,
    ) -> Result<Arc<R>, RingError> {
        let Assignment { target, request, keep_alive, .. } = self.assignment;
        let mut request = Request { body: Vec::new(), ..request.clone() };
        let mut ring = R::default();
        for number in numbers {
            request.body = self.template.body(number)?.into_bytes();
            let size = ring.add(target, &request, *keep_alive, purpose);
            self.room = self.room.checked_sub(size).ok_or(RingError::TooLarge)?;
        }
        Ok(Arc::new(ring))
    }
}

#[cfg(test)]
mod tests;
