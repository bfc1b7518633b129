//! A bare responder: one thread, one epoll loop, one fixed answer. Clients that are compared against it differ by what
//! they cost themselves, since nothing could answer with less.
//!
//! `responder [ADDR [stall EVERY_MS FOR_MS]]` prints the URL that it listens on and serves until it is killed. With `stall`
//! it does nothing at all for so long, again and again.

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const BODY_BYTES: usize = 600;
const READ_BYTES: usize = 64 * 1024;
/// A request beyond this is none that a benchmark sends.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let address: SocketAddr =
        address.parse().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let stalls = stalls().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "stall EVERY_MS FOR_MS"))?;
    let mut listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    serve(&mut listener, stalls)
}

/// How often it stalls and for how long; `None` when that cannot be read.
fn stalls() -> Option<Option<(Duration, Duration)>> {
    let arguments: Vec<String> = env::args().skip(2).collect();
    match arguments.as_slice() {
        [] => Some(None),
        [word, every, long] if word == "stall" => {
            let span = |text: &str| text.parse().ok().map(Duration::from_millis);
            Some(Some((span(every)?, span(long)?)))
        }
        _ => None,
    }
}

fn serve(listener: &mut TcpListener, stalls: Option<(Duration, Duration)>) -> io::Result<()> {
    let answer = answer();
    let mut next_stall = stalls.map(|(every, _)| now() + every);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    poll.registry().register(listener, LISTENER, Interest::READABLE)?;
    loop {
        poll.poll(&mut events, next_stall.map(|next| next.saturating_duration_since(now())))?;
        if let (Some((every, long)), Some(next)) = (stalls, &mut next_stall)
            && now() >= *next
        {
            std::thread::sleep(long);
            *next += every;
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(listener, &poll, &mut connections, &mut free)?;
                continue;
            }
            let index = event.token().0;
            let Some(connection) = connections.get_mut(index).and_then(Option::as_mut) else { continue };
            if connection.answer(&mut buffer, &answer, event.is_read_closed()).is_err() {
                connections[index] = None;
                free.push(index);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let index = free.pop().unwrap_or(connections.len());
        // Never for writing: an answer fits the socket's buffer, so no event for it is worth a wake-up.
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        let connection = Some(Connection { stream, begun: Vec::new() });
        match connections.get_mut(index) {
            Some(slot) => *slot = connection,
            None => connections.push(connection),
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a request whose end has not come yet; nearly always empty.
    begun: Vec<u8>,
}

impl Connection {
    /// Reads what there is and answers each request in it. An error means that the connection is over.
    fn answer(&mut self, buffer: &mut [u8], answer: &[u8], closed: bool) -> io::Result<()> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.take(&buffer[..length], answer)?;
            // Edge-triggered: a short read means that the socket is empty, unless the peer has closed it.
            if length < buffer.len() && !closed {
                return Ok(());
            }
        }
    }

    fn take(&mut self, bytes: &[u8], answer: &[u8]) -> io::Result<()> {
        if self.begun.is_empty() {
            let used = answer_each(&mut self.stream, bytes, answer)?;
            self.begun.extend_from_slice(&bytes[used..]);
        } else {
            self.begun.extend_from_slice(bytes);
            let used = answer_each(&mut self.stream, &self.begun, answer)?;
            self.begun.drain(..used);
        }
        if self.begun.len() > MAX_REQUEST_BYTES { Err(ErrorKind::InvalidData.into()) } else { Ok(()) }
    }
}

/// Answers each whole request in `bytes`; how many bytes those are.
fn answer_each(stream: &mut TcpStream, bytes: &[u8], answer: &[u8]) -> io::Result<usize> {
    let mut used = 0;
    while let Some(length) = request_length(&bytes[used..])? {
        used += length;
        // An answer that does not fit the socket's buffer was not asked for by a client that waits for answers.
        stream.write_all(answer)?;
    }
    Ok(used)
}

/// The length of the first request in `bytes`, head and body; `None` while it is not whole.
fn request_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let body = content_length(&bytes[..head])?;
    let length = head + 4 + body;
    Ok((length <= bytes.len()).then_some(length))
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let number =
                str::from_utf8(&line[colon + 1..]).ok().and_then(|number| number.trim().parse().ok());
            return number.ok_or_else(|| ErrorKind::InvalidData.into());
        }
    }
    Ok(0)
}

/// A chat completion, filled up to its length.
fn answer() -> Vec<u8> {
    let before = concat!(
        r#"{"id":"chatcmpl-0","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":["#,
        r#"{"index":0,"message":{"role":"assistant","content":""#
    );
    let after = concat!(
        r#""},"logprobs":null,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}"#
    );
    let content = "x".repeat(BODY_BYTES - before.len() - after.len());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\nConnection: keep-alive\r\n\r\n"
    );
    [head.as_str(), before, &content, after].concat().into_bytes()
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
