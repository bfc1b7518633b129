//! The words of JSON: strings, numbers, `true`, `false` and `null`, each resumable after any byte.

use memchr::memchr2;

use crate::eight;

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
            let Some(end) = from_quote_or_backslash(&bytes[at..]) else { return Ok(None) };
            at = bytes.len() - end.len() + 1;
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

/// A key, and its beginning in one word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) head: u64,
    pub(super) text: &'a [u8],
}

impl<'a> Key<'a> {
    /// So many first bytes of a key and its closing quote are the head, with zeros behind them: shorter keys differ if
    /// their heads do.
    pub(super) const HEAD: usize = size_of::<u64>();

    /// By its text, free of escapes.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut head = [0; Self::HEAD];
        head.iter_mut().zip(text.iter().chain(b"\"")).for_each(|(head, byte)| *head = *byte);
        Self { head: u64::from_le_bytes(head), text }
    }

    /// The key whose opening quote is before `bytes`, and what follows its closing quote, if that quote is here and no escape
    /// is before it.
    #[inline]
    pub(super) fn plain(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let Some(head) = eight::first_of(bytes) else {
            let end = from_quote_or_backslash(bytes)?;
            let text = &bytes[..bytes.len() - end.len()];
            return Some((Self::new(text), end.strip_prefix(b"\"")?));
        };
        let found = quotes_and_backslashes(head);
        if found == 0 {
            let end = from_quote_or_backslash(&bytes[Self::HEAD..])?;
            let text = &bytes[..bytes.len() - end.len()];
            return Some((Self { head, text }, end.strip_prefix(b"\"")?));
        }
        let (text, end) = bytes.split_at(eight::position(found));
        Some((Self { head: eight::up_to(found, head), text }, end.strip_prefix(b"\"")?))
    }
}

/// What follows the closing quote of a string whose opening quote is before `bytes`, if that quote is here and no escape is
/// before it.
#[inline]
pub(super) fn after_plain_string(bytes: &[u8]) -> Option<&[u8]> {
    from_quote_or_backslash(bytes)?.strip_prefix(b"\"")
}

/// What follows a scalar that `bytes` start with, if all of it is here, and, of a number, the byte after it.
#[inline]
pub(super) fn after_scalar(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'"', text @ ..] => match from_quote_or_backslash(text)? {
            [b'"', after @ ..] => Some(after),
            escape => escape.get(skip_string(&mut Text::Plain, escape, 0).ok()??..),
        },
        // Most numbers are a few digits.
        [b'0', after @ ..] if after.first().is_some_and(|byte| !is_of_fraction(*byte)) => Some(after),
        [b'1'..=b'9', ..] => {
            let after = after_digits(bytes);
            if is_of_fraction(*after.first()?) { after_number(bytes) } else { Some(after) }
        }
        [b'n', b'u', b'l', b'l', after @ ..]
        | [b't', b'r', b'u', b'e', after @ ..]
        | [b'f', b'a', b'l', b's', b'e', after @ ..] => Some(after),
        _ => after_number(bytes),
    }
}

#[inline]
fn is_of_fraction(byte: u8) -> bool {
    matches!(byte, b'.' | b'e' | b'E')
}

fn after_number(bytes: &[u8]) -> Option<&[u8]> {
    let (number, end) = Number::starting_with(*bytes.first()?)?.and_all(bytes, 1);
    let after = bytes.get(end..)?;
    (number.is_complete() && !after.is_empty()).then_some(after)
}

/// Most strings of an answer are shorter than a call of `memchr` is worth, so the first bytes are looked at here,
/// eight at a time.
#[inline]
fn from_quote_or_backslash(mut bytes: &[u8]) -> Option<&[u8]> {
    const NEAR: usize = 4;
    for _ in 0..NEAR {
        let Some(eight) = eight::first_of(bytes) else { break };
        let found = quotes_and_backslashes(eight);
        if found != 0 {
            return Some(&bytes[eight::position(found)..]);
        }
        bytes = &bytes[8..];
    }
    from_far_quote_or_backslash(bytes)
}

fn from_far_quote_or_backslash(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(memchr2(b'"', b'\\', bytes)?..)
}

#[inline]
fn quotes_and_backslashes(eight: u64) -> u64 {
    eight::equal(eight, b'"') | eight::equal(eight, b'\\')
}

#[inline]
fn after_digits(mut bytes: &[u8]) -> &[u8] {
    while let Some(eight) = eight::first_of(bytes) {
        let others = eight::no_digit(eight);
        if others != 0 {
            return &bytes[eight::position(others)..];
        }
        bytes = &bytes[8..];
    }
    &bytes[bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()..]
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

    proptest! {
        #[test]
        fn a_key_is_the_same_in_its_text_and_by_itself(text in "[ab\0é]{0,20}", behind in "[ab\"\\\\:]{0,20}") {
            let whole = format!("{text}\"{behind}");
            let (key, after) = Key::plain(whole.as_bytes()).unwrap();
            prop_assert_eq!((key.text, after), (text.as_bytes(), behind.as_bytes()));
            prop_assert_eq!(key.head, Key::new(text.as_bytes()).head);
            prop_assert!(Key::plain(text.as_bytes()).is_none());
            let escaped = format!("{text}\\{whole}");
            prop_assert!(Key::plain(escaped.as_bytes()).is_none());
        }

        #[test]
        fn a_scalar_ends_where_serde_json_says(
            text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?(e-?[0-9])?|true|false|null|\"([ -!a-z]{0,50}|\\\\[\"\\\\nt]){0,3}\"",
            behind in "[,}\\] ][0-9\",a]{0,20}",
            cut in any::<prop::sample::Index>(),
        ) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
            let whole = format!("{text}{behind}");
            prop_assert_eq!(after_scalar(whole.as_bytes()), Some(behind.as_bytes()), "{}", whole);
            prop_assert_eq!(after_scalar(&text.as_bytes()[..cut.index(text.len())]), None, "{}", text);
        }
    }

    #[test]
    fn escapes_that_json_does_not_have_are_refused() {
        for text in ["\\x\"", "\\u12g4\"", "\\u123\"", "\\'\""] {
            assert_eq!(skip_string(&mut Text::default(), text.as_bytes(), 0), Err(()), "{text}");
        }
    }
}
