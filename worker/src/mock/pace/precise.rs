//! The timer of Linux: a timerfd on tokio's event loop.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Ticks for one connection, whose requests come one after another.
pub(crate) struct Pace {
    timer: AsyncFd<OwnedFd>,
}

impl Pace {
    /// A timer that does not tick yet.
    #[expect(deprecated, reason = "the replacement is an unsafe function; an OwnedFd keeps what it asks for")]
    pub(crate) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: AsyncFd::new(timer)? })
    }

    /// Forgets earlier ticks; ticks after `first` (not 0), and from then on every `every` (only once when that is 0).
    pub(crate) fn start(&self, first: Duration, every: Duration) -> io::Result<()> {
        let setting = Itimerspec { it_value: timespec(first), it_interval: timespec(every) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }

    /// How many ticks have come since the last look, once there is one.
    pub(crate) fn poll_ticks(&self, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        loop {
            let mut ready = ready!(self.timer.poll_read_ready(context))?;
            let mut ticks = [0; size_of::<u64>()];
            match ready.try_io(|timer| Ok(rustix::io::read(timer, &mut ticks)?)) {
                Ok(read) => {
                    // A timer that has just been read is not ready: no second read to find that out.
                    ready.clear_ready();
                    return Poll::Ready(read.map(|_| u64::from_ne_bytes(ticks)));
                }
                // Ready on account of an earlier setting.
                Err(_) => continue,
            }
        }
    }

    /// As [`Pace::poll_ticks`].
    pub(crate) async fn ticks(&self) -> io::Result<u64> {
        poll_fn(|context| self.poll_ticks(context)).await
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) }
}
