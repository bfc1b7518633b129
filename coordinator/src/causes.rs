//! Errors and what lies beneath them, in one line.

use std::error::Error;

/// The innermost cause of an error, which says most.
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}

/// An error with all its causes, in one line; at its end, a line with a caret under a place in it stays as it is.
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        sentence.push_str(&format!(": {source}"));
        cause = source.source();
    }
    let picture = picture(&sentence);
    let (words, picture) = sentence.split_at(sentence.len() - picture);
    format!("{}{picture}", words.replace('\n', " "))
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
        ] {
            assert_eq!(sentence(&std::io::Error::other(text)), shown);
        }
    }
}
