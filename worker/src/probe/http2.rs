//! A probe over HTTP/2.

use std::io;

use super::{Limit, Showing, Shown, Stream};
use crate::answer::{Answer, Criteria};
use crate::clock::Nanos;
use crate::http1::response::{Body, Head};
use crate::http2::request::Encoded;
use crate::http2::session::{Answers, Ending, Session};
use crate::outcome::{Fault, Stage, Violation};

/// Sends one request and judges its answer.
pub(super) fn exchange(
    stream: &mut dyn Stream,
    request: &Encoded,
    is_head: bool,
    criteria: &Criteria,
    answer: &mut Answer,
    shown: &mut Shown,
    limit: Limit,
) -> Result<(), Fault> {
    let (mut session, mut is_started, mut buffer) = (Session::new(is_head), false, vec![0; 16 << 10]);
    answer.begin();
    loop {
        if !is_started && session.has_room() {
            session.start(0, |_| request);
            is_started = true;
        }
        while session.wants_to_write() {
            session.pump(|_| request);
            if session.out().is_empty() {
                break;
            }
            // What a target said before it closed its side can still be read.
            let _ = stream.write_all(session.out()).and_then(|()| stream.flush());
            session.written();
        }
        let stage = match (session.is_known(), shown.status) {
            (false, _) => Stage::Connecting,
            (true, None) => Stage::Waiting,
            (true, Some(_)) => Stage::Body,
        };
        let bytes = match stream.read(&mut buffer) {
            Ok(0) => return Err(closed(answer, criteria, stage)),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(closed(answer, criteria, stage));
            }
            Err(_) if limit.is_over() => return Err(Fault::Timeout(stage)),
            Err(_) => return Err(closed(answer, criteria, stage)),
        };
        let now = limit.clock.now();
        let fed = session.feed(&buffer[..bytes], &mut One { answer, criteria, shown, now });
        match session.next_ended() {
            _ if limit.is_over() => return Err(Fault::Timeout(stage)),
            Some(ended) if ended.ending == Ending::Complete => return answer.verdict(criteria),
            Some(ended) => return Err(answer.stream_end(criteria, ended)),
            None => fed.map_err(Fault::Protocol)?,
        }
    }
}

/// What it means that the connection ended at that stage.
fn closed(answer: &mut Answer, criteria: &Criteria, stage: Stage) -> Fault {
    match stage {
        Stage::Connecting => Fault::Protocol(Violation::NoSettings.into()),
        _ => answer.early_end(criteria, stage),
    }
}

/// Hands the one answer on to its check and keeps its beginning.
struct One<'a> {
    answer: &'a mut Answer,
    criteria: &'a Criteria,
    shown: &'a mut Shown,
    now: Nanos,
}

impl One<'_> {
    fn showing(&mut self) -> Showing<'_> {
        Showing { reading: self.answer.reading(self.criteria, self.now), shown: self.shown }
    }
}

impl Answers for One<'_> {
    fn begun(&mut self, _: u32) {}

    fn head(&mut self, _: u32, head: &Head) {
        self.showing().head(head);
    }

    fn data(&mut self, _: u32, bytes: &[u8]) {
        self.showing().data(bytes);
    }
}
