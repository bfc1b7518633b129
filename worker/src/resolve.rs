//! Looks the target's name up, once, before a block.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use proto::target::Target;

/// How long one address may take to accept a connection while the addresses of a name are tried.
const TRY_LIMIT: Duration = Duration::from_secs(3);

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error(
    "the target's host `{host}` cannot be resolved from this worker ({error}): check the name, and the worker's DNS"
)]
pub struct ResolveError {
    host: String,
    error: io::Error,
}

/// The address that requests go to: the first of the target's addresses that accepts a connection, or the first of all
/// when none does (the block then counts the failures). Blocks while it tries.
///
/// # Errors
/// When the name has no address.
pub fn resolve(target: &Target) -> Result<SocketAddr, ResolveError> {
    let (host, port) = target.address();
    let unresolved = |error| ResolveError { host: host.clone(), error };
    let addresses: Vec<SocketAddr> = (host.as_str(), port).to_socket_addrs().map_err(unresolved)?.collect();
    let first = *addresses.first().ok_or(unresolved(io::ErrorKind::NotFound.into()))?;
    if addresses.len() == 1 {
        return Ok(first);
    }
    let accepting =
        addresses.into_iter().find(|address| TcpStream::connect_timeout(address, TRY_LIMIT).is_ok());
    Ok(accepting.unwrap_or(first))
}
