//! One connection: made, encrypted where the target wants it, written to and read from, never waiting.

mod stream;

use std::io::{self, Read, Write};

use mio::{Interest, Registry, Token};
use rustls::ClientConnection;

use crate::clock::Nanos;
use crate::outcome::{Fault, TlsFault};
use crate::tls::{self, Spoken, TargetTls};
use crate::way::Way;
use stream::Stream;

/// A non-blocking connection to the target.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    tls: Option<Box<ClientConnection>>,
    phase: Phase,
    /// When it was begun, and when it stood, TLS apart.
    began: Nanos,
    stood: Nanos,
    /// How much of the request has been handed over.
    written: usize,
    /// Reading was left off before all was read; whether the target is known to have closed its side behind that.
    left_off: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Ready,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes in the buffer; when `drained`, there is nothing more for now.
    Data {
        /// At least one.
        bytes: usize,
        /// Whether the socket had no more than this.
        drained: bool,
    },
    /// Bytes that are only part of something, or of TLS's own: there may be more at once.
    Unreadable,
    /// Nothing for now: the event loop will tell when there is.
    Nothing,
    /// The target has closed its side.
    Closed,
    /// The connection is broken.
    Broken,
}

impl Connection {
    /// Begins to connect, `now`. The event loop will wake with `token`.
    ///
    /// # Errors
    /// When the system refuses at once (no route, no more files, no more ports).
    pub fn open(
        way: &Way,
        tls: Option<&TargetTls>,
        registry: &Registry,
        token: Token,
        now: Nanos,
    ) -> Result<Self, Fault> {
        let refused = |error: io::Error| Fault::refused(&error);
        let mut stream = Stream::begin(way).map_err(refused)?;
        // Registered once and for all: edges in both directions.
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).map_err(refused)?;
        let session =
            |tls: &TargetTls| ClientConnection::new(tls.config.clone(), tls.name.clone()).map(Box::new);
        let tls = tls.map(session).transpose().map_err(|error| Fault::Tls(tls::fault(&error)))?;
        let (began, stood) = (now, now);
        Ok(Self { stream, tls, phase: Phase::Connecting, began, stood, written: 0, left_off: None })
    }

    /// Whether requests can be sent.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Goes on connecting after an event, `now`. `true` when requests can be sent.
    ///
    /// # Errors
    /// When the connection or the handshake fails.
    pub fn advance(&mut self, now: Nanos) -> Result<bool, Fault> {
        if self.phase == Phase::Connecting {
            if !self.stream.is_connected().map_err(|error| Fault::Connect(error.kind()))? {
                return Ok(false);
            }
            self.stood = now;
            self.phase = if self.tls.is_some() { Phase::Handshaking } else { Phase::Ready };
        }
        if self.phase == Phase::Handshaking && self.handshake()? {
            self.phase = Phase::Ready;
        }
        Ok(self.phase == Phase::Ready)
    }

    fn handshake(&mut self) -> Result<bool, Fault> {
        let Some(session) = &mut self.tls else { return Ok(true) };
        loop {
            while session.wants_write() {
                match session.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => return Err(Fault::Tls(TlsFault::Handshake)),
                }
            }
            if !session.is_handshaking() {
                return Ok(!session.wants_write());
            }
            match session.read_tls(&mut self.stream) {
                Ok(0) => return Err(Fault::Tls(TlsFault::Handshake)),
                Ok(_) => {
                    if let Err(error) = session.process_new_packets() {
                        // The alert that says why is worth a try, no more.
                        let _ = session.write_tls(&mut self.stream);
                        return Err(Fault::Tls(tls::fault(&error)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(Fault::Tls(TlsFault::Handshake)),
            }
        }
    }

    /// What the two sides agreed to speak over TLS, where they spoke of it.
    pub fn agreed(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|session| session.alpn_protocol())
    }

    /// How long it took until it stood, and until it was ready, `now`, after that; the second is `None` in plain text.
    pub fn making(&self, now: Nanos) -> (Nanos, Option<Nanos>) {
        (self.stood.since(self.began), self.tls.is_some().then(|| now.since(self.stood)))
    }

    /// What TLS it speaks, once it is ready; `None` in plain text.
    pub fn spoken(&self) -> Option<Spoken> {
        self.tls.as_ref().and_then(|session| Spoken::of(session))
    }

    /// Begins the next request: nothing of it has been written yet.
    #[inline]
    pub fn begin_request(&mut self) {
        self.written = 0;
    }

    /// Whether nothing of the request has been handed over.
    #[inline]
    pub fn is_unwritten(&self) -> bool {
        self.written == 0
    }

    /// Writes as much of the request as the connection takes. `true` when all of it is written.
    ///
    /// # Errors
    /// When the connection is broken.
    #[inline]
    pub fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        match &mut self.tls {
            None => send_plain(&mut self.stream, request, &mut self.written),
            Some(session) => send_encrypted(&mut self.stream, session, request, &mut self.written),
        }
    }

    /// Reading stops here although there may be more. `false` when that was known already.
    pub fn leave_off(&mut self, closed: bool) -> bool {
        let before = self.left_off.replace(closed);
        self.left_off = Some(closed || before == Some(true));
        before.is_none()
    }

    /// Whether the target is known to have closed its side, when reading was left off and is now taken up again.
    pub fn take_up(&mut self) -> Option<bool> {
        self.left_off.take()
    }

    /// Reads what there is, up to the buffer's length.
    #[inline]
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        match &mut self.tls {
            None => receive_plain(&mut self.stream, buffer),
            Some(session) => receive_encrypted(&mut self.stream, session, buffer),
        }
    }
}

