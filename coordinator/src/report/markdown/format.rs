//! How numbers, times and other people's text are written into Markdown.

pub(crate) use proto::visible::visible;

use crate::statistics::{Window, WindowEnd};

/// What stands where there is no figure.
pub(in crate::report) const NONE: &str = "–";

/// Nanoseconds as milliseconds: three decimals below 10 ms, two below 100 ms, one above.
pub(in crate::report) fn milliseconds(nanos: impl Into<Option<u64>>) -> String {
    let Some(nanos) = nanos.into() else { return NONE.into() };
    let decimals = match nanos {
        ..10_000_000 => 3,
        10_000_000..100_000_000 => 2,
        100_000_000.. => 1,
    };
    format!("{:.decimals$}", nanos as f64 / 1e6)
}

/// Something a second: two decimals below 100, one above.
pub(in crate::report) fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => NONE.into(),
        Some(rate) if rate < 100.0 => format!("{rate:.2}"),
        Some(rate) => format!("{rate:.1}"),
    }
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Nanoseconds as seconds, without zeros at the end.
pub(super) fn seconds(nanos: u64) -> String {
    let text = format!("{:.3}", nanos as f64 / 1e9);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A window's length, and how its end was chosen.
pub(super) fn window(window: Window) -> String {
    let end = match window.end {
        WindowEnd::Duration => "the block's duration",
        WindowEnd::LastCompletion => "to the last completion",
        WindowEnd::LastInterval => "to the last interval",
    };
    format!("{}, {end}", seconds(window.length_ns))
}

/// Other people's text as Markdown that shows it and does nothing else, in a table's cell too. Words of which GitHub would make
/// a link, or which it would tell somebody of, stand in code.
pub(crate) fn escape(text: &str) -> String {
    let text = visible(text);
    // Code can hold no backtick, and in a table no bar.
    let ends_word = |character: char| character.is_whitespace() || "`|\\".contains(character);
    let mut escaped = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        if acts(word) {
            escaped.extend(["`", word, "`"]);
            literal(&piece[word.len()..], &mut escaped);
        } else {
            literal(piece, &mut escaped);
        }
    }
    escaped
}

/// The address that a run was asked to load: a link of the user's own.
pub(super) fn address(url: &str) -> String {
    let mut escaped = String::with_capacity(url.len());
    literal(&visible(url), &mut escaped);
    escaped
}

/// Whether GitHub makes more of a word than its characters: an address, `@somebody`, `#1`, `GH-1`.
fn acts(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let is_digit = |character: char| character.is_ascii_digit();
    let mut numbers = word.split(|character: char| !character.is_alphanumeric() && character != '-');
    word.contains("://")
        || word.contains("www.")
        || word.split('@').skip(1).any(|after| after.starts_with(char::is_alphanumeric))
        || word.split('#').skip(1).any(|after| after.starts_with(is_digit))
        || numbers.any(|part| part.strip_prefix("gh-").is_some_and(|after| after.starts_with(is_digit)))
}

/// Without markup, HTML or the end of a cell.
fn literal(text: &str, escaped: &mut String) {
    let (mut rest, mut before) = (text.chars(), ' ');
    while let Some(character) = rest.next() {
        let is_within_a_word =
            before.is_alphanumeric() && rest.clone().next().is_some_and(char::is_alphanumeric);
        before = character;
        match character {
            '_' if !is_within_a_word => escaped.push_str("\\_"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' | '$' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
}

/// A table; nothing at all without rows. Columns after the first `left` are aligned to the right.
pub(super) fn table(left: usize, columns: &[&str], rows: &[Vec<String>]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let header: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rule: Vec<String> =
        (0..columns.len()).map(|column| if column < left { "---" } else { "---:" }.to_owned()).collect();
    let lines = [line(&header), line(&rule)].into_iter().chain(rows.iter().map(|row| line(row)));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_as_many_decimals_as_they_need() {
        let written = [0, 1_234, 9_999_000, 10_004_000, 99_990_000, 123_456_000].map(milliseconds);
        assert_eq!(written, ["0.000", "0.001", "9.999", "10.00", "99.99", "123.5"]);
        assert_eq!(milliseconds(None), "–");
    }

    #[test]
    fn rates_and_seconds() {
        assert_eq!([Some(1_234.567), Some(12.345), None].map(rate), ["1234.6", "12.35", "–"]);
        assert_eq!([1_000_000_000, 1_250_000_000, 20].map(seconds), ["1 s", "1.25 s", "0 s"]);
    }

    #[test]
    fn other_peoples_text_does_nothing() {
        assert_eq!(escape("a|b `c` <b>&\\"), "a\\|b \\`c\\` &lt;b&gt;&amp;\\\\");
        assert_eq!(escape("one\ntwo\u{1b}[2J\u{202e}"), "one\u{fffd}two\u{fffd}\\[2J\u{fffd}");
        assert_eq!(escape("simple_chat _x_ __y"), "simple_chat \\_x\\_ \\_\\_y");
    }

    #[test]
    fn nobody_is_told_and_nothing_is_linked() {
        assert_eq!(
            escape("@org/team see https://evil.example, WWW.x or #1 (GH-2)"),
            "`@org/team` see `https://evil.example,` `WWW.x` or `#1` `(GH-2)`"
        );
        assert_eq!(escape("a@b.example o/r#12 <@x>&_y_"), "`a@b.example` `o/r#12` `<@x>&_y_`");
        assert_eq!(escape("a|@b`@c\\@d"), "a\\|`@b`\\``@c`\\\\`@d`");
        assert_eq!(escape("CPU @ 2.20GHz # p99@ http: high-1"), "CPU @ 2.20GHz # p99@ http: high-1");
    }
}
