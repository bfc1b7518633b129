//! The worker's gRPC face: describes itself, probes a target, and carries out one assignment at a time.

mod arrivals;
mod block;
mod session;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::MAX_MESSAGE_BYTES;
use proto::assignment::Assignment;
use proto::expectation::Expectation;
use proto::interval::EndReason;
use proto::target::{Request as TargetRequest, Target};
use proto::wire::load_worker_server::{LoadWorker, LoadWorkerServer};
use proto::wire::{self, DescribeRequest, ProbeReply, ProbeRequest, WorkerDescription};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::host;
use crate::probe::probe;
use block::Block;
use session::Session;

/// Events that may wait for a coordinator that is slow to read.
const EVENTS_IN_FLIGHT: usize = 16;
/// The longest that a probe may take.
const LONGEST_PROBE: Duration = Duration::from_secs(300);

/// Why a worker could not serve.
#[derive(Debug, thiserror::Error)]
#[error("the worker cannot serve: {problem}")]
pub struct ServeError {
    problem: String,
}

/// Serves coordinators on `listener` until `shutdown` resolves; a load in progress then stops.
///
/// Without credentials the connection is plain text, which the caller allows on a loopback address only.
///
/// # Errors
/// When the credentials cannot be used or the listener breaks.
pub async fn run(
    listener: TcpListener,
    credentials: Option<&Credentials>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let failed = |error: tonic::transport::Error| ServeError { problem: error.to_string() };
    let worker = Arc::new(Worker { clock: Clock::new(), current: Mutex::new(None) });
    let service = LoadWorkerServer::new(Face(worker.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut server = Server::builder().http2_keepalive_interval(Some(Duration::from_secs(10)));
    if let Some(credentials) = credentials {
        let tls = credentials.server_tls().timeout(arrivals::HANDSHAKE_LIMIT);
        server = server.tls_config(tls).map_err(failed)?;
    }
    let (arrived, incoming) = mpsc::channel(1);
    tokio::select! {
        served = server.serve_with_incoming(service, ReceiverStream::new(incoming)) => served.map_err(failed)?,
        never = arrivals::accept(listener, arrived) => match never {},
        () = shutdown => worker.stop(),
    }
    Ok(())
}

/// What all streams share.
#[derive(Debug)]
struct Worker {
    clock: Clock,
    current: Mutex<Option<Arc<Block>>>,
}

/// Another assignment is in progress.
#[derive(Debug, thiserror::Error)]
#[error(
    "this worker is still carrying out assignment {0}: wait until its coordinator has finished or its lease has ended"
)]
struct Busy(String);

impl Worker {
    /// The block for this assignment, and whether it was in progress already.
    fn take_on(&self, assignment: Assignment) -> Result<(Arc<Block>, bool), Busy> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(block) if block.id == assignment.id => {
                block.heard();
                return Ok((block.clone(), true));
            }
            Some(block) if !block.is_over() => return Err(Busy(block.id.clone())),
            _ => {}
        }
        let block = Block::prepare(assignment, self.clock);
        *current = Some(block.clone());
        Ok((block, false))
    }

    /// Ends the load in progress, if there is one.
    fn stop(&self) {
        if let Some(block) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            block.stop(EndReason::Stopped);
        }
    }
}

/// The generated service's methods.
struct Face(Arc<Worker>);

#[tonic::async_trait]
impl LoadWorker for Face {
    type RunStream = Pin<Box<dyn Stream<Item = Result<wire::Event, Status>> + Send>>;

    async fn describe(
        &self,
        _request: Request<DescribeRequest>,
    ) -> Result<Response<WorkerDescription>, Status> {
        Ok(Response::new((&host::describe()).into()))
    }

    async fn probe(&self, request: Request<ProbeRequest>) -> Result<Response<ProbeReply>, Status> {
        let request = request.into_inner();
        let invalid = |error: proto::InvalidMessage| Status::invalid_argument(error.to_string());
        let missing = |field| Status::invalid_argument(format!("{field} is missing"));
        let target = Target::try_from(request.target.ok_or_else(|| missing("target"))?).map_err(invalid)?;
        let sent =
            TargetRequest::try_from(request.request.ok_or_else(|| missing("request"))?).map_err(invalid)?;
        let expectation = Expectation::try_from(request.expectation.unwrap_or_default()).map_err(invalid)?;
        let timeout = Duration::from_nanos(request.timeout_ns).min(LONGEST_PROBE);
        let clock = self.0.clock;
        let probing =
            tokio::task::spawn_blocking(move || probe(&target, &sent, &expectation, timeout, clock));
        let probed = probing.await.map_err(|_| Status::internal("the probe broke off"))?;
        let probed = probed.map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(ProbeReply {
            failure: probed.failure.as_ref().map(Into::into),
            status: probed.status.map_or(0, u32::from),
            answer_start: probed.answer_start,
            response_time_ns: probed.response_time.as_nanos() as u64,
        }))
    }

    async fn run(
        &self,
        request: Request<Streaming<wire::Command>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        let (events, outgoing) = mpsc::channel(EVENTS_IN_FLIGHT);
        tokio::spawn(Session::new(self.0.clone(), events).run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
