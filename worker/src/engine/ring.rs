//! The requests of one thread, rendered before the block as its protocol sends them: per request, only an index is
//! looked up.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use proto::assignment::Assignment;
use proto::mix::{Deal, Sent};
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
    /// Of each lane: for the warm-up, and for the load, a ring of each scenario.
    pub lanes: Vec<[Arc<[R]>; 2]>,
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
        let sent = assignment.sent();
        if sent.iter().all(|sent| sent.variety.is_none()) {
            let lane = [Purpose::WarmUp, Purpose::Load]
                .map(|purpose| sent.iter().map(|sent| one(assignment, sent, purpose)).collect());
            return Ok(Self { lanes: vec![lane; lanes.len()], bodies: 0 });
        }
        let mut press = Press::new(assignment, &sent)?;
        let mut rings = Self { lanes: Vec::new(), bodies: 0 };
        for lane in lanes {
            let (mut warm_up, mut load) = (Vec::new(), Vec::new());
            for (part, sent) in sent.iter().enumerate() {
                let [of_warm_up, of_load]: [R; 2] = press.rings(part, *lane)?;
                rings.bodies += sent.variety.map_or(0, |_| of_load.len() as u64);
                warm_up.push(of_warm_up);
                load.push(of_load);
            }
            rings.lanes.push([warm_up.into(), load.into()]);
        }
        Ok(rings)
    }
}

/// The one request of a scenario whose bodies do not differ.
fn one<R: Ring>(assignment: &Assignment, sent: &Sent<'_>, purpose: Purpose) -> R {
    let mut ring = R::default();
    ring.add(&assignment.target, sent.request, assignment.keep_alive, purpose);
    ring
}

/// Cycles of a mix in which a lane's next request of a scenario is looked for.
const MOST_CYCLES: u64 = 64;

/// Makes requests as long as there is room for them.
struct Press<'a> {
    assignment: &'a Assignment,
    deal: Option<Deal>,
    /// Each scenario, with the template of one whose bodies differ.
    sent: Vec<(Sent<'a>, Option<(&'a Variety, Template<'a>)>)>,
    room: usize,
}

impl<'a> Press<'a> {
    fn new(assignment: &'a Assignment, sent: &[Sent<'a>]) -> Result<Self, RingError> {
        let with_template = |sent: &Sent<'a>| {
            let template =
                |variety| Template::new(variety, assignment.seed).map(|template| (variety, template));
            Ok((*sent, sent.variety.map(template).transpose()?))
        };
        Ok(Self {
            assignment,
            deal: assignment.deal(),
            sent: sent.iter().map(with_template).collect::<Result<_, RingError>>()?,
            room: MAX_RING_BYTES,
        })
    }

    /// What a lane sends of one scenario: in the warm-up, and in the load.
    fn rings<R: Ring>(&mut self, part: usize, lane: Lane) -> Result<[R; 2], RingError> {
        let Some((variety, _)) = &self.sent[part].1 else {
            return Ok([Purpose::WarmUp, Purpose::Load]
                .map(|purpose| one(self.assignment, &self.sent[part].0, purpose)));
        };
        // At least one.
        let bodies = lane.requests_of(&self.assignment.load, u64::from(variety.bodies)).max(1);
        let after = bodies + bodies.min(MOST_WARM_UP_BODIES);
        let load = self.ring(part, Purpose::Load, self.numbers(part, lane, 0..bodies))?;
        Ok([self.ring(part, Purpose::WarmUp, self.numbers(part, lane, bodies..after))?, load])
    }

    /// Which of the fleet's requests those of the lane's requests are that are of this scenario; where none is, the first
    /// after them.
    fn numbers(&self, part: usize, lane: Lane, requests: Range<u64>) -> Vec<u64> {
        let concurrency = self.assignment.load.concurrency();
        let number = |n| lane.number(concurrency, n);
        let Some(deal) = &self.deal else { return requests.map(number).collect() };
        let is_of_part = |number: &u64| deal.part(*number) == part;
        let numbers: Vec<u64> = requests.clone().map(number).filter(is_of_part).collect();
        if !numbers.is_empty() {
            return numbers;
        }
        let last = requests.end + MOST_CYCLES * deal.cycle();
        (requests.end..last).map(number).find(is_of_part).or(Some(number(requests.end))).into_iter().collect()
    }

    fn ring<R: Ring>(&mut self, part: usize, purpose: Purpose, numbers: Vec<u64>) -> Result<R, RingError> {
        let Assignment { target, keep_alive, .. } = self.assignment;
        let mut ring = R::default();
        let (sent, Some((_, template))) = &self.sent[part] else { return Ok(ring) };
        let mut request = Request { body: Vec::new(), ..sent.request.clone() };
        for number in numbers {
            request.body = template.body(number)?.into_bytes();
            let size = ring.add(target, &request, *keep_alive, purpose);
            self.room = self.room.checked_sub(size).ok_or(RingError::TooLarge)?;
        }
        Ok(ring)
    }
}

#[cfg(test)]
mod tests;
