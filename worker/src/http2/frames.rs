//! Cuts what came into frames, however it is cut. Data is handed on as it comes; every other frame as a whole.

use super::frame::{FrameHead, HEAD, LARGEST_PAYLOAD, flag, kind};
use crate::outcome::Violation;

/// One connection's frames, one after another.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The beginning of a frame whose end has not come.
    carry: Vec<u8>,
    /// The frame in `carry` has been handed on.
    is_used: bool,
    data: Option<DataLeft>,
}

/// What is still to come of a frame of data.
#[derive(Debug, Clone, Copy)]
struct DataLeft {
    stream: u32,
    data: usize,
    padding: usize,
    /// Of its bytes that count for the windows, those that have come and not been handed on.
    counted: u32,
    is_last: bool,
}

/// The next thing that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Data, or a part of it.
    Data {
        stream: u32,
        bytes: &'a [u8],
        /// How much of the windows it takes: padding counts, too.
        counted: u32,
        /// The stream ends with it.
        is_last: bool,
    },
    /// Any other frame.
    Whole { head: FrameHead, payload: &'a [u8] },
}

impl Frames {
    /// Takes the next piece from the front of `input`; `None` when all of it has been used and more is needed.
    ///
    /// # Errors
    /// When a frame has a size that it cannot have.
    #[inline]
    pub(super) fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Piece<'a>>, Violation> {
        if std::mem::take(&mut self.is_used) {
            self.carry.clear();
        }
        if self.data.is_some() {
            return Ok(self.next_data(input));
        }
        if !self.carry.is_empty() {
            return self.next_carried(input);
        }
        let Some(bytes) = input.first_chunk::<HEAD>() else { return Ok(self.keep(input)) };
        let head = checked(FrameHead::parse(bytes))?;
        if head.kind == kind::DATA {
            let Some(data) = DataLeft::new(head, input)? else { return Ok(self.keep(input)) };
            *input = &input[HEAD + data.counted as usize..];
            self.data = Some(data);
            return Ok(self.next_data(input));
        }
        let Some((frame, after)) = input.split_at_checked(HEAD + head.length) else {
            return Ok(self.keep(input));
        };
        *input = after;
        Ok(Some(Piece::Whole { head, payload: &frame[HEAD..] }))
    }

    /// Keeps what is left for the next read.
    fn keep<'a>(&mut self, input: &mut &[u8]) -> Option<Piece<'a>> {
        self.carry.extend_from_slice(input);
        *input = &[];
        None
    }

    /// The same for a frame that began in an earlier read.
    #[cold]
    fn next_carried<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'a>>, Violation> {
        if !self.fill(HEAD, input) {
            return Ok(None);
        }
        let Some(bytes) = self.carry.first_chunk::<HEAD>() else { return Ok(None) };
        let head = checked(FrameHead::parse(bytes))?;
        if head.kind == kind::DATA {
            if head.has(flag::PADDED) && !self.fill(HEAD + 1, input) {
                return Ok(None);
            }
            self.data = DataLeft::new(head, &self.carry)?;
            self.carry.clear();
            return Ok(self.next_data(input));
        }
        if !self.fill(HEAD + head.length, input) {
            return Ok(None);
        }
        self.is_used = true;
        Ok(Some(Piece::Whole { head, payload: &self.carry[HEAD..] }))
    }

    /// Carries as much as is missing to that length. `true` when nothing is.
    fn fill(&mut self, length: usize, input: &mut &[u8]) -> bool {
        let missing = length.saturating_sub(self.carry.len()).min(input.len());
        let (bytes, after) = input.split_at(missing);
        self.carry.extend_from_slice(bytes);
        *input = after;
        self.carry.len() >= length
    }

    #[inline]
    fn next_data<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        let data = self.data.as_mut()?;
        let (bytes, after) = input.split_at(data.data.min(input.len()));
        let padding = data.padding.min(if data.data == bytes.len() { after.len() } else { 0 });
        *input = &after[padding..];

        data.data -= bytes.len();
        data.padding -= padding;
        let counted = data.counted + (bytes.len() + padding) as u32;
        let is_over = data.data == 0 && data.padding == 0;
        if counted == 0 && !is_over {
            return None;
        }
        data.counted = 0;
        let (stream, is_last) = (data.stream, data.is_last && is_over);
        if is_over {
            self.data = None;
        }
        Some(Piece::Data { stream, bytes, counted, is_last })
    }
}

