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
mod tests {
    use super::*;
    use crate::pieces::cut;
    use proptest::prelude::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        head: Option<Head>,
        data: Vec<u8>,
    }

    impl Body for Seen {
        fn head(&mut self, head: &Head) {
            assert_eq!(self.head, None, "one head a response");
            self.head = Some(*head);
        }

        fn data(&mut self, bytes: &[u8]) {
            assert!(self.head.is_some() && !bytes.is_empty());
            self.data.extend_from_slice(bytes);
        }
    }

    /// What was seen, how many bytes were used if that is a complete response, and the response itself.
    type Read = Result<(Seen, Option<usize>, Response), ProtocolFault>;

    fn read(response: Response, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Read {
        let (mut response, mut seen, mut used) = (response, Seen::default(), 0);
        for piece in pieces {
            match response.feed(piece.as_ref(), &mut seen)? {
                Some(last) => return Ok((seen, Some(used + last), response)),
                None => used += piece.as_ref().len(),
            }
        }
        Ok((seen, None, response))
    }

    fn read_whole(text: &str) -> Read {
        read(Response::default(), [text])
    }

    /// Body, whether complete, whether the connection is kept.
    fn summary(text: &str) -> Result<(String, bool, bool), ProtocolFault> {
        let (seen, used, response) = read_whole(text)?;
        Ok((String::from_utf8(seen.data).unwrap(), used == Some(text.len()), response.keep_alive()))
    }

    const RESPONSES: [&str; 8] = [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n\
         3;a=\"b\"\r\nhel\r\nA\r\nlo, world.\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "\r\n\r\nHTTP/1.0 500 No\nConnection: keep-alive\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5, 5\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: nonsense\r\n\r\n0\r\n\r\n",
    ];

    #[test]
    fn any_two_cuts_come_to_the_same_as_none() {
        for text in RESPONSES {
            let bytes = text.as_bytes();
            let (whole, used, response) = read_whole(text).unwrap();
            assert_eq!(used, Some(bytes.len()), "{text:?}");
            for first in 0..bytes.len() {
                for second in first..bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..], b"surplus"];
                    let (seen, used, cut) = read(Response::default(), pieces).unwrap();
                    assert_eq!((&seen, used), (&whole, Some(bytes.len())), "{text:?} {first} {second}");
                    assert_eq!(cut.keep_alive(), response.keep_alive());
                }
            }
        }
    }

    #[test]
    fn byte_by_byte_and_again_on_the_same_connection() {
        let mut response = Response::default();
        for text in RESPONSES {
            response.begin(false);
            let (seen, used, kept) = read(response, text.as_bytes().chunks(1)).unwrap();
            assert_eq!((seen, used), (read_whole(text).unwrap().0, Some(text.len())));
            response = kept;
        }
    }

    #[test]
    fn what_comes_after_the_response_is_left() {
        for text in RESPONSES {
            let (_, used, _) = read_whole(&format!("{text}HTTP/1.1 200 OK\r\n")).unwrap();
            assert_eq!(used, Some(text.len()));
        }
    }

    #[test]
    fn bodies_end_as_the_head_says() {
        let whole = |body: &str, keep: bool| Ok((body.to_owned(), true, keep));
        assert_eq!(summary(RESPONSES[0]), whole("hello", true));
        assert_eq!(summary(RESPONSES[1]), whole("hello, world.", true));
        assert_eq!(summary(RESPONSES[2]), whole("", true));
        assert_eq!(summary(RESPONSES[3]), whole("", true));
        assert_eq!(summary(RESPONSES[4]), whole("ok", true));
        assert_eq!(summary(RESPONSES[5]), whole("", true));
        assert_eq!(summary(RESPONSES[6]), whole("hello", false));
        assert_eq!(summary(RESPONSES[7]), whole("", true));
    }

    #[test]
    fn the_answer_to_a_head_request_has_no_body() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let mut response = Response::default();
        response.begin(true);
        let (_, used, response) = read(response, [text]).unwrap();
        assert_eq!((used, response.keep_alive()), (Some(text.len()), true));
    }

    #[test]
    fn a_close_completes_only_what_the_close_delimits() {
        let ended = |text: &str| {
            let mut response = read_whole(text).unwrap().2;
            (response.end(), response.keep_alive())
        };
        assert_eq!(ended("HTTP/1.1 200 OK\r\n\r\nhel"), (End::Complete, false));
        assert_eq!(ended("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"), (End::Complete, false));
        assert_eq!(ended(""), (End::Early(Stage::Waiting), false));
        assert_eq!(ended("HTTP/1.1 100 Continue\r\n\r\n"), (End::Early(Stage::Waiting), false));
        assert_eq!(ended("H"), (End::Early(Stage::Head), false));
        assert_eq!(ended("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), (End::Early(Stage::Body), false));
        assert_eq!(
            ended("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
            (End::Early(Stage::Body), false)
        );
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        for (text, fault) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", ProtocolFault::Head),
            ("HTTP/1.1 101 Switching\r\n\r\n", ProtocolFault::Switched),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ProtocolFault::TransferCoding),
            ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", ProtocolFault::ContentLength),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", ProtocolFault::Chunk),
        ] {
            assert_eq!(read_whole(text).unwrap_err(), fault, "{text:?}");
            assert_eq!(read(Response::default(), text.as_bytes().chunks(1)).unwrap_err(), fault, "{text:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_too_large() {
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(2 * MAX_HEAD));
        for piece in [1, 1000, endless.len()] {
            let fault = read(Response::default(), endless.as_bytes().chunks(piece)).unwrap_err();
            assert_eq!(fault, ProtocolFault::HeadTooLarge, "by {piece}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_cuts_never_matter(
            start in prop::sample::select(RESPONSES.to_vec()),
            changes in prop::collection::vec((0usize..200, any::<u8>()), 0..4),
            sizes in prop::collection::vec(1usize..40, 1..10),
        ) {
            let mut bytes = start.as_bytes().to_vec();
            for (at, byte) in changes {
                let length = bytes.len();
                bytes[at % length] = byte;
            }
            // A head that is broken before it is complete may be refused at different times, but no answer differs.
            let whole = read(Response::default(), [&bytes]);
            let in_pieces = read(Response::default(), cut(&bytes, &sizes));
            if let (Ok(whole), Ok(in_pieces)) = (whole, in_pieces) {
                prop_assert_eq!((whole.0, whole.1), (in_pieces.0, in_pieces.1));
            }
        }
    }
}
