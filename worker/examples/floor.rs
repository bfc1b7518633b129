//! The least that a client can cost, for the benchmarks: a bare event loop that sends and receives, and nothing more.
//!
//! `floor URL CONNECTIONS SECONDS BODY_FILE [MODE]` posts a body over some connections for some seconds and prints
//! `requests: N`. Answers are taken for whole when as many bytes have come as the first answer had; nothing is parsed,
//! checked or recorded. MODE `timed` takes the time of each answer too and prints the median (`P50 N us`). MODE `stream`
//! takes streams of server-sent events: it finds the ends of events and takes the time of each, and prints `events: N`.
//! MODE `rate=N` sends N a second, each when it is due, and sleeps in between.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::event::{self, PollFd, PollFlags, Timespec};

const READ_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bare,
    Timed,
    Stream,
    Paced(NonZeroU32),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, connections, seconds, body, mode) = match arguments.as_slice() {
        [url, connections, seconds, body] => (url, connections, seconds, body, Mode::Bare),
        [url, connections, seconds, body, mode] if mode == "timed" => {
            (url, connections, seconds, body, Mode::Timed)
        }
        [url, connections, seconds, body, mode] if mode == "stream" => {
            (url, connections, seconds, body, Mode::Stream)
        }
        [url, connections, seconds, body, mode] if mode.starts_with("rate=") => {
            (url, connections, seconds, body, Mode::Paced(mode["rate=".len()..].parse()?))
        }
        _ => return Err("usage: floor URL CONNECTIONS SECONDS BODY_FILE [timed|stream|rate=N]".into()),
    };
    worker::host::raise_open_files_limit();
    let url: url::Url = url.parse()?;
    let address = url.socket_addrs(|| None)?[0];
    let body = std::fs::read(body)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        url.path(),
        body.len()
    );
    let request = [head.into_bytes(), body].concat();
    let mut floor = Floor::new(mode, request, address)?;
    floor.connect(address, connections.parse()?)?;
    let until = now() + Duration::from_secs(seconds.parse()?);
    match mode {
        Mode::Paced(rate) => floor.run_paced(rate, until)?,
        Mode::Bare | Mode::Timed | Mode::Stream => floor.run(until)?,
    }
    let mut out = std::io::stdout();
    match mode {
        Mode::Bare | Mode::Paced(_) => writeln!(out, "requests: {}", floor.requests)?,
        Mode::Timed => {
            floor.times.sort_unstable();
            let middle = floor.times.get(floor.times.len() / 2).copied().unwrap_or(0);
            writeln!(out, "requests: {}\nP50 {:.2} us", floor.requests, f64::from(middle) / 1e3)?;
        }
        Mode::Stream => {
            writeln!(
                out,
                "requests: {}\nevents: {}\nlast gap {} ns",
                floor.requests, floor.events, floor.gap
            )?;
        }
    }
    Ok(())
}

struct Floor {
    mode: Mode,
    request: Vec<u8>,
    /// How many bytes an answer has; unknown for streams, which end with `data: [DONE]`.
    answer_bytes: usize,
    poll: Poll,
    connections: Vec<Connection>,
    requests: u64,
    events: u64,
    /// Nanoseconds from before the write until after the read, where they are taken.
    times: Vec<u32>,
    /// Connections that wait for a request to be due.
    idle: VecDeque<usize>,
    /// Between the last two events of a stream; kept so that nothing is optimised away.
    gap: u64,
}

struct Connection {
    stream: TcpStream,
    received: usize,
    sent: Instant,
}

impl Floor {
    fn new(mode: Mode, request: Vec<u8>, address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let answer_bytes = if mode == Mode::Stream { 0 } else { length_of_an_answer(&request, address)? };
        Ok(Self {
            mode,
            request,
            answer_bytes,
            poll: Poll::new()?,
            connections: Vec::new(),
            requests: 0,
            events: 0,
            times: Vec::new(),
            idle: VecDeque::new(),
            gap: 0,
        })
    }

    fn connect(&mut self, address: SocketAddr, count: usize) -> io::Result<()> {
        for number in 0..count {
            let stream = Blocking::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            self.connections.push(Connection { stream, received: 0, sent: now() });
        }
        Ok(())
    }

    fn run(&mut self, until: Instant) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut events = Events::with_capacity(1024);
        for number in 0..self.connections.len() {
            self.send(number)?;
        }
        while now() < until {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                self.receive(event.token().0, &mut buffer)?;
            }
        }
        Ok(())
    }

    /// The wait of the event loop ends at the next due time to the nanosecond, as far as the system can.
    fn run_paced(&mut self, rate: NonZeroU32, until: Instant) -> io::Result<()> {
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let mut buffer = vec![0; READ_BYTES];
        let mut events = Events::with_capacity(1024);
        let (begun, mut sent) = (now(), 0u32);
        self.idle = (0..self.connections.len()).collect();
        while now() < until {
            let due = begun + Duration::from_secs(1) * sent / rate.get();
            let left = due.saturating_duration_since(now());
            if left.is_zero()
                && let Some(number) = self.idle.pop_front()
            {
                self.send(number)?;
                sent += 1;
                continue;
            }
            let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            // Due and without a connection: only an answer helps.
            let limit = (!left.is_zero()).then_some(&limit);
            if event::poll(&mut [PollFd::new(self.poll.registry(), PollFlags::IN)], limit)? > 0 {
                self.poll.poll(&mut events, Some(Duration::ZERO))?;
                for event in &events {
                    self.receive(event.token().0, &mut buffer)?;
                }
            }
        }
        Ok(())
    }

    /// A request fits the socket's buffer.
    fn send(&mut self, number: usize) -> io::Result<()> {
        let connection = &mut self.connections[number];
        connection.received = 0;
        if self.mode != Mode::Bare {
            connection.sent = now();
        }
        connection.stream.write_all(&self.request)
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let connection = &mut self.connections[number];
            let bytes = match connection.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            connection.received += bytes;
            let is_whole = match self.mode {
                Mode::Stream => self.take_events(number, &buffer[..bytes]),
                Mode::Bare | Mode::Timed | Mode::Paced(_) => connection.received >= self.answer_bytes,
            };
            if is_whole {
                self.requests += 1;
                if self.mode == Mode::Timed {
                    self.times.push(now().duration_since(self.connections[number].sent).as_nanos() as u32);
                }
                match self.mode {
                    Mode::Paced(_) => self.idle.push_back(number),
                    Mode::Bare | Mode::Timed | Mode::Stream => self.send(number)?,
                }
            }
            if bytes < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Events are not cut on loopback, where each is written at once.
    fn take_events(&mut self, number: usize, bytes: &[u8]) -> bool {
        let read_at = now();
        let connection = &mut self.connections[number];
        for _ in memmem::find_iter(bytes, b"\n\n") {
            self.gap = read_at.duration_since(connection.sent).as_nanos() as u64;
            connection.sent = read_at;
            self.events += 1;
        }
        memmem::find(bytes, b"data: [DONE]").is_some()
    }
}

/// Asks once, and waits until nothing more comes.
fn length_of_an_answer(request: &[u8], address: SocketAddr) -> Result<usize, Box<dyn Error>> {
    let mut stream = Blocking::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(request)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut length = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if length == 0 { Err("the server does not answer".into()) } else { Ok(length) }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
