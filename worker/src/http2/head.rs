//! What a header block says of a response (RFC 9113, section 8.3).

use crate::http1::head::{ContentLength, is_encoded, is_event_stream};
use crate::http1::response::Head;

/// The fields of one block, as far as they matter here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    status: Option<u16>,
    event_stream: bool,
    encoded: bool,
    content_length: ContentLength,
    /// A field that is none of the pseudo-fields has come.
    regular: bool,
    is_malformed: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            status: None,
            event_stream: false,
            encoded: false,
            content_length: ContentLength::Absent,
            regular: false,
            is_malformed: false,
        }
    }
}

/// What a block turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// The head of the final response, and what Content-Length says.
    Final(Head, ContentLength),
    /// That of an interim one, which is passed over.
    Interim,
    /// Fields without a status, as they come behind a body.
    Trailers,
    /// None of these.
    Malformed,
}

impl Fields {
    /// Takes the next field. Names that are not in lower case are passed over like all that are not known.
    #[inline]
    pub(super) fn take(&mut self, name: &[u8], value: &[u8]) {
        if name.first() == Some(&b':') {
            let status = if name == b":status" { status(value) } else { None };
            self.is_malformed |= self.regular || self.status.is_some() || status.is_none();
            self.status = status;
            return;
        }
        self.regular = true;
        match name {
            b"content-type" => self.event_stream = is_event_stream(value),
            b"content-length" => self.content_length = self.content_length.and(value),
            b"content-encoding" => self.encoded |= is_encoded(value),
            _ => {}
        }
    }

    /// What the block is, now that it is complete.
    pub(super) fn block(&self) -> Block {
        let Self { event_stream, encoded, content_length, .. } = *self;
        match self.status {
            _ if self.is_malformed => Block::Malformed,
            None => Block::Trailers,
            // RFC 9113, section 8.6: there is nothing to switch to.
            Some(101) => Block::Malformed,
            Some(100..=199) => Block::Interim,
            Some(status) => {
                Block::Final(Head { status, keep_alive: true, event_stream, encoded }, content_length)
            }
        }
    }
}

fn status(value: &[u8]) -> Option<u16> {
    match value {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Some([a, b, c].iter().fold(0, |number, digit| 10 * number + u16::from(**digit - b'0')))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &[(&str, &str)]) -> Block {
        let mut taken = Fields::default();
        for (name, value) in fields {
            taken.take(name.as_bytes(), value.as_bytes());
        }
        taken.block()
    }

    #[test]
    fn a_head_is_read_and_interim_ones_and_trailers_are_told_apart() {
        let head = Head { status: 200, keep_alive: true, event_stream: true, encoded: false };
        assert_eq!(
            block(&[(":status", "200"), ("content-type", "text/event-stream"), ("content-length", "5")]),
            Block::Final(head, ContentLength::Bytes(5))
        );
        assert_eq!(block(&[(":status", "103"), ("link", "x")]), Block::Interim);
        assert_eq!(block(&[("grpc-status", "0")]), Block::Trailers);
        assert_eq!(block(&[]), Block::Trailers);
    }

    #[test]
    fn what_can_be_no_head_is_malformed() {
        for fields in [
            &[(":status", "20")][..],
            &[(":status", "2000")],
            &[(":status", "099")],
            &[(":status", "101")],
            &[(":status", "200"), (":status", "200")],
            &[("a", "b"), (":status", "200")],
            &[(":path", "/")],
            &[(":status", "200"), (":scheme", "http")],
        ] {
            assert_eq!(block(fields), Block::Malformed, "{fields:?}");
        }
    }
}
