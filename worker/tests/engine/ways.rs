//! Ways to the target other than its own address: sockets, other hosts, and several local addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};

use proto::assignment::Assignment;
use proto::counters::ConnectionKind;
use proto::interval::Finished;
use proto::outcome::FailureKind;
use proto::route::Route;
use proto::target::Target;
use worker::clock::Clock;
use worker::probe::probe;

use super::load::{assert_all_failed, assert_all_good, closed, run};
use super::server::{Peer, Server, SocketServer, ok};

/// A server that wants a `Host`, and notes where its connections come from.
fn noting(host: &'static str) -> (Server, Arc<Mutex<BTreeMap<IpAddr, u64>>>) {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let noted = seen.clone();
    let server = Server::start(move |peer: &mut Peer| -> io::Result<()> {
        *noted.lock().unwrap().entry(peer.stream().peer_addr()?.ip()).or_default() += 1;
        while let Some(head) = peer.request()? {
            let status = if head.value("Host") == Some(host) { "200 OK" } else { "421 Misdirected" };
            peer.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
        }
        Ok(())
    });
    (server, seen)
}

fn connect_to(server: &Server) -> Route {
    Route::ConnectTo { host: "127.0.0.1".into(), port: server.address().port() }
}

/// The probe and the load must agree.
fn probe_and_run(assignment: &Assignment) -> Finished {
    let Assignment { target, request, expectation, timeout, .. } = assignment;
    let probed = probe(target, request, expectation, *timeout, Clock::new()).unwrap();
    assert_eq!(probed.failure, None);
    run(assignment)
}

#[test]
fn another_host_is_connected_to_and_the_url_s_is_asked_for() {
    let (server, _) = noting("gateway.example:8080");
    let target =
        Target { route: connect_to(&server), ..Target::new("http://gateway.example:8080".parse().unwrap()) };
    let finished = probe_and_run(&Assignment { target, ..closed("http://unused", 2, 20) });
    assert_all_good(&finished, 20, "connected elsewhere");
}

#[test]
fn local_addresses_take_turns_and_each_connection_is_accounted_for() {
    let (server, seen) = noting("gateway.example");
    let local_addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(|text| text.parse().unwrap()).to_vec();
    let target = Target {
        route: connect_to(&server),
        local_addresses: local_addresses.clone(),
        ..Target::new("http://gateway.example".parse().unwrap())
    };
    let assignment = Assignment { target, keep_alive: false, ..closed("http://unused", 2, 60) };
    let finished = probe_and_run(&assignment);
    assert_all_good(&finished, 60, "from three addresses");
    // The probe takes the first way.
    let of_load =
        |address: &IpAddr| seen.lock().unwrap()[address] - u64::from(*address == local_addresses[0]);
    assert_eq!(local_addresses.iter().map(of_load).collect::<Vec<_>>(), [20, 20, 20]);
    let kind = ConnectionKind { address: server.address().to_string(), tls: None };
    assert_eq!(finished.totals.connections, [(kind, 60)].into());
}

#[test]
fn a_socket_is_spoken_to_as_localhost() {
    let server = SocketServer::start(|peer| {
        while let Some(head) = peer.request()? {
            let status = if head.value("Host") == Some("localhost") { "200 OK" } else { "421 Misdirected" };
            peer.send(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes())?;
        }
        Ok(())
    });
    let target = Target {
        route: Route::UnixSocket(server.path()),
        ..Target::new("http://localhost".parse().unwrap())
    };
    for keep_alive in [true, false] {
        let assignment = Assignment { target: target.clone(), keep_alive, ..closed("http://unused", 3, 30) };
        let finished = probe_and_run(&assignment);
        assert_all_good(&finished, 30, "over a socket");
        let made = if keep_alive { 0 } else { 30 };
        assert_eq!(
            (finished.totals.connections_opened, finished.totals.connections.len()),
            (made, made.min(1) as usize)
        );
        let addresses = finished.totals.connections.keys().map(|kind| kind.address.clone());
        assert!(addresses.eq((0..made.min(1)).map(|_| format!("unix:{}", server.path()))));
    }
}

#[test]
fn a_socket_that_is_not_there_is_a_connect_failure() {
    let target = Target {
        route: Route::UnixSocket("/nowhere/gateway.sock".into()),
        ..Target::new("http://localhost".parse().unwrap())
    };
    let finished = run(&Assignment { target, ..closed("http://unused", 1, 3) });
    assert_all_failed(&finished, FailureKind::Connect, 3, "not found");
}

#[test]
fn nobody_at_the_other_host_is_a_connect_failure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::answering(ok("{}"), false);
    let target = Target {
        route: Route::ConnectTo { host: "127.0.0.1".into(), port: free.port() },
        local_addresses: vec!["127.0.0.2".parse().unwrap()],
        ..Target::new(server.url().parse().unwrap())
    };
    let finished = run(&Assignment { target, ..closed("http://unused", 1, 3) });
    assert_all_failed(&finished, FailureKind::Connect, 3, "refused");
    assert_eq!(server.connections(), 0);
}
