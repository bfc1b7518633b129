//! One connection's conversation: requests go into `out`, what came goes through `feed`, and what ended comes out of
//! `next_ended`. It does no I/O and knows no time.

mod control;
mod receive;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::frame::{
    DEFAULT_WINDOW, ErrorCode, LARGEST, LARGEST_PAYLOAD, PREFACE, flag, kind, put_head, put_number,
    put_settings, setting,
};
use super::frames::Frames;
use super::hpack::{Decoder, MAX_LIST};
use super::request::Encoded;
use super::streams::{Stream, Streams};
use crate::http1::response::Head;
use crate::outcome::{ProtocolFault, Stage, Violation};

/// How much data one answer may send before we have looked at it. It is looked at at once.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all answers of a connection together.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// How much may wait to be written before no more requests are added to it.
const MOST_OUT: usize = 256 << 10;
/// How much a peer that does not read may have us answer.
const MOST_ANSWERS_OUT: usize = 4 * MOST_OUT;
/// The largest frame of data that is sent, whatever the peer would take.
const LARGEST_DATA: usize = 4 * LARGEST_PAYLOAD;

/// Who is handed the answers of a connection, piece by piece. `place` is what the request was started for.
pub trait Answers {
    /// The first of an answer is here, be it only an interim one; its head, where it is one, is told next.
    fn begun(&mut self, place: u32);
    /// The head of an answer is complete.
    fn head(&mut self, place: u32, head: &Head);
    /// The next bytes of its body, never none.
    fn data(&mut self, place: u32, bytes: &[u8]);
}

/// A request that is over, whichever way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What the request was started for.
    pub place: u32,
    /// How far its answer had come.
    pub stage: Stage,
    /// How it ended.
    pub ending: Ending,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its answer is complete.
    Complete,
    /// The peer reset its stream.
    Reset(ErrorCode),
    /// The peer said that it would not look at it.
    GoneAway(ErrorCode),
    /// It said so without a complaint of this one, and took others before it or can have heard nothing of this one: it
    /// only wants another connection.
    LeftOver,
    /// Its answer breaks the protocol, or the whole connection does.
    Broken(ProtocolFault),
    /// The connection was closed.
    Closed,
    /// It was closed before a byte of this one was written, so that the peer has heard nothing of it.
    Unwritten,
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Session {
    frames: Frames,
    decoder: Decoder,
    /// A header block of which more is to come.
    block: Option<OpenBlock>,
    streams: Streams,
    next_id: u32,
    /// Of the streams below this number the peer may have heard.
    handed_over: u32,
    peer: Peer,
    /// How much more data the peer takes over all streams.
    send_window: i64,
    /// How much more it may send.
    receive_window: u32,
    /// What is to be written.
    out: Vec<u8>,
    /// Streams whose requests are not in frames to their ends, in order.
    sending: VecDeque<u32>,
    ended: VecDeque<Ended>,
    cancelled: Cancelled,
    gone_away: Option<ErrorCode>,
    /// Frames since the last one that served a request.
    idle_frames: u32,
    to_head_request: bool,
}

/// What the peer has set.
#[derive(Debug, Clone, Copy)]
struct Peer {
    /// Its settings have come.
    is_known: bool,
    max_streams: u32,
    initial_window: u32,
    largest_payload: usize,
}

#[derive(Debug)]
struct OpenBlock {
    stream: u32,
    is_last: bool,
    bytes: Vec<u8>,
    frames: u32,
}

