//! The only place in the end-to-end tests that asks the system for the time.

use std::thread;
use std::time::{Duration, Instant};

/// The time now.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// Looks again every 10 ms until `done` says so; whether it did within `bound`.
pub fn wait_until(bound: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = now() + bound;
    while !done() {
        if now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
