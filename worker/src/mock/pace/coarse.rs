//! The timer of other systems: tokio's, a millisecond coarse.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Ticks for one connection, whose requests come one after another.
pub(crate) struct Pace {
    timer: Mutex<Option<Timer>>,
}

struct Timer {
    next: Pin<Box<Sleep>>,
    every: Duration,
}

impl Pace {
    /// A timer that does not tick yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { timer: Mutex::new(None) })
    }

    /// Forgets earlier ticks; ticks after `first` (not 0), and from then on every `every` (only once when that is 0).
    pub(crate) fn start(&self, first: Duration, every: Duration) -> io::Result<()> {
        let timer = Timer { next: Box::pin(sleep(first)), every };
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
        Ok(())
    }

    /// One tick, once it has come. Ticks that were missed come one after another.
    pub(crate) fn poll_ticks(&self, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = timer.as_mut() else { return Poll::Pending };
        ready!(running.next.as_mut().poll(context));
        if running.every.is_zero() {
            *timer = None;
        } else {
            let due = running.next.deadline() + running.every;
            running.next.as_mut().reset(due);
        }
        Poll::Ready(Ok(1))
    }

    /// As [`Pace::poll_ticks`].
    pub(crate) async fn ticks(&self) -> io::Result<u64> {
        poll_fn(|context| self.poll_ticks(context)).await
    }
}
