//! The load engine: one shard per core, each an event loop on a thread of its own, and a collector that gathers what
//! they measure.
//!
//! Closed loop: a connection that becomes free takes the next request. Open loop: requests are due by a schedule and wait
//! for a connection. Both count response time from the due time.

mod backoff;
mod collector;
mod deadlines;
mod deal;
mod http1;
mod http2;
mod job;
mod protocol;
mod recorder;
mod requests;
mod ring;
mod schedule;
mod sequence;
mod shard;
mod slot;
mod span;
mod thinking;
mod time;
mod timer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::{Poll, Waker};
use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::{Load, Pace, WarmUp};
use proto::mix::Sent;
use proto::target::HttpVersion;

pub use collector::Output;

use crate::answer::Criteria;
use crate::clock::{Clock, Nanos};
use crate::host;
use crate::probe::negotiate;
use crate::resolve::{ResolveError, resolve};
use crate::tls::{TargetTls, TlsError};
use crate::way::Way;
use collector::Collector;
use http1::Http1;
use http2::Http2;
use job::{Answers, Control, Job, Report};
use protocol::Protocol;
use recorder::{Recorder, Words};
use ring::{RingError, Rings};
use schedule::{Lane, Limit};
use shard::{Shard, WAKER, Wiring};

/// Requests that a worker can have in flight, each with half a kilobyte of its own: connections of HTTP/1.1 meet the limit
/// of files before that, streams of HTTP/2 do not.
const MOST_PLACES: u32 = 1 << 20;
/// Files that a worker needs beside its connections,
const FILES_IN_RESERVE: u64 = 64;
/// and for each thread of its engine: an event queue, what wakes it, its timer, and two that tell how hard it works.
const FILES_OF_A_THREAD: u64 = 5;

/// What one thread does from beginning to end.
type Carrier = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A block's work in progress on this worker.
#[derive(Debug)]
pub struct Engine {
    control: Arc<Control>,
    wakers: Vec<Waker>,
}

/// The shards of an engine, whatever they speak.
struct Shards {
    carriers: Vec<Carrier>,
    /// Where each gets cleared recorders from.
    spares: Vec<Sender<Recorder>>,
    /// How many bodies were rendered for the load.
    bodies: u64,
}

/// Why an engine cannot take an assignment.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The target's name has no address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// TLS cannot be used with the target.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The expectation cannot be checked.
    #[error("the scenario's expectation cannot be checked: {0}")]
    Expectation(String),
    /// The bodies cannot be rendered.
    #[error(transparent)]
    Bodies(#[from] RingError),
    /// More connections than the system allows.
    #[error(
        "{connections} connections are asked of a worker that may open {files} files, of which it needs {reserve} for itself: \
         raise its limit (`ulimit -n`) or add workers"
    )]
    Files {
        /// Asked for.
        connections: u32,
        /// Allowed.
        files: u64,
        /// Those that are for other things.
        reserve: u64,
    },
    /// More requests in flight than there is memory for.
    #[error(
        "{places} requests in flight are asked of a worker that takes {MOST_PLACES}: add workers, or lower --concurrency, \
         --connections or --streams"
    )]
    Places {
        /// Asked for.
        places: u32,
    },
    /// This worker has no part in the block.
    #[error("the assignment leaves this worker without a connection")]
    Idle,
    /// The system refused a thread or an event queue.
    #[error("the engine cannot be set up: {0}")]
    System(#[from] io::Error),
}

