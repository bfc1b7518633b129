//! Errors and what lies beneath them, in one line.

use std::error::Error;

use proto::visible::{on_one_line, visible};

/// The innermost cause of an error, which says most.
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}

/// An error with all its causes, as [`shown`].
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        sentence.push_str(&format!(": {source}"));
        cause = source.source();
    }
    shown(&sentence)
}

/// A sentence as a terminal may have it: in one line, and with nothing that steers. At its end, a line with a caret under a
/// place in it stays a line.
pub fn shown(sentence: &str) -> String {
    let (words, picture) = sentence.split_at(sentence.len() - picture(sentence));
    let picture: Vec<String> = picture.split('\n').map(visible).collect();
    on_one_line(words) + &picture.join("\n")
}

/// How many bytes the last two lines take, with the line's end before them, when the last one is a caret alone.
fn picture(text: &str) -> usize {
    let mut ends = text.rmatch_indices('\n').map(|(at, _)| at);
    match (ends.next(), ends.next()) {
        (Some(last), Some(start)) if text[last..].trim() == "^" => text.len() - start,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_but_for_a_caret_under_a_place() {
        for (text, shown) in [
            ("a\nb", "a b"),
            ("a\nb: what\n  p95<80\n        ^", "a b: what\n  p95<80\n        ^"),
            ("a\n ^\nb", "a  ^ b"),
            ("a\n^", "a ^"),
            ("\u{1b}[2Ja: b\n \u{202e}\u{9b}c\n  ^", "\u{fffd}[2Ja: b\n \u{fffd}\u{fffd}c\n  ^"),
        ] {
            assert_eq!(sentence(&std::io::Error::other(text)), shown);
        }
    }
}
