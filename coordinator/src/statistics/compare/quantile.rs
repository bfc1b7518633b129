//! How far a block's quantile may be from what it was drawn from, by the seconds in which the answers beyond it came.
//!
//! What is known best of a quantile is the share of answers beyond it, a ratio of sums over seconds. So the interval holds each
//! time beyond which the share is what it should be, as far as its own variance tells (Woodruff, Confidence Intervals for
//! Medians and Other Position Measures, Journal of the American Statistical Association 1952; with the variance at the lower
//! end and not at the quantile, as Francisco and Fuller, Annals of Statistics 1991). Where all slow answers are of one moment,
//! in which the target stood still, it reaches down to the times of all others: there might have been no such moment.

use proto::latencies::Histogram;

use super::seconds::{Ratio, Second};

/// A block's quantile, and the seconds that say how surely it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beyond<'a> {
    times: &'a Histogram,
    seconds: &'a [Second],
    /// The logarithm of the quantile.
    value: f64,
    /// Of all answers, beyond the quantile.
    share: f64,
    /// The standard error of the share.
    error: f64,
    pub(super) degrees: f64,
}

/// Halvings until the end of an interval is found to a millionth of all answers.
const HALVINGS: u32 = 20;

impl<'a> Beyond<'a> {
    /// Of a block's times, of which `percent` are at most the quantile, whose logarithm is `value`.
    pub(super) fn of(percent: u32, value: f64, times: &'a Histogram, seconds: &'a [Second]) -> Option<Self> {
        let share = 1.0 - f64::from(percent) / 100.0;
        let ratio = beyond(seconds, value.exp())?;
        Some(Self { times, seconds, value, share, error: ratio.variance.sqrt(), degrees: ratio.degrees })
    }

    /// Of the logarithm, near the quantile.
    pub(super) fn variance(&self) -> f64 {
        let ends = [self.share + self.error, self.share - self.error].map(|share| self.logarithm(share));
        ((ends[1] - ends[0]) / 2.0).powi(2)
    }

    /// How far the interval reaches below and above the logarithm, with so many standard errors.
    pub(super) fn reach(&self, critical: f64) -> [f64; 2] {
        let high = self.logarithm(self.share - critical * self.error);
        [self.value - self.logarithm(self.largest_share(critical)), high - self.value]
    }

    /// Of the answers beyond the lower end.
    fn largest_share(&self, critical: f64) -> f64 {
        let is_within = |share: f64| {
            let there = beyond(self.seconds, self.logarithm(share).exp());
            let error = there.map_or(0.0, |ratio| ratio.variance.sqrt()).max(self.error);
            share - self.share <= critical * error
        };
        let (mut within, mut without) = (self.share, 1.0);
        for _ in 0..HALVINGS {
            let middle = (within + without) / 2.0;
            if is_within(middle) { within = middle } else { without = middle }
        }
        within
    }

    /// Of the time beyond which so many answers are; none is beyond the slowest, or before the fastest.
    fn logarithm(&self, share: f64) -> f64 {
        self.times.fine_quantile(1.0 - share).map_or(self.value, |fine| fine.value.ln())
    }
}

/// The share of answers that took longer.
fn beyond(seconds: &[Second], nanos: f64) -> Option<Ratio> {
    let times = seconds.iter().map(|second| &second.response_time);
    Ratio::of(times.map(|times| (times.fine_count_above(nanos), times.count() as f64)))
}
