//! Load in stages: how many requests each holds, and when each request is due, in whole numbers.
//!
//! A stage goes in a straight line from one rate to another. Request *i* is due when the requests that the rates add up
//! to reach *i*; that moment is computed from *i* alone, rounded down to a nanosecond.

use std::sync::Arc;
use std::time::Duration;

use crate::assignment::MAX_SPAN;
use crate::load::Rate;

/// A span in which the rate goes in a straight line from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How long it lasts.
    pub duration: Duration,
    /// The rate with which it begins, in thousandths of a request per second; 0 for none.
    pub from_millihertz: u64,
    /// The rate with which it ends.
    pub to_millihertz: u64,
}

/// Stages one after another, of which at least one holds a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages(Arc<[Placed]>);

/// A stage and what lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    stage: Stage,
    /// In nanoseconds.
    start: u64,
    length: u64,
    /// The measure of requests up to its start and up to its end.
    before: u128,
    after: u128,
}

/// The measure of one request. Rates are thousandths and times thousand-millionths, and twice the area under a straight
/// line is a whole number.
const REQUEST: u128 = 2_000_000_000_000;

impl Stages {
    /// More than anybody types.
    pub const MOST: usize = 1_000;
    /// Every stage ends an interval of its own, and a shorter one would be all overhead.
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// In the order in which they are run.
    ///
    /// # Errors
    /// What is wrong, to be read after the name of the stages ("are …").
    pub fn new(stages: impl IntoIterator<Item = Stage>) -> Result<Self, String> {
        let (mut placed, mut start, mut before) = (Vec::new(), 0, 0);
        for stage in stages {
            if placed.len() == Self::MOST {
                return Err(format!("are more than {}", Self::MOST));
            }
            if stage.duration < Self::SHORTEST || stage.duration > MAX_SPAN {
                return Err("hold one that is shorter than 100ms or longer than 7 days".into());
            }
            if stage.from_millihertz.max(stage.to_millihertz) > Rate::MAX_MILLIHERTZ {
                return Err("hold a rate beyond 1000000000 requests per second".into());
            }
            let length = stage.duration.as_nanos() as u64;
            let rates = u128::from(stage.from_millihertz) + u128::from(stage.to_millihertz);
            let after = before + rates * u128::from(length);
            placed.push(Placed { stage, start, length, before, after });
            (start, before) = (start + length, after);
            if Duration::from_nanos(start) > MAX_SPAN {
                return Err("last longer than 7 days together".into());
            }
        }
        if before == 0 {
            return Err("hold no request: at least one must have a rate above 0".into());
        }
        Ok(Self(placed.into()))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Stage> {
        self.0.iter().map(|placed| placed.stage)
    }

    /// The stages' beginnings and ends, from the start of the first.
    pub fn spans(&self) -> impl Iterator<Item = (Duration, Duration)> {
        let span = |placed: &Placed| (placed.start, placed.start + placed.length);
        self.0.iter().map(span).map(|(start, end)| (Duration::from_nanos(start), Duration::from_nanos(end)))
    }

    /// How long they last together.
    pub fn duration(&self) -> Duration {
        self.iter().map(|stage| stage.duration).sum()
    }

    /// How many requests are due in each stage, where they are spaced evenly.
    pub fn requests(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|placed| first_from(placed.after) - first_from(placed.before))
    }

    /// The lowest rate above 0 with which a stage begins or ends: what a warm-up goes by.
    pub fn lowest_rate(&self) -> Option<Rate> {
        let rates = self.iter().flat_map(|stage| [stage.from_millihertz, stage.to_millihertz]);
        rates.filter_map(Rate::from_millihertz).min()
    }

    /// When request `item` (from 0) is due, in nanoseconds from the start; `None` when there are not so many.
    pub fn due(&self, item: u64) -> Option<u64> {
        self.reached(u128::from(item) * REQUEST)
    }

    /// When the rates add up to so many requests, in nanoseconds from the start; `None` when they never do.
    pub fn due_after(&self, requests: f64) -> Option<u64> {
        self.reached((requests * REQUEST as f64) as u128)
    }

    fn reached(&self, measure: u128) -> Option<u64> {
        let placed = self.0.get(self.0.partition_point(|placed| placed.after <= measure))?;
        Some(placed.start + placed.reached(measure - placed.before))
    }
}

impl Placed {
    /// The last nanosecond from its start until which no more than `measure` have come; `measure` is less than it holds.
    fn reached(&self, measure: u128) -> u64 {
        let (from, to) = (self.stage.from_millihertz, self.stage.to_millihertz);
        if from == to {
            return (measure / (2 * u128::from(from))) as u64;
        }
        // Floating point comes close. What is right is found from there in whole numbers, mostly in two steps.
        let (rate, rise) = (from as f64, to as f64 - from as f64);
        let root = (rate * rate + rise * measure as f64 / self.length as f64).max(0.0).sqrt();
        let near = ((measure as f64 / (rate + root)) as u64).min(self.length - 1);
        self.search(near, measure)
    }

    /// Bisects between bounds that grow from `near`.
    fn search(&self, near: u64, measure: u128) -> u64 {
        let (mut low, mut high, mut step) = (near, near, 1);
        while !self.is_within(low, measure) {
            (low, high, step) = (low.saturating_sub(step), low, step * 2);
        }
        if low == high {
            high = near + 1;
            while self.is_within(high, measure) {
                (low, high, step) = (high, (high + step).min(self.length), step * 2);
            }
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.is_within(middle, measure) { low = middle } else { high = middle }
        }
        low
    }

    /// Whether no more than `measure` have come by `time`: 2 · from · t + (to − from) · t² ÷ length ≤ measure.
    fn is_within(&self, time: u64, measure: u128) -> bool {
        let (from, to) = (self.stage.from_millihertz, self.stage.to_millihertz);
        let level = 2 * u128::from(from) * u128::from(time);
        // slope · t ÷ length in two parts, so that nothing overflows: slope · t is below 10^27.
        let (slope, time, length) =
            (u128::from(from.abs_diff(to)), u128::from(time), u128::from(self.length));
        let (whole, rest) = (slope * time / length, slope * time % length);
        let (bend, remainder) = (whole * time + rest * time / length, rest * time % length);
        if to > from { level + bend + u128::from(remainder > 0) <= measure } else { level - bend <= measure }
    }
}

/// The first request that has not come when the rates have added up to `measure`.
fn first_from(measure: u128) -> u64 {
    measure.div_ceil(REQUEST) as u64
}

#[cfg(test)]
mod tests;
