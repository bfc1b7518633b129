//! Whether the slowest answers came in so few bursts that the P99 is the fate of a few moments.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::rules::is_steady;
use super::{Finding, Verdict};
use crate::statistics::{Evidence, Figures, WholeSecond};

/// As few seconds do not tell bursts from chance.
const FEWEST_SECONDS: usize = 5;
/// With fewer answers, fewer than ten are beyond the P99, and another rule says so.
const FEWEST_ANSWERS: u64 = 1_000;
/// As many independent ones as samples of which a quantile is read at all.
const FEWEST_BURSTS: f64 = 10.0;
/// How seldom independent answers may be taken for bursts.
const BY_CHANCE: f64 = 0.01;

/// Requests share queues, so that slow answers come together: a target that stands still for two seconds of sixty makes every
/// answer beyond the P99, and that it did so once says little of how often it does.
///
/// Of independent answers, those beyond a quantile differ from second to second like numbers drawn by chance (Poisson's): their
/// variance is their mean. Where it is k times that (the index of dispersion, which Fisher's chi-squared tests), they are worth
/// a kth of as many independent ones, about as if they came k at a time (Cox and Lewis, The Statistical Analysis of Series of
/// Events, 1966).
pub(super) fn bursts(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    let seconds = evidence.seconds;
    if seconds.len() < FEWEST_SECONDS || figures.successes < FEWEST_ANSWERS || !is_steady(evidence) {
        return None;
    }
    let slow: f64 = seconds.iter().map(|second| second.slow).sum();
    let bursts = bursts_of(seconds, slow)?;
    (bursts < FEWEST_BURSTS).then(|| {
        let reason = format!(
            "P99 rests on few moments: half of the {slow:.0} answers beyond it came within {} of {} seconds, which tells as \
             much as {bursts:.0} that come one by one would; see what happened there, and measure longer or with --repeats",
            seconds_of_half(seconds, slow),
            seconds.len()
        );
        Finding::new("bursts", Verdict::Valid, reason)
    })
}

/// How many independent answers those beyond the P99 are worth; `None` where they may well be independent.
fn bursts_of(seconds: &[WholeSecond], slow: f64) -> Option<f64> {
    let answers: f64 = seconds.iter().map(|second| second.answers as f64).sum();
    let square = |second: &WholeSecond| {
        let expected = slow * second.answers as f64 / answers;
        if expected > 0.0 { (second.slow - expected).powi(2) / expected } else { 0.0 }
    };
    let squares: f64 = seconds.iter().map(square).sum();
    let degrees = (seconds.len() - 1) as f64;
    let by_chance = ChiSquared::new(degrees).ok()?.sf(squares);
    (by_chance < BY_CHANCE).then_some((slow * degrees / squares).max(1.0))
}

/// The fewest seconds in which half of them came.
fn seconds_of_half(seconds: &[WholeSecond], slow: f64) -> usize {
    let mut counts: Vec<f64> = seconds.iter().map(|second| second.slow).collect();
    counts.sort_unstable_by(|left, right| right.total_cmp(left));
    let mut seen = 0.0;
    let before = counts.iter().take_while(|count| {
        seen += **count;
        seen < slow / 2.0
    });
    before.count() + 1
}
