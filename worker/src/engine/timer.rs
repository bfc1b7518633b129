//! Wakes an event loop at a moment finer than a millisecond.
//!
//! mio's own wait rounds to milliseconds, which would make an open loop a millisecond late; a timerfd in the same wait is
//! some ten microseconds late. Elsewhere than on Linux mio's wait must do.

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

    /// A timerfd registered in the event loop.
    #[derive(Debug)]
    pub struct Timer {
        fd: OwnedFd,
        armed: Nanos,
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
            Ok(Self { fd, armed: Nanos::MAX })
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
                let span = wake.since(clock.now()).0;
                if span == 0 {
                    return Ok(Some(Duration::ZERO));
                }
                let value =
                    Timespec { tv_sec: (span / 1_000_000_000) as i64, tv_nsec: (span % 1_000_000_000) as _ };
                let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
                rustix::time::timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
                self.armed = wake;
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
