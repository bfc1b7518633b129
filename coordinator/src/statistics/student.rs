//! Intervals for means of few values: Student's t. Pure.
//!
//! Sources: Student, The Probable Error of a Mean, Biometrika 1908; B. L. Welch, The generalization of "Student's"
//! problem when several different population variances are involved, Biometrika 1947; J.-Y. Le Boudec, Performance
//! Evaluation of Computer and Communication Systems, chapter 2. A bootstrap of percentiles (B. Efron, Bootstrap Methods:
//! Another Look at the Jackknife, 1979) was left out: over 3 to 5 values its 95 % intervals hold the truth in 75 to 84 %
//! of cases, whereas Student's hold it in 95 % where the values are about normal, as differences of blocks of many
//! requests are.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// How sure intervals are.
pub const CONFIDENCE: f64 = 0.95;

/// A mean, and what lies between the ends of its interval with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// The distance of both ends from it.
    pub half_width: f64,
}

/// How many values there were, their mean, and the variance of that mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their variance ÷ how many they are.
    pub variance_of_mean: f64,
}

impl Sample {
    /// `None` for fewer than two values, which say nothing about how they vary.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Some(Self { count, mean, variance_of_mean: squares / (count - 1) as f64 / count as f64 })
    }

    /// The interval for the mean of what the values were drawn from, independently of each other.
    pub fn interval(&self) -> Option<Interval> {
        let half_width = critical((self.count - 1) as f64)? * self.variance_of_mean.sqrt();
        Some(Interval { mean: self.mean, half_width })
    }
}

/// More are as good as infinitely many: 1.9623 standard errors in place of 1.9600.
const MOST_DEGREES: f64 = 1_000.0;

/// How many standard errors the 95 % interval reaches to either side, with so many degrees of freedom; `None` when they
/// are fewer than one.
///
/// Found by halving: the library's own inverse does not come back from some numbers.
pub fn critical(degrees_of_freedom: f64) -> Option<f64> {
    let degrees = Some(degrees_of_freedom).filter(|degrees| *degrees >= 1.0)?.min(MOST_DEGREES);
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if distribution.cdf(middle) < 0.5 + CONFIDENCE / 2.0 { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
        for (degrees, expected) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (3.0, 3.182),
            (4.0, 2.776),
            (9.0, 2.262),
            (30.0, 2.042),
            (100.0, 1.984),
            (1_000.0, 1.962),
            (f64::INFINITY, 1.962),
        ] {
            let found = critical(degrees).unwrap();
            assert!((found - expected).abs() < 6e-4, "{degrees}: {found}");
        }
        // Between two whole numbers, as Welch has them.
        let between = critical(2.5).unwrap();
        assert!(between < critical(2.0).unwrap() && between > critical(3.0).unwrap());
        for none in [0.0, 0.9, -1.0, f64::NAN] {
            assert_eq!(critical(none), None, "{none}");
        }
    }

    #[test]
    fn an_interval_is_worked_out_as_by_hand() {
        // Mean 2, variance 1, standard error 1/√3.
        let interval = Sample::of(&[1.0, 2.0, 3.0]).unwrap().interval().unwrap();
        assert_eq!(interval.mean, 2.0);
        assert!((interval.half_width - 4.302_65 / 3f64.sqrt()).abs() < 1e-4, "{interval:?}");
        assert_eq!(Sample::of(&[1.0]), None);
        assert_eq!(Sample::of(&[5.0; 4]).unwrap().interval().unwrap().half_width, 0.0);
    }
}
