//! What the workers sent, held against what the upstream says that it was asked for. Pure.

use proto::counters::Counters;
use serde::{Deserialize, Serialize};

use crate::merge::answered;

/// Both sides of one arm, over its blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Upstream {
    /// Requests that the workers sent, with those that failed or were given up.
    pub sent: u64,
    /// Those of them to which a whole answer came, good or bad.
    pub answered: u64,
    /// Completions that the upstream was asked for meanwhile.
    pub seen: u64,
    /// From when the upstream had read a request until its answer was complete; `None` when none was.
    pub service_time_mean_ns: Option<u64>,
}

/// One block's part in it.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamPart<'a> {
    /// What the workers counted.
    pub totals: &'a Counters,
    /// Completions that the upstream was asked for.
    pub seen: u64,
    /// Those of them that it answered to the end.
    pub answered: u64,
    /// How long each of these took it.
    pub service_time_mean_ns: Option<u64>,
}

/// Both sides of one arm, block by block.
#[derive(Debug, Clone, Default)]
pub struct UpstreamSum {
    sum: Upstream,
    blocks: u32,
    /// In nanoseconds, over so many answers.
    time: u128,
    timed: u128,
}

impl UpstreamSum {
    /// One block more.
    pub fn add(&mut self, part: &UpstreamPart<'_>) {
        let Self { sum, blocks, time, timed } = self;
        *blocks += 1;
        sum.sent = sum.sent.saturating_add(part.totals.started);
        sum.answered = sum.answered.saturating_add(answered(part.totals));
        sum.seen = sum.seen.saturating_add(part.seen);
        if let Some(mean) = part.service_time_mean_ns {
            *time = time.saturating_add(u128::from(mean) * u128::from(part.answered));
            *timed += u128::from(part.answered);
        }
    }

    /// All blocks together; `None` without any.
    pub fn together(&self) -> Option<Upstream> {
        let mean = self.time.checked_div(self.timed).and_then(|mean| u64::try_from(mean).ok());
        (self.blocks > 0).then_some(Upstream { service_time_mean_ns: mean, ..self.sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::outcome::{Failure, FailureKind};

    #[test]
    fn means_are_weighted_and_only_whole_answers_are_answers() {
        let failed = |kind| Failure { kind, status: None, detail: String::new() };
        let totals = Counters {
            started: 13,
            successes: 5,
            failures: [(failed(FailureKind::Status), 3), (failed(FailureKind::Timeout), 4)].into(),
            abandoned: 1,
            ..Counters::default()
        };
        let part = |answered, mean| UpstreamPart {
            totals: &totals,
            seen: answered + 1,
            answered,
            service_time_mean_ns: mean,
        };
        let mut sum = UpstreamSum::default();
        assert_eq!(sum.together(), None);
        for part in [part(30, Some(1_000)), part(10, Some(5_000)), part(0, None)] {
            sum.add(&part);
        }
        let upstream = Upstream { sent: 39, answered: 24, seen: 43, service_time_mean_ns: Some(2_000) };
        assert_eq!(sum.together(), Some(upstream));
    }
}
