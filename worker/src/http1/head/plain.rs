//! Reads the heads that servers send nearly always: lines that end with CR LF, none of them folded, names right before their
//! colons. Such a head takes a third of the work that any head does; whatever looks odd is left to the parser that takes any.

use super::{MAX_FIELDS, MAX_HEAD, ParsedHead, Reading};
use crate::eight;

/// Which bytes the name of a field can have (RFC 9110, section 5.6.2).
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || is_mark(byte as u8);
        byte += 1;
    }
    table
};

const fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    )
}

/// The head at the start of `bytes` and its length; `None` when it is not complete, or odd in any way.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Option<(usize, ParsedHead)> {
    let (version, rest) = bytes.split_first_chunk::<8>()?;
    let http11 = version == b"HTTP/1.1";
    if !http11 && version != b"HTTP/1.0" {
        return None;
    }
    let [b' ', hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b' ', reason @ ..] = rest
    else {
        return None;
    };
    let status = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));

    let (_, mut rest) = line(reason)?;
    let mut reading = Reading::default();
    for _ in 0..MAX_FIELDS + 1 {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            let length = bytes.len() - body.len();
            return (length <= MAX_HEAD).then(|| (length, reading.finish(status, http11)));
        }
        let (name, after_colon) = name(rest)?;
        let (value, next) = line(after_colon)?;
        if !reading.field(name, trimmed(value)) && !is_name(name) {
            return None;
        }
        rest = next;
    }
    None
}

/// What is before the first colon, which is a name if all is well, and what follows the colon.
#[inline]
fn name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    let from_colon = loop {
        let Some(eight) = eight::first_of(rest) else {
            break &rest[rest.iter().position(|byte| *byte == b':')?..];
        };
        let colons = eight::equal(eight, b':');
        if colons != 0 {
            break &rest[eight::position(colons)..];
        }
        rest = &rest[8..];
    };
    Some((&bytes[..bytes.len() - from_colon.len()], &from_colon[1..]))
}

#[inline]
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| NAME[usize::from(*byte)])
}

/// A value without the blanks around it, which is nearly always one in front.
#[inline]
fn trimmed(value: &[u8]) -> &[u8] {
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match value {
        [first, .., last] if *first > b' ' && *last > b' ' => value,
        _ => value.trim_ascii(),
    }
}

/// A line, and what follows its CR LF; `None` when that is not here, or a control character is before it.
#[inline]
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    let end = loop {
        let Some(eight) = eight::first_of(rest) else {
            break &rest[rest.iter().position(u8::is_ascii_control)?..];
        };
        let controls = eight::below(eight, b' ') | eight::equal(eight, 0x7f);
        if controls != 0 {
            break &rest[eight::position(controls)..];
        }
        rest = &rest[8..];
    };
    Some((&bytes[..bytes.len() - end.len()], end.strip_prefix(b"\r\n")?))
}
