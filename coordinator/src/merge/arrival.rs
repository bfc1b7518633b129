//! When reports of intervals come, on the coordinator's clock.

use std::time::{Duration, Instant};

/// When the report of an interval came, against the end of the interval as the worker's start and clock have it. One of the
/// two is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// How much later.
    pub delay: Duration,
    /// How much earlier: a report of what is still to come.
    pub advance: Duration,
}

impl Arrival {
    /// Of a report that was heard at `heard` about an interval that ended at `ended`.
    pub fn of(ended: Instant, heard: Instant) -> Self {
        Self {
            delay: heard.saturating_duration_since(ended),
            advance: ended.saturating_duration_since(heard),
        }
    }

    /// The further of both, each way.
    pub(super) fn max(self, other: Self) -> Self {
        Self { delay: self.delay.max(other.delay), advance: self.advance.max(other.advance) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_late_or_early_and_never_both() {
        let now = crate::clock::now();
        let later = now + Duration::from_millis(300);
        let of = |delay, advance| Arrival {
            delay: Duration::from_millis(delay),
            advance: Duration::from_millis(advance),
        };
        assert_eq!(Arrival::of(now, later), of(300, 0));
        assert_eq!(Arrival::of(later, now), of(0, 300));
        assert_eq!(of(300, 0).max(of(0, 200)), of(300, 200));
    }
}
