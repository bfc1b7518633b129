//! One file of variables: `NAME=value` lines, as `.env` files have them; `export` in front is allowed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;

/// A variable of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileVariable {
    /// Without quotes, with `$NAME` replaced.
    pub(crate) value: String,
    /// Where its value ends, from 1.
    pub(crate) line: usize,
}

/// The number, from 1, of a line that is no `NAME=value`. Its text is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrokenLine(pub(crate) usize);

/// Reads all variables. The last line that sets one wins, as in a shell.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, FileVariable>, BrokenLine> {
    // dotenvy takes blanks at the very end of a file for an unfinished value, hence the line break.
    let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
    let lines_read = Rc::new(Cell::new(0));
    let lines = LineByLine { rest: text.as_bytes(), lines_read: Rc::clone(&lines_read) };

    let mut variables = BTreeMap::new();
    for entry in dotenvy::Iter::new(lines) {
        let (name, value) = entry.map_err(|error| BrokenLine(first_line(&error, lines_read.get())))?;
        variables.insert(name, FileVariable { value, line: lines_read.get() });
    }
    Ok(variables)
}

/// Where a broken statement begins: an open quote swallows all lines that follow it.
fn first_line(error: &dotenvy::Error, last_line: usize) -> usize {
    match error {
        dotenvy::Error::LineParse(statement, _) => {
            let breaks_within = statement.strip_suffix('\n').unwrap_or(statement).matches('\n').count();
            last_line.saturating_sub(breaks_within)
        }
        _ => last_line,
    }
}

/// Hands out a text line by line and counts, because dotenvy's errors do not say which line they are about.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines_read: Rc<Cell<usize>>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line_length =
            self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let (taken, rest) = self.rest.split_at(line_length.min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(taken);
        self.rest = rest;
        if taken.ends_with(b"\n") {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        Ok(taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let variables = parse(text).unwrap();
        variables.into_iter().map(|(name, found)| (name, found.value, found.line)).collect()
    }

    fn entry(name: &str, value: &str, line: usize) -> (String, String, usize) {
        (name.into(), value.into(), line)
    }

    #[test]
    fn lines_exports_quotes_and_comments() {
        let text = "\u{feff}# don't mind me\n\nA=1\r\nexport B='two words' # it's a comment\n  C = \"x\ny\"\nD=\nA=2   ";
        assert_eq!(
            values(text),
            [entry("A", "2", 8), entry("B", "two words", 4), entry("C", "x\ny", 6), entry("D", "", 7)]
        );
    }

    #[test]
    fn a_broken_line_is_known_by_its_number() {
        for (text, line) in [
            ("A=1\n\nnot a variable\nB=2\n", 3),
            ("A=1\nB=it's open\nC=3\n\n\n", 2),
            ("A=\"x\ny\"\n# fine\n=5", 4),
            ("A='b", 1),
            ("A=one two", 1),
            ("if true; then\n", 1),
            ("A=1\nexport\n", 2),
        ] {
            assert_eq!(parse(text), Err(BrokenLine(line)), "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_one_line() {
        let text = format!("A={}\nB=\n-", "x".repeat(50_000));
        assert_eq!(parse(&text), Err(BrokenLine(3)));
    }

    proptest! {
        #[test]
        fn nothing_in_a_file_makes_it_panic_and_errors_lie_within(text in "([A-Z=\"'$#{} \\\\\n\r-]|export |é){0,60}") {
            if let Err(BrokenLine(line)) = parse(&text) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&line), "line {line}");
            }
        }

        #[test]
        fn single_quotes_keep_everything(value in "[^'\r\n]{0,40}", above in 0usize..5) {
            let text = format!("{}A='{value}'", "# above\n".repeat(above));
            // A backslash before the closing quote keeps it open for dotenvy.
            prop_assume!(!value.contains('\\'));
            prop_assert_eq!(values(&text), [entry("A", &value, above + 1)]);
        }
    }
}
