//! How a target is reached, where that is not as its URL says.

use std::net::IpAddr;

use crate::{InvalidMessage, wire};

/// Where connections go. What `Host` and TLS say stays the URL's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Route {
    /// To the URL's own host and port.
    #[default]
    Url,
    /// To another one.
    ConnectTo {
        /// A name or an IP address, without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// To a Unix socket of the worker's machine.
    UnixSocket(String),
}

/// The longest path that a Unix socket can have, in bytes.
const LONGEST_SOCKET_PATH: usize = 107;
/// More than any machine has reason to use.
const MOST_LOCAL_ADDRESSES: usize = 1024;

/// Checks that a path can be a Unix socket's.
///
/// # Errors
/// What is wrong, to be read after the path ("is not absolute").
pub fn check_socket_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("is no absolute path of a socket".into());
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(format!("is longer than the {LONGEST_SOCKET_PATH} bytes that a socket's path can have"));
    }
    if path.contains('\0') {
        return Err("holds a NUL, which no path can".into());
    }
    Ok(())
}

impl From<&Route> for Option<wire::target::Route> {
    fn from(route: &Route) -> Self {
        match route {
            Route::Url => None,
            Route::ConnectTo { host, port } => Some(wire::target::Route::ConnectTo(wire::HostAndPort {
                host: host.clone(),
                port: u32::from(*port),
            })),
            Route::UnixSocket(path) => Some(wire::target::Route::UnixSocket(path.clone())),
        }
    }
}

impl TryFrom<Option<wire::target::Route>> for Route {
    type Error = InvalidMessage;

    fn try_from(route: Option<wire::target::Route>) -> Result<Self, InvalidMessage> {
        match route {
            None => Ok(Self::Url),
            Some(wire::target::Route::ConnectTo(wire::HostAndPort { host, port })) => {
                match u16::try_from(port) {
                    Ok(port @ 1..) if !host.is_empty() => Ok(Self::ConnectTo { host, port }),
                    _ => Err(InvalidMessage::new("target.connect_to", "is no host and port")),
                }
            }
            Some(wire::target::Route::UnixSocket(path)) => match check_socket_path(&path) {
                Ok(()) => Ok(Self::UnixSocket(path)),
                Err(problem) => Err(InvalidMessage::new("target.unix_socket", problem)),
            },
        }
    }
}

/// Addresses from the wire.
pub(crate) fn local_addresses(texts: &[String]) -> Result<Vec<IpAddr>, InvalidMessage> {
    if texts.len() > MOST_LOCAL_ADDRESSES {
        return Err(InvalidMessage::new("target.local_addresses", "are too many"));
    }
    let addresses = texts.iter().map(|text| text.parse());
    let addresses: Result<_, std::net::AddrParseError> = addresses.collect();
    addresses.map_err(|_| InvalidMessage::new("target.local_addresses", "hold what is no IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_sockets() {
        for good in ["/a", "/run/gateway.sock", &format!("/{}", "a".repeat(106))] {
            assert_eq!(check_socket_path(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "/", "/a/", "/a\0", &format!("/{}", "a".repeat(107))] {
            assert!(check_socket_path(bad).is_err(), "{bad:?}");
        }
    }
}
