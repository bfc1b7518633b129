//! What a shard does because time passes: spans, arrivals, rests and deadlines.

use std::cmp::Reverse;
use std::io;

use mio::Events;

use super::job::Report;
use super::protocol::Protocol;
use super::shard::Shard;
use crate::clock::Nanos;
use crate::outcome::Fault;

impl<P: Protocol> Shard<P> {
    /// Does all that has fallen due: spans that are over, slots that have rested, arrivals.
    pub(super) fn pass_time(&mut self, now: Nanos) {
        let elapsed = now.since(self.origin);
        self.cut_until(elapsed);
        self.schedule.advance(elapsed);
        while let Some(Reverse((until, slot))) = self.resting.peek().copied().filter(|rest| rest.0.0 <= now) {
            self.resting.pop();
            self.release(slot, until.since(self.origin), now);
        }
        while let Some(slot) = self.idle.front().copied() {
            let Some(due) = self.schedule.take_waiting() else { break };
            self.idle.pop_front();
            self.assign(slot, due, now);
        }
    }

    /// Fails the requests whose time was over at `looked`, before the sockets were last looked at: what they had to say
    /// has been heard, however long this thread was kept from it.
    pub(super) fn expire(&mut self, looked: Nanos) {
        while let Some(slot) = self.deadlines.expired(looked) {
            let now = self.clock.now();
            let stage = P::give_up(self, slot, now);
            self.end(slot, Err(Fault::Timeout(stage)), now);
            P::gave_up(self, slot, now);
        }
    }

    pub(super) fn next_wake(&self) -> Nanos {
        if self.protocol.has_unread() {
            return Nanos::ZERO;
        }
        let mut wake = self.deadlines.first().unwrap_or(Nanos::MAX);
        if let Some(span) = self.spans.next_boundary() {
            wake = wake.min(self.origin + span);
        }
        // With every connection busy, an arrival can only wait, and needs no waking.
        if let Some(arrival) = self.schedule.next_arrival().filter(|_| !self.idle.is_empty()) {
            wake = wake.min(self.origin + arrival);
        }
        if let Some(end) = self.schedule.drain_end(self.job.timeout) {
            wake = wake.min(self.origin + end);
        }
        // Otherwise nothing need wake it before the first of the resting is free.
        if let Some(end) = self.schedule.end_of_rests().filter(|_| self.in_flight == 0) {
            wake = wake.min(self.origin + end);
        }
        self.resting.peek().map_or(wake, |Reverse((until, _))| wake.min(*until))
    }

    pub(super) fn wait(&mut self, wake: Nanos, now: Nanos, events: &mut Events) -> io::Result<()> {
        let limit = self.timer.until(wake, now, self.clock)?;
        match self.poll.poll(events, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            polled => polled,
        }
    }

    /// Ends every span that ends at or before `elapsed`.
    #[inline]
    pub(super) fn cut_until(&mut self, elapsed: Nanos) {
        while let Some(end) = self.spans.next_boundary().filter(|end| *end <= elapsed) {
            // What falls due at the boundary belongs to the next span.
            self.schedule.advance(Nanos(end.0 - 1));
            self.count_schedule();
            self.cut(end);
        }
    }

    pub(super) fn cut(&mut self, end: Nanos) {
        let begun = self.clock.now();
        let next = self.spares.try_recv().unwrap_or_else(|_| self.job.recorder());
        let recorder = std::mem::replace(&mut self.recorder, next);
        let (index, start) = self.spans.cut(end);
        let mut thread = self.meter.read(begun, end.since(start));
        let read = self.clock.now();
        thread.reporting = std::mem::take(&mut self.handing_over) + read.since(begun);
        self.report(Report::Span { index, start, end, recorder, thread });
        self.handing_over = self.clock.now().since(read);
    }

    pub(super) fn count_schedule(&mut self) {
        let counts = self.schedule.take_counts();
        match self.schedule.dealer() {
            None => self.recorder.asked(counts),
            Some(dealer) => dealer
                .take_counts()
                .zip(&mut self.recorder.parts)
                .for_each(|(counts, recorder)| recorder.asked(counts)),
        }
    }
}
