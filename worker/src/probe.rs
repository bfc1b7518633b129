//! One request to a target, from where the load will come, and what came back, for a person to see.
//!
//! It goes through the same request bytes, response parser and answer check as the load, over a blocking connection.

use std::io::{self, Read, Write};
use std::time::Duration;

use proto::expectation::Expectation;
use proto::outcome::Failure;
use proto::target::{Request, Target};
use rustls::{ClientConnection, StreamOwned};

use crate::answer::{Answer, Criteria, Reading};
use crate::clock::{Clock, Nanos};
use crate::engine::EngineError;
use crate::http1::response::{Body, End, Head, Response};
use crate::outcome::{Fault, ProtocolFault, Stage, TlsFault};
use crate::request::{Purpose, render};
use crate::resolve::resolve;
use crate::tls::{self, TargetTls};
use crate::way::{Blocking, Way};

/// How many characters of an answer are shown.
const SHOWN_CHARACTERS: usize = 300;
/// Bytes that are enough for so many characters.
const KEPT_BYTES: usize = 4 * SHOWN_CHARACTERS;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Why the answer is not good; `None` when it is.
    pub failure: Option<Failure>,
    /// The status, where a head arrived.
    pub status: Option<u16>,
    /// The first characters of the answer's body.
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
    let outcome = connect(way, tls.as_ref(), limit).and_then(|mut stream| {
        let is_head = request.method == "HEAD";
        exchange(&mut stream, &bytes, is_head, &criteria, &mut answer, &mut shown, limit)
    });
    Ok(Probed {
        failure: outcome.err().map(|fault| fault.describe(criteria.pointers())),
        status: shown.status,
        answer_start: shown.start(),
        response_time: clock.now().since(begin).into(),
    })
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

fn connect(way: &Way, tls: Option<&TargetTls>, limit: Limit) -> Result<Box<dyn Stream>, Fault> {
    let unless_over = |fault: Fault| if limit.is_over() { Fault::Timeout(Stage::Connecting) } else { fault };
    let stream =
        way.connect_within(limit.left()).map_err(|error| unless_over(Fault::Connect(error.kind())))?;
    let mut bounded = Bounded { stream, limit };
    let Some(tls) = tls else { return Ok(Box::new(bounded)) };
    let mut session = ClientConnection::new(tls.config.clone(), tls.name.clone())
        .map_err(|error| Fault::Tls(tls::fault(&error)))?;
    while session.is_handshaking() {
        if let Err(error) = session.complete_io(&mut bounded) {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
            return Err(unless_over(Fault::Tls(cause.map_or(TlsFault::Handshake, tls::fault))));
        }
    }
    Ok(Box::new(StreamOwned::new(session, bounded)))
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

/// The part of an answer that a person gets to see.
#[derive(Debug, Default)]
struct Shown {
    status: Option<u16>,
    bytes: Vec<u8>,
}

impl Shown {
    fn start(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        text.chars().take(SHOWN_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Hands an answer on to its check and keeps its beginning.
struct Showing<'a> {
    reading: Reading<'a>,
    shown: &'a mut Shown,
}

impl Body for Showing<'_> {
    fn head(&mut self, head: &Head) {
        self.shown.status = Some(head.status);
        self.reading.head(head);
    }

    fn data(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.shown.bytes.len());
        self.shown.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.reading.data(bytes);
    }
}