impl Engine {
    /// Begins to connect and to warm up on threads of its own, and reports to `output` from another. Blocks while the
    /// target's name is looked up.
    ///
    /// # Errors
    /// When this worker cannot do what is asked.
    pub fn prepare(
        assignment: &Assignment,
        clock: Clock,
        output: impl FnMut(Output) + Send + 'static,
    ) -> Result<Self, EngineError> {
        let ways = resolve(&assignment.target)?;
        let assignment = &settled(assignment, &ways.taken, clock)?;
        let http_version = assignment.target.http_version;
        let threads = assignment.threads.map_or_else(host::cores, std::num::NonZeroU32::get);
        let connections = connections_within_limits(assignment, threads, host::open_files_limit())?;
        let lanes = schedule::lanes(assignment, threads);
        if lanes.is_empty() {
            return Err(EngineError::Idle);
        }
        let left_out = ways.left_out.iter().map(SocketAddr::to_string).collect();
        let job = Arc::new(job_for(assignment, ways.taken)?);
        let control = Arc::new(Control::default());
        let (reports, gathered) = channel();
        let mut engine = Self { control: control.clone(), wakers: Vec::new() };
        let shards = match http_version {
            HttpVersion::Http2 => engine.shards::<Http2>(assignment, lanes, &job, clock, reports)?,
            HttpVersion::Http11 | HttpVersion::Auto => {
                engine.shards::<Http1>(assignment, lanes, &job, clock, reports)?
            }
        };
        let words = Words {
            pointers: job.answers.iter().map(|answers| answers.criteria.pointers().to_vec()).collect(),
            addresses: job.ways.iter().map(Way::to_string).collect(),
        };
        let collector = Collector {
            assignment_id: assignment.id.clone(),
            connections,
            http_version,
            bodies: shards.bodies,
            words,
            left_out,
            clock,
            control,
            spares: shards.spares,
        };
        engine.spawn(shards.carriers, collector, gathered, output)?;
        Ok(engine)
    }

    /// A shard for each lane.
    fn shards<P: Protocol + Send + 'static>(
        &mut self,
        assignment: &Assignment,
        lanes: Vec<Lane>,
        job: &Arc<Job>,
        clock: Clock,
        reports: Sender<(usize, Report)>,
    ) -> Result<Shards, EngineError>
    where
        P::Carrier: Send,
    {
        let Rings::<P::Ring> { lanes: rings, bodies } = Rings::new(assignment, &lanes)?;
        let mut shards = Shards { carriers: Vec::new(), spares: Vec::new(), bodies };
        for (number, (lane, rings)) in lanes.into_iter().zip(rings).enumerate() {
            let poll = Poll::new()?;
            self.wakers.push(Waker::new(poll.registry(), WAKER)?);
            let (spare, spares) = channel();
            shards.spares.push(spare);
            let (control, reports) = (self.control.clone(), reports.clone());
            let wiring = Wiring { number, lane, rings, clock, poll, control, reports, spares };
            let shard = Shard::<P>::new(job.clone(), wiring)?;
            shards.carriers.push(Box::new(move || shard.run()));
        }
        Ok(shards)
    }

    fn spawn(
        &self,
        carriers: Vec<Carrier>,
        collector: Collector,
        gathered: Receiver<(usize, Report)>,
        output: impl FnMut(Output) + Send + 'static,
    ) -> io::Result<()> {
        thread::Builder::new().name("collector".into()).spawn(move || collector.run(&gathered, output))?;
        for (number, carrier) in carriers.into_iter().enumerate() {
            let carry = move || {
                if let Err(error) = carrier() {
                    tracing::error!(%error, "a thread of the engine failed");
                }
            };
            thread::Builder::new().name(format!("engine-{number}")).spawn(carry)?;
        }
        Ok(())
    }

    /// Sets the moment at which the prepared block begins.
    pub fn start(&self, at: Nanos) {
        self.control.start_at(at);
        self.wake();
    }

    /// Starts nothing more and abandons what is in flight. The first reason stands.
    pub fn stop(&self, reason: EndReason) {
        self.control.stop(reason);
        self.wake();
    }

    fn wake(&self) {
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "a thread of the engine cannot be woken");
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop(EndReason::Stopped);
    }
}

/// The assignment with what is spoken settled: where the target is to choose, it is asked once, before the block, by the
/// first way to it. One that does not answer is taken for one that speaks HTTP/1.1, and the load shows what is wrong.
fn settled(assignment: &Assignment, ways: &[Way], clock: Clock) -> Result<Assignment, EngineError> {
    let mut settled = assignment.clone();
    if settled.target.http_version == HttpVersion::Auto {
        let way = ways.first().ok_or(EngineError::Idle)?;
        settled.target.http_version = negotiate(&assignment.target, way, assignment.timeout, clock)?;
    }
    Ok(settled)
}

