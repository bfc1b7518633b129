//! One request to a target, from where the load will come, and what came back, for a person to see.
//!
//! It goes through the same request bytes, response parser and answer check as the load, over a blocking connection.

mod http2;
mod shown;

use std::io::{self, Read, Write};
use std::time::Duration;

use proto::expectation::Expectation;
use proto::outcome::Failure;
use proto::target::{HttpVersion, Request, Target};
use rustls::{ClientConnection, StreamOwned};

use crate::answer::{Answer, Criteria};
use crate::clock::{Clock, Nanos};
use crate::engine::EngineError;
use crate::http1::response::{End, Response};
use crate::http2::request::Encoded;
use crate::outcome::{Fault, ProtocolFault, Stage, TlsFault};
use crate::probe::shown::{Showing, Shown};
use crate::request::{Purpose, render};
use crate::resolve::resolve;
use crate::tls::{self, TargetTls};
use crate::way::{Blocking, Way};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Why the answer is not good; `None` when it is.
    pub failure: Option<Failure>,
    /// The status, where a head arrived.
    pub status: Option<u16>,
    /// The first characters of the answer's body, on one line, with where a redirect leads and what error a stream tells.
    pub answer_start: String,
    /// From the beginning of the connection to the last byte.
    pub response_time: Duration,
}

/// Sends one request. Blocks for `timeout` at most, and for as long as the name's look-up takes.
///
/// # Errors
/// When nothing can be sent: the name has no address, or the trust material or the expectation cannot be used.
pub fn probe(
    target: &Target,
    request: &Request,
    expectation: &Expectation,
    timeout: Duration,
    clock: Clock,
) -> Result<Probed, EngineError> {
    let ways = resolve(target)?.taken;
    let way = ways.first().ok_or(EngineError::Idle)?;
    let tls = TargetTls::for_target(target)?;
    let criteria = Criteria::new(expectation).map_err(EngineError::Expectation)?;
    let bytes = render(target, request, false, Purpose::Preflight);

    let begin = clock.now();
    let limit = Limit { clock, deadline: begin + timeout.into() };
    let mut shown = Shown::default();
    let mut answer = Answer::default();
    let is_head = request.method == "HEAD";
    let outcome = connect(way, tls.as_ref(), limit).and_then(|(mut stream, agreed)| {
        match spoken(target, agreed.as_deref())? {
            HttpVersion::Http2 => {
                let encoded = Encoded::new(target, request, Purpose::Preflight);
                http2::exchange(&mut *stream, &encoded, is_head, &criteria, &mut answer, &mut shown, limit)
            }
            HttpVersion::Http11 | HttpVersion::Auto => {
                exchange(&mut *stream, &bytes, is_head, &criteria, &mut answer, &mut shown, limit)
            }
        }
    });
    Ok(Probed {
        failure: outcome.err().map(|fault| fault.describe(criteria.pointers())),
        status: shown.status,
        answer_start: shown.start(),
        response_time: clock.now().since(begin).into(),
    })
}

/// How long a target may take to choose what is spoken, before the block.
const NEGOTIATION_LIMIT: Duration = Duration::from_secs(10);

/// What a target chooses that is to choose. One that cannot be reached, or cannot choose, is left to HTTP/1.1.
///
/// # Errors
/// When it cannot even be tried: the trust material cannot be used.
pub(crate) fn negotiate(
    target: &Target,
    way: &Way,
    timeout: Duration,
    clock: Clock,
) -> Result<HttpVersion, EngineError> {
    let Some(tls) = TargetTls::for_target(target)? else { return Ok(HttpVersion::Http11) };
    let limit = Limit { clock, deadline: clock.now() + timeout.min(NEGOTIATION_LIMIT).into() };
    Ok(match connect(way, Some(&tls), limit) {
        Ok((_, Some(agreed))) if agreed == H2 => HttpVersion::Http2,
        _ => HttpVersion::Http11,
    })
}

/// What ALPN calls HTTP/2.
const H2: &[u8] = b"h2";

