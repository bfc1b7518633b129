//! The coordinator's side of one worker: who it is, what it can reach, and carrying out its part of a block.

mod block;
mod round_trip;
mod stream;

use std::time::Duration;

use proto::description::{Incompatible, WorkerDescription};
use proto::expectation::Expectation;
use proto::outcome::Failure;
use proto::target::{Request, Target};
use proto::wire::load_worker_client::LoadWorkerClient;
use proto::wire::{DescribeRequest, ProbeRequest};
use proto::{MAX_MESSAGE_BYTES, SOFTWARE_VERSION, WIRE_REVISION};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::causes::innermost;
use crate::fleet::WorkerAccess;

pub use block::{BlockSession, News};

/// How long a worker may take to accept a connection with all its handshakes: TCP's own limit ends before TLS begins.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// How long a worker may take to describe itself.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(10);
/// How much longer than its own limit a probe may take: the look-up of a name is not in it.
const PROBE_GRACE: Duration = Duration::from_secs(15);

/// A worker that answers.
#[derive(Debug, Clone)]
pub struct WorkerSession {
    /// How it is reached.
    pub access: WorkerAccess,
    /// Who it is.
    pub description: WorkerDescription,
    client: LoadWorkerClient<Channel>,
}

/// What came back from one request to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Why the answer is not good; `None` when it is.
    pub failure: Option<Failure>,
    /// The status, where a head arrived.
    pub status: Option<u16>,
    /// The first characters of the answer's body.
    pub answer_start: String,
}

/// A worker that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Nothing accepts connections there, or not for us.
    #[error(
        "worker {number} at {address} cannot be reached ({problem}): check that `archestra-bench worker` runs there, \
         that the port is open, and that both sides have credentials of the same fleet"
    )]
    Unreachable {
        /// From 0.
        number: u32,
        /// Host and port.
        address: String,
        /// The last cause.
        problem: String,
    },
    /// Something else listens there.
    #[error(
        "{address} does not answer as an archestra-bench worker ({problem}): check the address of worker {number}, and \
         that both sides speak TLS or neither does: a worker with credentials needs a coordinator with an authority \
         (--fleet-name and --state-dir as `archestra-bench pki` was given them, and no --plaintext), one without needs \
         --plaintext"
    )]
    NotAWorker {
        /// From 0.
        number: u32,
        /// Host and port.
        address: String,
        /// What it said.
        problem: String,
    },
    /// A worker of another version.
    #[error("worker {number} at {address} cannot be used: {source}")]
    Incompatible {
        /// From 0.
        number: u32,
        /// Host and port.
        address: String,
        /// Both versions.
        source: Incompatible,
    },
    /// A probe that could not be sent.
    #[error("worker {number} at {address} cannot probe the target: {problem}")]
    Probe {
        /// From 0.
        number: u32,
        /// Host and port.
        address: String,
        /// In the worker's words.
        problem: String,
    },
}

impl WorkerSession {
    /// Dials a worker and asks it who it is.
    ///
    /// # Errors
    /// When it cannot be reached, is no worker, or is of another revision.
    pub async fn connect(access: WorkerAccess) -> Result<Self, SessionError> {
        let (number, address) = (access.number, access.address.clone());
        let not_a_worker = |problem| SessionError::NotAWorker { number, address: address.clone(), problem };
        let unreachable = |problem| SessionError::Unreachable { number, address: address.clone(), problem };
        let channel = match timeout(DIAL_LIMIT, access.dial()).await {
            Ok(dialled) => dialled.map_err(|error| unreachable(innermost(&error)))?,
            Err(_) => return Err(unreachable(format!("no handshake within {} s", DIAL_LIMIT.as_secs()))),
        };
        let mut client = client(channel);
        let request =
            DescribeRequest { wire_revision: WIRE_REVISION, software_version: SOFTWARE_VERSION.into() };
        let described = match timeout(DESCRIBE_LIMIT, client.describe(request)).await {
            Ok(Ok(described)) => described.into_inner(),
            Ok(Err(status)) => return Err(not_a_worker(in_words(&status))),
            Err(_) => return Err(not_a_worker(format!("silent for {} s", DESCRIBE_LIMIT.as_secs()))),
        };
        let description = WorkerDescription::try_from(described)
            .map_err(|source| SessionError::Incompatible { number, address: address.clone(), source })?;
        Ok(Self { access, description, client })
    }

    /// Has the worker send one request to the target.
    ///
    /// # Errors
    /// When nothing could be sent.
    pub async fn probe(
        &self,
        target: &Target,
        request: &Request,
        expectation: &Expectation,
        limit: Duration,
    ) -> Result<Probed, SessionError> {
        let failed = |problem: String| SessionError::Probe {
            number: self.access.number,
            address: self.access.address.clone(),
            problem,
        };
        let probe = ProbeRequest {
            target: Some(target.into()),
            request: Some(request.into()),
            expectation: Some(expectation.into()),
            timeout_ns: limit.as_nanos() as u64,
        };
        let mut client = self.client.clone();
        let reply = match timeout(limit + PROBE_GRACE, client.probe(probe)).await {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => return Err(failed(in_words(&status))),
            Err(_) => return Err(failed("it did not answer in time".into())),
        };
        let failure =
            reply.failure.map(Failure::try_from).transpose().map_err(|error| failed(error.to_string()))?;
        Ok(Probed {
            failure,
            status: u16::try_from(reply.status).ok().filter(|status| *status != 0),
            answer_start: reply.answer_start,
        })
    }
}

fn client(channel: Channel) -> LoadWorkerClient<Channel> {
    LoadWorkerClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// What a call's status says, in the other side's words where it has any.
fn in_words(status: &Status) -> String {
    match (status.code(), status.message()) {
        (Code::Unimplemented, _) => "it does not know loadtest.v1".into(),
        (code, "") => innermost(status).replace("status: ", "").replace("Unknown", &code.to_string()),
        (_, message) => message.to_owned(),
    }
}
