//! The load engine: one shard per core, each an event loop on a thread of its own, and a collector that gathers what
//! they measure.
//!
//! Closed loop: a connection that becomes free takes the next request. Open loop: requests are due by a schedule and wait
//! for a connection. Both count response time from the due time.

mod backoff;
mod collector;
mod deadlines;
mod events;
mod job;
mod recorder;
mod requests;
mod ring;
mod schedule;
mod sequence;
mod shard;
mod slot;
mod span;
mod thinking;
mod timer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use mio::{Poll, Waker};
use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::{Load, Pace, WarmUp};

pub use collector::Output;

use crate::answer::Criteria;
use crate::clock::{Clock, Nanos};
use crate::host;
use crate::resolve::{ResolveError, resolve};
use crate::tls::{TargetTls, TlsError};
use crate::way::Way;
use collector::Collector;
use job::{Control, Job, Report};
use recorder::Words;
use ring::{RingError, Rings};
use schedule::Limit;
use shard::{Shard, WAKER, Wiring};

/// Files that a worker needs beside its connections.
const FILES_IN_RESERVE: u64 = 64;

/// A block's work in progress on this worker.
#[derive(Debug)]
pub struct Engine {
    control: Arc<Control>,
    wakers: Vec<Waker>,
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
        "{connections} connections are asked of a worker that may open {files} files: raise its limit (`ulimit -n`) or add workers"
    )]
    Files {
        /// Asked for.
        connections: u32,
        /// Allowed.
        files: u64,
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
        let (connections, files) = (assignment.connections(), host::open_files_limit());
        if u64::from(connections) + FILES_IN_RESERVE > files {
            return Err(EngineError::Files { connections, files });
        }
        let threads = assignment.threads.map_or_else(host::cores, std::num::NonZeroU32::get);
        let lanes = schedule::lanes(assignment, threads);
        if lanes.is_empty() {
            return Err(EngineError::Idle);
        }
        let ways = resolve(&assignment.target)?;
        let job = Arc::new(job_for(assignment, ways.taken)?);
        let Rings { lanes: rings, bodies } = Rings::new(assignment, &lanes)?;
        let control = Arc::new(Control::default());
        let (reports, gathered) = channel();
        let mut engine = Self { control: control.clone(), wakers: Vec::new() };

        let mut spares = Vec::new();
        let mut shards = Vec::new();
        for (number, (lane, rings)) in lanes.into_iter().zip(rings).enumerate() {
            let poll = Poll::new()?;
            engine.wakers.push(Waker::new(poll.registry(), WAKER)?);
            let (spare, returned) = channel();
            spares.push(spare);
            let (control, reports) = (control.clone(), reports.clone());
            shards.push(Shard::new(
                job.clone(),
                Wiring { number, lane, rings, clock, poll, control, reports, spares: returned },
            )?);
        }
        drop(reports);

        let words = Words {
            pointers: job.criteria.pointers().to_vec(),
            addresses: job.ways.iter().map(Way::to_string).collect(),
        };
        let left_out = ways.left_out.iter().map(SocketAddr::to_string).collect();
        let assignment_id = assignment.id.clone();
        let collector = Collector { assignment_id, bodies, words, left_out, clock, control, spares };
        engine.spawn(shards, collector, gathered, output)?;
        Ok(engine)
    }

    fn spawn(
        &self,
        shards: Vec<Shard>,
        collector: Collector,
        gathered: Receiver<(usize, Report)>,
        output: impl FnMut(Output) + Send + 'static,
    ) -> io::Result<()> {
        thread::Builder::new().name("collector".into()).spawn(move || collector.run(&gathered, output))?;
        for (number, shard) in shards.into_iter().enumerate() {
            let carry = move || {
                if let Err(error) = shard.run() {
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

fn job_for(assignment: &Assignment, ways: Vec<Way>) -> Result<Job, EngineError> {
    let target = &assignment.target;
    let limit = Limit {
        requests: assignment.extent.requests().map(std::num::NonZeroU64::get),
        end: assignment.extent.duration().map(Nanos::from),
    };
    Ok(Job {
        ways,
        tls: TargetTls::for_target(target)?,
        is_head: assignment.request.method == "HEAD",
        criteria: Criteria::new(&assignment.expectation).map_err(EngineError::Expectation)?,
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
