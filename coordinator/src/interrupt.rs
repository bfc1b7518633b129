//! Ctrl-C, SIGTERM and the end of the terminal: the first ends the run in order, the second leaves at once.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What the process exits with when it was interrupted.
pub const INTERRUPTED: u8 = 130;

/// Whether the user has asked for an end.
#[derive(Debug, Clone)]
pub struct Interrupt {
    asked: watch::Receiver<bool>,
    leaving: Leaving,
}

/// What is done before the process leaves at once.
#[derive(Clone, Default)]
struct Leaving(Arc<Mutex<Option<Work>>>);

type Work = Box<dyn FnOnce() + Send>;

impl Interrupt {
    /// Watches for signals until the process ends.
    ///
    /// # Errors
    /// When the system lets no signal be watched.
    pub fn watch() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Under `nohup` the end of the terminal is none of ours.
        let mut hang_up = if hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let (asked, watched) = watch::channel(false);
        let leaving = Leaving::default();
        let last = leaving.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    () = next(&mut hang_up) => {}
                }
                if asked.send_replace(true) {
                    last.carry_out();
                    // Children end with their standard input, and results are written as they come.
                    std::process::exit(i32::from(INTERRUPTED));
                }
            }
        });
        Ok(Self { asked: watched, leaving })
    }

    /// Has `work` done before the process leaves at once. It must not wait for anything.
    pub fn before_leaving(&self, work: impl FnOnce() + Send + 'static) {
        *self.leaving.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(work));
    }

    /// Whether the user has asked for an end.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Resolves when the user asks for an end.
    pub async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }

    /// `work`, unless the user asks for an end before it is done.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.asked() => None,
        }
    }
}

impl Leaving {
    fn carry_out(&self) {
        let work = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(work) = work {
            work();
        }
    }
}

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaving")
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process has it ignore SIGHUP. Linux says so; elsewhere `nohup` leaves no terminal behind.
fn hang_up_is_ignored() -> bool {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignores_hang_up(&status),
        Err(_) => !(io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()),
    }
}

/// The mask's lowest bit is signal 1, which is SIGHUP.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_ignored_is_seen_in_the_status() {
        let ignored =
            |mask: &str| ignores_hang_up(&format!("Name:\tx\nSigBlk:\t1\nSigIgn:\t{mask}\nSigCgt:\t1\n"));
        assert!(ignored("0000000000001001") && !ignored("0000000000001000") && !ignored("?"));
    }
}
