//! Reads the head of a response: its status, how its body ends, and the little else that the engine asks for.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use crate::outcome::ProtocolFault;

/// The longest head that is accepted, in bytes.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// The most fields that a head may have.
const MAX_FIELDS: usize = 128;

/// A head, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParsedHead {
    pub(super) status: u16,
    /// Whether the peer means to keep the connection, as far as the head says so.
    pub(super) keep_alive: bool,
    pub(super) event_stream: bool,
    pub(super) encoded: bool,
    pub(super) transfer_coding: TransferCoding,
    pub(super) content_length: ContentLength,
}

/// What all Transfer-Encoding fields say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferCoding {
    Absent,
    Identity,
    Chunked,
    Other,
}

/// What all Content-Length fields say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentLength {
    Absent,
    Bytes(u64),
    /// No number, or numbers that differ.
    Invalid,
}

/// Parses a head from the first byte of its status line; `None` when more bytes are needed, else its length as well.
///
/// # Errors
/// `Head` when it can be no HTTP/1.x head, `HeadTooLarge` beyond [`MAX_HEAD`] bytes or 128 fields.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, ParsedHead)>, ProtocolFault> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);

    // Odd but harmless heads are read, because it is the target's speed that is measured, not its manners.
    let status = ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);

    match status {
        Ok(Status::Complete(length)) if length <= MAX_HEAD => {
            let code = response.code.filter(|code| *code >= 100).ok_or(ProtocolFault::Head)?;
            Ok(Some((length, interpret(code, response.version == Some(1), response.headers))))
        }
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(ProtocolFault::HeadTooLarge),
        Err(_) => Err(ProtocolFault::Head),
    }
}

