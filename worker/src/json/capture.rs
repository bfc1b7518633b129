//! Keeps the texts of the few values that are compared, when they do not lie within one piece.

/// The texts of values that have begun and not ended, each within the one before it.
///
/// A text is taken from the piece at hand where it can be; only what a later piece completes is copied, into a buffer
/// that is used again. All positions count from the start of the JSON text.
#[derive(Debug, Default)]
pub(super) struct Captures {
    open: Vec<Capture>,
    /// Where the piece at hand starts.
    piece: u64,
    /// What was copied ends at `copied_to`, which is never before the piece at hand.
    buffer: Vec<u8>,
    copied_to: u64,
}

#[derive(Debug)]
struct Capture {
    start: u64,
    /// The most bytes that are of interest.
    most: u64,
}

impl Captures {
    /// Forgets everything: another text begins.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.buffer.clear();
        (self.piece, self.copied_to) = (0, 0);
    }

    /// A value whose text is wanted, if it has no more than `most` bytes, begins at `at` in the piece at hand.
    pub(super) fn open(&mut self, at: usize, most: usize) {
        let start = self.piece + at as u64;
        if self.open.is_empty() {
            self.buffer.clear();
            self.copied_to = start;
        }
        self.open.push(Capture { start, most: most as u64 });
    }

    /// The innermost of those values ends before `at`: its text, or `None` when that is too long.
    pub(super) fn close<'a>(&'a mut self, bytes: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let capture = self.open.pop()?;
        let length = self.piece + at as u64 - capture.start;
        if length > capture.most {
            return None;
        }
        if capture.start < self.copied_to {
            self.copy(bytes, at);
            return self.buffer.get(self.buffer.len().checked_sub(length as usize)?..);
        }
        bytes.get(at - length as usize..at)
    }

    /// The piece at hand ends here: what of it a later one may complete is copied.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let end = self.piece + bytes.len() as u64;
        let mut starts = self.open.iter().filter(|capture| end - capture.start <= capture.most);
        if let Some(needed) = starts.next().map(|outermost| outermost.start) {
            // What an outer value left there before it grew too long would pile up.
            let copied = self.copied_to.saturating_sub(needed) as usize;
            self.buffer.drain(..self.buffer.len().saturating_sub(copied));
            self.copied_to = self.copied_to.max(needed);
            self.copy(bytes, bytes.len());
        } else {
            self.buffer.clear();
            self.copied_to = end;
        }
        self.piece = end;
    }

    fn copy(&mut self, bytes: &[u8], to: usize) {
        let from = (self.copied_to - self.piece) as usize;
        self.buffer.extend_from_slice(&bytes[from..to]);
        self.copied_to = self.piece + to as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of `[…]` within a text that comes in pieces of a given size, innermost first.
    fn bracketed(text: &str, piece: usize, most: usize) -> Vec<Option<String>> {
        let (mut captures, mut texts) = (Captures::default(), Vec::new());
        for bytes in text.as_bytes().chunks(piece) {
            for (at, byte) in bytes.iter().enumerate() {
                match byte {
                    b'[' => captures.open(at, most),
                    b']' => texts.push(
                        captures.close(bytes, at + 1).map(|text| String::from_utf8_lossy(text).into_owned()),
                    ),
                    _ => {}
                }
            }
            captures.keep(bytes);
            assert!(captures.buffer.len() <= most);
        }
        texts
    }

    #[test]
    fn nested_texts_are_whole_at_any_cut() {
        for piece in 1..20 {
            let texts = bracketed("ab[c[d]e[f]]g[hi]", piece, 99);
            let expected = ["[d]", "[f]", "[c[d]e[f]]", "[hi]"].map(|text| Some(text.to_owned()));
            assert_eq!(texts, expected, "by {piece}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_none_at_any_cut_and_spoils_no_other() {
        let text = format!("[{}[ok]{}[fine]]", "x".repeat(50), "y".repeat(50));
        for piece in 1..text.len() {
            let expected = [Some("[ok]".to_owned()), Some("[fine]".to_owned()), None];
            assert_eq!(bracketed(&text, piece, 10), expected, "by {piece}");
        }
    }
}
