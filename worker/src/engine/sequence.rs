//! When the requests of an open loop are due: pure, and the same for every request whatever the share.

use proto::load::{Arrivals, Pace, Rate};
use proto::random::mix;
use proto::share::Share;
use proto::stages::Stages;
use proto::trace::Trace;

use crate::clock::Nanos;

/// The due times of one share of the global sequence. Item *i* has the same due time whatever the share.
#[derive(Debug)]
pub struct Sequence {
    share: Share,
    /// The number of the next item within the share.
    next: u64,
    due: Nanos,
    moments: Moments,
}

/// How due times come about.
#[derive(Debug)]
enum Moments {
    /// Item *i* is due at *i* ÷ rate.
    Steady(Rate),
    /// Item *i* is due when the rates add up to *i*.
    Stages(Stages),
    /// Item *i* is due when it was recorded.
    Trace(Trace),
    /// Item *i* is due after *i* + 1 gaps drawn from the exponential distribution: a Poisson process.
    SteadyPoisson { rate: Rate, gaps: Gaps },
    /// The same process with one arrival a unit, whose units pass as the rates add up.
    StagesPoisson { stages: Stages, gaps: Gaps },
}

impl Sequence {
    /// The part of a load's arrivals that `share` says.
    pub fn new(pace: &Pace, arrivals: Arrivals, share: Share, seed: u64) -> Self {
        let gaps = || Gaps::up_to(share.item(0), seed);
        let moments = match (pace, arrivals) {
            (Pace::Steady(rate), Arrivals::Constant) => Moments::Steady(*rate),
            (Pace::Steady(rate), Arrivals::Poisson) => Moments::SteadyPoisson { rate: *rate, gaps: gaps() },
            (Pace::Trace(trace), _) => Moments::Trace(trace.clone()),
            (Pace::Stages(stages), Arrivals::Constant) => Moments::Stages(stages.clone()),
            (Pace::Stages(stages), Arrivals::Poisson) => {
                Moments::StagesPoisson { stages: stages.clone(), gaps: gaps() }
            }
        };
        let mut sequence = Self { share, next: 0, due: Nanos::ZERO, moments };
        sequence.due = sequence.moments.due(share.item(0));
        sequence
    }

    /// When the next item is due; later than anything when there is none.
    #[inline]
    pub fn next_due(&self) -> Nanos {
        self.due
    }

    /// Goes on to the item after it.
    #[inline]
    pub fn advance(&mut self) {
        self.next += 1;
        self.due = self.moments.due(self.share.item(self.next));
    }
}

impl Moments {
    /// Of `item`, which is never less than the one that was asked for before.
    #[inline]
    fn due(&mut self, item: u64) -> Nanos {
        match self {
            Self::Steady(rate) => {
                let picos = u128::from(item) * 1_000_000_000_000;
                Nanos(u64::try_from(picos / u128::from(rate.millihertz())).unwrap_or(u64::MAX))
            }
            Self::Stages(stages) => stages.due(item).map_or(Nanos::MAX, Nanos),
            Self::Trace(trace) => trace.due(item).map_or(Nanos::MAX, Nanos),
            Self::SteadyPoisson { rate, gaps } => {
                Nanos((gaps.sum_to(item) * 1e12 / rate.millihertz() as f64) as u64)
            }
            Self::StagesPoisson { stages, gaps } => {
                stages.due_after(gaps.sum_to(item)).map_or(Nanos::MAX, Nanos)
            }
        }
    }
}

/// Gaps with a mean of 1, one before each item, summed as the items go by.
#[derive(Debug)]
struct Gaps {
    seed: u64,
    item: u64,
    sum: f64,
}

impl Gaps {
    fn up_to(item: u64, seed: u64) -> Self {
        let mut gaps = Self { seed, item: 0, sum: gap(seed, 0) };
        gaps.sum_to(item);
        gaps
    }

    fn sum_to(&mut self, item: u64) -> f64 {
        while self.item < item {
            self.item += 1;
            self.sum += gap(self.seed, self.item);
        }
        self.sum
    }
}

