//! The fake's time: it passes as the system's does, and tests move it forward.

use std::time::{Duration, Instant};

use crate::support::clock::now;

/// A clock that starts with its fake.
pub struct Clock {
    began: Instant,
    began_at: jiff::Timestamp,
    advanced: Duration,
}

impl Clock {
    /// Starts it.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self { began: now(), began_at: jiff::Timestamp::now(), advanced: Duration::ZERO }
    }

    /// How long the fake has run, as far as it knows.
    pub fn time(&self) -> Duration {
        now().duration_since(self.began) + self.advanced
    }

    /// Moves it forward.
    pub fn advance(&mut self, by: Duration) {
        self.advanced += by;
    }

    /// What time it is.
    pub fn now(&self) -> jiff::Timestamp {
        self.began_at + self.time()
    }

    /// A time as Google writes it.
    pub fn stamp(&self, time: Duration) -> String {
        (self.began_at + time).strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
    }
}
