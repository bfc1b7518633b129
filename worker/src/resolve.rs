//! Looks the target's name up, once, before a block, and finds every way there.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::Duration;

use proto::route::Route;
use proto::target::Target;

use crate::way::Way;

/// How long an address may take to accept a connection while the addresses of a name are tried.
const TRY_LIMIT: Duration = Duration::from_secs(3);
const TRIES_AT_ONCE: usize = 64;

/// Why there is no way to a target.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A name without an address.
    #[error(
        "the target's host `{host}` cannot be resolved from this worker ({error}): check the name, and the worker's DNS"
    )]
    Name {
        /// The name.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// A local address that this machine does not have.
    #[error(
        "this worker cannot use the local address {address} ({error}): give --local-address with an address of every \
         worker's machine"
    )]
    Local {
        /// The address.
        address: IpAddr,
        /// Why.
        error: io::Error,
    },
    /// Local addresses of one family, a target of the other.
    #[error(
        "the target's host `{host}` has no address of the same kind as the local ones: give --local-address with an \
         IPv4 address for an IPv4 target, with an IPv6 address for an IPv6 one"
    )]
    Family {
        /// The target's host.
        host: String,
    },
}

/// The ways to a target.
#[derive(Debug)]
pub struct Ways {
    /// To be taken in turn; at least one.
    pub taken: Vec<Way>,
    /// Addresses of the target's name that accepted no connection where others did.
    pub left_out: Vec<SocketAddr>,
}

/// Every way to the target: to each of its addresses, from each local address. Where a name has several addresses, those
/// that accept no connection now are left out, unless none does (the block then counts the failures). Blocks while it
/// looks.
///
/// # Errors
/// When there is no way.
pub fn resolve(target: &Target) -> Result<Ways, ResolveError> {
    let (host, port) = match &target.route {
        Route::UnixSocket(path) => {
            return Ok(Ways { taken: vec![Way::Unix(path.into())], left_out: Vec::new() });
        }
        Route::ConnectTo { host, port } => (host.clone(), *port),
        Route::Url => target.address(),
    };
    for &address in &target.local_addresses {
        UdpSocket::bind((address, 0)).map_err(|error| ResolveError::Local { address, error })?;
    }
    let all = looked_up(&host, port)?;
    let taken = ways(&all, &target.local_addresses);
    if taken.is_empty() {
        return Err(ResolveError::Family { host });
    }
    Ok(without_dead_ends(taken))
}

fn looked_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let unresolved = |error| ResolveError::Name { host: host.to_owned(), error };
    let mut addresses = Vec::new();
    for address in (host, port).to_socket_addrs().map_err(unresolved)? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(unresolved(io::ErrorKind::NotFound.into())) } else { Ok(addresses) }
}

/// Round after round to every address, from another local address in each; no address comes up more often than another.
fn ways(to: &[SocketAddr], from: &[IpAddr]) -> Vec<Way> {
    if from.is_empty() {
        return to.iter().map(|&to| Way::Tcp { to, from: None }).collect();
    }
    let mut ways = Vec::new();
    for round in 0..from.len() {
        for (number, &to) in to.iter().enumerate() {
            let fitting: Vec<_> = from.iter().filter(|from| from.is_ipv4() == to.is_ipv4()).collect();
            if !fitting.is_empty() {
                let from = Some(*fitting[(round + number) % fitting.len()]);
                ways.push(Way::Tcp { to, from });
            }
        }
    }
    ways
}

fn without_dead_ends(all: Vec<Way>) -> Ways {
    let mut first_ways: Vec<(SocketAddr, &Way)> = Vec::new();
    for way in &all {
        if let Way::Tcp { to, .. } = way
            && !first_ways.iter().any(|(known, _)| known == to)
        {
            first_ways.push((*to, way));
        }
    }
    if first_ways.len() < 2 {
        return Ways { taken: all, left_out: Vec::new() };
    }
    let refusing: Vec<SocketAddr> = first_ways.chunks(TRIES_AT_ONCE).flat_map(refusing).collect();
    if refusing.len() == first_ways.len() {
        return Ways { taken: all, left_out: Vec::new() };
    }
    let leads_on = |way: &Way| !matches!(way, Way::Tcp { to, .. } if refusing.contains(to));
    Ways { taken: all.into_iter().filter(leads_on).collect(), left_out: refusing }
}

/// Those of the addresses that accept no connection, all tried at once.
fn refusing(ways: &[(SocketAddr, &Way)]) -> Vec<SocketAddr> {
    thread::scope(|scope| {
        let attempts: Vec<_> = ways
            .iter()
            .map(|&(to, way)| (to, scope.spawn(move || way.connect_within(TRY_LIMIT).is_ok())))
            .collect();
        let failed = attempts.into_iter().filter_map(|(to, accepted)| match accepted.join() {
            Ok(true) => None,
            Ok(false) | Err(_) => Some(to),
        });
        failed.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_address_is_reached_from_every_local_one_of_its_kind() {
        let to = addresses(&["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"]);
        let from = ["10.0.0.8", "10.0.0.9", "fd00::8"].map(|text| text.parse().unwrap());
        let all = ways(&to, &from);
        assert_eq!(all.len(), 9);
        for to in &to {
            assert_eq!(all.iter().filter(|way| way.to_string() == to.to_string()).count(), 3, "{to}");
        }
        let pairs: BTreeSet<String> = all.iter().map(|way| format!("{way:?}")).collect();
        assert_eq!(pairs.len(), 2 * 2 + 1);
        assert!(ways(&to[2..], &from[..2]).is_empty());
    }

    #[test]
    fn an_address_that_accepts_nothing_is_left_out_unless_all_are_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let found = without_dead_ends(ways(&[free, open], &["127.0.0.1".parse().unwrap()]));
        assert_eq!(found.left_out, [free]);
        assert_eq!(found.taken, [Way::Tcp { to: open, from: "127.0.0.1".parse().ok() }]);
        drop(listener);
        let found = without_dead_ends(ways(&[free, open], &[]));
        assert_eq!((found.taken.len(), found.left_out.len()), (2, 0));
    }

    #[test]
    fn a_foreign_local_address_and_one_of_another_kind_are_named() {
        let from = |address: &str| {
            let target = Target::new("http://127.0.0.1:1".parse().unwrap());
            let local_addresses = vec![address.parse().unwrap()];
            resolve(&Target { local_addresses, ..target }).unwrap_err().to_string()
        };
        // Kept for documents.
        assert!(from("192.0.2.1").starts_with("this worker cannot use the local address 192.0.2.1 ("));
        if UdpSocket::bind("[::1]:0").is_ok() {
            assert!(from("::1").contains("no address of the same kind"), "{}", from("::1"));
        }
    }
}
