//! Why a request failed, as the engine notes it: small, copied, and put into words only when it is reported.

use std::io;

use proto::outcome::{Failure, FailureKind};
use rustix::io::Errno;

use crate::http2::frame::ErrorCode;

/// Why one request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No connection could be made.
    Connect(io::ErrorKind),
    /// No connection could be made, because the worker's machine lets it open no more files.
    OutOfFiles,
    /// The TLS handshake failed.
    Tls(TlsFault),
    /// The answer was not complete in time.
    Timeout(Stage),
    /// The connection was closed or reset before the answer was complete.
    Reset(Stage),
    /// HTTP/2: the target reset the request's stream before the answer was complete.
    StreamReset(ErrorCode),
    /// HTTP/2: the target ended the connection and left the request undone.
    GoneAway(ErrorCode),
    /// The answer is not HTTP.
    Protocol(ProtocolFault),
    /// The status is not the one of a good answer.
    Status(u16),
    /// The body is not what the scenario expects.
    Body(BodyFault),
    /// A stream ended before its end mark.
    Truncated,
}

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// While the connection was being made.
    Connecting,
    /// While the request was being sent, or before the first byte of the answer.
    Waiting,
    /// The same on a connection that has brought answers before: perhaps the target closed it for being idle, just as
    /// the request was sent.
    WaitingOnKept,
    /// Within the answer's head.
    Head,
    /// Within the answer's body.
    Body,
}

/// What went wrong in a TLS handshake or session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// The target's certificate is not trusted, or none was shown.
    Certificate,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotValidYet,
    /// It is for another name.
    OtherName,
    /// The target sent an alert.
    Alert,
    /// The target closed the connection during the handshake, or does not speak TLS.
    Handshake,
    /// HTTP/2 was asked for, and the target did not choose it.
    NoHttp2,
}

/// How an answer breaks HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolFault {
    /// The head is no HTTP/1.x response head.
    Head,
    /// The head has more than 64 KiB or too many fields.
    HeadTooLarge,
    /// Content-Length is no number, or there are several that differ.
    ContentLength,
    /// A transfer coding other than chunked.
    TransferCoding,
    /// A chunk's size line or end is broken.
    Chunk,
    /// More bytes came than the answer has, or bytes that nobody asked for.
    Surplus,
    /// The target switched protocols (101) though it was not asked to.
    Switched,
    /// Against HTTP/2.
    Http2(Violation),
}

/// How a target breaks HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// What comes first are no settings, or the connection is closed before they come.
    NoSettings,
    /// A setting that it cannot have.
    Settings,
    /// A frame of a size that it cannot have.
    FrameSize,
    /// More padding than the frame has room for.
    Padding,
    /// A frame on a stream that was never opened, or on none where there must be one.
    StreamNumber,
    /// A frame on a stream that is over.
    StreamOver,
    /// A stream that was pushed though that was forbidden.
    Push,
    /// A header block that is broken off, or whose parts are empty again and again.
    Continuation,
    /// A header block that breaks HPACK.
    HeaderBlock,
    /// A head without a status, with fields in the wrong place, or data before it.
    Head,
    /// More or fewer bytes than Content-Length says.
    Length,
    /// More data than the window allows, or a window beyond its bounds.
    FlowControl,
    /// Too many frames that serve no request.
    Flood,
}

/// How a body is not what the scenario expects. Numbers count the scenario's JSON expectations, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyFault {
    /// Compressed, though identity was asked for.
    Encoded,
    /// Not JSON, or JSON that ends early.
    NotJson,
    /// An event of a stream whose data is not JSON.
    EventNotJson,
    /// The value is not there.
    Missing(u8),
    /// The value is another.
    Differs(u8),
    /// The finish reason is missing or another.
    FinishReason,
    /// Not labelled as server-sent events.
    NotAStream,
    /// An `error` event or object within the stream.
    StreamError,
    /// A stream with more content events than any answer has.
    TooManyEvents,
    /// A stream that ended properly without an event that carried content.
    NoContent,
}

