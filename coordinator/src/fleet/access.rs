//! How a worker is reached: its address, and what proves each side to the other.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tower::{Service as _, service_fn};

use super::FleetError;
use crate::trust::{Leaf, WORKER_NAME};

/// How long a worker may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often an idle connection is proved alive.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// What proves each side to the other.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Both show certificates of the fleet's authority.
    Mutual(Box<Leaf>),
    /// Plain text, on loopback only.
    Plaintext,
}

/// How one worker is reached.
#[derive(Debug, Clone)]
pub struct WorkerAccess {
    /// From 0.
    pub number: u32,
    /// Host and port, or the host alone where the way to it is a socket.
    pub address: String,
    endpoint: Endpoint,
    /// The end of a tunnel to the worker; `None` for a TCP connection to the address.
    socket: Option<Arc<PathBuf>>,
}

impl WorkerAccess {
    /// For the worker at `address` (host and port).
    ///
    /// # Errors
    /// When the address or the certificates cannot be used.
    pub fn new(number: u32, address: String, trust: &Trust) -> Result<Self, FleetError> {
        let endpoint = endpoint(&address, trust)
            .map_err(|error| FleetError::Address { address: address.clone(), problem: error.to_string() })?;
        Ok(Self { number, address, endpoint, socket: None })
    }

    /// For the worker on `host` to which the Unix socket `socket` leads.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn through(number: u32, host: String, socket: PathBuf, trust: &Trust) -> Result<Self, FleetError> {
        let endpoint = endpoint(WORKER_NAME, trust)
            .map_err(|error| FleetError::Address { address: host.clone(), problem: error.to_string() })?;
        Ok(Self { number, address: host, endpoint, socket: Some(Arc::new(socket)) })
    }

    /// Dials the worker.
    ///
    /// # Errors
    /// When it does not accept a connection, or either side's certificate is refused.
    pub async fn dial(&self) -> Result<Channel, tonic::transport::Error> {
        let Some(socket) = &self.socket else { return self.endpoint.connect().await };
        let socket = Arc::clone(socket);
        let connect = move |_: Uri| {
            let socket = Arc::clone(&socket);
            async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(socket.as_path()).await?)) }
        };
        self.endpoint.connect_with_connector(service_fn(connect)).await
    }

    /// Dials the worker and has it answer, whatever it says: what it makes of the coordinator's certificate shows only
    /// then.
    ///
    /// # Errors
    /// When it cannot be dialled, or does not answer.
    pub async fn answers(&self) -> Result<(), tonic::transport::Error> {
        let mut channel = self.dial().await?;
        poll_fn(|context| channel.poll_ready(context)).await?;
        channel.call(Request::new(Body::empty())).await.map(drop)
    }
}

/// Whatever way the connection goes, TLS asks for the same name.
fn endpoint(authority: &str, trust: &Trust) -> Result<Endpoint, tonic::transport::Error> {
    let scheme = if matches!(trust, Trust::Mutual(_)) { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{authority}"))?
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    let Trust::Mutual(leaf) = trust else { return Ok(endpoint) };
    endpoint.tls_config(
        ClientTlsConfig::new()
            .domain_name(WORKER_NAME)
            .ca_certificate(Certificate::from_pem(&leaf.authority_pem))
            .identity(Identity::from_pem(&leaf.certificate_pem, &leaf.key_pem)),
    )
}