impl Session {
    /// A new connection's, which begins with what a client says first. The answers to HEAD requests have no bodies.
    pub fn new(to_head_request: bool) -> Self {
        let mut out = PREFACE.to_vec();
        let settings = [
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (setting::MAX_HEADER_LIST_SIZE, MAX_LIST as u32),
        ];
        put_settings(&mut out, &settings);
        put_number(&mut out, kind::WINDOW_UPDATE, 0, CONNECTION_WINDOW - DEFAULT_WINDOW);
        Self {
            frames: Frames::default(),
            decoder: Decoder::default(),
            block: None,
            streams: Streams::default(),
            next_id: 1,
            handed_over: 1,
            peer: Peer {
                is_known: false,
                max_streams: u32::MAX,
                initial_window: DEFAULT_WINDOW,
                largest_payload: LARGEST_PAYLOAD,
            },
            send_window: i64::from(DEFAULT_WINDOW),
            receive_window: CONNECTION_WINDOW,
            out,
            sending: VecDeque::new(),
            ended: VecDeque::new(),
            cancelled: Cancelled::default(),
            gone_away: None,
            idle_frames: 0,
            to_head_request,
        }
    }

    /// Whether the peer has said how many streams it allows.
    pub fn is_known(&self) -> bool {
        self.peer.is_known
    }

    /// Whether no request will ever be started on it again.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.gone_away.is_some() || self.next_id > LARGEST
    }

    /// Why the peer takes no more requests, where it has said so.
    #[inline]
    pub fn gone_away(&self) -> Option<ErrorCode> {
        self.gone_away
    }

    /// Whether its end is nobody's failure because it has never carried anything.
    pub fn is_fruitless(&self) -> bool {
        self.handed_over == 1
    }

    /// Whether a request can be started now: the peer allows another stream, and takes what it is sent.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.peer.is_known
            && !self.is_spent()
            && self.streams.open() < self.peer.max_streams as usize
            && self.out.len() < MOST_OUT
    }

    /// How many requests are under way.
    #[inline]
    pub fn open(&self) -> usize {
        self.streams.open()
    }

    /// Starts the request of a place, for which there must be room, and says what its stream is called.
    #[inline]
    pub fn start<'r>(&mut self, place: u32, requests: impl Fn(u32) -> &'r Encoded) -> u32 {
        debug_assert!(self.has_room());
        let request = requests(place);
        let (id, body) = (self.next_id, request.body().len());
        self.next_id += 2;
        self.idle_frames = 0;
        let mut stream = Stream {
            id,
            place,
            send_window: i64::from(self.peer.initial_window),
            receive_window: STREAM_WINDOW,
            ..Stream::default()
        };
        let window = self.send_window.min(stream.send_window);
        let fits = self.sending.is_empty() && body as i64 <= window;
        if fits && request.put_whole(&mut self.out, id) {
            self.send_window -= body as i64;
            self.streams.insert(stream);
            return id;
        }
        request.put_head(&mut self.out, id);
        stream.is_sending = body > 0;
        self.streams.insert(stream);
        if body > 0 {
            self.sending.push_back(id);
            self.pump(requests);
        }
        id
    }

    /// Puts as much of the requests' bodies into frames as the windows allow, and as it makes sense to have waiting.
    pub fn pump<'r>(&mut self, requests: impl Fn(u32) -> &'r Encoded) {
        for _ in 0..self.sending.len() {
            let Some(id) = self.sending.pop_front() else { return };
            let Some(stream) = self.streams.get(id) else { continue };
            let body = requests(stream.place).body();
            while stream.is_sending && stream.send_window > 0 {
                if self.send_window <= 0 || self.out.len() >= MOST_OUT {
                    return self.sending.push_front(id);
                }
                let window = self.send_window.min(stream.send_window);
                let rest = body.get(stream.body_sent..).unwrap_or_default();
                let most = self.peer.largest_payload.min(LARGEST_DATA).min(rest.len());
                let length = usize::try_from(window).map_or(most, |window| window.min(most));
                stream.is_sending = length < rest.len();
                let flags = if stream.is_sending { 0 } else { flag::END_STREAM };
                put_head(&mut self.out, length, kind::DATA, flags, id);
                self.out.extend_from_slice(&rest[..length]);
                stream.body_sent += length;
                stream.send_window -= length as i64;
                self.send_window -= length as i64;
            }
            if stream.is_sending {
                self.sending.push_back(id);
            }
        }
    }

    /// Nobody waits for the answer on this stream any more. How far it had come; `None` when it is not open.
    pub fn cancel(&mut self, id: u32) -> Option<Stage> {
        let stream = self.streams.remove(id)?;
        self.reset(id, ErrorCode::CANCEL);
        Some(stage(&stream))
    }

    /// Has the peer stop whatever it does on a stream that is no longer open for us.
    fn reset(&mut self, id: u32, code: ErrorCode) {
        put_number(&mut self.out, kind::RST_STREAM, id, code.0);
        self.cancelled.add(id);
    }

    /// All requests under way end this way, because the connection does.
    pub fn end_all(&mut self, ending: Ending) {
        let mut open: Vec<Stream> = self.streams.all().map(|stream| *stream).collect();
        open.sort_unstable_by_key(|stream| stream.id);
        for stream in open {
            self.streams.remove(stream.id);
            let is_unwritten = ending == Ending::Closed && stream.id >= self.handed_over;
            let ending = if is_unwritten { Ending::Unwritten } else { ending };
            self.ended.push_back(Ended { place: stream.place, stage: stage(&stream), ending });
        }
    }

    /// The next request that is over, in the order in which they ended.
    #[inline]
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// What is to be written.
    #[inline]
    pub fn out(&self) -> &[u8] {
        &self.out
    }

    /// Writing it begins: the peer may hear of all requests that have been started.
    #[inline]
    pub fn hand_over(&mut self) {
        self.handed_over = self.next_id;
    }

    /// All of that has been written.
    #[inline]
    pub fn written(&mut self) {
        self.out.clear();
        self.out.shrink_to(2 * MOST_OUT);
    }

    /// Whether there is or could be something to write.
    #[inline]
    pub fn wants_to_write(&self) -> bool {
        !self.out.is_empty() || !self.sending.is_empty()
    }

    /// Says why the connection is given up.
    pub fn say_goodbye(&mut self, fault: ProtocolFault) {
        put_head(&mut self.out, 8, kind::GOAWAY, 0, 0);
        self.out.extend_from_slice(&[0; 4]);
        self.out.extend_from_slice(&code(fault).0.to_be_bytes());
    }
}

