//! A search gone over again: whether each step is the one that follows from those before it.

use super::{Bounds, Conclusion, Search, Step, Tried};

/// A step that does not follow from those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Astray {
    /// Which step, from 1.
    pub number: usize,
    /// What would have been tried there, or why nothing would.
    pub wanted: Result<Step, Conclusion>,
}

/// Where a search stands after these steps.
///
/// # Errors
/// The first step that the search would not have tried.
pub fn replayed(bounds: Bounds, tried: impl IntoIterator<Item = Tried>) -> Result<Search, Astray> {
    let mut search = Search::new(bounds);
    for (number, tried) in (1..).zip(tried) {
        let wanted = search.next();
        if wanted != Ok(tried.step) {
            return Err(Astray { number, wanted });
        }
        search.took(tried);
    }
    Ok(search)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use proto::load::Rate;

    use super::*;
    use crate::capacity::{Limit, StepKind};

    fn rate(per_second: f64) -> Rate {
        Rate::from_millihertz((per_second * 1e3) as u64).unwrap()
    }

    /// A search of which the seed says what comes of its steps, but for those far from the capacity.
    fn searched(capacity: f64, seed: u64) -> (Bounds, Search, Conclusion) {
        let bounds = Bounds {
            start: rate(100.0),
            most: rate(20_000.0),
            precision: 0.02,
            step: Duration::from_secs(3),
            time: Duration::from_secs(200),
            requests: 1_000_000,
        };
        let (mut search, mut state) = (Search::new(bounds), seed);
        loop {
            let step = match search.next() {
                Ok(step) => step,
                Err(conclusion) => return (bounds, search, conclusion),
            };
            state = proto::random::mix(state);
            let ratio = step.rate.per_second() / capacity;
            let failed = if (0.9..1.1).contains(&ratio) { state & 1 == 0 } else { ratio > 1.0 };
            search.took(Tried {
                step,
                failure: failed.then(|| "too slow".to_owned()),
                limit: (failed && state & 0b1110 == 0).then_some(Limit::Cores),
                failed_share: (failed && state & 64 == 0).then_some(0.02),
                needs: Duration::from_secs(if state & 0b11_0000 == 0 { 4 } else { 0 }),
                took: step.duration + Duration::from_millis(state >> 8 & 1023),
                offered: (step.rate.per_second() * step.duration.as_secs_f64()) as u64,
            });
        }
    }

    proptest! {
        #[test]
        fn a_search_gone_over_again_comes_to_the_same_end(capacity in 10.0f64..40_000.0, seed in any::<u64>()) {
            let (bounds, search, conclusion) = searched(capacity, seed);
            let again = replayed(bounds, search.tried().to_vec()).unwrap();
            prop_assert_eq!(again.next(), Err(conclusion));
            prop_assert_eq!(
                (again.highest_passing(), again.lowest_failing()),
                (search.highest_passing(), search.lowest_failing())
            );
        }

        #[test]
        fn a_step_that_does_not_follow_is_found(
            capacity in 10.0f64..40_000.0,
            seed in any::<u64>(),
            which in any::<prop::sample::Index>(),
            what in 0usize..4,
        ) {
            let (bounds, search, conclusion) = searched(capacity, seed);
            let mut tried = search.tried().to_vec();
            let at = which.index(tried.len());
            let Step { rate, duration, kind } = tried[at].step;
            tried[at].step = match what {
                0 => Step { rate: Rate::from_millihertz(rate.millihertz() + 1).unwrap(), duration, kind },
                1 => Step { rate, duration: duration + Duration::from_nanos(1), kind },
                2 if kind == StepKind::Fine => Step { rate, duration, kind: StepKind::Coarse },
                2 => Step { rate, duration, kind: StepKind::Fine },
                _ => {
                    // A step less: what follows is not what would have been tried, or the end is another.
                    tried.remove(at);
                    let astray = match replayed(bounds, tried) {
                        Ok(again) => again.next() != Err(conclusion),
                        Err(_) => true,
                    };
                    // Only of attempts at one and the same, one is as good as another.
                    let is_one_of_several = search.tried().windows(2).any(|two| two[0].step == two[1].step);
                    prop_assert!(astray || is_one_of_several);
                    return Ok(());
                }
            };
            prop_assert_eq!(replayed(bounds, tried).err().map(|astray| astray.number), Some(at + 1));
        }
    }
}
