//! Targets over TLS: whom the engine trusts, and what a failed handshake is counted as.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proto::assignment::Assignment;
use proto::outcome::FailureKind;
use proto::target::Target;
use proto::tls::ClientIdentity;
use rcgen::{
    Certificate, CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed,
};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::h2_server;
use super::load::{assert_all_failed, assert_all_good, closed, json_at, run};
use super::server::{Peer, Server, ok};

/// A server that offers these protocols and speaks the one that was agreed on, or else HTTP/1.1.
pub struct AlpnServer(TlsServer);

impl AlpnServer {
    pub fn start(offered: &[&str]) -> Self {
        Self::ending_at(offered, u32::MAX)
    }

    /// The same, which ends a connection of HTTP/2 with this stream of it.
    pub fn ending_at(offered: &[&str], last: u32) -> Self {
        let offered = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(TlsServer::offering(offered, "127.0.0.1", move |peer, mut session| {
            while session.is_handshaking() {
                session.complete_io(&mut peer.stream())?;
            }
            if session.alpn_protocol() != Some(b"h2") {
                return serve(peer, session, ok("{}").as_bytes(), false);
            }
            let mut stream = StreamOwned::new(session, peer.stream());
            // The preface, and the settings before anything else.
            stream.read_exact(&mut [0; 24])?;
            stream.write_all(&h2_server::frame(4, 0, 0, &[]))?;
            loop {
                let mut head = [0; 9];
                stream.read_exact(&mut head)?;
                stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))])?;
                if head[3] == 0 && head[4] & 1 != 0 {
                    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let end = if number == last { h2_server::goaway(last, 0) } else { Vec::new() };
                    stream.write_all(&[end, h2_server::ok(number, "{}")].concat())?;
                }
            }
        }))
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.0.server.address())
    }
}

/// Requests of each case; few, since a connection that breaks again and again is made to rest.
const REQUESTS: u64 = 4;

struct TlsServer {
    server: Server,
    /// The server's certificate, which is its own authority.
    certificate_pem: String,
}

impl TlsServer {
    /// A server with a certificate for `name` that gives every request the same answer, and closes without a word
    /// after it where `close`.
    fn start(name: &str, answer: impl Into<Vec<u8>>, close: bool) -> Self {
        let answer = answer.into();
        Self::scripted(name, move |peer, session| serve(peer, session, &answer, close))
    }

