//! Frames that speak of the connection or of a stream, and carry nothing of an answer.

use super::{Ended, Ending, MOST_ANSWERS_OUT, Session, stage};
use crate::http2::frame::{
    ErrorCode, FrameHead, LARGEST, LARGEST_PAYLOAD, flag, kind, number, put_head, setting,
};
use crate::outcome::Violation;

/// Frames that serve no request, one after another, before they are a flood.
const MOST_IDLE_FRAMES: u32 = 10_000;

/// What is known of the stream that a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Open,
    /// We have reset it; the peer may not have heard of that.
    Cancelled,
    Over,
}

impl Session {
    pub(super) fn idle_frame(&mut self) -> Result<(), Violation> {
        self.idle_frames += 1;
        let is_flood = self.idle_frames > MOST_IDLE_FRAMES || self.out.len() > MOST_ANSWERS_OUT;
        if is_flood { Err(Violation::Flood) } else { Ok(()) }
    }

    pub(super) fn known(&mut self, id: u32) -> Result<Known, Violation> {
        if self.streams.get(id).is_some() {
            return Ok(Known::Open);
        }
        // Ours are odd, and the peer may open none.
        if id.is_multiple_of(2) || id >= self.next_id {
            return Err(Violation::StreamNumber);
        }
        Ok(if self.cancelled.may_hold(id) { Known::Cancelled } else { Known::Over })
    }

    pub(super) fn window_update(&mut self, id: u32, payload: &[u8]) -> Result<(), Violation> {
        if payload.len() != 4 {
            return Err(Violation::FrameSize);
        }
        let more = number(payload) & LARGEST;
        if more == 0 {
            return Err(Violation::FlowControl);
        }
        let window = match id {
            0 => &mut self.send_window,
            _ => match self.known(id)? {
                Known::Open => match self.streams.get(id) {
                    Some(stream) => &mut stream.send_window,
                    None => return Ok(()),
                },
                Known::Cancelled | Known::Over => return self.idle_frame(),
            },
        };
        *window += i64::from(more);
        if *window > i64::from(LARGEST) { Err(Violation::FlowControl) } else { Ok(()) }
    }

    pub(super) fn rst_stream(&mut self, id: u32, payload: &[u8]) -> Result<(), Violation> {
        if payload.len() != 4 {
            return Err(Violation::FrameSize);
        }
        self.known(id)?;
        if let Some(stream) = self.streams.remove(id) {
            let ending = Ending::Reset(ErrorCode::read(payload));
            self.ended.push_back(Ended { place: stream.place, stage: stage(&stream), ending });
            // It may be a peer that refuses everything, but each costs it a request of ours.
            self.idle_frames = 0;
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Violation> {
        let whole = payload.len().is_multiple_of(6) && (!head.has(flag::ACK) || payload.is_empty());
        if head.stream != 0 {
            return Err(Violation::StreamNumber);
        }
        if !whole {
            return Err(Violation::FrameSize);
        }
        if head.has(flag::ACK) {
            return Ok(());
        }
        for entry in payload.chunks_exact(6) {
            let setting = u16::from_be_bytes([entry[0], entry[1]]);
            self.set(setting, number(&entry[2..]))?;
        }
        self.peer.is_known = true;
        put_head(&mut self.out, 0, kind::SETTINGS, flag::ACK, 0);
        Ok(())
    }

    fn set(&mut self, setting: u16, value: u32) -> Result<(), Violation> {
        match setting {
            setting::ENABLE_PUSH if value != 0 => return Err(Violation::Settings),
            setting::MAX_CONCURRENT_STREAMS => self.peer.max_streams = value,
            setting::INITIAL_WINDOW_SIZE if value > LARGEST => return Err(Violation::FlowControl),
            setting::INITIAL_WINDOW_SIZE => {
                let change = i64::from(value) - i64::from(self.peer.initial_window);
                self.peer.initial_window = value;
                for stream in self.streams.all() {
                    stream.send_window += change;
                    if stream.send_window > i64::from(LARGEST) {
                        return Err(Violation::FlowControl);
                    }
                }
            }
            setting::MAX_FRAME_SIZE => {
                let size = value as usize;
                if !(LARGEST_PAYLOAD..1 << 24).contains(&size) {
                    return Err(Violation::Settings);
                }
                self.peer.largest_payload = size;
            }
            // Our header blocks use no table, and whether they are too large is the peer's to say.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn ping(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Violation> {
        if head.stream != 0 {
            return Err(Violation::StreamNumber);
        }
        if payload.len() != 8 {
            return Err(Violation::FrameSize);
        }
        if !head.has(flag::ACK) {
            put_head(&mut self.out, payload.len(), kind::PING, flag::ACK, 0);
            self.out.extend_from_slice(payload);
        }
        Ok(())
    }

    /// The peer ends the connection: what it has not begun is over here, the rest goes on.
    pub(super) fn goaway(&mut self, stream: u32, payload: &[u8]) -> Result<(), Violation> {
        if stream != 0 {
            return Err(Violation::StreamNumber);
        }
        if payload.len() < 8 {
            return Err(Violation::FrameSize);
        }
        let (last, code) = (number(payload) & LARGEST, ErrorCode::read(&payload[4..]));
        self.gone_away = Some(code);
        let undone = self.streams.all().map(|stream| stream.id).filter(|id| *id > last);
        let mut undone: Vec<u32> = undone.collect();
        undone.sort_unstable();
        for id in undone {
            let Some(stream) = self.streams.remove(id) else { continue };
            // A peer that takes at least one request of each connection comes to the end of them all. It refuses no request of
            // which not a byte was written: that one only waited in another place.
            let is_harmless = last > 0 || id >= self.handed_over;
            let is_in_peace = code == ErrorCode::NO_ERROR && is_harmless;
            let ending = if is_in_peace { Ending::LeftOver } else { Ending::GoneAway(code) };
            self.ended.push_back(Ended { place: stream.place, stage: stage(&stream), ending });
            self.cancelled.add(id);
        }
        Ok(())
    }
}