fn checked(head: FrameHead) -> Result<FrameHead, Violation> {
    if head.length <= LARGEST_PAYLOAD { Ok(head) } else { Err(Violation::FrameSize) }
}

impl DataLeft {
    /// From the frame's bytes so far; `None` when the length of its padding has not come.
    #[inline]
    fn new(head: FrameHead, bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let mut left = Self {
            stream: head.stream,
            data: head.length,
            padding: 0,
            counted: 0,
            is_last: head.has(flag::END_STREAM),
        };
        if head.has(flag::PADDED) {
            let Some(padding) = bytes.get(HEAD) else { return Ok(None) };
            left.padding = usize::from(*padding);
            left.counted = 1;
            left.data = head.length.checked_sub(1 + left.padding).ok_or(Violation::Padding)?;
        }
        Ok(Some(left))
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::put_head;
    use super::*;
    use crate::pieces::cut;
    use proptest::prelude::*;

    /// What came, with neighbouring data of one stream put together.
    #[derive(Debug, PartialEq, Eq)]
    enum Came {
        Data(u32, Vec<u8>, u32, bool),
        Whole(u8, Vec<u8>),
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Came>, Violation> {
        let (mut frames, mut came) = (Frames::default(), Vec::new());
        for piece in pieces {
            let mut input = *piece;
            while let Some(piece) = frames.next(&mut input)? {
                match (piece, came.last_mut()) {
                    (
                        Piece::Data { stream, bytes, counted, is_last },
                        Some(Came::Data(last, all, sum, over)),
                    ) if *last == stream && !*over => {
                        all.extend_from_slice(bytes);
                        *sum += counted;
                        *over = is_last;
                    }
                    (Piece::Data { stream, bytes, counted, is_last }, _) => {
                        came.push(Came::Data(stream, bytes.to_vec(), counted, is_last));
                    }
                    (Piece::Whole { head, payload }, _) => {
                        came.push(Came::Whole(head.kind, payload.to_vec()))
                    }
                }
            }
            assert!(input.is_empty());
        }
        Ok(came)
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_head(&mut bytes, payload.len(), kind, flags, stream);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn padding_is_taken_off_and_counts() {
        let padded = frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, b"\x03hello\0\0\0");
        assert_eq!(read(&[&padded]), Ok(vec![Came::Data(1, b"hello".to_vec(), 9, true)]));
        let nothing = frame(kind::DATA, flag::PADDED, 1, b"\x02\0\0");
        assert_eq!(read(&[&nothing]), Ok(vec![Came::Data(1, Vec::new(), 3, false)]));
        for bad in [&b""[..], b"\x01", b"\x05hell"] {
            assert_eq!(
                read(&[&frame(kind::DATA, flag::PADDED, 1, bad), &[0]]),
                Err(Violation::Padding),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_empty_frame_can_end_a_stream() {
        let end = frame(kind::DATA, flag::END_STREAM, 3, b"");
        assert_eq!(read(&[&end]), Ok(vec![Came::Data(3, Vec::new(), 0, true)]));
    }

    #[test]
    fn a_frame_that_is_too_large_is_refused_before_it_comes() {
        let head = &frame(kind::HEADERS, 0, 1, &vec![0; LARGEST_PAYLOAD + 1])[..HEAD];
        assert_eq!(read(&[head]), Err(Violation::FrameSize));
        assert_eq!(read(&[&head[..4], &head[4..]]), Err(Violation::FrameSize));
    }

    proptest! {
        #[test]
        fn any_cut_comes_to_the_same(
            frames in prop::collection::vec((0u8..10, 0u8..16, 0u32..4, prop::collection::vec(0u8..5, 0..40)), 0..6),
            sizes in prop::collection::vec(1usize..20, 1..5),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
            prop_assert_eq!(read(&cut(&bytes, &sizes)), read(&[&bytes]));
        }
    }
}
