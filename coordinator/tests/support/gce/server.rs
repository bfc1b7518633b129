//! The fake's server: a thread for each connection, all of which end with it.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::support::request::Request;

/// Answers a request of the client at that address; `None` closes the connection. The second part runs when the answer is
/// sent.
pub type Answering = dyn Fn(Request, SocketAddr) -> Option<(Vec<u8>, Box<dyn FnOnce()>)> + Send + Sync;

/// A server.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
    open: Arc<Mutex<HashMap<u64, TcpStream>>>,
}

impl Server {
    /// Serves what connects to `listener`.
    pub fn start(listener: TcpListener, answering: Arc<Answering>) -> Self {
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(HashMap::new()));
        // So that it sees its end without a connection, which other network namespaces could not make.
        listener.set_nonblocking(true).unwrap();
        let acceptor = thread::spawn({
            let (stopped, open) = (Arc::clone(&stopped), Arc::clone(&open));
            move || accept(&listener, &answering, &stopped, &open)
        });
        Self { address, stopped, acceptor: Some(acceptor), open }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        for connection in self.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            drop(connection.shutdown(Shutdown::Both));
        }
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn accept(
    listener: &TcpListener,
    answering: &Arc<Answering>,
    stopped: &AtomicBool,
    open: &Arc<Mutex<HashMap<u64, TcpStream>>>,
) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    let mut number = 0;
    while !stopped.load(Ordering::SeqCst) {
        let Ok((stream, peer)) = listener.accept() else {
            rustix::event::poll(
                &mut [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)],
                Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 10_000_000 }),
            )
            .ok();
            continue;
        };
        number += 1;
        open.lock().unwrap().insert(number, stream.try_clone().unwrap());
        let (answering, open) = (Arc::clone(answering), Arc::clone(open));
        threads.push(thread::spawn(move || {
            // A client that breaks off is a client's right.
            drop(serve(&stream, peer, &*answering));
            drop(stream.shutdown(Shutdown::Both));
            open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        }));
        threads.retain(|thread| !thread.is_finished());
    }
    for connection in open.lock().unwrap_or_else(PoisonError::into_inner).values() {
        drop(connection.shutdown(Shutdown::Both));
    }
    for thread in threads {
        drop(thread.join());
    }
}

fn serve(mut stream: &TcpStream, peer: SocketAddr, answering: &Answering) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let closes = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let Some((answer, then)) = answering(request, peer) else { return Ok(()) };
        let sent = stream.write_all(&answer);
        then();
        sent?;
        if closes {
            break;
        }
    }
    Ok(())
}
