//! One file of variables: `NAME=value` lines, as `.env` files have them; `export` in front is allowed.
//!
//! What a shell would understand in such a line means the same here: quotes, backslashes, `$NAME`, `${NAME}`,
//! `${NAME-default}` and `${NAME:-default}`. Whatever else has a `$` is an error, because it would quietly become
//! something else.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables of a process.
pub type ProcessVariables = BTreeMap<String, OsString>;

/// A variable of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileVariable {
    /// Without quotes, with `$NAME` replaced.
    pub(crate) value: String,
    /// Where its value ends, from 1.
    pub(crate) line: usize,
}

/// A line that cannot be used, by its number from 1. Its text is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokenLine {
    /// It is no `NAME=value`.
    NoVariable(usize),
    /// It has a `$` that names no variable.
    Dollar(usize),
}

/// Reads all variables. The last line that sets one wins, as in a shell. A `$NAME` is taken from the process, or else from
/// a line above.
pub(crate) fn parse(
    text: &str,
    process: &ProcessVariables,
) -> Result<BTreeMap<String, FileVariable>, BrokenLine> {
    let rest = text.trim_start_matches('\u{feff}');
    let mut parser = Parser { rest, line: 1, process, variables: BTreeMap::new() };
    while parser.skip_to_statement() {
        let first_line = parser.line;
        let (name, value) = parser.statement().map_err(|broken| match broken {
            Broken::Statement => BrokenLine::NoVariable(first_line),
            Broken::Dollar => BrokenLine::Dollar(parser.line),
        })?;
        parser.variables.insert(name, FileVariable { value, line: parser.line });
    }
    Ok(parser.variables)
}

struct Parser<'a> {
    rest: &'a str,
    /// Of the next character, from 1.
    line: usize,
    process: &'a ProcessVariables,
    variables: BTreeMap<String, FileVariable>,
}

enum Broken {
    Statement,
    Dollar,
}

