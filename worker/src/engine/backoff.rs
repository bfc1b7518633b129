//! How long a slot rests before it connects again, so that a target that is down meets no storm.

use proto::random::mix;

use crate::clock::Nanos;
use crate::outcome::Fault;

const FIRST: u64 = 10_000_000;
const LONGEST: u64 = 1_000_000_000;

/// Doubles from 10 ms to 1 s with each failure in a row, with jitter so that slots do not march in step.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// A back-off of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self { failures: 0, random: mix(seed) }
    }

    /// A request went well.
    #[inline]
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// A request failed: how long to rest, or `None` to go on at once.
    ///
    /// Answers that were complete need no rest, and end the row. A connection that could not be made always does; one that broke does from
    /// the second time in a row, because a server may close a connection at any time.
    pub fn after(&mut self, fault: Fault) -> Option<Nanos> {
        match fault {
            Fault::Status(_) | Fault::Body(_) => {
                self.failures = 0;
                return None;
            }
            Fault::Timeout(_) => return None,
            Fault::Connect(_) | Fault::OutOfFiles | Fault::Tls(_) => self.failures += 1,
            Fault::Reset(_)
            | Fault::StreamReset(_)
            | Fault::GoneAway(_)
            | Fault::Protocol(_)
            | Fault::Truncated => {
                self.failures += 1;
                if self.failures == 1 {
                    return None;
                }
            }
        }
        let longest = FIRST.checked_shl(self.failures.min(16) - 1).unwrap_or(LONGEST).min(LONGEST);
        self.random = mix(self.random);
        Some(Nanos(longest / 2 + self.random % (longest / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Stage;
    use std::io::ErrorKind;

    #[test]
    fn rests_grow_to_a_second_and_a_success_ends_them() {
        let mut backoff = Backoff::new(1);
        for failure in 0..40u32 {
            let rest = backoff.after(Fault::Connect(ErrorKind::ConnectionRefused)).unwrap().0;
            let longest = (FIRST << failure.min(10)).min(LONGEST);
            assert!((longest / 2..longest).contains(&rest), "{failure}: {rest}");
        }
        backoff.reset();
        assert_eq!(backoff.after(Fault::Reset(Stage::Waiting)), None);
        assert!(backoff.after(Fault::Reset(Stage::Waiting)).is_some());
    }

    #[test]
    fn a_complete_answer_needs_no_rest_and_ends_the_row() {
        let mut backoff = Backoff::new(1);
        for _ in 0..3 {
            assert_eq!(backoff.after(Fault::Reset(Stage::Waiting)), None);
            assert_eq!(backoff.after(Fault::Status(500)), None);
        }
    }
}