#[inline]
fn send_plain(stream: &mut Stream, request: &[u8], written: &mut usize) -> io::Result<bool> {
    while *written < request.len() {
        match stream.write(&request[*written..]) {
            Ok(bytes) => *written += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn send_encrypted(
    stream: &mut Stream,
    session: &mut ClientConnection,
    request: &[u8],
    written: &mut usize,
) -> io::Result<bool> {
    loop {
        // The session takes a bounded amount at a time (64 KiB by default) and wants it written before it takes more.
        if *written < request.len() {
            *written += session.writer().write(&request[*written..])?;
        }
        while session.wants_write() {
            match session.write_tls(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if *written == request.len() {
            return Ok(true);
        }
    }
}

#[inline]
fn receive_plain(stream: &mut Stream, buffer: &mut [u8]) -> Received {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Received::Closed,
            Ok(bytes) => return Received::Data { bytes, drained: bytes < buffer.len() },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Received::Broken,
        }
    }
}

/// At most one read of the socket, so that whoever calls decides how often that is done in a row.
fn receive_encrypted(stream: &mut Stream, session: &mut ClientConnection, buffer: &mut [u8]) -> Received {
    if let Some(received) = decrypted(session, buffer, false) {
        return received;
    }
    let mut socket = Noticing { stream, drained: false, closed: false };
    match session.read_tls(&mut socket) {
        Ok(0) if !socket.closed => return Received::Nothing,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Received::Unreadable,
        Err(_) => return Received::Broken,
    }
    let Ok(state) = session.process_new_packets() else { return Received::Broken };
    // Such as the answer to a key update.
    while session.wants_write() {
        if session.write_tls(&mut socket).is_err() {
            break;
        }
    }
    // An end that the session knows of needs no more of the socket, so that nothing would wake the loop for it.
    let drained = socket.drained && !state.peer_has_closed();
    decrypted(session, buffer, drained).unwrap_or(Received::Unreadable)
}

/// What the session has decrypted; `None` when it needs more of the socket, which holds nothing for now when `drained`.
#[inline]
fn decrypted(session: &mut ClientConnection, buffer: &mut [u8], drained: bool) -> Option<Received> {
    match session.reader().read(buffer) {
        Ok(0) => Some(Received::Closed),
        Ok(bytes) => Some(Received::Data { bytes, drained: drained && bytes < buffer.len() }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        // Closed without close_notify: what came is complete or not by HTTP's own rules.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(Received::Closed),
        Err(_) => Some(Received::Broken),
    }
}

/// A stream that notices whether its last read took all that there was.
struct Noticing<'a> {
    stream: &'a mut Stream,
    drained: bool,
    closed: bool,
}

impl Read for Noticing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.stream.read(buffer)?;
        self.closed = bytes == 0;
        self.drained = bytes > 0 && bytes < buffer.len();
        Ok(bytes)
    }
}

impl Write for Noticing<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
