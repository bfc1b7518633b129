//! What a figure must be: `simple_chat:p95<80ms`. Read by [`parse`]; whether it holds is for statistics to say.
//!
//! ```text
//! threshold  = [scenario ":"] metric comparison number unit
//! metric     = [["overhead."] ("ttft." | "gap.")] statistic | "overhead." statistic | "failed" | "dropped" | "throughput" | "goodput"
//! statistic  = "mean" | "p50" | "p95" | "p99" | "p99.9" | "max"
//! comparison = "<" | "<=" | ">" | ">="
//! unit       = "ns" | "us" | "ms" | "s" for times, "%" or none for failed and dropped, "/s" for throughput, "%" for goodput
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

mod parse;
#[cfg(test)]
mod tests;

pub use parse::ParseError;

/// A figure, and what it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// Of which scenario; `None` for each of them.
    pub scenario: Option<String>,
    /// Which figure.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: Quantity,
}

/// A figure of one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// One of a block's times.
    Time(Times, Statistic),
    /// What the gateway adds to it.
    Added(Times, Statistic),
    /// Failures: how many, or which share of the requests that came to an end.
    Failed,
    /// Arrivals beyond the limit: how many, or which share of those that were offered.
    Dropped,
    /// Successes a second.
    Throughput,
    /// The share of requests that were answered well and kept to the goal.
    Goodput,
}

/// A kind of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Due to last byte.
    Response,
    /// Due to first content event.
    FirstToken,
    /// Content event to next content event.
    Gap,
}

/// What is read from many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// The largest.
    Max,
}

/// How a figure is compared with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A number and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// A time.
    Nanos(f64),
    /// A part of a whole, 0 to 1.
    Share(f64),
    /// Of requests.
    Count(f64),
    /// Of requests a second.
    PerSecond(f64),
}

impl Metric {
    /// Whether it compares two arms.
    pub fn is_overhead(self) -> bool {
        matches!(self, Self::Added(..))
    }
}

impl Comparison {
    /// All of them, with how they are written; what begins with another comes before it.
    pub(crate) const ALL: [(&str, Self); 4] =
        [("<=", Self::AtMost), (">=", Self::AtLeast), ("<", Self::Below), (">", Self::Above)];

    /// Whether a figure holds.
    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Below => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Above => measured > bound,
            Self::AtLeast => measured >= bound,
        }
    }
}

impl Quantity {
    /// The bare number.
    pub fn number(self) -> f64 {
        let (Self::Nanos(number) | Self::Share(number) | Self::Count(number) | Self::PerSecond(number)) =
            self;
        number
    }

    /// Another number of the same kind.
    pub fn with_number(self, number: f64) -> Self {
        match self {
            Self::Nanos(_) => Self::Nanos(number),
            Self::Share(_) => Self::Share(number),
            Self::Count(_) => Self::Count(number),
            Self::PerSecond(_) => Self::PerSecond(number),
        }
    }
}

impl Times {
    pub(crate) const ALL: [(&str, Self); 3] =
        [("", Self::Response), ("ttft.", Self::FirstToken), ("gap.", Self::Gap)];
}

impl Statistic {
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("mean", Self::Mean),
        ("p50", Self::P50),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p99.9", Self::P999),
        ("max", Self::Max),
    ];
}

/// As it is written.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scenario) = &self.scenario {
            write!(f, "{scenario}:")?;
        }
        let comparison = written(&Comparison::ALL, self.comparison);
        write!(f, "{}{comparison}{}", self.metric, self.bound)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, times, statistic) = match *self {
            Self::Time(times, statistic) => ("", times, statistic),
            Self::Added(times, statistic) => ("overhead.", times, statistic),
            Self::Failed => return f.write_str("failed"),
            Self::Dropped => return f.write_str("dropped"),
            Self::Throughput => return f.write_str("throughput"),
            Self::Goodput => return f.write_str("goodput"),
        };
        write!(f, "{prefix}{}{}", written(&Times::ALL, times), written(&Statistic::ALL, statistic))
    }
}

/// With the unit that makes the number short.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nanos(nanos) => match nanos.abs() {
                1e9.. => write!(f, "{}s", rounded(nanos / 1e9)),
                1e6.. => write!(f, "{}ms", rounded(nanos / 1e6)),
                1e3.. => write!(f, "{}us", rounded(nanos / 1e3)),
                _ => write!(f, "{}ns", rounded(nanos)),
            },
            Self::Share(share) => write!(f, "{}%", rounded(share * 100.0)),
            Self::Count(count) => write!(f, "{}", rounded(count)),
            Self::PerSecond(rate) => write!(f, "{}/s", rounded(rate)),
        }
    }
}

/// To six decimals, which are enough for whatever has been written or measured.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn written<T: PartialEq>(all: &[(&'static str, T)], wanted: T) -> &'static str {
    all.iter().find(|(_, one)| *one == wanted).map_or("", |(text, _)| text)
}
