//! Ctrl-C and SIGTERM: the first ends the run in order, the second leaves at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What the process exits with when it was interrupted.
pub const INTERRUPTED: u8 = 130;

/// Whether the user has asked for an end.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Watches for signals until the process ends.
    ///
    /// # Errors
    /// When the system lets no signal be watched.
    pub fn watch() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (asked, watched) = watch::channel(false);
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if asked.send_replace(true) {
                    // Children end with their standard input, and results are written as they come.
                    std::process::exit(i32::from(INTERRUPTED));
                }
            }
        });
        Ok(Self(watched))
    }

    /// Whether the user has asked for an end.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the user asks for an end.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
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
