//! A target that does to the microsecond what a test scripts, and counts what it is asked.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock::now;
use super::request::{Purpose, Reply, Request};

/// A sleeping thread wakes up to this late, so that the last of a wait is spun.
const SPIN: Duration = Duration::from_micros(100);
/// Enough for a thousand clients that connect at once.
const BACKLOG: i32 = 4096;
/// When no file descriptor is left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const STACK_BYTES: usize = 256 * 1024;

type Script = dyn Fn(u64, &Request) -> Reply + Send + Sync;

/// An HTTP/1.1 server on a loopback port, with a thread for each connection. It ends when it is dropped.
pub struct Target {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// Whole requests that a target has read, by what they were sent for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// To see whether the target is the right one.
    pub preflight: u64,
    /// Before the measurement.
    pub warm_up: u64,
    /// To be measured.
    pub load: u64,
    /// By somebody else.
    pub other: u64,
}

struct Shared {
    script: Box<Script>,
    stopped: AtomicBool,
    accepted: AtomicU64,
    counts: Mutex<Counts>,
    service_times: Mutex<Vec<Duration>>,
    open: Mutex<HashMap<u64, Open>>,
}

/// What it takes to end a connection from outside.
struct Open {
    stream: TcpStream,
    thread: JoinHandle<()>,
}

impl Target {
    /// A target that answers as `script` says. The script is told how many requests with the same purpose came before,
    /// so that preflights do not disturb what it has for the load.
    pub fn scripted(script: impl Fn(u64, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::scripted_on("127.0.0.1:0", script)
    }

    /// The same at another address of the loopback.
    pub fn scripted_on(
        address: &str,
        script: impl Fn(u64, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        // To listen once more only sets the length of the queue, which std leaves at 128.
        rustix::net::listen(&listener, BACKLOG).unwrap();
        let address = listener.local_addr().unwrap();
        let (listener, shared) = (Arc::new(listener), Arc::new(Shared::new(Box::new(script))));
        let acceptor = thread::spawn({
            let (listener, shared) = (Arc::clone(&listener), Arc::clone(&shared));
            move || accept(&listener, &shared)
        });
        Self { address, listener, shared, acceptor: Some(acceptor) }
    }

    /// A target that answers at once, as an OpenAI-compatible gateway does.
    pub fn good() -> Self {
        Self::scripted(|_, request| Reply::good(request))
    }

    /// A target that answers everything with that status and body.
    pub fn status(status: u16, body: &str) -> Self {
        let reply = Reply::json(status, body);
        Self::scripted(move |_, _| reply.clone())
    }

    /// A good target that takes each of `latencies` in turn for its load, and no time for anything else.
    pub fn with_latencies(latencies: Vec<Duration>) -> Self {
        assert!(!latencies.is_empty(), "a target needs a latency to take");
        Self::scripted(move |number, request| {
            let reply = Reply::good(request);
            match request.purpose() {
                Purpose::Load => reply.after(latencies[number as usize % latencies.len()]),
                _ => reply,
            }
        })
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that it has read so far.
    pub fn counts(&self) -> Counts {
        *lock(&self.shared.counts)
    }

    /// The connections that it has accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How long it took over each answered request of the load: from its last byte to the answer's first.
    pub fn service_times(&self) -> Vec<Duration> {
        lock(&self.shared.service_times).clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, also where the listener is in another network than this thread.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
        let open = std::mem::take(&mut *lock(&self.shared.open));
        for connection in open.values() {
            drop(connection.stream.shutdown(Shutdown::Both));
            connection.thread.thread().unpark();
        }
        for connection in open.into_values() {
            let scripted = connection.thread.join();
            assert!(scripted.is_ok() || thread::panicking(), "the script panicked");
        }
    }
}

impl Shared {
    fn new(script: Box<Script>) -> Self {
        Self {
            script,
            stopped: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            counts: Mutex::default(),
            service_times: Mutex::default(),
            open: Mutex::default(),
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Counts a request; how many with the same purpose came before.
    fn count(&self, purpose: Purpose) -> u64 {
        let mut counts = lock(&self.counts);
        let count = match purpose {
            Purpose::Preflight => &mut counts.preflight,
            Purpose::WarmUp => &mut counts.warm_up,
            Purpose::Load => &mut counts.load,
            Purpose::Other => &mut counts.other,
        };
        *count += 1;
        *count - 1
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stopped() {
            return;
        }
        let Ok((stream, _)) = accepted else {
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        // Held meanwhile, so that the connection is known before it can end.
        let mut open = lock(&shared.open);
        let Ok(handle) = stream.try_clone() else { continue };
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn({
            let shared = Arc::clone(shared);
            move || {
                // A client that breaks off is a client's right.
                drop(serve(&stream, &shared));
                drop(stream.shutdown(Shutdown::Both));
                lock(&shared.open).remove(&number);
            }
        });
        open.insert(number, Open { stream: handle, thread: thread.unwrap() });
    }
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let received = now();
        let purpose = request.purpose();
        let reply = (shared.script)(shared.count(purpose), &request);
        pause_until(received + reply.after, shared);
        if shared.stopped() {
            return Ok(());
        }
        if purpose == Purpose::Load && !reply.bytes.is_empty() {
            // Before the client can know the answer, so that a client that has all answers finds all times.
            lock(&shared.service_times).push(now().duration_since(received));
        }
        stream.write_all(&reply.bytes)?;
        if reply.reset {
            // To disconnect a TCP socket resets it.
            rustix::net::connect_unspec(stream)?;
            return Ok(());
        }
        if reply.close
            || request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Parks, since a sleep could not be ended when the target is dropped, and spins at the end.
fn pause_until(due: Instant, shared: &Shared) {
    loop {
        let left = due.saturating_duration_since(now());
        if left.is_zero() || shared.stopped() {
            return;
        }
        match left.checked_sub(SPIN) {
            Some(parked) if !parked.is_zero() => thread::park_timeout(parked),
            _ => std::hint::spin_loop(),
        }
    }
}

/// A thread that panicked while it held the lock has failed its test already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
