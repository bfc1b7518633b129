//! How surely a figure of one block is known: from how its seconds vary.

use std::f64::consts::PI;

use proto::latencies::Histogram;

/// A second of all workers.
#[derive(Debug, Clone)]
pub struct Second {
    /// Due to last byte, of successes.
    pub response_time: Histogram,
    /// In seconds.
    pub length: f64,
    /// Good answers.
    pub successes: u64,
    /// All others that came to an end.
    pub failed: u64,
}

impl Second {
    /// Requests that came to an end.
    pub(super) fn ended(&self) -> f64 {
        self.successes.saturating_add(self.failed) as f64
    }
}

/// With fewer, how they vary is hardly known.
const FEWEST_SECONDS: usize = 5;

/// # Errors
/// When they are too few.
pub(super) fn enough(seconds: &[Second]) -> Result<(), String> {
    match seconds.len() {
        FEWEST_SECONDS.. => Ok(()),
        few => Err(format!("too few seconds ({few} of {FEWEST_SECONDS})")),
    }
}

/// How much of one thing there is for each of another, over all seconds, and how surely that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    /// The ratio of the sums.
    pub(super) value: f64,
    /// Of the value.
    pub(super) variance: f64,
    /// What is known of the variance.
    pub(super) degrees: f64,
}

impl Ratio {
    /// Of each second's part and whole; `None` where there is no whole at all.
    ///
    /// Its variance is that of what each second has more than its part, in wholes of the mean second (Cochran, Sampling
    /// Techniques, section 2.11). A second without a part, or without a whole, counts like any other, where its own ratio, or
    /// its logarithm, would be none.
    pub(super) fn of(seconds: impl Iterator<Item = (f64, f64)>) -> Option<Self> {
        let seconds: Vec<(f64, f64)> = seconds.collect();
        let (parts, wholes) = seconds.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let value = Some(parts / wholes).filter(|value| value.is_finite())?;
        let mean_whole = wholes / seconds.len() as f64;
        let more: Vec<f64> =
            seconds.iter().map(|(part, whole)| (part - value * whole) / mean_whole).collect();
        let (variance, degrees) = variance_of_mean(&more)?;
        Some(Self { value, variance, degrees })
    }

    /// The variance in parts of the value.
    pub(super) fn relative_variance(&self) -> f64 {
        self.variance / self.value.powi(2)
    }
}

/// The variance of the mean of values in order, and its degrees of freedom; `None` for fewer than three values.
///
/// Seconds take after each other, so that their mean is less sure than that of as many independent ones: what it is unsure by
/// is how much slow waves there are in them. So this is the mean square of the slowest few cosine waves, of which each is one
/// degree of freedom (equal-weighted cosines, the estimator that Lazarus, Lewis, Stock and Watson recommend: HAR Inference,
/// Journal of Business & Economic Statistics 2018; Müller, HAC Corrections for Strongly Autocorrelated Time Series, 2014).
pub(super) fn variance_of_mean(values: &[f64]) -> Option<(f64, f64)> {
    let waves = waves(values.len())?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let size = |wave: usize| -> f64 {
        let angle = |at: usize| PI * wave as f64 * (at as f64 + 0.5) / count;
        values.iter().enumerate().map(|(at, value)| (value - mean) * angle(at).cos()).sum()
    };
    let squares: f64 = (1..=waves).map(|wave| size(wave).powi(2)).sum();
    Some((2.0 * squares / (waves as f64 * count * count), waves as f64))
}

/// How many waves are slow: with more of them the variance is better known, and less of it is seen where seconds take after
/// each other. Lazarus and others take 0.4 n^⅔ where one value is to the next as 0.7; of twenty seconds this is four, and
/// not three, as `docs/statistics.md` says.
fn waves(values: usize) -> Option<usize> {
    let slow = (0.55 * (values as f64).powf(2.0 / 3.0)) as usize;
    (values > 2).then(|| slow.clamp(2, values - 1))
}
