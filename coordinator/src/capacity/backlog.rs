//! Whether requests come in faster than they are answered.
//!
//! Above its capacity a target's queue grows by the difference in every second, however short the queue still is; a
//! percentile sees that only once the queue is as long as the objective allows. So the queue itself is looked at: its
//! slope by least squares, and how sure that is (the t statistic of the slope; Le Boudec, Performance Evaluation, chapter 3).

use std::time::Duration;

/// Between two readings.
const SPAN: Duration = Duration::from_secs(1);
/// The fewest readings that have a slope and leave a degree of freedom for its error.
const FEWEST: usize = 3;
/// So many standard errors lie between the slope and none; the readings of one queue depend on each other, so that fewer
/// would see growth where a queue only sways.
const SURE: f64 = 5.0;
/// A queue that grows by less than this part of the arrivals is within the precision of a search.
const SMALLEST_SHARE: f64 = 0.005;

/// How many readings there should be: fewer have a slope, and an error that may be small by chance.
const WANTED: u32 = 4;

/// Those of the lengths, at the ends of spans from the first on, that can be a queue's. What is in flight grows with every
/// arrival, however fast the target is, until answers come as often as requests: when the slowest of them (here: 99 in 100)
/// have had their time.
pub fn settled(lengths: &[u64], response_time_p99: Duration) -> &[u64] {
    let is_settled = |span: usize| SPAN * span as u32 >= response_time_p99;
    let first = (1..=lengths.len()).find(|span| is_settled(*span)).unwrap_or(lengths.len() + 1);
    &lengths[first - 1..]
}

/// How long a load must go on for its queue to be judged, with answers that take this long; nothing for those that end within
/// a span.
pub fn needs(response_time_p99: Duration) -> Duration {
    if response_time_p99 <= SPAN {
        return Duration::ZERO;
    }
    response_time_p99.saturating_add(SPAN * WANTED)
}

/// Whether a queue grows: its lengths at the ends of equal spans, and the arrivals in one.
pub fn grows(lengths: &[u64], arrivals_per_span: f64) -> bool {
    let Some((slope, error)) = slope(lengths) else { return false };
    slope > SMALLEST_SHARE * arrivals_per_span && slope > SURE * error
}

/// Of a line through the lengths by least squares, with its standard error.
fn slope(lengths: &[u64]) -> Option<(f64, f64)> {
    if lengths.len() < FEWEST {
        return None;
    }
    let count = lengths.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = lengths.iter().map(|length| *length as f64).sum::<f64>() / count;
    let points =
        || lengths.iter().enumerate().map(|(place, length)| (place as f64 - middle, *length as f64 - mean));
    let spread: f64 = points().map(|(place, _)| place * place).sum();
    let slope = points().map(|(place, length)| place * length).sum::<f64>() / spread;
    let left: f64 = points().map(|(place, length)| (length - slope * place).powi(2)).sum();
    Some((slope, (left / (count - 2.0) / spread).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_queue_that_grows_evenly_is_seen_long_before_it_is_long() {
        assert!(grows(&[60, 108, 161, 210, 262], 5_050.0));
        assert!(grows(&[1_000, 2_000, 3_000], 6_000.0));
    }

    #[test]
    fn a_queue_that_sways_does_not_grow() {
        assert!(!grows(&[10, 40, 5, 60, 12, 33], 5_000.0));
        assert!(!grows(&[10, 40, 20, 60, 50, 70], 5_000.0), "not sure enough");
        assert!(!grows(&[10, 12, 14, 16, 18], 5_000.0), "2 of 5,000 a second are within the precision");
    }

    #[test]
    fn two_readings_tell_nothing() {
        assert!(!grows(&[0, 5_000], 5_000.0));
        assert!(!grows(&[], 5_000.0));
    }

    #[test]
    fn what_answers_take_is_no_queue() {
        let seconds = Duration::from_secs;
        // 100 a second, each of which takes 5 seconds.
        let lengths = [100, 200, 300, 400, 500, 500, 500, 500];
        assert!(grows(&lengths[..4], 100.0), "which is why those are left out");
        assert_eq!(settled(&lengths, seconds(5)), [500; 4]);
        assert!(!grows(settled(&lengths, seconds(5)), 100.0));
        assert_eq!(settled(&lengths, Duration::from_millis(20)), lengths);
        assert_eq!(settled(&lengths[..3], seconds(5)), [0; 0]);
        assert_eq!(settled(&[], seconds(0)), [0; 0]);
        // So long that there are readings enough.
        let long = needs(seconds(5)).as_secs() as usize;
        assert!(settled(&vec![0; long], seconds(5)).len() > FEWEST);
        assert_eq!(needs(Duration::from_millis(900)), Duration::ZERO);
        assert_eq!(needs(Duration::MAX), Duration::MAX);
    }

    proptest! {
        #[test]
        fn a_queue_that_stays_or_shrinks_never_grows(mut lengths in prop::collection::vec(0u64..1_000_000, 3..20)) {
            lengths.sort_unstable_by(|left, right| right.cmp(left));
            prop_assert!(!grows(&lengths, 1_000.0));
        }

        #[test]
        fn a_line_has_its_own_slope(step in 1u64..1_000, from in 0u64..1_000, count in 3usize..20) {
            let lengths: Vec<u64> = (0..count as u64).map(|place| from + place * step).collect();
            let (found, error) = slope(&lengths).unwrap();
            prop_assert!((found - step as f64).abs() < 1e-6 && error < 1e-6);
        }
    }
}
