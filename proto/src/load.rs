//! How much is asked of a target, and until when.

mod codec;

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;
use std::time::Duration;

use crate::assignment::MAX_SPAN;
use crate::stages::Stages;
use crate::trace::Trace;

/// How requests come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// A fixed number in flight.
    Closed {
        /// Requests in flight over the whole fleet.
        concurrency: NonZeroU32,
        /// How long a connection rests after an answer, before its next request is due.
        think_time: Option<ThinkTime>,
    },
    /// Arrivals that do not wait for the target.
    Open {
        /// How many arrive over the whole fleet.
        pace: Pace,
        /// How they are spaced.
        arrivals: Arrivals,
        /// Connections of each worker; due requests wait when all their streams are busy.
        connections: NonZeroU32,
        /// Requests waiting or in flight over the whole fleet beyond which arrivals are dropped.
        max_in_flight: Option<NonZeroU64>,
    },
}

impl Load {
    /// How many requests a closed loop has in flight over the whole fleet.
    pub fn concurrency(&self) -> Option<NonZeroU32> {
        match self {
            Self::Closed { concurrency, .. } => Some(*concurrency),
            Self::Open { .. } => None,
        }
    }

    /// Connections: in a closed loop, of the whole fleet, as few as carry all that is in flight; else of each worker.
    pub fn connections(&self, streams: NonZeroU32) -> u32 {
        match self {
            Self::Closed { concurrency, .. } => concurrency.get().div_ceil(streams.get()),
            Self::Open { connections, .. } => connections.get(),
        }
    }
}

/// A time, or a range to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinkTime {
    shortest: Duration,
    longest: Duration,
}

impl ThinkTime {
    /// From the shortest to the longest; `None` when that is no range, or nothing but 0, or longer than the wire accepts.
    pub fn new(shortest: Duration, longest: Duration) -> Option<Self> {
        let is_range = shortest <= longest && !longest.is_zero() && longest <= MAX_SPAN;
        is_range.then_some(Self { shortest, longest })
    }

    /// The shortest that is drawn.
    pub fn shortest(self) -> Duration {
        self.shortest
    }

    /// The longest that is drawn.
    pub fn longest(self) -> Duration {
        self.longest
    }
}

/// How many requests arrive, as time goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// So many a second.
    Steady(Rate),
    /// One stage after another; the block lasts as long as they do.
    Stages(Stages),
    /// As they were recorded; the block ends with the last.
    Trace(Trace),
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// With exponential gaps, as independent users arrive.
    Poisson,
}

impl Arrivals {
    /// The name in flags, JSON and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// Arrivals a second, exact to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// The highest rate that is accepted: a thousand million a second.
    pub const MAX_MILLIHERTZ: u64 = 1_000_000_000_000;

    /// From thousandths of a request per second; `None` for 0 and beyond [`Rate::MAX_MILLIHERTZ`].
    pub fn from_millihertz(millihertz: u64) -> Option<Self> {
        NonZeroU64::new(millihertz).filter(|rate| rate.get() <= Self::MAX_MILLIHERTZ).map(Self)
    }

    /// Thousandths of a request per second.
    pub fn millihertz(self) -> u64 {
        self.0.get()
    }

    /// Requests per second.
    pub fn per_second(self) -> f64 {
        self.0.get() as f64 / 1e3
    }
}

impl FromStr for Rate {
    type Err = String;

    /// Accepts `250`, `0.5` and `250/s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix("/s").unwrap_or(text.trim());
        let rate: f64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a number of requests per second, such as 250 or 0.5"))?;
        if !rate.is_finite() || rate <= 0.0 {
            return Err(format!("a rate of {text} requests per second is not above 0"));
        }
        let millihertz = (rate * 1e3).round();
        if millihertz > Self::MAX_MILLIHERTZ as f64 {
            return Err(format!("a rate of {text} requests per second is beyond 1000000000"));
        }
        Self::from_millihertz(millihertz as u64)
            .ok_or(format!("a rate of {text} requests per second is below 0.001"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.per_second())
    }
}

/// When a block ends: at whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// After this many requests over the whole fleet.
    Requests(NonZeroU64),
    /// After this time.
    Duration(Duration),
    /// After this many requests or this time.
    Either(NonZeroU64, Duration),
}

impl Extent {
    /// From the two limits; `None` when there is none, or when the duration is 0.
    pub fn new(requests: Option<NonZeroU64>, duration: Option<Duration>) -> Option<Self> {
        match (requests, duration) {
            (_, Some(Duration::ZERO)) | (None, None) => None,
            (Some(requests), None) => Some(Self::Requests(requests)),
            (None, Some(duration)) => Some(Self::Duration(duration)),
            (Some(requests), Some(duration)) => Some(Self::Either(requests, duration)),
        }
    }

    /// The limit on requests.
    pub fn requests(self) -> Option<NonZeroU64> {
        match self {
            Self::Requests(requests) | Self::Either(requests, _) => Some(requests),
            Self::Duration(_) => None,
        }
    }

    /// The limit on time.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Duration(duration) | Self::Either(_, duration) => Some(duration),
            Self::Requests(_) => None,
        }
    }
}

/// What goes before the measurement and is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarmUp {
    /// Nothing but making the connections.
    None,
    /// This many requests over the whole fleet.
    Requests(NonZeroU64),
    /// This long.
    Duration(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact_to_a_thousandth() {
        assert_eq!("250".parse::<Rate>().unwrap().millihertz(), 250_000);
        assert_eq!("0.5/s".parse::<Rate>().unwrap().millihertz(), 500);
        for bad in ["", "0", "-1", "nan", "inf", "0.0001", "1e10", "fast"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
