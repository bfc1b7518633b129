//! The thread that has the terminal: it draws at most five times a second, hears the key that ends, and sees new sizes.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};

use super::notices::Notices;
use super::state::State;
use super::tty::{Keys, Tty};
use super::view::{Look, view};
use crate::clock;
use crate::interrupt::Interrupt;

/// Before it appears: what fails or ends at once needs no screen.
const BEFORE_IT_APPEARS: Duration = Duration::from_millis(250);
/// Between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// A key that is held down is one key.
const BETWEEN_KEYS: Duration = Duration::from_secs(1);
/// How long a terminal that takes nothing is waited for at the end.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Lines of the log that a screen might have room for.
const NOTICES: usize = 8;

/// A screen that is up, or about to be.
#[derive(Debug)]
pub(super) struct Shell {
    /// Closed to end the thread.
    end: Option<UnixStream>,
    /// Closed by the thread when it has ended.
    ended: Receiver<()>,
}

/// What the thread works with.
struct Painter {
    state: Arc<Mutex<State>>,
    notices: Notices,
    interrupt: Interrupt,
    look: Look,
    /// `None` when it has been given back.
    tty: Arc<Mutex<Option<Tty>>>,
    end: UnixStream,
}

impl Shell {
    /// Begins to show `state`.
    ///
    /// # Errors
    /// When the system denies what it takes.
    pub(super) fn start(
        state: Arc<Mutex<State>>,
        notices: Notices,
        interrupt: Interrupt,
        look: Look,
    ) -> io::Result<Self> {
        let (end, their_end) = UnixStream::pair()?;
        let (ending, ended) = channel::<()>();
        let painter =
            Painter { state, notices, interrupt, look, tty: Arc::new(Mutex::new(None)), end: their_end };
        thread::Builder::new().name("screen".into()).spawn(move || {
            let _ending = ending;
            // A terminal that is gone shows nothing, and the command goes on.
            let _ = painter.paint();
            painter.give_back();
        })?;
        Ok(Self { end: Some(end), ended })
    }

    /// Gives the terminal back, as it is when this is dropped.
    pub(super) fn end(self) {}
}

impl Drop for Shell {
    /// Gives the terminal back.
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.ended.recv_timeout(END_LIMIT);
    }
}

impl Painter {
    fn paint(&self) -> io::Result<()> {
        if self.wait(None, BEFORE_IT_APPEARS)? == Woken::End {
            return Ok(());
        }
        let (tty, notices) = (Arc::clone(&self.tty), self.notices.clone());
        self.interrupt.before_leaving(move || {
            give_back(&tty, &notices);
            // Nobody takes it over again while the process ends.
            std::mem::forget(lock(&tty));
        });
        self.notices.hold();
        {
            let mut tty = lock(&self.tty);
            *tty = Some(Tty::enter()?);
        }
        let (mut keys, mut pressed, mut drawn) = (Keys::of_stdin(), None::<Instant>, None::<Instant>);
        loop {
            let now = clock::now();
            if drawn.is_none_or(|drawn| now.saturating_duration_since(drawn) >= DRAW_EVERY) {
                self.draw(now)?;
                drawn = Some(now);
            }
            let next = drawn.map_or(now, |drawn| drawn + DRAW_EVERY).saturating_duration_since(clock::now());
            match self.wait(keys.as_ref(), next)? {
                Woken::End => return Ok(()),
                Woken::Time => {}
                Woken::Key => {
                    let is_q = keys.as_ref().map(Keys::has_q);
                    let now = clock::now();
                    let is_again =
                        pressed.is_some_and(|pressed| now.saturating_duration_since(pressed) < BETWEEN_KEYS);
                    match is_q {
                        Some(Ok(true)) => {
                            pressed = Some(now);
                            if !is_again {
                                // It means what Ctrl-C means.
                                kill_process(getpid(), Signal::INT)?;
                            }
                        }
                        Some(Ok(false)) => {}
                        Some(Err(_)) | None => keys = None,
                    }
                }
            }
        }
    }

    fn draw(&self, now: Instant) -> io::Result<()> {
        let mut tty = lock(&self.tty);
        // It was given back, because the process leaves.
        let Some(tty) = &mut *tty else { return Ok(()) };
        let size = tty.size();
        let mut state = lock(&self.state);
        state.is_stopping = self.interrupt.is_asked();
        state.notices = self.notices.newest(NOTICES);
        let drawn = view(&state, now, size, self.look);
        drop(state);
        tty.draw(drawn)
    }

    /// Until a key, the end, or for so long.
    fn wait(&self, keys: Option<&Keys>, limit: Duration) -> io::Result<Woken> {
        let end = PollFd::new(&self.end, PollFlags::IN);
        let mut watched = vec![end];
        watched.extend(keys.map(|keys| PollFd::from_borrowed_fd(keys.as_fd(), PollFlags::IN)));
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
        match poll(&mut watched, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |at: usize| watched.get(at).is_some_and(|fd: &PollFd<'_>| !fd.revents().is_empty());
        Ok(match (is_ready(0), is_ready(1)) {
            (true, _) => Woken::End,
            (_, true) => Woken::Key,
            _ => Woken::Time,
        })
    }

    fn give_back(&self) {
        give_back(&self.tty, &self.notices);
    }
}

/// What a wait has ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    End,
    Key,
    Time,
}

/// Leaves the terminal as it was, and then says what was kept.
fn give_back(tty: &Mutex<Option<Tty>>, notices: &Notices) {
    drop(lock(tty).take());
    notices.release(io::stderr());
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
