//! How a worker is reached: its address, and what proves each side to the other.

use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

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
    /// Host and port.
    pub address: String,
    endpoint: Endpoint,
}

impl WorkerAccess {
    /// For the worker at `address` (host and port).
    ///
    /// # Errors
    /// When the address or the certificates cannot be used.
    pub fn new(number: u32, address: String, trust: &Trust) -> Result<Self, FleetError> {
        let failed = |error: tonic::transport::Error| FleetError::Address {
            address: address.clone(),
            problem: error.to_string(),
        };
        let scheme = if matches!(trust, Trust::Mutual(_)) { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(failed)?
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        if let Trust::Mutual(leaf) = trust {
            let tls = ClientTlsConfig::new()
                .domain_name(WORKER_NAME)
                .ca_certificate(Certificate::from_pem(&leaf.authority_pem))
                .identity(Identity::from_pem(&leaf.certificate_pem, &leaf.key_pem));
            endpoint = endpoint.tls_config(tls).map_err(failed)?;
        }
        Ok(Self { number, address, endpoint })
    }

    /// Dials the worker.
    ///
    /// # Errors
    /// When it does not accept a connection, or either side's certificate is refused.
    pub async fn dial(&self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint.connect().await
    }
}
