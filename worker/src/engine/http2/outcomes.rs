//! How requests end, one by one or with their connection.

use super::Http2;
use crate::clock::Nanos;
use crate::engine::protocol::Protocol;
use crate::engine::shard::Shard;
use crate::engine::slot::State;
use crate::http2::session::{Ended, Ending};
use crate::outcome::{Fault, ProtocolFault, Violation};

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
        let slot = &mut self.slots[ended.place as usize];
        let outcome = match ended.ending {
            Ending::LeftOver => return self.begin_again(ended.place, now),
            // Nobody can answer what was not sent.
            Ending::Complete if slot.sent == Nanos::ZERO => {
                Err(Fault::Protocol(ProtocolFault::Http2(Violation::StreamNumber)))
            }
            Ending::Complete => self.judge(ended.place, now),
            _ => Err(slot.answer.stream_end(self.job.criteria(slot.ticket), ended)),
        };
        self.end(ended.place, outcome, now);
    }

    /// The target has left the request to another connection. It is still the same one, with its due time, its first send
    /// and its deadline.
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
        let waiting = std::mem::take(&mut self.protocol.lines[link.line as usize].waiting);
        for slot in waiting {
            self.end(slot, Err(fault), now);
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
        link.session.end_all(ending);
        while let Some(ended) = link.session.next_ended() {
            self.settle_one(ended, now);
        }
        self.serve(link.line, now);
    }
}
