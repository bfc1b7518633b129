//! The only place in this crate that asks the system for the time.

use std::ops::{Add, AddAssign};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the clock's origin, or between two readings of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The origin, or no time at all.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than anything.
    pub const MAX: Nanos = Nanos(u64::MAX);

    /// The time since an earlier reading; 0 when it is not earlier.
    #[inline]
    pub fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Nanos;

    #[inline]
    fn add(self, span: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(span.0))
    }
}

impl AddAssign for Nanos {
    #[inline]
    fn add_assign(&mut self, span: Nanos) {
        *self = *self + span;
    }
}

impl From<Duration> for Nanos {
    fn from(span: Duration) -> Self {
        Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(span: Nanos) -> Self {
        Duration::from_nanos(span.0)
    }
}

/// The monotonic clock, read as nanoseconds since an origin that all its copies share.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self { origin: monotonic() }
    }

    /// The time now: some 25 ns of work.
    #[inline]
    pub fn now(&self) -> Nanos {
        Nanos(monotonic() - self.origin)
    }
}

/// What `Instant` reads too, which takes longer to make nanoseconds of it.
#[inline]
fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Whole seconds since 1970, for people to read; 0 before that.
#[allow(clippy::disallowed_methods)]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How far the wall clock is ahead of the monotonic one, in nanoseconds, to a millisecond: what changes it is a clock that is
/// set, or a machine that stood still where only one of them went on. `None` where the thread has no core for long enough.
pub fn wall_lead() -> Option<i64> {
    const READINGS: u32 = 5;
    const CLOSE: u64 = 1_000_000;
    (0..READINGS).find_map(|_| {
        let before = monotonic();
        let wall = clock_gettime(ClockId::Realtime);
        let after = monotonic();
        let wall = wall.tv_sec.checked_mul(1_000_000_000)?.checked_add(wall.tv_nsec)?;
        let lead = wall.checked_sub(i64::try_from(after).ok()?)?;
        (after - before <= CLOSE).then_some(lead)
    })
}
