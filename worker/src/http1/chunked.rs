//! Undoes the chunked transfer coding, however its bytes are cut.

use crate::outcome::ProtocolFault;

/// The longest line that announces a chunk, in bytes: a size, perhaps padded with zeros, and extensions.
const MAX_SIZE_LINE: u32 = 16 * 1024;
/// The most bytes that all trailers may have together.
const MAX_TRAILERS: u32 = 64 * 1024;

/// How far a chunked body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
    /// Of the chunk: its size so far as it has been read, then what is left of its data.
    size: u64,
    /// Of the size line, or of the trailers: the bytes so far.
    length: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    /// After a digit.
    Size,
    /// Blanks between the size and what follows it.
    Blank,
    /// What follows the size, up to the end of the line: nothing that matters here.
    Extension,
    /// After the carriage return of a size line.
    SizeEnd,
    Data,
    /// After a chunk's data.
    DataEnd,
    /// After the carriage return there.
    DataEndReturn,
    /// At the start of a trailer line, which is empty when it is the last.
    TrailerStart,
    /// After a carriage return at the start of a trailer line.
    TrailerReturn,
    Trailer,
    Complete,
}

impl Chunked {
    pub(super) const START: Chunked = Chunked { state: State::SizeStart, size: 0, length: 0 };

    /// Takes the next bytes and hands the data among them on; `Some` with the number of bytes used when the body is
    /// complete, `None` when all were used and more are needed.
    ///
    /// # Errors
    /// `Chunk` when a size or the end of a chunk is broken, or a size line or the trailers are too long.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut data: impl FnMut(&[u8]),
    ) -> Result<Option<usize>, ProtocolFault> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.state == State::Data {
                let rest = &bytes[at..];
                let taken = usize::try_from(self.size).map_or(rest.len(), |size| size.min(rest.len()));
                data(&rest[..taken]);
                self.size -= taken as u64;
                at += taken;
                if self.size == 0 {
                    self.state = State::DataEnd;
                }
                continue;
            }
            self.state = self.framing(byte)?;
            at += 1;
            if self.state == State::Complete {
                break;
            }
        }
        Ok((self.state == State::Complete).then_some(at))
    }

    /// The state after one byte that is not data.
    fn framing(&mut self, byte: u8) -> Result<State, ProtocolFault> {
        match (self.state, byte) {
            (State::SizeStart, _) => {
                (self.size, self.length) = (0, 0);
                self.digit(byte)
            }
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (State::Size | State::Blank, b' ' | b'\t') => self.within_size_line(State::Blank),
            (State::Size | State::Blank, b';') => self.within_size_line(State::Extension),
            (State::Size | State::Blank, b'\r') => Ok(State::SizeEnd),
            (State::Size | State::Blank | State::Extension | State::SizeEnd, b'\n') => Ok(self.announced()),
            // A carriage return here is nothing special: the line ends with its line feed.
            (State::Extension, _) => self.within_size_line(State::Extension),

            (State::DataEnd, b'\r') => Ok(State::DataEndReturn),
            (State::DataEnd | State::DataEndReturn, b'\n') => Ok(State::SizeStart),

            (State::TrailerStart | State::TrailerReturn, b'\n') | (State::Complete, _) => Ok(State::Complete),
            (State::TrailerStart, b'\r') => Ok(State::TrailerReturn),
            (State::Trailer, b'\n') => self.within_trailers(State::TrailerStart),
            (State::TrailerStart | State::Trailer, _) => self.within_trailers(State::Trailer),

            (State::Size | State::Blank | State::SizeEnd, _)
            | (State::DataEnd | State::DataEndReturn | State::TrailerReturn | State::Data, _) => {
                Err(ProtocolFault::Chunk)
            }
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, ProtocolFault> {
        let digit = char::from(byte).to_digit(16).ok_or(ProtocolFault::Chunk)?;
        self.size = self.size.checked_mul(16).ok_or(ProtocolFault::Chunk)? | u64::from(digit);
        self.within_size_line(State::Size)
    }

    /// What comes after a size line.
    fn announced(&mut self) -> State {
        if self.size > 0 {
            return State::Data;
        }
        self.length = 0;
        State::TrailerStart
    }

    fn within_size_line(&mut self, next: State) -> Result<State, ProtocolFault> {
        self.within(MAX_SIZE_LINE, next)
    }

    fn within_trailers(&mut self, next: State) -> Result<State, ProtocolFault> {
        self.within(MAX_TRAILERS, next)
    }

    fn within(&mut self, most: u32, next: State) -> Result<State, ProtocolFault> {
        self.length += 1;
        if self.length > most { Err(ProtocolFault::Chunk) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The data and how many bytes were used, when the bytes come in pieces of a given size.
    fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Option<usize>), ProtocolFault> {
        let (mut chunked, mut data, mut used) = (Chunked::START, Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            match chunked.feed(piece, |bytes| data.extend_from_slice(bytes))? {
                Some(last) => return Ok((data, Some(used + last))),
                None => used += piece.len(),
            }
        }
        Ok((data, None))
    }

    #[test]
    fn every_way_to_write_chunks_is_read() {
        for text in [
            "5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\n0\n\n",
            "2\r\nhe\r\n03 \t\r\nllo\r\n000\r\n\r\n",
            "5;x=y\r\nhello\r\n0;z\r\n\r\n",
            "5 ; x=\"a;b\\\"c\"\r\nhello\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\n",
        ] {
            for piece in 1..=text.len() {
                let expected = (b"hello".to_vec(), Some(text.len()));
                assert_eq!(decode(text.as_bytes(), piece), Ok(expected), "{text:?} by {piece}");
            }
        }
        let long = format!("aB\r\n{}\r\n0\r\n\r\nHTTP/1.1", "x".repeat(0xab));
        assert_eq!(decode(long.as_bytes(), 7), Ok((vec![b'x'; 0xab], Some(long.len() - 8))));
    }

    #[test]
    fn broken_chunks_are_refused() {
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "0x5\r\nhello",
            "5 5\r\nhello",
            "5\rhello",
            "5\r\nhelloo\r\n",
            "5\r\nhello\rx",
            "0\r\n\rx",
            "10000000000000000\r\n",
        ] {
            for piece in 1..=text.len() {
                assert_eq!(decode(text.as_bytes(), piece), Err(ProtocolFault::Chunk), "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn sizes_zeros_extensions_and_trailers_are_bounded() {
        assert_eq!(decode(b"ffffffffffffffff\r\nhello", 3), Ok((b"hello".to_vec(), None)));
        for (start, endless) in [("", "0"), ("5;", "x"), ("5", " "), ("0\r\n", "a: b\r\n"), ("0\r\n", "a")] {
            let text = start.to_owned() + &endless.repeat(100_000);
            assert_eq!(decode(text.as_bytes(), 1000), Err(ProtocolFault::Chunk), "{start:?} {endless:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_at_any_split_come_to_the_same(
            bytes in prop::collection::vec(prop::sample::select(b"0123aF;\r\n\r\n x\"".to_vec()), 0..60),
            piece in 1usize..9,
        ) {
            prop_assert_eq!(decode(&bytes, piece).ok(), decode(&bytes, usize::MAX).ok());
        }
    }
}
