//! A bare server of event streams, for the benchmarks: one thread, one event loop, one chunk of a chat at a time.
//!
//! `streamer ADDR INTERVAL_MS EVENTS` prints the URL that it listens on. Each request, whatever it says, is answered by so
//! many events, one each interval, and the end mark. A connection serves one stream after another.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const EVENT: &str = concat!(
    "data: {\"id\":\"chatcmpl-0\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o\",",
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
);
const END: &str = "data: [DONE]\n\n";

struct Connection {
    stream: TcpStream,
    /// Events of the stream that are still to come; 0 between streams.
    left: u32,
}

struct Streamer {
    interval: Duration,
    events: u32,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    /// When which connection is next; in order, since all wait equally long.
    due: VecDeque<(Instant, usize)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, interval, events] = arguments.as_slice() else {
        return Err("usage: streamer ADDR INTERVAL_MS EVENTS".into());
    };
    worker::host::raise_open_files_limit();
    let mut listener = TcpListener::bind(address.parse::<SocketAddr>()?)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let interval = Duration::from_millis(interval.parse()?);
    let events = events.parse()?;
    let mut streamer = Streamer { interval, events, poll, connections: Vec::new(), due: VecDeque::new() };
    streamer.serve(&listener)?;
    Ok(())
}

impl Streamer {
    fn serve(&mut self, listener: &TcpListener) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let wait = self.due.front().map(|(due, _)| due.saturating_duration_since(now()));
            self.poll.poll(&mut events, wait)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(listener)?,
                    Token(index) => self.begin(index),
                }
            }
            self.send_what_is_due();
        }
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let index = self.connections.len();
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            self.connections.push(Some(Connection { stream, left: 0 }));
        }
    }

    /// A request fits one read.
    fn begin(&mut self, index: usize) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        match connection.stream.read(&mut [0; 16 * 1024]) {
            Ok(1..) => {
                let whole = connection.stream.write_all(HEAD.as_bytes());
                connection.left = self.events;
                self.due.push_back((now() + self.interval, index));
                if whole.is_err() {
                    self.connections[index] = None;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => self.connections[index] = None,
        }
    }

    fn send_what_is_due(&mut self) {
        let now = now();
        while let Some((due, index)) = self.due.front().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_front();
            let Some(connection) = &mut self.connections[index] else { continue };
            connection.left -= 1;
            let mut chunk = format!("{:x}\r\n{EVENT}\r\n", EVENT.len());
            if connection.left == 0 {
                chunk = format!("{chunk}{:x}\r\n{END}\r\n0\r\n\r\n", END.len());
            } else {
                self.due.push_back((due + self.interval, index));
            }
            if connection.stream.write_all(chunk.as_bytes()).is_err() {
                self.connections[index] = None;
            }
        }
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