impl Fault {
    /// The system made no connection.
    pub fn refused(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE) => Self::OutOfFiles,
            _ => Self::Connect(error.kind()),
        }
    }

    /// The kind under which it is counted.
    pub fn kind(self) -> FailureKind {
        match self {
            Self::Connect(_) | Self::OutOfFiles => FailureKind::Connect,
            Self::Tls(_) => FailureKind::Tls,
            Self::Timeout(_) => FailureKind::Timeout,
            Self::StreamReset(ErrorCode::REFUSED_STREAM) => FailureKind::Refused,
            Self::Reset(_) | Self::StreamReset(_) | Self::GoneAway(_) => FailureKind::Reset,
            Self::Protocol(_) => FailureKind::Protocol,
            Self::Status(_) => FailureKind::Status,
            Self::Body(_) => FailureKind::Body,
            Self::Truncated => FailureKind::Truncated,
        }
    }

    /// The fault in words. `pointers` are the scenario's JSON pointers, in order.
    pub fn describe(self, pointers: &[String]) -> Failure {
        let status = match self {
            Self::Status(status) => Some(status),
            _ => None,
        };
        Failure { kind: self.kind(), status, detail: self.detail(pointers) }
    }

    fn detail(self, pointers: &[String]) -> String {
        let pointer = |index: u8| pointers.get(usize::from(index)).map_or("?", String::as_str).to_owned();
        match self {
            // The second is what a local address without a free port says.
            Self::Connect(io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse) => {
                "no free port, or no such address; each --local-address has ports of its own".into()
            }
            Self::Connect(io::ErrorKind::WouldBlock) => "the target's queue of connections is full".into(),
            Self::Connect(kind) => kind.to_string(),
            Self::OutOfFiles => {
                "this worker may open no more files: raise its limit (`ulimit -n`) or add workers".into()
            }
            Self::Tls(TlsFault::Certificate) => {
                "the target's certificate is not trusted; --target-ca names whom else to trust".into()
            }
            Self::Tls(TlsFault::Expired) => {
                "the target's certificate has expired, by this worker's clock".into()
            }
            Self::Tls(TlsFault::NotValidYet) => {
                "the target's certificate is not valid yet, by this worker's clock".into()
            }
            Self::Tls(TlsFault::OtherName) => {
                "the target's certificate is for another name; --tls-server-name asks for that".into()
            }
            Self::Tls(TlsFault::Alert) => "the target sent a TLS alert".into(),
            Self::Tls(TlsFault::Handshake) => "the handshake broke off; does the target speak TLS?".into(),
            Self::Tls(TlsFault::NoHttp2) => {
                "the target does not choose HTTP/2 (ALPN h2); `--http-version auto` takes what it speaks"
                    .into()
            }
            Self::Timeout(stage) => stage.during().into(),
            Self::Reset(stage) => format!("closed {}", stage.during()),
            Self::StreamReset(code) => format!("the stream was reset with {code}"),
            Self::GoneAway(code) => format!("the connection was ended by goaway with {code}"),
            Self::Protocol(ProtocolFault::Head) => "the answer's head is no HTTP/1.x".into(),
            Self::Protocol(ProtocolFault::HeadTooLarge) => {
                "the answer's head is larger than 64 KiB or has over 128 fields".into()
            }
            Self::Protocol(ProtocolFault::ContentLength) => {
                "Content-Length is no number or contradicts itself".into()
            }
            Self::Protocol(ProtocolFault::TransferCoding) => "a transfer coding other than chunked".into(),
            Self::Protocol(ProtocolFault::Chunk) => "a broken chunk".into(),
            Self::Protocol(ProtocolFault::Surplus) => "more bytes than the answer has".into(),
            Self::Protocol(ProtocolFault::Switched) => "switched protocols unasked".into(),
            Self::Protocol(ProtocolFault::Http2(violation)) => violation.in_words().into(),
            Self::Status(_) => String::new(),
            Self::Body(BodyFault::Encoded) => "compressed, though identity was asked for".into(),
            Self::Body(BodyFault::NotJson) => "not JSON".into(),
            Self::Body(BodyFault::EventNotJson) => "an event that is not JSON".into(),
            Self::Body(BodyFault::Missing(index)) => format!("nothing at {}", pointer(index)),
            Self::Body(BodyFault::Differs(index)) => format!("another value at {}", pointer(index)),
            Self::Body(BodyFault::FinishReason) => "another finish reason, or none".into(),
            Self::Body(BodyFault::NotAStream) => "not labelled text/event-stream".into(),
            Self::Body(BodyFault::StreamError) => "an error within the stream".into(),
            Self::Body(BodyFault::TooManyEvents) => "a stream of more than 1048576 content events".into(),
            Self::Body(BodyFault::NoContent) => "a stream without content".into(),
            Self::Truncated => {
                "ended before its end mark (data: [DONE], where it is a chat completion)".into()
            }
        }
    }
}

impl From<Violation> for ProtocolFault {
    fn from(violation: Violation) -> Self {
        Self::Http2(violation)
    }
}

impl Violation {
    fn in_words(self) -> &'static str {
        match self {
            Self::NoSettings => "the target sent no HTTP/2 settings; does it speak HTTP/2?",
            Self::Settings => "an HTTP/2 setting that cannot be",
            Self::FrameSize => "an HTTP/2 frame of a size that it cannot have",
            Self::Padding => "an HTTP/2 frame with more padding than room for it",
            Self::StreamNumber => "an HTTP/2 frame on a stream that was never opened",
            Self::StreamOver => "an HTTP/2 frame on a stream that is over",
            Self::Push => "a pushed stream, though push was refused",
            Self::Continuation => "an HTTP/2 header block that is broken off or never ends",
            Self::HeaderBlock => "an HTTP/2 header block that cannot be decompressed",
            Self::Head => "an HTTP/2 answer whose head is broken",
            Self::Length => "another length than Content-Length says",
            Self::FlowControl => "more HTTP/2 data than the window allows",
            Self::Flood => "a flood of HTTP/2 frames that serve no request",
        }
    }
}

impl Stage {
    fn during(self) -> &'static str {
        match self {
            Self::Connecting => "while connecting",
            Self::Waiting => "before the answer began",
            Self::WaitingOnKept => "before the answer began, on a connection that had been kept",
            Self::Head => "within the answer's head",
            Self::Body => "within the answer's body",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_workers_own_machine_lacks_is_told_as_such() {
        let told = |error: Errno| Fault::refused(&error.into()).describe(&[]).to_string();
        for error in [Errno::MFILE, Errno::NFILE] {
            assert!(told(error).starts_with("connect: this worker may open no more files: raise"), "{error}");
        }
        // Without a local address, and with one.
        for error in [Errno::ADDRNOTAVAIL, Errno::ADDRINUSE] {
            assert!(told(error).starts_with("connect: no free port, or no such address"), "{error}");
        }
        assert_eq!(told(Errno::CONNREFUSED), "connect: connection refused");
    }
}
