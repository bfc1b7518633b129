//! A figure of one run, how surely it is known, and what follows for the difference of two.

use super::quantile::Beyond;
use crate::statistics::student;

/// A figure of one run, on the scale on which it is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) value: f64,
    pub(super) spread: Spread<'a>,
    pub(super) degrees: f64,
    /// What the bounds of buckets hide.
    pub(super) error: f64,
}

/// How far from the value the truth may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spread<'a> {
    /// As far on either side.
    Even { variance: f64 },
    /// The value is a logarithm, and the truth as far on either side of what it is the logarithm of, of which this is the
    /// variance in parts of it.
    EvenBeforeLogarithm { variance: f64 },
    /// As far as there are answers that make it so.
    Quantile(Beyond<'a>),
}

/// An interval that reaches down to nothing has no logarithm: it ends here, at a part of the figure.
const LEAST_PART: f64 = 0.001;

impl Spread<'_> {
    fn variance(&self) -> f64 {
        match self {
            Self::Even { variance } | Self::EvenBeforeLogarithm { variance } => *variance,
            Self::Quantile(beyond) => beyond.variance(),
        }
    }

    /// How far below and above the value the interval ends, with so many standard errors.
    fn reach(&self, critical: f64) -> [f64; 2] {
        match self {
            Self::Even { variance } => [critical * variance.sqrt(); 2],
            Self::EvenBeforeLogarithm { variance } => {
                let part = critical * variance.sqrt();
                [-(1.0 - part).max(LEAST_PART).ln(), part.ln_1p()]
            }
            Self::Quantile(beyond) => beyond.reach(critical),
        }
    }
}

impl Reading<'_> {
    /// The ends of the interval for this one less the old one.
    ///
    /// With as many degrees of freedom as Welch and Satterthwaite have it. Each end is as far from the difference as both
    /// intervals' ends that are on that side (Zou and Donner, Construction of Confidence Limits about Effect Measures,
    /// Statistics in Medicine 2008), which is Welch's t where the intervals are even.
    pub(super) fn less(&self, old: &Self) -> Option<[f64; 2]> {
        let [was, is] = [old, self].map(|reading| reading.spread.variance());
        let squares = was.powi(2) / old.degrees + is.powi(2) / self.degrees;
        // Where nothing varies it does not matter.
        let degrees =
            if squares > 0.0 { (was + is).powi(2) / squares } else { old.degrees.min(self.degrees) };
        let critical = student::critical(degrees.max(1.0))?;
        let [[was_below, was_above], [is_below, is_above]] =
            [old, self].map(|reading| reading.spread.reach(critical));
        let error = old.error + self.error;
        let change = self.value - old.value;
        Some([
            change - is_below.hypot(was_above).hypot(error),
            change + is_above.hypot(was_below).hypot(error),
        ])
    }

    /// Of its own interval.
    pub(super) fn half_width(&self) -> Option<f64> {
        Some(student::critical(self.degrees)? * self.spread.variance().sqrt())
    }
}
