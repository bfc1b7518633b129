//! What came, frame by frame, and what follows from it.

use super::control::Known;
use super::{Answers, CONNECTION_WINDOW, Ended, Ending, OpenBlock, STREAM_WINDOW, Session, code, stage};
use crate::http1::head::ContentLength;
use crate::http2::frame::{ErrorCode, FrameHead, flag, kind, put_number};
use crate::http2::frames::{Frames, Piece};
use crate::http2::head::{Block, Fields};
use crate::http2::hpack::{HpackFault, MAX_LIST};
use crate::outcome::{ProtocolFault, Violation};

/// Frames into which a header block may be cut.
const MOST_BLOCK_FRAMES: u32 = 64;

impl Session {
    /// Takes the next bytes that came.
    ///
    /// # Errors
    /// How the connection breaks the protocol; nothing more can be made of it. What had ended before counts.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], answers: &mut impl Answers) -> Result<(), ProtocolFault> {
        let mut frames = std::mem::take(&mut self.frames);
        let fed = self.feed_frames(&mut frames, bytes, answers);
        self.frames = frames;
        match fed {
            // What speaks another protocol seldom has a frame's size where one is looked for.
            Err(_) if !self.peer.is_known => Err(ProtocolFault::Http2(Violation::NoSettings)),
            fed => fed,
        }
    }

    fn feed_frames(
        &mut self,
        frames: &mut Frames,
        mut input: &[u8],
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        while let Some(piece) = frames.next(&mut input)? {
            match piece {
                Piece::Data { stream, bytes, counted, is_last } => {
                    self.data(stream, bytes, counted, is_last, answers)?;
                }
                Piece::Whole { head, payload } => self.whole(head, payload, answers)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn whole(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        if !self.peer.is_known && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Violation::NoSettings.into());
        }
        if self.block.is_some() != (head.kind == kind::CONTINUATION) {
            return Err(Violation::Continuation.into());
        }
        match head.kind {
            kind::HEADERS => return self.headers(head, payload, answers),
            kind::CONTINUATION => return self.continuation(head, payload, answers),
            kind::WINDOW_UPDATE => return Ok(self.window_update(head.stream, payload)?),
            kind::RST_STREAM => self.rst_stream(head.stream, payload)?,
            kind::SETTINGS => self.settings(head, payload)?,
            kind::PING => self.ping(head, payload)?,
            kind::GOAWAY => self.goaway(head.stream, payload)?,
            kind::PUSH_PROMISE => return Err(Violation::Push.into()),
            kind::PRIORITY if payload.len() != 5 => return Err(Violation::FrameSize.into()),
            // Frames of other kinds are passed over (RFC 9113, section 5.5).
            _ => {}
        }
        Ok(self.idle_frame()?)
    }

    #[inline]
    fn data(
        &mut self,
        id: u32,
        bytes: &[u8],
        counted: u32,
        is_last: bool,
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        if self.block.is_some() {
            return Err(Violation::Continuation.into());
        }
        self.receive_window = self.receive_window.checked_sub(counted).ok_or(Violation::FlowControl)?;
        if self.receive_window < CONNECTION_WINDOW / 2 {
            put_number(&mut self.out, kind::WINDOW_UPDATE, 0, CONNECTION_WINDOW - self.receive_window);
            self.receive_window = CONNECTION_WINDOW;
        }
        let Some(stream) = self.streams.get(id) else {
            return match self.known(id)? {
                Known::Over => Err(Violation::StreamOver.into()),
                Known::Open | Known::Cancelled => Ok(self.idle_frame()?),
            };
        };
        stream.receive_window = stream.receive_window.checked_sub(counted).ok_or(Violation::FlowControl)?;
        if !stream.has_head {
            return self.give_up(id, Violation::Head.into(), is_last);
        }
        if let Some(left) = &mut stream.length_left {
            match left.checked_sub(bytes.len() as u64) {
                Some(rest) => *left = rest,
                None => return self.give_up(id, Violation::Length.into(), is_last),
            }
        }
        if !bytes.is_empty() {
            self.idle_frames = 0;
            answers.data(stream.place, bytes);
        }
        if is_last {
            return self.complete(id);
        }
        if stream.receive_window < STREAM_WINDOW / 2 {
            put_number(&mut self.out, kind::WINDOW_UPDATE, id, STREAM_WINDOW - stream.receive_window);
            stream.receive_window = STREAM_WINDOW;
        }
        if bytes.is_empty() { Ok(self.idle_frame()?) } else { Ok(()) }
    }

    #[inline]
    fn headers(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        let mut block = payload;
        if head.has(flag::PADDED) {
            let (padding, rest) = block.split_first().ok_or(Violation::Padding)?;
            let length = rest.len().checked_sub(usize::from(*padding)).ok_or(Violation::Padding)?;
            block = &rest[..length];
        }
        if head.has(flag::PRIORITY) {
            block = block.get(5..).ok_or(Violation::FrameSize)?;
        }
        let is_last = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.block(head.stream, is_last, block, answers);
        }
        self.block = Some(OpenBlock { stream: head.stream, is_last, bytes: block.to_vec(), frames: 1 });
        Ok(())
    }

    #[cold]
    fn continuation(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        let Some(mut block) = self.block.take().filter(|block| block.stream == head.stream) else {
            return Err(Violation::Continuation.into());
        };
        block.bytes.extend_from_slice(payload);
        block.frames += 1;
        if block.bytes.len() > MAX_LIST {
            return Err(ProtocolFault::HeadTooLarge);
        }
        if block.frames > MOST_BLOCK_FRAMES {
            return Err(Violation::Continuation.into());
        }
        if head.has(flag::END_HEADERS) {
            return self.block(block.stream, block.is_last, &block.bytes, answers);
        }
        self.block = Some(block);
        Ok(())
    }

    /// A whole header block. It is read even when nobody waits for it, because others refer to it.
    #[inline]
    fn block(
        &mut self,
        id: u32,
        is_last: bool,
        block: &[u8],
        answers: &mut impl Answers,
    ) -> Result<(), ProtocolFault> {
        let mut fields = Fields::default();
        self.decoder.decode(block, |name, value| fields.take(name, value)).map_err(|fault| match fault {
            HpackFault::TooLarge => ProtocolFault::HeadTooLarge,
            _ => Violation::HeaderBlock.into(),
        })?;
        let Some(stream) = self.streams.get(id) else {
            return match self.known(id)? {
                Known::Over => Err(Violation::StreamOver.into()),
                Known::Open | Known::Cancelled => Ok(self.idle_frame()?),
            };
        };
        if !stream.has_head {
            answers.begun(stream.place);
        }
        match fields.block() {
            Block::Interim if !stream.has_head && !is_last => return Ok(self.idle_frame()?),
            Block::Trailers if stream.has_head && is_last => return self.complete(id),
            Block::Final(_, ContentLength::Invalid) if !stream.has_head => {
                return self.give_up(id, ProtocolFault::ContentLength, is_last);
            }
            Block::Final(head, length) if !stream.has_head => {
                stream.has_head = true;
                stream.length_left = match length {
                    _ if self.to_head_request || matches!(head.status, 204 | 304) => Some(0),
                    ContentLength::Bytes(length) => Some(length),
                    ContentLength::Absent | ContentLength::Invalid => None,
                };
                self.idle_frames = 0;
                answers.head(stream.place, &head);
            }
            _ => return self.give_up(id, Violation::Head.into(), is_last),
        }
        if is_last { self.complete(id) } else { Ok(()) }
    }

    /// The answer on a stream is complete.
    #[inline]
    fn complete(&mut self, id: u32) -> Result<(), ProtocolFault> {
        let Some(stream) = self.streams.remove(id) else { return Ok(()) };
        if stream.is_sending {
            // The peer has no use for the rest of the request.
            self.reset(id, ErrorCode::NO_ERROR);
        }
        let ending = match stream.length_left {
            Some(1..) => Ending::Broken(Violation::Length.into()),
            _ => Ending::Complete,
        };
        self.ended.push_back(Ended { place: stream.place, stage: stage(&stream), ending });
        Ok(())
    }

    /// The answer on one stream breaks the protocol; the others go on.
    #[cold]
    fn give_up(&mut self, id: u32, fault: ProtocolFault, is_last: bool) -> Result<(), ProtocolFault> {
        let Some(stream) = self.streams.remove(id) else { return Ok(()) };
        if stream.is_sending || !is_last {
            self.reset(id, code(fault));
        }
        self.ended.push_back(Ended {
            place: stream.place,
            stage: stage(&stream),
            ending: Ending::Broken(fault),
        });
        Ok(())
    }
}
