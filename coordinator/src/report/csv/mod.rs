//! A run as CSV (RFC 4180): a row for each result and arm, or for each second of each block. Numbers are plain, their units
//! stand in the headers, and a cell is empty where there is no figure.

mod results;
mod seconds;
#[cfg(test)]
mod tests;

use proto::outcome::FailureKind;

use super::markdown::visible;
use super::record::CountersRecord;

pub use results::results;
pub use seconds::seconds;

/// A header, or a part of one, and how its number follows from what it is of.
type Part<T, N> = (&'static str, fn(&T) -> N);

/// How a cell follows from a row.
type Cell<'a, R> = Box<dyn Fn(&R) -> String + 'a>;

/// A table's columns: each a header, and how its cell follows from a row.
struct Columns<'a, R> {
    columns: Vec<(String, Cell<'a, R>)>,
}

impl<'a, R> Columns<'a, R> {
    fn new() -> Self {
        Self { columns: Vec::new() }
    }

    fn text(&mut self, header: &str, cell: impl Fn(&R) -> String + 'a) {
        self.column(header, move |row| inert(cell(row)));
    }

    fn number<N: ToString>(&mut self, header: &str, cell: impl Fn(&R) -> N + 'a) {
        self.column(header, move |row| cell(row).to_string());
    }

    fn figure(&mut self, header: &str, cell: impl Fn(&R) -> Option<f64> + 'a) {
        self.column(header, move |row| cell(row).map(|figure| figure.to_string()).unwrap_or_default());
    }

    fn column(&mut self, header: &str, cell: impl Fn(&R) -> String + 'a) {
        self.columns.push((header.to_owned(), Box::new(cell)));
    }

    /// The header, and a line for each row.
    fn write(&self, rows: &[R]) -> String {
        let header = self.columns.iter().map(|(header, _)| header.clone());
        let lines = rows.iter().map(|row| line(self.columns.iter().map(|(_, cell)| cell(row))));
        std::iter::once(line(header)).chain(lines).collect()
    }
}

/// One line with its end.
fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    cells.join(",") + "\r\n"
}

/// Text that a spreadsheet would take for a formula, with what keeps it text before it. Numbers may begin with a sign.
fn inert(text: String) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text,
    }
}

fn quoted(cell: &str) -> String {
    let cell = visible(cell);
    if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Milliseconds, without losing a nanosecond.
fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn failures(counters: &CountersRecord, kind: FailureKind) -> u64 {
    let of_kind = counters.failures.iter().filter(|failure| failure.kind == kind);
    of_kind.fold(0, |sum: u64, failure| sum.saturating_add(failure.count))
}
