//! A request in frames, before the block starts: the same bytes serve every stream of every connection, because its
//! header block uses nothing that a connection would have to remember.

use proto::target::{Request, Target};

use super::frame::{HEAD, LARGEST_PAYLOAD, flag, kind, put_head};
use super::hpack;
use crate::request::{Purpose, user_agent, with_length};

/// The largest body whose frames are made beforehand; what is larger is cut as the windows allow.
const LARGEST_READY: usize = LARGEST_PAYLOAD;
/// Fields that mean something to one HTTP/1.1 connection only, and are not sent (RFC 9113, section 8.2.2).
const OF_A_CONNECTION: [&str; 6] =
    ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te"];

/// A request in frames whose stream is 0 until they are sent.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The header block in its frames.
    head: Frames,
    /// The same with the body, where that is small.
    whole: Option<Frames>,
    /// The body, where it is not.
    body: Vec<u8>,
}

/// Frames, and where in them the stream's number goes.
#[derive(Debug, Default, Clone)]
struct Frames {
    bytes: Vec<u8>,
    streams: Vec<usize>,
}

impl Encoded {
    /// The request as HTTP/2. `:authority`, `user-agent`, `accept-encoding` and `content-length` are written here; all
    /// other fields are the request's own, but for those that belong to an HTTP/1.1 connection.
    pub fn new(target: &Target, request: &Request, purpose: Purpose) -> Self {
        let mut block = Vec::new();
        hpack::encode_empty_table(&mut block);
        let mut field = |name: &str, value: &str| hpack::encode(&mut block, name, value);
        field(":method", &request.method);
        field(":scheme", target.url.scheme());
        field(":path", &request.path);
        field(":authority", &target.authority());
        field("user-agent", &user_agent(purpose));
        field("accept-encoding", "identity");
        for (name, value) in &request.headers {
            let name = name.to_ascii_lowercase();
            if !OF_A_CONNECTION.contains(&name.as_str()) {
                field(&name, value);
            }
        }
        if with_length(request) {
            field("content-length", &request.body.len().to_string());
        }

        let mut head = Frames::default();
        let flags = if request.body.is_empty() { flag::END_STREAM } else { 0 };
        head.put_all(&block, (kind::HEADERS, kind::CONTINUATION), flags, flag::END_HEADERS);
        let whole = (request.body.len() <= LARGEST_READY).then(|| {
            let mut whole = head.clone();
            if !request.body.is_empty() {
                whole.put_all(&request.body, (kind::DATA, kind::DATA), 0, flag::END_STREAM);
            }
            whole
        });
        let body = if whole.is_some() { Vec::new() } else { request.body.clone() };
        Self { head, whole, body }
    }

    /// The request's body.
    pub(super) fn body(&self) -> &[u8] {
        match &self.whole {
            // It is in one frame.
            Some(whole) => whole.bytes.get(self.head.bytes.len() + HEAD..).unwrap_or_default(),
            None => &self.body,
        }
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.head.bytes.len() + self.whole.as_ref().map_or(0, |whole| whole.bytes.len()) + self.body.len()
    }

    /// Writes the header block for that stream.
    pub(super) fn put_head(&self, out: &mut Vec<u8>, stream: u32) {
        self.head.put(out, stream);
    }

    /// Writes everything at once, where that is ready. `false` when it is not.
    #[inline]
    pub(super) fn put_whole(&self, out: &mut Vec<u8>, stream: u32) -> bool {
        let Some(whole) = &self.whole else { return false };
        whole.put(out, stream);
        true
    }
}

impl Frames {
    /// Cuts a payload into frames: the first has flags of its own, and so has the last.
    fn put_all(&mut self, payload: &[u8], kinds: (u8, u8), first: u8, last: u8) {
        let pieces = payload.len().div_ceil(LARGEST_PAYLOAD);
        for (number, piece) in (1..).zip(payload.chunks(LARGEST_PAYLOAD)) {
            let (kind, begin) = if number == 1 { (kinds.0, first) } else { (kinds.1, 0) };
            let flags = begin | if number == pieces { last } else { 0 };
            self.streams.push(self.bytes.len() + HEAD - 4);
            put_head(&mut self.bytes, piece.len(), kind, flags, 0);
            self.bytes.extend_from_slice(piece);
        }
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>, stream: u32) {
        let begin = out.len();
        out.extend_from_slice(&self.bytes);
        for offset in &self.streams {
            let at = begin + offset;
            if let Some(place) = out.get_mut(at..at + 4) {
                place.copy_from_slice(&stream.to_be_bytes());
            }
        }
    }
}
