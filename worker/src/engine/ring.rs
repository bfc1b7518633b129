//! The requests of one thread, rendered before the block: per request, only an index is looked up.

use std::sync::Arc;

use proto::assignment::Assignment;
use proto::load::Load;
use proto::target::Request;
use proto::variety::template::{Template, TemplateError};
use proto::variety::{MAX_RING_BYTES, Variety};

use super::schedule::Lane;
use crate::request::{Purpose, render};

/// Bodies of the warm-up, of each thread; they are not the load's, so that no cache knows the load's before it begins.
const MOST_WARM_UP_BODIES: u64 = 256;

/// Requests that are sent one after another, and from the first again.
#[derive(Debug, Clone)]
pub struct Ring {
    bytes: Arc<[u8]>,
    /// Where each ends.
    ends: Arc<[usize]>,
}

impl Ring {
    /// The same request every time.
    pub fn of_one(request: Vec<u8>) -> Self {
        Self { ends: [request.len()].into(), bytes: request.into() }
    }

    /// The bytes of the thread's request `number`, which begin again after the last.
    #[inline]
    pub fn get(&self, number: u64) -> &[u8] {
        let number = (number % self.ends.len() as u64) as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }
}

/// What the threads of an engine send.
pub struct Rings {
    /// Of each lane: for the warm-up, and for the load.
    pub lanes: Vec<[Ring; 2]>,
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

impl Rings {
    /// Renders what the lanes of an assignment send.
    ///
    /// # Errors
    /// When bodies cannot be rendered, or take too much memory.
    pub fn new(assignment: &Assignment, lanes: &[Lane]) -> Result<Self, RingError> {
        let Some(variety) = &assignment.variety else {
            let one = |purpose| {
                let Assignment { target, request, keep_alive, .. } = assignment;
                Ring::of_one(render(target, request, *keep_alive, purpose))
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
            let load = press.ring(Purpose::Load, numbers(0, bodies))?;
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
/// of the arrival, in a closed loop the one with the number of the request, which belongs to a connection.
fn body_number(load: &Load, lane: Lane, n: u64) -> u64 {
    match load {
        Load::Open { .. } => lane.share.item(n),
        Load::Closed { concurrency, .. } => {
            let (round, connection) = (n / u64::from(lane.connections), n % u64::from(lane.connections));
            round * u64::from(concurrency.get()) + lane.share.item(connection)
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
    fn ring(&mut self, purpose: Purpose, numbers: impl Iterator<Item = u64>) -> Result<Ring, RingError> {
        let Assignment { target, request, keep_alive, .. } = self.assignment;
        let mut request = Request { body: Vec::new(), ..request.clone() };
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for number in numbers {
            request.body = self.template.body(number)?.into_bytes();
            let rendered = render(target, &request, *keep_alive, purpose);
            self.room = self.room.checked_sub(rendered.len()).ok_or(RingError::TooLarge)?;
            bytes.extend_from_slice(&rendered);
            ends.push(bytes.len());
        }
        Ok(Ring { bytes: bytes.into(), ends: ends.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::schedule::{Limit, Schedule, lanes};
    use proptest::prelude::*;
    use proto::expectation::Expectation;
    use proto::load::{Arrivals, Extent, Pace, WarmUp};
    use proto::share::Share;
    use proto::target::Target;
    use proto::variety::Dataset;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn assignment(load: Load, share: Share, template: &str, bodies: u32) -> Assignment {
        Assignment {
            id: "test".into(),
            target: Target::new("http://h:1".parse().unwrap()),
            request: Request {
                method: "POST".into(),
                path: "/".into(),
                headers: Vec::new(),
                body: Vec::new(),
            },
            expectation: Expectation::default(),
            load,
            extent: Extent::Duration(Duration::from_secs(1)),
            warm_up: WarmUp::None,
            share,
            timeout: Duration::from_secs(1),
            keep_alive: true,
            threads: None,
            seed: 7,
            lease: Duration::from_secs(1),
            variety: Some(Arc::new(Variety {
                template: template.into(),
                escapes_json: true,
                dataset: Dataset::default(),
                bodies,
            })),
        }
    }

    fn load(is_open: bool, connections: u32) -> Load {
        let connections = NonZeroU32::new(connections).unwrap();
        match is_open {
            false => Load::Closed { concurrency: connections, think_time: None },
            true => Load::Open {
                pace: Pace::Steady("9".parse().unwrap()),
                arrivals: Arrivals::Constant,
                connections,
                max_in_flight: None,
            },
        }
    }

    fn texts(ring: &Ring) -> Vec<String> {
        (0..ring.len() as u64).map(|number| String::from_utf8(ring.get(number).to_vec()).unwrap()).collect()
    }

    #[test]
    fn every_request_is_whole_and_has_its_own_length() {
        let assignment =
            assignment(load(true, 1), Share::WHOLE, "{{ seq }}{% if seq == 1 %}, long{% endif %}", 2);
        let rings = Rings::new(&assignment, &lanes(&assignment, 1)).unwrap();
        assert_eq!((rings.bodies, rings.lanes.len()), (2, 1));
        let [warm_up, ring] = rings.lanes.into_iter().next().unwrap();
        assert!(
            texts(&ring)[0].ends_with("(load)\r\nAccept-Encoding: identity\r\nContent-Length: 1\r\n\r\n0")
        );
        assert!(texts(&ring)[1].ends_with("Content-Length: 7\r\n\r\n1, long"));
        assert_eq!((ring.get(2), ring.get(7)), (ring.get(0), ring.get(1)));
        assert!(texts(&warm_up)[0].contains("(warm-up)") && texts(&warm_up)[0].ends_with("\r\n2"));
    }

    #[test]
    fn what_takes_too_much_memory_or_makes_no_sense_is_refused() {
        let large = assignment(load(true, 1), Share::WHOLE, "{{ words(100000) }}", 1_000);
        let refused = |assignment: &Assignment| {
            Rings::new(assignment, &lanes(assignment, 1)).err().unwrap().to_string()
        };
        assert!(
            refused(&large).starts_with("the bodies of this worker take more than 256 MiB: ask for fewer")
        );
        let broken = assignment(load(true, 1), Share::WHOLE, "{{ nothing }}", 1);
        assert!(
            refused(&broken).starts_with("the body's template cannot be used: line 1: there is no `nothing`")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// All lanes of all workers together have the bodies 0 to `bodies`, each once, and each lane has as many as it
        /// has requests.
        #[test]
        fn no_body_is_made_twice_in_a_fleet_and_none_is_left_out(
            is_open: bool, workers in 1u32..5, threads in 1u32..4, connections in 1u32..9, bodies in 12u32..60,
        ) {
            let load = load(is_open, connections);
            let active = if is_open { workers } else { workers.min(connections) };
            let (mut made, mut warm_up) = (Vec::new(), Vec::new());
            for k in 0..active {
                let assignment = assignment(load.clone(), Share::new(k, active).unwrap(), "{{ seq }}", bodies);
                let lanes = lanes(&assignment, threads);
                let rings = Rings::new(&assignment, &lanes).unwrap();
                for (lane, [before, ring]) in lanes.iter().zip(&rings.lanes) {
                    let number = |text: &String| text.rsplit('\n').next().unwrap().parse::<u64>().unwrap();
                    made.extend(texts(ring).iter().map(number));
                    warm_up.extend(texts(before).iter().map(number));
                    let limit = Limit { requests: Some(u64::from(bodies)), end: None };
                    let mut schedule = Schedule::new(&load, *lane, limit, 1);
                    schedule.advance(crate::clock::Nanos::MAX);
                    let requests = std::iter::from_fn(|| schedule.take(crate::clock::Nanos::ZERO)).count();
                    prop_assert_eq!(requests, ring.len());
                }
            }
            made.sort_unstable();
            prop_assert_eq!(made, (0..u64::from(bodies)).collect::<Vec<_>>());
            prop_assert!(warm_up.iter().all(|number| *number >= u64::from(bodies)));
        }
    }
}