/// The gap before item `item` of a Poisson process with one arrival a unit: −ln(u) with u uniform in (0, 1].
fn gap(seed: u64, item: u64) -> f64 {
    let uniform = ((mix(seed ^ mix(item)) >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::stages::Stage;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn stages(all: &[(u64, u64, u64)]) -> Pace {
        let stage = |(millis, from, to): &(u64, u64, u64)| Stage {
            duration: Duration::from_millis(*millis),
            from_millihertz: *from,
            to_millihertz: *to,
        };
        Pace::Stages(Stages::new(all.iter().map(stage)).unwrap())
    }

    fn due_times(pace: &Pace, arrivals: Arrivals, share: Share, seed: u64) -> Vec<u64> {
        let mut sequence = Sequence::new(pace, arrivals, share, seed);
        std::iter::from_fn(|| {
            let due = sequence.next_due();
            sequence.advance();
            (due < Nanos::MAX).then_some(due.0)
        })
        .collect()
    }

    #[test]
    fn a_poisson_process_follows_the_stages() {
        // 20 a second, up to 2,000 in a second, and 10 s of it.
        let shape =
            stages(&[(10_000, 20_000, 20_000), (1_000, 20_000, 2_000_000), (10_000, 2_000_000, 2_000_000)]);
        let times = due_times(&shape, Arrivals::Poisson, Share::WHOLE, 7);
        assert!(times.is_sorted());
        let within = |from: u64, to: u64| {
            times.iter().filter(|due| (from * SECOND..to * SECOND).contains(due)).count()
        };
        // Within four standard deviations of 200, 1,010 and 20,000.
        let [low, ramp, high] = [(0, 10), (10, 11), (11, 21)].map(|(from, to)| within(from, to) as f64);
        for (found, wanted) in [(low, 200.0f64), (ramp, 1_010.0), (high, 20_000.0)] {
            assert!((found - wanted).abs() < 4.0 * wanted.sqrt(), "{found} of {wanted}");
        }
        // The share of gaps longer than the mean gap is 1/e: they are exponential, not even.
        let late: Vec<u64> = times.iter().copied().filter(|due| *due >= 11 * SECOND).collect();
        let long = late.windows(2).filter(|pair| pair[1] - pair[0] > SECOND / 2_000).count() as f64;
        assert!((long / late.len() as f64 - (-1f64).exp()).abs() < 0.02, "{long} of {}", late.len());
        assert_eq!(times, due_times(&shape, Arrivals::Poisson, Share::WHOLE, 7), "a seed repeats them");
        assert_ne!(times, due_times(&shape, Arrivals::Poisson, Share::WHOLE, 8));
    }

    #[test]
    fn a_trace_is_followed_to_the_nanosecond_by_whoever_has_a_part() {
        let recorded = vec![0, 3, 3, 900, SECOND, SECOND + 1, 9 * SECOND];
        let pace = Pace::Trace(Trace::new(recorded.clone()).unwrap());
        assert_eq!(due_times(&pace, Arrivals::Constant, Share::WHOLE, 1), recorded);
        let part = |index| due_times(&pace, Arrivals::Constant, Share::new(index, 3).unwrap(), 1);
        assert_eq!(
            [part(0), part(1), part(2)],
            [vec![0, 900, 9 * SECOND], vec![3, SECOND], vec![3, SECOND + 1]]
        );
    }

    proptest! {
        #[test]
        fn shares_of_stages_make_up_the_whole(
            all in prop::collection::vec((100u64..400, 0u64..300_000, 0u64..300_000), 1..4),
            workers in 1u32..5, threads in 1u32..4, poisson: bool, seed: u64,
        ) {
            prop_assume!(all.iter().any(|(_, from, to)| from + to > 0));
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            let pace = stages(&all);
            let whole = due_times(&pace, arrivals, Share::WHOLE, seed);
            let mut parts = Vec::new();
            for k in 0..workers {
                for j in 0..threads {
                    let share = Share::new(k, workers).unwrap().sub(j, threads).unwrap();
                    parts.extend(due_times(&pace, arrivals, share, seed));
                }
            }
            parts.sort_unstable();
            prop_assert_eq!(parts, whole);
        }
    }
}