/// How many connections this worker holds on so many threads, where its memory and the files that it may open allow it.
fn connections_within_limits(assignment: &Assignment, threads: u32, files: u64) -> Result<u32, EngineError> {
    let connections = match assignment.target.http_version {
        HttpVersion::Http2 => assignment.connections(),
        HttpVersion::Http11 | HttpVersion::Auto => assignment.places(),
    };
    // A thread has one connection at least.
    let reserve = FILES_IN_RESERVE + FILES_OF_A_THREAD * u64::from(threads.min(connections));
    if u64::from(connections) + reserve > files {
        return Err(EngineError::Files { connections, files, reserve });
    }
    let places = assignment.places();
    if places > MOST_PLACES {
        return Err(EngineError::Places { places });
    }
    Ok(connections)
}

fn job_for(assignment: &Assignment, ways: Vec<Way>) -> Result<Job, EngineError> {
    let target = &assignment.target;
    let limit = Limit {
        requests: assignment.extent.requests().map(std::num::NonZeroU64::get),
        end: assignment.extent.duration().map(Nanos::from),
    };
    Ok(Job {
        ways,
        tls: TargetTls::for_target(target)?,
        answers: assignment.sent().into_iter().map(answers).collect::<Result<_, _>>()?,
        deal: assignment.deal(),
        warm_up_load: warm_up_load(&assignment.load),
        cuts: cuts(assignment),
        load: assignment.load.clone(),
        warm_up: match assignment.warm_up {
            WarmUp::None => None,
            WarmUp::Requests(requests) => Some(Limit { requests: Some(requests.get()), end: None }),
            WarmUp::Duration(duration) => Some(Limit { requests: None, end: Some(duration.into()) }),
        },
        limit,
        timeout: assignment.timeout.into(),
        keep_alive: assignment.keep_alive,
        seed: assignment.seed,
    })
}

fn answers(sent: Sent<'_>) -> Result<Answers, EngineError> {
    let criteria = Criteria::new(sent.expectation).map_err(EngineError::Expectation)?;
    Ok(Answers { is_head: sent.request.method == "HEAD", criteria })
}

/// Stages and traces are for the measurement: before it a rate of theirs goes on and on.
fn warm_up_load(load: &Load) -> Load {
    let mut load = load.clone();
    if let Load::Open { pace, .. } = &mut load {
        let rate = match pace {
            Pace::Steady(rate) => Some(*rate),
            Pace::Stages(stages) => stages.lowest_rate(),
            Pace::Trace(trace) => trace.mean_rate(),
        };
        *pace = rate.map_or(pace.clone(), Pace::Steady);
    }
    load
}

/// Where a span must end, beside every whole second: at the end of the block, and at the end of each stage.
fn cuts(assignment: &Assignment) -> Vec<Nanos> {
    let of_stages = match &assignment.load {
        Load::Open { pace: Pace::Stages(stages), .. } => stages.spans().map(|(_, end)| end).collect(),
        _ => Vec::new(),
    };
    let mut cuts: Vec<Nanos> =
        of_stages.into_iter().chain(assignment.extent.duration()).map(Nanos::from).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::wire;

    fn closed(concurrency: u32) -> Assignment {
        let message = wire::Assignment {
            id: "id".into(),
            target: Some(wire::Target { url: "http://127.0.0.1:1".into(), ..Default::default() }),
            request: Some(wire::Request { method: "GET".into(), path: "/".into(), ..Default::default() }),
            load: Some(wire::assignment::Load::Closed(wire::ClosedLoad {
                concurrency,
                ..Default::default()
            })),
            requests: Some(1),
            worker_count: 1,
            timeout_ns: 1,
            keep_alive: true,
            lease_ns: 1,
            ..Default::default()
        };
        Assignment::try_from(message).unwrap()
    }

    #[test]
    fn connections_leave_the_threads_the_files_that_they_need() {
        let of = |connections, threads| connections_within_limits(&closed(connections), threads, 1024);
        assert_eq!((of(955, 1).ok(), of(901, 12).ok(), of(640, 64).ok()), (Some(955), None, Some(640)));
        let refused = of(900, 64).unwrap_err().to_string();
        assert!(refused.contains("1024 files, of which it needs 384 for itself: raise"), "{refused}");
    }
}