fn interpret(status: u16, http11: bool, fields: &[Header<'_>]) -> ParsedHead {
    let mut head = ParsedHead {
        status,
        keep_alive: false,
        event_stream: false,
        encoded: false,
        transfer_coding: TransferCoding::Absent,
        content_length: ContentLength::Absent,
    };
    let (mut close, mut keep) = (false, false);

    for field in fields {
        let name = field.name.as_bytes();
        // The length tells the few names of interest apart from nearly all others before any letter is compared.
        match name.len() {
            10 if starts_with(name, b"connection") => {
                for token in tokens(field.value) {
                    close |= token.eq_ignore_ascii_case(b"close");
                    keep |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            12 if starts_with(name, b"content-type") => head.event_stream = is_event_stream(field.value),
            14 if starts_with(name, b"content-length") => {
                head.content_length = head.content_length.and(field.value);
            }
            16 if starts_with(name, b"content-encoding") => head.encoded |= is_encoded(field.value),
            17 if starts_with(name, b"transfer-encoding") => {
                head.transfer_coding = head.transfer_coding.and(field.value);
            }
            _ => {}
        }
    }
    // HTTP/1.0 knows no transfer codings, so the framing of such an answer is not to be relied on twice.
    let reliable = http11 || head.transfer_coding == TransferCoding::Absent;
    head.keep_alive = !close && (http11 || keep) && reliable;
    head
}

/// The elements of a comma-separated list, without blanks; empty ones are left out.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// Whether a Content-Encoding names any coding but `identity`.
pub(crate) fn is_encoded(value: &[u8]) -> bool {
    tokens(value).any(|token| !token.eq_ignore_ascii_case(b"identity"))
}

/// Whether a Content-Type is that of server-sent events.
pub(crate) fn is_event_stream(value: &[u8]) -> bool {
    const TYPE: &[u8; 17] = b"text/event-stream";
    starts_with(value, TYPE) && matches!(value[TYPE.len()..].trim_ascii_start(), [] | [b';', ..])
}

/// Whether a text starts with another in any case. That other is in lower case and of a length known beforehand, so
/// that it is compared in a few words instead of letter by letter; no control character may be mistaken for a letter,
/// and heads hold none.
#[inline]
fn starts_with<const LENGTH: usize>(text: &[u8], lower: &[u8; LENGTH]) -> bool {
    text.first_chunk::<LENGTH>().is_some_and(|text| {
        text.iter().zip(lower).fold(0, |differing, (one, other)| differing | ((one | 0x20) ^ other)) == 0
    })
}

impl TransferCoding {
    /// With one more field. Codings on top of each other are more than this client undoes.
    fn and(self, value: &[u8]) -> Self {
        tokens(value).fold(self, |coding, token| match coding {
            Self::Absent if token.eq_ignore_ascii_case(b"chunked") => Self::Chunked,
            Self::Absent if token.eq_ignore_ascii_case(b"identity") => Self::Identity,
            _ => Self::Other,
        })
    }
}

impl ContentLength {
    /// With one more field, which may itself be a list.
    pub(crate) fn and(self, value: &[u8]) -> Self {
        value.split(|byte| *byte == b',').fold(self, |length, number| match (length, decimal(number)) {
            (Self::Absent, Some(bytes)) => Self::Bytes(bytes),
            (Self::Bytes(before), Some(bytes)) if before == bytes => length,
            _ => Self::Invalid,
        })
    }
}

/// Digits and nothing else, so no sign, which `str::parse` would take.
fn decimal(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> ParsedHead {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let (length, head) = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    #[test]
    fn lengths_that_agree_are_one_and_all_others_are_invalid() {
        for (fields, expected) in [
            ("", ContentLength::Absent),
            ("Content-Length: 5\r\n", ContentLength::Bytes(5)),
            ("content-length:005\r\nCONTENT-LENGTH: 5 , 5\r\n", ContentLength::Bytes(5)),
            ("Content-Length: 18446744073709551615\r\n", ContentLength::Bytes(u64::MAX)),
            ("Content-Length: 18446744073709551616\r\n", ContentLength::Invalid),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLength::Invalid),
            ("Content-Length: 5, 6\r\n", ContentLength::Invalid),
            ("Content-Length: 5,\r\n", ContentLength::Invalid),
            ("Content-Length: +5\r\n", ContentLength::Invalid),
            ("Content-Length: -5\r\n", ContentLength::Invalid),
            ("Content-Length: 0x5\r\n", ContentLength::Invalid),
            ("Content-Length: 5 5\r\n", ContentLength::Invalid),
            ("Content-Length:\r\n", ContentLength::Invalid),
        ] {
            assert_eq!(head(fields).content_length, expected, "{fields:?}");
        }
    }

    #[test]
    fn only_chunked_alone_is_a_transfer_coding_that_is_undone() {
        for (fields, expected) in [
            ("Transfer-Encoding: Chunked\r\n", TransferCoding::Chunked),
            ("transfer-encoding: identity\r\n", TransferCoding::Identity),
            ("Transfer-Encoding: gzip, chunked\r\n", TransferCoding::Other),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", TransferCoding::Other),
            ("Transfer-Encoding: chunked, chunked\r\n", TransferCoding::Other),
            ("Transfer-Encoding: xchunked\r\n", TransferCoding::Other),
        ] {
            assert_eq!(head(fields).transfer_coding, expected, "{fields:?}");
        }
    }

    #[test]
    fn the_connection_is_kept_as_version_and_tokens_say() {
        let keep_alive = |text: &str| parse(text.as_bytes()).unwrap().unwrap().1.keep_alive;
        assert!(keep_alive("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!keep_alive("HTTP/1.1 200 OK\r\nconnection: upgrade , Close\r\n\r\n"));
        assert!(!keep_alive("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"));
        assert!(!keep_alive("HTTP/1.0 200 OK\r\n\r\n"));
        assert!(keep_alive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n"));
        assert!(keep_alive("HTTP/1.1 200 OK\r\nConnection: closed\r\n\r\n"));
        let chunked = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(!keep_alive(chunked));
    }

    #[test]
    fn types_and_encodings_are_read_in_any_case() {
        assert!(head("Content-Type: Text/Event-Stream; charset=utf-8\r\n").event_stream);
        assert!(head("content-type:text/event-stream\r\n").event_stream);
        assert!(!head("Content-Type: application/json\r\n").event_stream);
        assert!(!head("Content-Type: text/event-streams\r\n").event_stream);
        assert!(head("Content-Encoding: GZIP\r\n").encoded);
        assert!(head("Content-Encoding: identity, br\r\n").encoded);
        assert!(!head("Content-Encoding: Identity\r\n").encoded);
        assert!(!head("Content-Encoding:\r\n").encoded);
    }

    #[test]
    fn odd_heads_are_read_and_impossible_ones_refused() {
        let status = |text: &str| parse(text.as_bytes()).map(|head| head.map(|(_, head)| head.status));
        assert_eq!(status("HTTP/1.1 200\r\n\r\n"), Ok(Some(200)));
        assert_eq!(status("HTTP/1.1 200 OK\nA: b\n\n"), Ok(Some(200)));
        assert_eq!(status("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nB : c\r\n\r\n"), Ok(Some(200)));
        assert_eq!(status("HTTP/1.1 200 OK\r\n"), Ok(None));
        for impossible in
            ["SSH-2.0-OpenSSH", "HTTP/2 200\r\n\r\n", "HTTP/1.1 42\r\n\r\n", "HTTP/1.1 042 No\r\n\r\n"]
        {
            assert_eq!(status(impossible), Err(ProtocolFault::Head), "{impossible:?}");
        }
    }

    #[test]
    fn heads_beyond_the_bounds_are_too_large() {
        let with_fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(parse(with_fields(MAX_FIELDS).as_bytes()).unwrap().is_some());
        assert_eq!(parse(with_fields(MAX_FIELDS + 1).as_bytes()), Err(ProtocolFault::HeadTooLarge));

        let of_length = |length: usize| {
            let rest = length - "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
            format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(rest))
        };
        assert!(parse(of_length(MAX_HEAD).as_bytes()).unwrap().is_some());
        assert_eq!(parse(of_length(MAX_HEAD + 1).as_bytes()), Err(ProtocolFault::HeadTooLarge));
        assert_eq!(parse(&of_length(2 * MAX_HEAD).as_bytes()[..MAX_HEAD]), Err(ProtocolFault::HeadTooLarge));
    }
}
