//! Wakes an event loop at a moment finer than a millisecond.
//!
//! mio's own wait rounds to milliseconds, which would make an open loop a millisecond late; a timerfd in the same wait is
//! some ten microseconds late, and some fifty on a machine whose cores rest deeply. So it is set as much earlier as it has
//! been late lately, and what it then comes too early is looked through awake, for some microseconds at most. Elsewhere than
//! on Linux mio's wait must do.

#[cfg(target_os = "linux")]
pub use linux::Timer;
#[cfg(not(target_os = "linux"))]
pub use portable::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

    use crate::clock::{Clock, Nanos};

    /// What is left of a wait is not slept through when it is no longer than this,
    const AWAKE: Nanos = Nanos(8_000);
    /// or, up to this, no longer than the timer has been late: to sleep would end later, and takes as much of the core on
    /// the machines whose timers are so late, which pay for each wake-up.
    const MOST_AWAKE: Nanos = Nanos(30_000);
    /// A thread that is to sleep for less may not fall asleep at all, so that its waking says nothing.
    const A_SLEEP: Nanos = Nanos(20_000);

    /// A timerfd registered in the event loop.
    #[derive(Debug)]
    pub struct Timer {
        fd: OwnedFd,
        /// What it is set to; `Nanos::MAX` when it is not.
        armed: Nanos,
        /// Whether it was set to a moment that was a sleep away.
        is_a_sleep: bool,
        lead: Lead,
    }

    /// How much earlier than wanted the timer is set: so much that one in four wakes comes too early.
    #[derive(Debug, Default)]
    pub(super) struct Lead(Nanos);

    impl Lead {
        const MOST: Nanos = Nanos(100_000);
        const STEP: u64 = 250;

        pub(super) fn get(&self) -> Nanos {
            self.0
        }

        /// The timer came so late.
        pub(super) fn learn(&mut self, late: Nanos) {
            let lead =
                if late > self.0 { self.0.0 + Self::STEP } else { self.0.0.saturating_sub(3 * Self::STEP) };
            self.0 = Nanos(lead).min(Self::MOST);
        }
    }

    impl Timer {
        /// Registers a timer that wakes the loop with `token`.
        ///
        /// # Errors
        /// When the process can have no more files.
        pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
            registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { fd, armed: Nanos::MAX, is_a_sleep: false, lead: Lead::default() })
        }

        /// The loop was woken by it.
        #[inline]
        pub fn fired(&mut self, now: Nanos) {
            if std::mem::take(&mut self.is_a_sleep) && now >= self.armed {
                self.lead.learn(now.since(self.armed));
            }
        }

        /// Sees to it that the loop wakes at `wake`, and says how long mio's own wait may last. `now` may be a while ago.
        ///
        /// # Errors
        /// When the system refuses to set the timer.
        #[inline]
        pub fn until(&mut self, wake: Nanos, now: Nanos, clock: Clock) -> io::Result<Option<Duration>> {
            if wake <= now {
                return Ok(Some(Duration::ZERO));
            }
            // A timer that is set to an earlier moment may stand: waking too soon costs less than setting it again.
            let stands = self.armed > now && self.armed <= wake;
            if wake < Nanos::MAX && !stands {
                // What was done since `now` took time, which would make the timer late.
                let now = clock.now();
                let left = wake.since(now);
                let lead = self.lead.get();
                if left <= AWAKE.max(lead.min(MOST_AWAKE)) {
                    return Ok(Some(Duration::ZERO));
                }
                // So little is left when something else has just woken the loop: to sleep at all makes it late.
                let early = left.since(lead);
                let span = if early == Nanos::ZERO { left.0 } else { early.0 };
                let value =
                    Timespec { tv_sec: (span / 1_000_000_000) as i64, tv_nsec: (span % 1_000_000_000) as _ };
                let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
                rustix::time::timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
                self.armed = now + Nanos(span);
                self.is_a_sleep = span >= A_SLEEP.0;
            }
            Ok(None)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    use crate::clock::{Clock, Nanos};

    /// mio's own wait.
    #[derive(Debug)]
    pub struct Timer;

    impl Timer {
        /// Needs nothing of the loop.
        ///
        /// # Errors
        /// Never.
        pub fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        /// The loop was woken by it, which it never is.
        pub fn fired(&mut self, _now: Nanos) {}

        /// How long mio's wait may last.
        ///
        /// # Errors
        /// Never.
        pub fn until(&mut self, wake: Nanos, _now: Nanos, clock: Clock) -> io::Result<Option<Duration>> {
            Ok((wake < Nanos::MAX).then(|| wake.since(clock.now()).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Nanos};
    use mio::{Events, Poll, Token};
    use std::thread::sleep;
    use std::time::Duration;

    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_set_as_much_earlier_as_it_comes_late() {
        let mut lead = super::linux::Lead::default();
        (0..4_000).for_each(|number| lead.learn(Nanos(40_000 + number % 10 * 1_000)));
        assert!((41_000..45_000).contains(&lead.get().0), "{lead:?}");
        (0..4_000).for_each(|_| lead.learn(Nanos(5_000)));
        assert!(lead.get().0 <= 5_250, "{lead:?}");
        (0..4_000).for_each(|_| lead.learn(Nanos(1_000_000)));
        assert_eq!(
            lead.get(),
            Nanos(100_000),
            "a thread that is kept from its core spins no longer for that"
        );
    }

    #[test]
    fn what_was_done_since_the_clock_was_read_makes_no_wake_late() {
        let (clock, mut events) = (Clock::new(), Events::with_capacity(1));
        let mut poll = Poll::new().unwrap();
        let mut timer = Timer::new(poll.registry(), Token(0)).unwrap();
        let before = clock.now();
        sleep(Duration::from_secs(1));
        let wake = before + Nanos(1_100_000_000);
        let limit = timer.until(wake, before, clock).unwrap();
        poll.poll(&mut events, limit).unwrap();
        let woken = clock.now();
        // From the old reading it would be two seconds and more.
        assert!(woken >= wake && woken < before + Nanos(2_000_000_000), "{before:?} {woken:?}");
    }
}
