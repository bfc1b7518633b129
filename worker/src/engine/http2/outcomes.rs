//! How requests end, one by one or with their connection.

use super::Http2;
use crate::clock::Nanos;
use crate::engine::protocol::Protocol;
use crate::engine::shard::Shard;
use crate::engine::slot::State;
use crate::http2::frame::ErrorCode;
use crate::http2::session::{Ended, Ending};
use crate::outcome::{Fault, ProtocolFault, Stage, Violation};

/// Connections of a line in a row that end before they carried a request, from which on what waits for them fails.
const MOST_FRUITLESS: u32 = 2;

impl Shard<Http2> {
    /// Records what has ended on a link; the slots go on, perhaps on the same link.
    #[inline]
    pub(super) fn settle(&mut self, number: u32, now: Nanos) {
        while let Some(ended) = self.protocol.link(number).and_then(|link| link.session.next_ended()) {
            self.settle_one(ended, now);
        }
    }

    #[inline]
    fn settle_one(&mut self, ended: Ended, now: Nanos) {
        let is_for_another = matches!(ended.ending, Ending::LeftOver | Ending::Unwritten);
        if is_for_another && !self.is_in_vain(ended.place) {
            return self.begin_again(ended.place, now);
        }
        let slot = &mut self.slots[ended.place as usize];
        let outcome = match ended.ending {
            // Nobody can answer what was not sent.
            Ending::Complete if slot.sent == Nanos::ZERO => {
                Err(Fault::Protocol(ProtocolFault::Http2(Violation::StreamNumber)))
            }
            Ending::Complete => self.judge(ended.place, now),
            _ => Err(slot.answer.stream_end(self.job.criteria(slot.ticket), ended)),
        };
        self.end(ended.place, outcome, now);
    }

    /// The request is for another connection: the target has left it over, or never heard of it. It is still the same one,
    /// with its due time, its first send and its deadline.
    #[cold]
    fn begin_again(&mut self, slot: u32, now: Nanos) {
        let begun = &mut self.slots[slot as usize];
        // One that was still waiting to be written is not sent again.
        self.recorder.of(begun.ticket).counters.resent += u64::from(begun.sent != Nanos::ZERO);
        begun.state = State::Sending;
        begun.first = Nanos::ZERO;
        begun.answer.begin();
        Http2::begin(self, slot, now);
    }

    /// A connection could not be made, and all that waited for it fail.
    #[cold]
    pub(super) fn not_made(&mut self, number: u32, fault: Fault) {
        let now = self.clock.now();
        let Some(link) = self.protocol.take(number) else { return };
        self.fail_waiting(link.line, fault, now);
    }

    fn fail_waiting(&mut self, line: u32, fault: Fault, now: Nanos) {
        for slot in std::mem::take(&mut self.protocol.lines[line as usize].waiting) {
            self.end(slot, Err(fault), now);
        }
    }

    /// A connection has ended, or is told to, before it carried a request. That may happen at any time, so that what waits
    /// goes on with the next; but when it happens again and again, what waits fails, so that its back-off holds.
    #[cold]
    fn in_vain(&mut self, line: u32, fault: Fault, now: Nanos) {
        let fruitless = &mut self.protocol.lines[line as usize].fruitless;
        *fruitless = fruitless.saturating_add(1);
        if *fruitless >= MOST_FRUITLESS {
            self.fail_waiting(line, fault, now);
        }
    }

    /// Whether what waits at the slot's line is not to go on with the next connection.
    fn is_in_vain(&self, slot: u32) -> bool {
        self.protocol.lines[self.protocol.line_of(slot) as usize].fruitless >= MOST_FRUITLESS
    }

    /// The target takes no more requests on a connection.
    #[cold]
    pub(super) fn sent_away(&mut self, number: u32, code: ErrorCode, now: Nanos) {
        self.protocol.detach(number);
        let Some(link) = self.protocol.link(number) else { return };
        if link.session.is_fruitless() {
            let line = link.line;
            self.in_vain(line, Fault::GoneAway(code), now);
        }
    }

    /// The target broke the protocol, and with it the connection.
    #[cold]
    pub(super) fn broken(&mut self, number: u32, fault: ProtocolFault, now: Nanos) {
        let Some(link) = self.protocol.link(number) else { return };
        link.say_goodbye(fault);
        if link.session.is_known() {
            self.lost(number, Ending::Broken(fault), now);
        } else {
            self.not_made(number, Fault::Protocol(fault));
        }
    }

    /// A connection has ended, and with it all that was under way on it. What waits goes on with the next.
    #[cold]
    pub(super) fn lost(&mut self, number: u32, ending: Ending, now: Nanos) {
        let Some(mut link) = self.protocol.take(number) else { return };
        if link.session.is_fruitless() {
            let fault = match ending {
                Ending::Broken(fault) => Fault::Protocol(fault),
                _ => Fault::Reset(Stage::Waiting),
            };
            self.in_vain(link.line, fault, now);
        }
        link.session.end_all(ending);
        while let Some(ended) = link.session.next_ended() {
            self.settle_one(ended, now);
        }
        self.serve(link.line, now);
    }
}
