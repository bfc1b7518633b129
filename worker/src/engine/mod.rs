//! The load engine: one shard per core, each an event loop on a thread of its own, and a collector that gathers what
//! they measure.
//!
//! Closed loop: a connection that becomes free takes the next request. Open loop: requests are due by a schedule and wait
//! for a connection. Both count response time from the due time.

mod backoff;
mod collector;
mod deadlines;
mod http1;
mod http2;
mod job;
mod protocol;
mod recorder;
mod requests;
mod schedule;
mod shard;
mod slot;
mod span;
mod time;
mod timer;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use mio::{Poll, Waker};
use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::load::WarmUp;
use proto::target::HttpVersion;

pub use collector::Output;

use crate::answer::Criteria;
use crate::clock::{Clock, Nanos};
use crate::host;
use crate::http2::request::Encoded;
use crate::probe::negotiate;
use crate::request::{Purpose, render};
use crate::resolve::{ResolveError, resolve};
use crate::tls::{TargetTls, TlsError};
use collector::Collector;
use http1::Http1;
use http2::Http2;
use job::{Control, Job, Report};
use schedule::Limit;
use shard::{Shard, WAKER, Wiring};

/// Requests that a worker can have in flight, each with half a kilobyte of its own: connections of HTTP/1.1 meet the limit
/// of files before that, streams of HTTP/2 do not.
const MOST_PLACES: u32 = 1 << 20;
/// Files that a worker needs beside its connections.
const FILES_IN_RESERVE: u64 = 64;

/// What one thread does from beginning to end.
type Carrier = Box<dyn FnOnce() -> io::Result<()> + Send>;

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
        let assignment = &settled(assignment, clock)?;
        let connections = match assignment.target.http_version {
            HttpVersion::Http2 => assignment.connections(),
            HttpVersion::Http11 | HttpVersion::Auto => assignment.places(),
        };
        let files = host::open_files_limit();
        if u64::from(connections) + FILES_IN_RESERVE > files {
            return Err(EngineError::Files { connections, files });
        }
        let places = assignment.places();
        if places > MOST_PLACES {
            return Err(EngineError::Places { places });
        }
        let threads = assignment.threads.map_or_else(host::cores, std::num::NonZeroU32::get);
        let lanes = schedule::lanes(assignment, threads);
        if lanes.is_empty() {
            return Err(EngineError::Idle);
        }
        let job = Arc::new(job_for(assignment)?);
        let control = Arc::new(Control::default());
        let (reports, gathered) = channel();
        let mut engine = Self { control: control.clone(), wakers: Vec::new() };

        let mut spares = Vec::new();
        let mut carriers: Vec<Carrier> = Vec::new();
        for (number, lane) in lanes.into_iter().enumerate() {
            let poll = Poll::new()?;
            engine.wakers.push(Waker::new(poll.registry(), WAKER)?);
            let (spare, returned) = channel();
            spares.push(spare);
            let (control, reports) = (control.clone(), reports.clone());
            let wiring = Wiring { number, lane, clock, poll, control, reports, spares: returned };
            carriers.push(match assignment.target.http_version {
                HttpVersion::Http2 => {
                    let shard = Shard::<Http2>::new(job.clone(), wiring)?;
                    Box::new(move || shard.run())
                }
                HttpVersion::Http11 | HttpVersion::Auto => {
                    let shard = Shard::<Http1>::new(job.clone(), wiring)?;
                    Box::new(move || shard.run())
                }
            });
        }
        drop(reports);

        let pointers = job.criteria.pointers().to_vec();
        let collector = Collector {
            assignment_id: assignment.id.clone(),
            connections,
            http_version: assignment.target.http_version,
            pointers,
            clock,
            control,
            spares,
        };
        engine.spawn(carriers, collector, gathered, output)?;
        Ok(engine)
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

/// The assignment with what is spoken settled: where the target is to choose, it is asked once, before the block. One that
/// does not answer is taken for one that speaks HTTP/1.1, and the load shows what is wrong with it.
fn settled(assignment: &Assignment, clock: Clock) -> Result<Assignment, EngineError> {
    let mut settled = assignment.clone();
    if settled.target.http_version == HttpVersion::Auto {
        settled.target.http_version = negotiate(&assignment.target, assignment.timeout, clock)?;
    }
    Ok(settled)
}

fn job_for(assignment: &Assignment) -> Result<Job, EngineError> {
    let (target, request) = (&assignment.target, &assignment.request);
    let limit = Limit {
        requests: assignment.extent.requests().map(std::num::NonZeroU64::get),
        end: assignment.extent.duration().map(Nanos::from),
    };
    Ok(Job {
        address: resolve(target)?,
        tls: TargetTls::for_target(target)?,
        warm_up_request: render(target, request, assignment.keep_alive, Purpose::WarmUp),
        request: render(target, request, assignment.keep_alive, Purpose::Load),
        warm_up_encoded: Encoded::new(target, request, Purpose::WarmUp),
        encoded: Encoded::new(target, request, Purpose::Load),
        is_head: request.method == "HEAD",
        criteria: Criteria::new(&assignment.expectation).map_err(EngineError::Expectation)?,
        load: assignment.load,
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
