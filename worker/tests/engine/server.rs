//! A server that does byte for byte what a test scripts, on a thread for each connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

type Script = dyn Fn(&mut Peer) -> io::Result<()> + Send + Sync;

/// A listening server; it ends when it is dropped, and its connections when the client closes them.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    stopped: AtomicBool,
    connections: AtomicU64,
    requests: AtomicU64,
}

/// One connection of a client.
pub struct Peer {
    /// How many connections came before.
    pub number: u64,
    request_number: u64,
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
}

/// The head of a request: its lines without their ends.
pub struct Head(pub Vec<String>);

impl Server {
    /// A server on a free port of 127.0.0.1, which has `script` serve each connection and closes it after that.
    pub fn start(script: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), script)
    }

    /// The same on an address of the test's choice.
    pub fn start_on(
        address: SocketAddr,
        script: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            stopped: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// A server that gives every request the same answer, and closes the connection after it where `close`.
    pub fn answering(answer: impl Into<Vec<u8>>, close: bool) -> Self {
        let answer = answer.into();
        Self::start(move |peer| {
            while peer.request()?.is_some() {
                peer.send(&answer)?;
                if close {
                    break;
                }
            }
            Ok(())
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Whole requests read so far.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The acceptor sees the end when it has accepted something.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let mut peer =
            Peer { number, request_number: 0, stream: BufReader::new(stream), shared: shared.clone() };
        thread::spawn(move || {
            peer.stream.get_ref().set_nodelay(true)?;
            let script = peer.shared.clone();
            (script.script)(&mut peer)
        });
    }
}

impl Peer {
    /// The next request's head, when all of the request has been read; `None` when the client has closed.
    pub fn request(&mut self) -> io::Result<Option<Head>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let length = head.value("Content-Length").map_or(0, |length| length.parse().unwrap());
        io::copy(&mut (&mut self.stream).take(length), &mut io::sink())?;
        self.request_number = self.shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Some(head))
    }

    /// The next request's head, its body unread.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim_end() {
                "" => return Ok(Some(Head(lines))),
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// The number of this connection's last request among those of all connections, from 1: no other has the same,
    /// whatever arrives meanwhile.
    pub fn request_number(&self) -> u64 {
        self.request_number
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads and throws away what comes until the client closes.
    pub fn wait_for_close(&mut self) -> io::Result<()> {
        io::copy(&mut self.stream, &mut io::sink()).map(|_| ())
    }

    /// What comes, byte by byte.
    pub fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }

    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

impl Head {
    /// The value of the header of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let header = |line: &'_ str| line.split_once(": ").is_some_and(|(known, _)| known == name);
        self.0.iter().find(|line| header(line)).map(|line| &line[name.len() + 2..])
    }
}

/// An answer with a Content-Length.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A server behind a Unix socket: what comes there is passed on, byte by byte, to a scripted server and back.
pub struct SocketServer {
    folder: TempDir,
    _server: Server,
}

impl SocketServer {
    pub fn start(script: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let server = Server::start(script);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let address = server.address();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, inner) = (client?, TcpStream::connect(address)?);
                inner.set_nodelay(true)?;
                let (back, there) = (client.try_clone()?, inner.try_clone()?);
                thread::spawn(move || pass_on(&client, &there));
                thread::spawn(move || pass_back(&inner, &back));
            }
            io::Result::Ok(())
        });
        Self { folder, _server: server }
    }

    pub fn path(&self) -> String {
        self.folder.path().join("socket").to_str().unwrap().to_owned()
    }
}

fn pass_on(mut from: &UnixStream, mut to: &TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

fn pass_back(mut from: &TcpStream, mut to: &UnixStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)
}
