//! Takes the bytes that a connection receives apart into a response's head and body, however they are cut.

use memchr::memmem;

use crate::http1::chunked::Chunked;
use crate::http1::head::{self, ContentLength, MAX_HEAD, ParsedHead, TransferCoding};
use crate::outcome::{ProtocolFault, Stage};

/// What the engine needs of a response's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status code, of the final response: interim ones are passed over.
    pub status: u16,
    /// Whether the peer will serve another request on this connection.
    pub keep_alive: bool,
    /// Whether the body is labelled `text/event-stream`.
    pub event_stream: bool,
    /// Whether the body has a content coding other than `identity`.
    pub encoded: bool,
}

/// Who is handed a response piece by piece: the head once, then the body's bytes without their framing.
pub trait Body {
    /// The head is complete.
    fn head(&mut self, head: &Head);
    /// The next bytes of the body, never none.
    fn data(&mut self, bytes: &[u8]);
}

/// One connection's responses, one after another.
///
/// It is small, stores nothing of a body, and allocates only when a head comes in more than one read.
#[derive(Debug, Default)]
pub struct Response {
    state: State,
    to_head_request: bool,
    keep_alive: bool,
    /// The beginning of a head whose end has not come.
    carry: Vec<u8>,
    /// How long the carry must be before it is parsed although no blank line has come.
    parse_again_at: usize,
}

/// How a response stood when the peer closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Complete: the close was the end of its body.
    Complete,
    /// Something was still to come; the stage says how far it had got.
    Early(Stage),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// A body with so many bytes to come.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Complete,
}

impl Response {
    /// Expects the next response on the same connection. The answer to a HEAD request has no body, whatever it says.
    pub fn begin(&mut self, to_head_request: bool) {
        self.state = State::Head;
        self.to_head_request = to_head_request;
        self.keep_alive = false;
        self.carry.clear();
    }

    /// Takes the next bytes that were received: `Some` with how many of them were used when the response is complete
    /// (what is left belongs to no request), `None` when all were used and more are needed.
    ///
    /// # Errors
    /// How the bytes break HTTP/1.1; the connection is of no use after that.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], body: &mut impl Body) -> Result<Option<usize>, ProtocolFault> {
        let mut used = 0;
        while self.state == State::Head {
            match self.feed_head(&bytes[used..], body)? {
                Some(length) => used += length,
                None => return Ok(None),
            }
        }
        let body_used = self.feed_body(&bytes[used..], body)?;
        Ok(body_used.map(|length| used + length))
    }

    /// The peer closed the connection.
    pub fn end(&mut self) -> End {
        match self.state {
            State::UntilClose | State::Complete => {
                self.state = State::Complete;
                End::Complete
            }
            State::Head | State::Length(_) | State::Chunked(_) => End::Early(self.stage()),
        }
    }

    /// How far the response has come: `Waiting` until its first byte (interim responses do not count), `Head`, `Body`.
    pub fn stage(&self) -> Stage {
        match self.state {
            State::Head if self.carry.is_empty() => Stage::Waiting,
            State::Head => Stage::Head,
            _ => Stage::Body,
        }
    }

    /// Once the response is complete: whether the connection may serve another request.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive && self.state == State::Complete
    }

    /// How many bytes a head took, when one is complete.
    #[inline]
    fn feed_head(&mut self, bytes: &[u8], body: &mut impl Body) -> Result<Option<usize>, ProtocolFault> {
        if !self.carry.is_empty() {
            return self.feed_split_head(bytes, body);
        }
        // RFC 9112, section 2.2: empty lines before the status line are passed over.
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let bytes = &bytes[blank..];
        if bytes.is_empty() {
            return Ok(None);
        }
        if let Some((length, parsed)) = head::parse(bytes)? {
            self.accept(&parsed, body)?;
            return Ok(Some(blank + length));
        }
        self.carry.extend_from_slice(bytes);
        self.parse_again_at = 2 * bytes.len();
        Ok(None)
    }

    /// The same for a head that began in an earlier read.
    ///
    /// It is parsed from its start when its blank line has come, else only each time that it has doubled: soon enough
    /// to tell a peer that does not speak HTTP, and linear even when it trickles in byte by byte.
    #[cold]
    fn feed_split_head(
        &mut self,
        bytes: &[u8],
        body: &mut impl Body,
    ) -> Result<Option<usize>, ProtocolFault> {
        let before = self.carry.len();
        let taken = bytes.len().min(MAX_HEAD - before);
        self.carry.extend_from_slice(&bytes[..taken]);

        let length = self.carry.len();
        let due = length >= self.parse_again_at.min(MAX_HEAD);
        if !due && !has_blank_line(&self.carry[before.saturating_sub(2)..]) {
            return Ok(None);
        }
        let Some((head_length, parsed)) = head::parse(&self.carry)? else {
            self.parse_again_at = 2 * length;
            return Ok(None);
        };
        self.carry.clear();
        self.accept(&parsed, body)?;
        Ok(Some(head_length.saturating_sub(before)))
    }

    /// Hands a head on and settles how its body ends (RFC 9112, section 6.3).
    #[inline]
    fn accept(&mut self, parsed: &ParsedHead, body: &mut impl Body) -> Result<(), ProtocolFault> {
        match parsed.status {
            101 => return Err(ProtocolFault::Switched),
            100..=199 => return Ok(()),
            _ => {}
        }
        self.state = self.framing(parsed)?;
        self.keep_alive = parsed.keep_alive && self.state != State::UntilClose;
        body.head(&Head {
            status: parsed.status,
            keep_alive: self.keep_alive,
            event_stream: parsed.event_stream,
            encoded: parsed.encoded,
        });
        Ok(())
    }

    fn framing(&self, parsed: &ParsedHead) -> Result<State, ProtocolFault> {
        if self.to_head_request || matches!(parsed.status, 204 | 304) {
            return Ok(State::Complete);
        }
        match (parsed.transfer_coding, parsed.content_length) {
            (TransferCoding::Other, _) => Err(ProtocolFault::TransferCoding),
            (TransferCoding::Chunked, _) => Ok(State::Chunked(Chunked::START)),
            (_, ContentLength::Invalid) => Err(ProtocolFault::ContentLength),
            (_, ContentLength::Bytes(0)) => Ok(State::Complete),
            (_, ContentLength::Bytes(length)) => Ok(State::Length(length)),
            (_, ContentLength::Absent) => Ok(State::UntilClose),
        }
    }

    /// How many bytes the rest of the body took, when it is complete.
    #[inline]
    fn feed_body(&mut self, bytes: &[u8], body: &mut impl Body) -> Result<Option<usize>, ProtocolFault> {
        let used = match &mut self.state {
            State::Complete => return Ok(Some(0)),
            _ if bytes.is_empty() => return Ok(None),
            State::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                body.data(&bytes[..taken]);
                (*left == 0).then_some(taken)
            }
            State::Chunked(chunked) => chunked.feed(bytes, |bytes| body.data(bytes))?,
            State::UntilClose | State::Head => {
                body.data(bytes);
                None
            }
        };
        if used.is_some() {
            self.state = State::Complete;
        }
        Ok(used)
    }
}

/// Whether a head ends somewhere in these bytes.
fn has_blank_line(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}

#[cfg(test)]
mod tests;
