//! The words of JSON: strings, numbers, `true`, `false` and `null`, each resumable after any byte.

use memchr::memchr2;

/// Within a string: what the next byte is part of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    #[default]
    Plain,
    /// After a backslash.
    Escape,
    /// After `\u`, with so many hexadecimal digits to come.
    Hexadecimal(u8),
}

/// Passes over a string's text from `at`: the position after its closing quote, or `None` when that is yet to come.
///
/// # Errors
/// An escape that JSON does not have. Control characters and broken UTF-8 are let through: looking at every byte of a
/// long answer is what this is here to avoid.
#[inline]
pub(super) fn skip_string(text: &mut Text, bytes: &[u8], mut at: usize) -> Result<Option<usize>, ()> {
    loop {
        if *text == Text::Plain {
            let Some(plain) = find_quote_or_backslash(&bytes[at..]) else { return Ok(None) };
            at += plain + 1;
            if bytes[at - 1] == b'"' {
                return Ok(Some(at));
            }
            *text = Text::Escape;
        }
        let Some(byte) = bytes.get(at) else { return Ok(None) };
        *text = after_backslash(*text, *byte).ok_or(())?;
        at += 1;
    }
}

fn after_backslash(text: Text, byte: u8) -> Option<Text> {
    match (text, byte) {
        (Text::Hexadecimal(left), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            Some(if left > 1 { Text::Hexadecimal(left - 1) } else { Text::Plain })
        }
        (Text::Escape, b'u') => Some(Text::Hexadecimal(4)),
        (Text::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(Text::Plain),
        _ => None,
    }
}

/// The position after the closing quote of a string whose text starts at `at`, if that quote is here and no escape is
/// before it.
#[inline]
pub(super) fn plain_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = at + find_quote_or_backslash(bytes.get(at..)?)?;
    (bytes[end] == b'"').then_some(end + 1)
}

/// The position after a scalar that starts at `at`, if all of it is here, and, of a number, the byte after it.
#[inline]
pub(super) fn scalar_end(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at)?;
    if first == b'"' {
        let end = at + 1 + find_quote_or_backslash(&bytes[at + 1..])?;
        return if bytes[end] == b'"' {
            Some(end + 1)
        } else {
            skip_string(&mut Text::Plain, bytes, end).ok()?
        };
    }
    if matches!(first, b'1'..=b'9') {
        // Most numbers are a few digits.
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !matches!(bytes.get(end)?, b'.' | b'e' | b'E') {
            return Some(end);
        }
    }
    if let Some(word) = Word::starting_with(first) {
        return bytes[at..].starts_with(word.text()).then_some(at + word.text().len());
    }
    let (number, end) = Number::starting_with(first)?.and_all(bytes, at + 1);
    (number.is_complete() && end < bytes.len()).then_some(end)
}

/// Most strings of an answer are shorter than a call of `memchr` is worth, so the first bytes are looked at here,
/// eight at a time.
#[inline]
fn find_quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const NEAR: usize = 32;
    let mut at = 0;
    while at < NEAR
        && let Some(eight) = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok())
    {
        let word = u64::from_le_bytes(eight);
        let found = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', bytes.get(at..)?).map(|found| at + found)
}

/// The highest bit of the first byte that equals `byte` is set, and none below it.
#[inline]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let differing = word ^ (ONES * byte as u64);
    differing.wrapping_sub(ONES) & !differing & HIGH
}

/// A literal name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    True,
    False,
    Null,
}

impl Word {
    /// The word that starts with this byte.
    #[inline]
    pub(super) fn starting_with(byte: u8) -> Option<Self> {
        match byte {
            b't' => Some(Self::True),
            b'f' => Some(Self::False),
            b'n' => Some(Self::Null),
            _ => None,
        }
    }

    /// As it is written.
    #[inline]
    pub(super) fn text(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }
}

/// Within a number: what has been read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// A number that starts with this byte.
    #[inline]
    pub(super) fn starting_with(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    /// The number with one more byte, when that belongs to it.
    #[inline]
    pub(super) fn and(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus | Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Some(Self::ExponentDigits)
            }
            _ => None,
        }
    }

    /// The number with all the bytes from `at` that belong to it, and where they end.
    #[inline]
    pub(super) fn and_all(mut self, bytes: &[u8], mut at: usize) -> (Self, usize) {
        while let Some(&byte) = bytes.get(at) {
            let Some(longer) = self.and(byte) else { break };
            self = longer;
            at += 1;
        }
        (self, at)
    }

    /// Whether it may end here.
    #[inline]
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_number(text: &str) -> bool {
        let mut bytes = text.bytes();
        let first = bytes.next().and_then(Number::starting_with);
        bytes.fold(first, |number, byte| number?.and(byte)).is_some_and(Number::is_complete)
    }

    proptest! {
        #[test]
        fn numbers_are_what_serde_json_takes_for_numbers(text in "[-0-9.eE+]{1,6}") {
            // Values beyond the floats are refused there, and are no concern here.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assert!(out_of_range || is_number(&text) == theirs.is_ok(), "{}", text);
        }

        #[test]
        fn the_end_of_a_string_is_found_wherever_it_is(
            text in "([a-z\u{80}-\u{fff}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,60}", cut in 0usize..400,
        ) {
            let whole = format!("{text}\", \"more\\\"");
            let cut = cut.min(text.len());
            let (mut state, end) = (Text::default(), text.len() + 1);
            prop_assert_eq!(skip_string(&mut state, &whole.as_bytes()[..cut], 0), Ok(None));
            prop_assert_eq!(skip_string(&mut state, whole.as_bytes(), cut), Ok(Some(end)));
        }
    }

    #[test]
    fn escapes_that_json_does_not_have_are_refused() {
        for text in ["\\x\"", "\\u12g4\"", "\\u123\"", "\\'\""] {
            assert_eq!(skip_string(&mut Text::default(), text.as_bytes(), 0), Err(()), "{text}");
        }
    }
}