    /// A server with a certificate for `name` that does with each session as the script says.
    fn scripted(
        name: &str,
        script: impl Fn(&mut Peer, ServerConnection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::with(None, Vec::new(), name, script)
    }

    /// The same with protocols to choose from.
    fn offering(
        protocols: Vec<Vec<u8>>,
        name: &str,
        script: impl Fn(&mut Peer, ServerConnection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::with(None, protocols, name, script)
    }

    /// The same, which wants its clients to show a certificate that hangs from this one, where it is given.
    fn wanting(
        authority: Option<&Certificate>,
        name: &str,
        script: impl Fn(&mut Peer, ServerConnection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::with(authority, Vec::new(), name, script)
    }

    fn with(
        authority: Option<&Certificate>,
        protocols: Vec<Vec<u8>>,
        name: &str,
        script: impl Fn(&mut Peer, ServerConnection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let certificate = generate_simple_self_signed([name.to_owned()]).unwrap();
        Self::of(certificate, authority, protocols, script)
    }

    /// A server with that certificate.
    fn of(
        CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair>,
        authority: Option<&Certificate>,
        protocols: Vec<Vec<u8>>,
        script: impl Fn(&mut Peer, ServerConnection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier(authority))
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols;
        let config = Arc::new(config);
        let session = move || ServerConnection::new(config.clone()).map_err(io::Error::other);
        let server = Server::start(move |peer| script(peer, session()?));
        Self { server, certificate_pem: cert.pem() }
    }

    fn target(&self, trusted: bool, insecure: bool) -> Target {
        let url = format!("https://{}", self.server.address()).parse().unwrap();
        Target { extra_roots: trusted.then(|| self.certificate_pem.clone()), insecure, ..Target::new(url) }
    }
}

fn verifier(authority: Option<&Certificate>) -> Arc<dyn ClientCertVerifier> {
    let Some(authority) = authority else { return WebPkiClientVerifier::no_client_auth() };
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
}

fn serve(peer: &Peer, session: ServerConnection, answer: &[u8], close: bool) -> io::Result<()> {
    let mut stream = StreamOwned::new(session, peer.stream());
    let mut request = Vec::new();
    while read_request(&mut stream, &mut request)? {
        stream.write_all(answer)?;
        stream.flush()?;
        if close {
            break;
        }
    }
    Ok(())
}

/// Reads one request, whose body is `{}`.
fn read_request(stream: &mut impl Read, request: &mut Vec<u8>) -> io::Result<bool> {
    request.clear();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n{}") {
        match stream.read(&mut buffer)? {
            0 => return Ok(false),
            bytes => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    Ok(true)
}

/// Reads one request of a new session by hand: what TLS itself wants to say after the handshake stays unsaid.
fn first_request(mut stream: &TcpStream, session: &mut ServerConnection) -> io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n{}") {
        while session.is_handshaking() && session.wants_write() {
            session.write_tls(&mut stream)?;
        }
        if session.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        session.process_new_packets().map_err(io::Error::other)?;
        while let Ok(bytes @ 1..) = session.reader().read(&mut buffer) {
            request.extend_from_slice(&buffer[..bytes]);
        }
    }
    Ok(())
}

/// What the session wants written.
fn encrypted(session: &mut ServerConnection) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}

fn load(target: Target) -> Assignment {
    Assignment { target, expectation: json_at("/a"), ..closed("http://unused", 2, REQUESTS) }
}

#[test]
fn a_target_whose_root_is_given_is_trusted() {
    let server = TlsServer::start("127.0.0.1", ok("{\"a\":1}"), false);
    let finished = run(&load(server.target(true, false)));
    assert_all_good(&finished, REQUESTS, "over TLS");
    assert_eq!(server.server.connections(), 2);
}

#[test]
fn a_stranger_is_trusted_only_when_asked_to() {
    let server = TlsServer::start("127.0.0.1", ok("{\"a\":1}"), false);
    let refused = run(&load(server.target(false, false)));
    assert_all_failed(&refused, FailureKind::Tls, REQUESTS, "certificate is not trusted");
    assert_all_good(&run(&load(server.target(false, true))), REQUESTS, "any certificate");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let server = TlsServer::start("elsewhere.example", ok("{\"a\":1}"), false);
    let refused = run(&load(server.target(true, false)));
    assert_all_failed(&refused, FailureKind::Tls, REQUESTS, "is for another name");
    assert_all_good(&run(&load(server.target(true, true))), REQUESTS, "any certificate");
}

#[test]
fn a_certificate_that_does_not_hold_now_is_named_so() {
    for (from, to, detail) in [(2000, 2001, "has expired, by"), (4000, 4001, "is not valid yet, by")] {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let signing_key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&signing_key).unwrap();
        let answer = |peer: &mut Peer, session| serve(peer, session, ok("{\"a\":1}").as_bytes(), false);
        let server = TlsServer::of(CertifiedKey { cert, signing_key }, None, Vec::new(), answer);
        assert_all_failed(&run(&load(server.target(true, false))), FailureKind::Tls, REQUESTS, detail);
        assert_all_good(&run(&load(server.target(true, true))), REQUESTS, "any certificate");
    }
}

#[test]
fn a_target_that_speaks_plain_text_is_a_tls_failure() {
    let server = Server::start(|peer| {
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        peer.wait_for_close()
    });
    let url = format!("https://{}", server.address()).parse().unwrap();
    let finished = run(&load(Target { insecure: true, ..Target::new(url) }));
    assert_all_failed(&finished, FailureKind::Tls, REQUESTS, "does the target speak TLS");
}

#[test]
fn a_large_answer_and_one_that_ends_without_a_word_are_whole() {
    let large = format!("{{\"b\":\"{}\",\"a\":1}}", "x".repeat(3 << 20));
    let server = TlsServer::start("127.0.0.1", ok(&large), false);
    assert_all_good(&run(&load(server.target(true, false))), REQUESTS, "3 MiB over TLS");

    let until_close = "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}";
    let server = TlsServer::start("127.0.0.1", until_close, true);
    assert_all_good(&run(&load(server.target(true, false))), REQUESTS, "closed without close_notify");
}

/// A wake-up that brings both is the last one, so the end must be looked for behind the bytes.
#[test]
fn a_close_that_comes_with_bytes_that_tell_nothing_is_seen() {
    for half_a_record in [false, true] {
        let server = TlsServer::scripted("127.0.0.1", move |peer, mut session| {
            first_request(peer.stream(), &mut session)?;
            // Two session tickets, which are no plaintext.
            let mut bytes = encrypted(&mut session)?;
            if half_a_record {
                session.writer().write_all(ok(&"x".repeat(2000)).as_bytes())?;
                bytes.extend_from_slice(&encrypted(&mut session)?[..1000]);
            }
            // Held back until the close, so that both go in one segment.
            rustix::net::sockopt::set_tcp_cork(peer.stream(), true)?;
            peer.send(&bytes)
        });
        let finished =
            run(&Assignment { timeout: Duration::from_secs(10), ..load(server.target(true, false)) });
        assert_all_failed(&finished, FailureKind::Reset, REQUESTS, "before the answer began");
    }
}

#[test]
fn an_end_that_tls_announces_needs_no_close() {
    let until_close = "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}".to_owned();
    for answer in [until_close, ok("{\"a\":1}")] {
        let server = TlsServer::scripted("127.0.0.1", move |peer, mut session| {
            first_request(peer.stream(), &mut session)?;
            session.writer().write_all(answer.as_bytes())?;
            session.send_close_notify();
            peer.send(&encrypted(&mut session)?)?;
            peer.wait_for_close()
        });
        let finished =
            run(&Assignment { timeout: Duration::from_secs(10), ..load(server.target(true, false)) });
        assert_all_good(&finished, REQUESTS, "ended by close_notify");
        assert_eq!(server.server.connections(), REQUESTS);
    }
}

/// Connections that were made for the requests of a load without keep-alive, by whether they resumed a session.
fn made(target: Target) -> [u64; 2] {
    let finished = run(&Assignment { keep_alive: false, ..load(target) });
    assert_all_good(&finished, REQUESTS, "a connection each");
    let count = |resumed| {
        let of_kind = finished.totals.connections.iter().filter(move |(kind, _)| {
            let tls = kind.tls.as_ref().unwrap();
            assert_eq!((tls.version.as_str(), tls.cipher_suite.starts_with("TLS13_")), ("TLSv1.3", true));
            tls.resumed == resumed
        });
        of_kind.map(|(_, count)| *count).sum()
    };
    [count(false), count(true)]
}

#[test]
fn sessions_are_resumed_only_when_asked_for() {
    let server = TlsServer::start("127.0.0.1", ok("{\"a\":1}"), false);
    let strangers = server.target(true, false);
    assert_eq!(made(strangers.clone()), [REQUESTS, 0]);
    let [whole, resumed] = made(Target { session_resumption: true, ..strangers });
    // Two connections at once, of which each may be the first.
    assert!((1..=2).contains(&whole) && whole + resumed == REQUESTS, "{whole} and {resumed}");
}

#[test]
fn another_server_name_is_asked_for_and_looked_for_in_the_certificate() {
    let server = TlsServer::scripted("elsewhere.example", |peer, session| {
        let mut stream = StreamOwned::new(session, peer.stream());
        let mut request = Vec::new();
        while read_request(&mut stream, &mut request)? {
            assert_eq!(stream.conn.server_name(), Some("elsewhere.example"));
            stream.write_all(ok("{\"a\":1}").as_bytes())?;
        }
        Ok(())
    });
    let target = server.target(true, false);
    assert_all_failed(&run(&load(target.clone())), FailureKind::Tls, REQUESTS, "is for another name");
    let named = Target { server_name: Some("elsewhere.example".into()), ..target };
    assert_all_good(&run(&load(named)), REQUESTS, "by another name");
}

#[test]
fn a_target_that_wants_to_know_its_client_is_shown_a_certificate() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["client".to_owned()]).unwrap();
    let answer = ok("{\"a\":1}");
    let server = TlsServer::wanting(Some(&cert), "127.0.0.1", move |peer, session| {
        serve(peer, session, answer.as_bytes(), false)
    });
    let nobody = server.target(true, false);
    let refused = run(&load(nobody.clone()));
    assert_eq!(refused.totals.successes, 0, "{:?}", refused.totals);
    let client_identity =
        Some(ClientIdentity { certificate_pem: cert.pem(), key_pem: signing_key.serialize_pem() });
    assert_all_good(&run(&load(Target { client_identity, ..nobody })), REQUESTS, "a client that is known");
}

/// The server takes its time between the connection, which the system accepts for it, and its half of the handshake.
#[test]
fn a_slow_handshake_is_no_slow_connection() {
    const SLOW: Duration = Duration::from_millis(30);
    let answer = ok("{\"a\":1}");
    let server = TlsServer::scripted("127.0.0.1", move |peer, session| {
        std::thread::sleep(SLOW);
        serve(peer, session, answer.as_bytes(), false)
    });
    let finished = run(&Assignment { keep_alive: false, ..load(server.target(true, false)) });
    assert_all_good(&finished, REQUESTS, "slow handshakes");
    let (connect, handshake) = (&finished.latencies.connect_time, &finished.latencies.tls_handshake_time);
    assert_eq!((connect.count(), handshake.count()), (REQUESTS, REQUESTS));
    // That the connection stands may be seen late.
    assert!(handshake.mean().unwrap() >= 0.5 * SLOW.as_nanos() as f64, "{:?}", handshake.mean());
    assert!(connect.min() < handshake.max(), "{:?}", connect.min());
}
