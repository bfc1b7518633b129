//! Reads the heads that servers send nearly always: lines that end with CR LF, none of them folded, names right before their
//! colons. Such a head takes a third of the work that any head does; whatever looks odd is left to the parser that takes any.

use super::{MAX_FIELDS, MAX_HEAD, ParsedHead, Reading};

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
    let version = bytes.first_chunk::<9>()?;
    let http11 = match version {
        b"HTTP/1.1 " => true,
        b"HTTP/1.0 " => false,
        _ => return None,
    };
    let &[hundreds, tens, ones, b' '] = bytes.get(9..13)? else { return None };
    if !matches!(hundreds, b'1'..=b'9') || !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    let status = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));

    let mut at = line_end(bytes, 13)? + 2;
    let mut reading = Reading::default();
    for _ in 0..=MAX_FIELDS {
        if bytes.get(at..at + 2)? == b"\r\n" {
            let length = at + 2;
            return (length <= MAX_HEAD).then(|| (length, reading.finish(status, http11)));
        }
        let name = bytes[at..].iter().take_while(|byte| NAME[usize::from(**byte)]).count();
        let colon = at + name;
        if name == 0 || *bytes.get(colon)? != b':' {
            return None;
        }
        let end = line_end(bytes, colon + 1)?;
        reading.field(&bytes[at..colon], trimmed(&bytes[colon + 1..end]));
        at = end + 2;
    }
    None
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

/// Where the line that goes on at `at` has its CR LF; `None` when it is not here, or a control character is before it.
#[inline]
fn line_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = controls(u64::from_le_bytes(*eight));
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return (bytes.get(at..at + 2)? == b"\r\n").then_some(at);
        }
        at += 8;
    }
    at += bytes.get(at..)?.iter().position(|byte| byte.is_ascii_control())?;
    (bytes.get(at..at + 2)? == b"\r\n").then_some(at)
}

/// The highest bit of the first byte that is a control character is set, and none below it.
#[inline]
fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let delete = word ^ (ONES * 0x7f);
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let is_delete = delete.wrapping_sub(ONES) & !delete;
    (below_space | is_delete) & HIGH
}
