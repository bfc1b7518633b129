//! The only place in this crate that asks the system for the time.

use std::time::Instant;

use jiff::ZonedDateTime;

/// The monotonic time.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// The date and time of day where the coordinator runs.
#[allow(clippy::disallowed_methods)]
pub fn local_now() -> ZonedDateTime {
    ZonedDateTime::now()
}