impl<'a> Parser<'a> {
    /// Goes to the next line that is neither empty nor a comment. `false` at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.take_while(|letter| letter != '\n');
        }
    }

    /// From the name to just before the line's end.
    fn statement(&mut self) -> Result<(String, String), Broken> {
        let mut name = self.name();
        self.skip_blanks();
        if name == "export" && !self.rest.starts_with('=') {
            name = self.name();
            self.skip_blanks();
        }
        if name.is_empty() || !self.take('=') {
            return Err(Broken::Statement);
        }
        self.skip_blanks();
        let value = if self.rest.starts_with('#') { String::new() } else { self.value()? };

        self.skip_blanks();
        if self.rest.starts_with('#') {
            self.take_while(|letter| letter != '\n');
        }
        self.take('\r');
        if self.rest.is_empty() || self.rest.starts_with('\n') {
            Ok((name.to_owned(), value))
        } else {
            Err(Broken::Statement)
        }
    }

    /// Up to the first blank or line break that is not within quotes.
    fn value(&mut self) -> Result<String, Broken> {
        let (mut value, mut in_quotes) = (String::new(), false);
        loop {
            match self.rest.chars().next() {
                None if in_quotes => return Err(Broken::Statement),
                None => return Ok(value),
                Some(' ' | '\t' | '\r' | '\n') if !in_quotes => return Ok(value),
                Some('\'') if !in_quotes => value.push_str(self.single_quoted()?),
                Some(letter) => {
                    self.advance(letter);
                    match letter {
                        '"' => in_quotes = !in_quotes,
                        '\\' => value.push(self.escaped()?),
                        '$' => value.push_str(&self.substitution()?),
                        _ => value.push(letter),
                    }
                }
            }
        }
    }

    /// Single quotes keep everything between them.
    fn single_quoted(&mut self) -> Result<&'a str, Broken> {
        self.take('\'');
        let quoted = self.take_while(|letter| letter != '\'');
        if self.take('\'') { Ok(quoted) } else { Err(Broken::Statement) }
    }

    fn escaped(&mut self) -> Result<char, Broken> {
        let letter = self.rest.chars().next().ok_or(Broken::Statement)?;
        self.advance(letter);
        match letter {
            '\\' | '\'' | '"' | '$' | ' ' => Ok(letter),
            'n' => Ok('\n'),
            _ => Err(Broken::Statement),
        }
    }

    /// What follows a `$`.
    fn substitution(&mut self) -> Result<String, Broken> {
        let in_braces = self.take('{');
        let name = if self.rest.starts_with(|first: char| first.is_ascii_digit()) {
            ""
        } else {
            self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        if name.is_empty() {
            return Err(Broken::Dollar);
        }
        let found = self.lookup(name);
        if !in_braces || self.take('}') {
            return Ok(found.unwrap_or_default());
        }
        let empty_counts = !self.take(':');
        if !self.take('-') {
            return Err(Broken::Dollar);
        }
        let default = self.take_while(|letter| !"}$'\"\\\n".contains(letter));
        if !self.take('}') {
            return Err(Broken::Dollar);
        }
        let found = found.filter(|value| empty_counts || !value.is_empty());
        Ok(found.unwrap_or_else(|| default.to_owned()))
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let of_process = self.process.get(name).and_then(|value| value.to_str());
        let in_file = || self.variables.get(name).map(|variable| variable.value.as_str());
        of_process.or_else(in_file).map(ToOwned::to_owned)
    }

    /// Empty where none begins.
    fn name(&mut self) -> &'a str {
        if self.rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            self.take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'))
        } else {
            ""
        }
    }

    fn skip_blanks(&mut self) {
        self.take_while(|letter| matches!(letter, ' ' | '\t'));
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.rest.starts_with(wanted);
        if is_next {
            self.advance(wanted);
        }
        is_next
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !wanted(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// `letter` is the next.
    fn advance(&mut self, letter: char) {
        self.line += usize::from(letter == '\n');
        self.rest = &self.rest[letter.len_utf8()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let variables = parse(text, &process()).unwrap();
        variables.into_iter().map(|(name, found)| (name, found.value, found.line)).collect()
    }

    fn process() -> ProcessVariables {
        [("SET".to_owned(), "of the process".into()), ("EMPTY".to_owned(), "".into())].into()
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
            assert_eq!(parse(text, &process()), Err(BrokenLine::NoVariable(line)), "{text:?}");
        }
    }

    #[test]
    fn a_dollar_means_what_it_means_to_a_shell() {
        let text = "A_B=1\nB=$A_B-${A_B}\nC=\"${NONE:-x y}\"\nD=${SET:-x}\nE=${EMPTY:-x}${EMPTY-y}\n\
                    F=${NONE-z}$NONE.b\nG='$A_B'\\$\nH=${A_B:-2}";
        let values: Vec<String> = values(text).into_iter().map(|(_, value, _)| value).collect();
        assert_eq!(values, ["1", "1-1", "x y", "of the process", "x", "z.b", "$A_B$", "1"]);
    }

    #[test]
    fn a_dollar_that_names_no_variable_is_an_error() {
        for value in [
            "$",
            "a$",
            "$5",
            "$$",
            "\"$(id)\"",
            "${A",
            "${A:=1}",
            "${A:+1}",
            "${A:-$B}",
            "${A:-'x'}",
            "${}",
            "${A.b}",
        ] {
            assert_eq!(parse(&format!("\nX={value}\n"), &process()), Err(BrokenLine::Dollar(2)), "{value}");
        }
    }

    #[test]
    fn long_lines_are_one_line() {
        let text = format!("A={}\nB=\n-", "x".repeat(50_000));
        assert_eq!(parse(&text, &process()), Err(BrokenLine::NoVariable(3)));
    }

    proptest! {
        #[test]
        fn nothing_in_a_file_makes_it_panic_and_errors_lie_within(text in "([A-Z=\"'$#{} \\\\\n\r-]|export |é){0,60}") {
            if let Err(BrokenLine::NoVariable(line) | BrokenLine::Dollar(line)) = parse(&text, &process()) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&line), "line {line}");
            }
        }

        #[test]
        fn single_quotes_keep_everything(value in "[^'\r\n]{0,40}", above in 0usize..5) {
            let text = format!("{}A='{value}'", "# above\n".repeat(above));
            prop_assert_eq!(values(&text), [entry("A", &value, above + 1)]);
        }
    }
}
