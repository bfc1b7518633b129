//! What an instance writes to its serial port, of which the last mebibyte is kept.

/// So much is kept at least.
const KEPT_BYTES: usize = 1024 * 1024;

/// Serial output.
#[derive(Default)]
pub struct Serial {
    /// How much came before what is kept.
    forgotten: usize,
    kept: String,
}

impl Serial {
    /// Writes more.
    pub fn append(&mut self, text: &str) {
        self.kept.push_str(text);
        // Not for every line, since all that is kept is moved.
        if self.kept.len() > 2 * KEPT_BYTES {
            let end = self.kept.ceil_char_boundary(self.kept.len() - KEPT_BYTES);
            self.kept.drain(..end);
            self.forgotten += end;
        }
    }

    /// What is kept from this byte on, and the number of its first byte.
    pub fn since(&self, start: usize) -> (usize, &str) {
        let oldest = self.kept.ceil_char_boundary(self.kept.len().saturating_sub(KEPT_BYTES));
        let from = self.kept.ceil_char_boundary(start.saturating_sub(self.forgotten)).max(oldest);
        (self.forgotten + from, &self.kept[from..])
    }
}
