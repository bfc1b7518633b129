//! Reads the head of a response: its status, how its body ends, and the little else that the engine asks for.

mod plain;

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
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferCoding {
    #[default]
    Absent,
    Identity,
    Chunked,
    Other,
}

/// What all Content-Length fields say together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentLength {
    #[default]
    Absent,
    Bytes(u64),
    /// No number, or numbers that differ.
    Invalid,
}

/// Parses a head from the first byte of its status line; `None` when more bytes are needed, else its length as well.
///
/// # Errors
/// `Head` when it can be no HTTP/1.x head, `HeadTooLarge` beyond [`MAX_HEAD`] bytes or 128 fields.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, ParsedHead)>, ProtocolFault> {
    match plain::parse(bytes) {
        Some(parsed) => Ok(Some(parsed)),
        None => parse_any(bytes),
    }
}

/// Takes any head, however odd.
#[cold]
fn parse_any(bytes: &[u8]) -> Result<Option<(usize, ParsedHead)>, ProtocolFault> {
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
            let mut reading = Reading::default();
            for field in response.headers.iter() {
                reading.field(field.name.as_bytes(), field.value);
            }
            Ok(Some((length, reading.finish(code, response.version == Some(1)))))
        }
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(ProtocolFault::HeadTooLarge),
        Err(_) => Err(ProtocolFault::Head),
    }
}

/// What the fields of a head have said so far.
#[derive(Default)]
struct Reading {
    close: bool,
    keep: bool,
    event_stream: bool,
    encoded: bool,
    transfer_coding: TransferCoding,
    content_length: ContentLength,
}

impl Reading {
    /// One more field; whether it is one of those that matter.
    #[inline]
    fn field(&mut self, name: &[u8], value: &[u8]) -> bool {
        // The length tells the few names of interest apart from nearly all others before any letter is compared.
        match name.len() {
            10 if starts_with(name, b"connection") => self.connection(value),
            12 if starts_with(name, b"content-type") => self.event_stream = is_event_stream(value),
            14 if starts_with(name, b"content-length") => {
                self.content_length = self.content_length.and(value);
            }
            16 if starts_with(name, b"content-encoding") => self.encoded |= is_encoded(value),
            17 if starts_with(name, b"transfer-encoding") => {
                self.transfer_coding = self.transfer_coding.and(value);
            }
            _ => return false,
        }
        true
    }

    #[inline]
    fn connection(&mut self, value: &[u8]) {
        if value.len() == 10 && starts_with(value, b"keep-alive") {
            self.keep = true;
            return;
        }
        for token in tokens(value) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    #[inline]
    fn finish(self, status: u16, http11: bool) -> ParsedHead {
        let Self { close, keep, event_stream, encoded, transfer_coding, content_length } = self;
        // HTTP/1.0 knows no transfer codings, so the framing of such an answer is not to be relied on twice.
        let reliable = http11 || transfer_coding == TransferCoding::Absent;
        let keep_alive = !close && (http11 || keep) && reliable;
        ParsedHead { status, keep_alive, event_stream, encoded, transfer_coding, content_length }
    }
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
/// that it is compared in a few words instead of letter by letter.
#[inline]
fn starts_with<const LENGTH: usize>(text: &[u8], lower: &[u8; LENGTH]) -> bool {
    text.first_chunk::<LENGTH>().is_some_and(|text| {
        let of_case = |letter: &u8| if letter.is_ascii_lowercase() { 0x20 } else { 0 };
        text.iter().zip(lower).fold(0, |differing, (one, other)| differing | ((one | of_case(other)) ^ other))
            == 0
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
    #[inline]
    pub(crate) fn and(self, value: &[u8]) -> Self {
        if self == Self::Absent
            && let Some(bytes) = digits(value)
        {
            return Self::Bytes(bytes);
        }
        value.split(|byte| *byte == b',').fold(self, |length, number| match (length, decimal(number)) {
            (Self::Absent, Some(bytes)) => Self::Bytes(bytes),
            (Self::Bytes(before), Some(bytes)) if before == bytes => length,
            _ => Self::Invalid,
        })
    }
}

/// Digits and nothing else, and so few that they make a number.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    if !(1..=18).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(number * 10 + u64::from(digit))
    })
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
mod tests;
