//! How a target is reached: over its own address or another one, over a Unix socket, from which local addresses.

use proto::route::{Route, check_socket_path};
use url::Url;

use super::ConfigError;
use crate::cli::{Given, Origin, RunArgs};

/// The path of the socket that `text` names as a target, if it names one.
pub(super) fn socket_path(text: &str) -> Option<&str> {
    let path = text.trim().strip_prefix("unix:")?;
    // As others write it: unix:///path.
    Some(path.strip_prefix("//").unwrap_or(path))
}

/// A target behind a socket: what is sent there names the host `localhost`, in plain text.
pub(super) fn to_socket(
    id: &str,
    path: &str,
    args: &RunArgs,
    given: &Given,
) -> Result<(Url, Route), ConfigError> {
    let place = given.place(id).to_owned();
    let wrong = |problem| ConfigError::Target {
        place: place.clone(),
        problem: format!("is `unix:{path}`, whose path {problem}; write it like unix:/run/gateway.sock"),
    };
    check_socket_path(path).map_err(wrong)?;
    // Of the upstream's way only its own addresses could be meant, and those may be the gateway's.
    let of_target = ["connect_to", "local_addresses"].into_iter().filter(|_| id == "target");
    for id in of_target {
        if given.origin(id) != Origin::Default && !is_unset(args, id) {
            return Err(ConfigError::SocketHasNoAddress { place: given.place(id).into() });
        }
    }
    let url = Url::parse("http://localhost").map_err(|error| wrong(error.to_string()))?;
    Ok((url, Route::UnixSocket(path.to_owned())))
}

fn is_unset(args: &RunArgs, id: &str) -> bool {
    match id {
        "connect_to" => args.reach.connect_to.is_none(),
        _ => args.reach.local_addresses.is_empty(),
    }
}

/// Where connections to a URL go.
pub(super) fn to_url(args: &RunArgs) -> Route {
    match &args.reach.connect_to {
        None => Route::Url,
        Some(there) => Route::ConnectTo { host: there.host.clone(), port: there.port },
    }
}

#[cfg(test)]
mod tests;