/// What is spoken on a connection on which that was agreed.
fn spoken(target: &Target, agreed: Option<&[u8]>) -> Result<HttpVersion, Fault> {
    match (target.http_version, agreed) {
        (HttpVersion::Http2 | HttpVersion::Auto, Some(H2)) => Ok(HttpVersion::Http2),
        (HttpVersion::Http2, _) if target.is_tls() => Err(Fault::Tls(TlsFault::NoHttp2)),
        (HttpVersion::Http2, _) => Ok(HttpVersion::Http2),
        (HttpVersion::Http11 | HttpVersion::Auto, _) => Ok(HttpVersion::Http11),
    }
}

/// The moment at which the probe gives up.
#[derive(Debug, Clone, Copy)]
struct Limit {
    clock: Clock,
    deadline: Nanos,
}

impl Limit {
    /// What is left, never zero: a socket takes a timeout of zero for none.
    fn left(self) -> Duration {
        Duration::from(self.deadline.since(self.clock.now())).max(Duration::from_millis(1))
    }

    fn is_over(self) -> bool {
        self.clock.now() >= self.deadline
    }
}

/// A connection whose every read and write is bounded by the limit.
struct Bounded {
    stream: Blocking,
    limit: Limit,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.limit.left())?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.limit.left())?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection, and what was agreed to be spoken on it.
type Connected = (Box<dyn Stream>, Option<Vec<u8>>);

fn connect(way: &Way, tls: Option<&TargetTls>, limit: Limit) -> Result<Connected, Fault> {
    let unless_over = |fault: Fault| if limit.is_over() { Fault::Timeout(Stage::Connecting) } else { fault };
    let stream = way.connect_within(limit.left()).map_err(|error| unless_over(Fault::refused(&error)))?;
    let mut bounded = Bounded { stream, limit };
    let Some(tls) = tls else { return Ok((Box::new(bounded), None)) };
    let mut session = ClientConnection::new(tls.config.clone(), tls.name.clone())
        .map_err(|error| Fault::Tls(tls::fault(&error)))?;
    while session.is_handshaking() {
        if let Err(error) = session.complete_io(&mut bounded) {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
            return Err(unless_over(Fault::Tls(cause.map_or(TlsFault::Handshake, tls::fault))));
        }
    }
    let agreed = session.alpn_protocol().map(<[u8]>::to_vec);
    Ok((Box::new(StreamOwned::new(session, bounded)), agreed))
}

fn exchange(
    stream: &mut dyn Stream,
    request: &[u8],
    is_head: bool,
    criteria: &Criteria,
    answer: &mut Answer,
    shown: &mut Shown,
    limit: Limit,
) -> Result<(), Fault> {
    let mut response = Response::default();
    response.begin(is_head);
    answer.begin();
    // A target that answers before it has read everything may have closed its side: what it said can still be read.
    let _ = stream.write_all(request).and_then(|()| stream.flush());
    let mut buffer = vec![0; 16 << 10];
    loop {
        let bytes = match stream.read(&mut buffer) {
            Ok(0) => return closed(&mut response, answer, criteria),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return closed(&mut response, answer, criteria);
            }
            Err(_) if limit.is_over() => return Err(Fault::Timeout(response.stage())),
            Err(_) => return Err(answer.early_end(criteria, response.stage())),
        };
        shown.raw(&buffer[..bytes]);
        let reading = answer.reading(criteria, limit.clock.now());
        match response.feed(&buffer[..bytes], &mut Showing { reading, shown }) {
            Ok(Some(consumed)) if consumed < bytes => return Err(Fault::Protocol(ProtocolFault::Surplus)),
            Ok(_) if limit.is_over() => return Err(Fault::Timeout(response.stage())),
            Ok(None) => {}
            Ok(Some(_)) => return answer.verdict(criteria),
            Err(fault) => return Err(Fault::Protocol(fault)),
        }
    }
}

fn closed(response: &mut Response, answer: &mut Answer, criteria: &Criteria) -> Result<(), Fault> {
    match response.end() {
        End::Complete => answer.verdict(criteria),
        End::Early(stage) => Err(answer.early_end(criteria, stage)),
    }
}