/// How far the answer on a stream has come.
fn stage(stream: &Stream) -> Stage {
    if stream.has_head { Stage::Body } else { Stage::Waiting }
}

/// What the peer is told about a fault.
fn code(fault: ProtocolFault) -> ErrorCode {
    match fault {
        ProtocolFault::Http2(Violation::FlowControl) => ErrorCode::FLOW_CONTROL_ERROR,
        ProtocolFault::Http2(Violation::FrameSize) => ErrorCode::FRAME_SIZE_ERROR,
        ProtocolFault::Http2(Violation::HeaderBlock) => ErrorCode::COMPRESSION_ERROR,
        ProtocolFault::Http2(Violation::StreamOver) => ErrorCode::STREAM_CLOSED,
        ProtocolFault::Http2(Violation::Flood) | ProtocolFault::HeadTooLarge => ErrorCode::ENHANCE_YOUR_CALM,
        _ => ErrorCode::PROTOCOL_ERROR,
    }
}

/// Streams that we have reset: until the peer has heard of it, it may go on sending on them.
#[derive(Debug, Default)]
struct Cancelled {
    latest: VecDeque<u32>,
    /// Up to this number it is not known any more which they were.
    forgotten: u32,
}

/// Streams of which it is remembered that we reset them.
const CANCELLED_KEPT: usize = 256;

impl Cancelled {
    fn add(&mut self, id: u32) {
        if self.latest.len() == CANCELLED_KEPT
            && let Some(oldest) = self.latest.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
        self.latest.push_back(id);
    }

    fn may_hold(&self, id: u32) -> bool {
        id <= self.forgotten || self.latest.contains(&id)
    }
}
