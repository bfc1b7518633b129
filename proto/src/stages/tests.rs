use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn stage(millis: u64, from: u64, to: u64) -> Stage {
    Stage { duration: Duration::from_millis(millis), from_millihertz: from, to_millihertz: to }
}

fn stages(all: &[(u64, u64, u64)]) -> Stages {
    Stages::new(all.iter().map(|(millis, from, to)| stage(*millis, *from, *to))).unwrap()
}

fn due_times(stages: &Stages) -> Vec<u64> {
    (0..).map_while(|item| stages.due(item)).collect()
}

/// Requests up to `time`, times a million million and twice the stage's length: an area in whole numbers, by another
/// route than the code's. The times are small enough that nothing overflows.
fn area(all: &[(u64, u64, u64)], mut time: u128) -> (u128, u128) {
    let unit: u128 = all.iter().map(|(millis, ..)| u128::from(*millis)).product();
    let mut sum = 0;
    for (millis, from, to) in all {
        let length = u128::from(*millis) * 1_000_000;
        let (from, to, within) = (i128::from(*from), i128::from(*to), time.min(length) as i128);
        let twice = 2 * from * within * length as i128 + (to - from) * within * within;
        sum += twice as u128 * (unit / u128::from(*millis));
        time -= within as u128;
    }
    (sum, unit * 1_000_000)
}

/// Whether request `item` has come by `time`.
fn has_come(all: &[(u64, u64, u64)], item: u64, time: u64) -> bool {
    let (sum, unit) = area(all, u128::from(time));
    sum >= u128::from(item) * REQUEST * unit
}

#[test]
fn a_steady_stage_is_as_a_steady_rate() {
    let steady = stages(&[(2_000, 3_000, 3_000)]);
    assert_eq!(due_times(&steady), [0, 333_333_333, 666_666_666, SECOND, 1_333_333_333, 1_666_666_666]);
    assert_eq!(steady.requests().collect::<Vec<_>>(), [6]);
    assert_eq!((steady.due(6), steady.due(u64::MAX)), (None, None));
}

#[test]
fn a_ramp_is_the_inverse_of_its_area() {
    // From 0 to 2 a second in 2 s: t²/2 requests after t seconds.
    let ramp = stages(&[(2_000, 0, 2_000)]);
    assert_eq!(due_times(&ramp), [0, 1_414_213_562]);
    // Down again: 2 at 2 s, then 2t − t²/2 more.
    let there_and_back = stages(&[(2_000, 0, 2_000), (2_000, 2_000, 0)]);
    assert_eq!(due_times(&there_and_back), [0, 1_414_213_562, 2 * SECOND, 2_585_786_437]);
    assert_eq!(there_and_back.requests().collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn a_pause_holds_nothing_and_what_follows_begins_after_it() {
    let pause = stages(&[(1_000, 0, 0), (1_000, 2_000, 2_000), (3_000, 0, 0), (500, 4_000, 4_000)]);
    assert_eq!(due_times(&pause), [SECOND, 3 * SECOND / 2, 5 * SECOND, 5 * SECOND + SECOND / 4]);
    assert_eq!(pause.requests().collect::<Vec<_>>(), [0, 2, 0, 2]);
    assert_eq!(pause.duration(), Duration::from_millis(5_500));
    assert_eq!(pause.lowest_rate(), Rate::from_millihertz(2_000));
}

#[test]
fn the_largest_numbers_neither_overflow_nor_go_back() {
    const MOST: u64 = Rate::MAX_MILLIHERTZ;
    let week = MAX_SPAN.as_millis() as u64;
    for (from, to) in [(0, MOST), (MOST, 0), (1, MOST), (MOST, 1), (MOST, MOST), (0, 1), (1, 0)] {
        let all = stages(&[(week, from, to)]);
        let requests = all.requests().sum::<u64>();
        let items = (0..64).map(|part| (u128::from(requests - 1) * part / 63) as u64);
        let times: Vec<u64> = items.map(|item| all.due(item).unwrap()).collect();
        assert!(times.is_sorted() && *times.last().unwrap() < all.duration().as_nanos() as u64, "{times:?}");
        assert_eq!(all.due(requests), None);
    }
}

#[test]
fn nonsense_is_refused() {
    let problem = |all: Vec<Stage>| Stages::new(all).unwrap_err();
    assert_eq!(problem(Vec::new()), "hold no request: at least one must have a rate above 0");
    assert_eq!(problem(vec![stage(1_000, 0, 0)]), "hold no request: at least one must have a rate above 0");
    assert!(problem(vec![stage(99, 1, 1)]).starts_with("hold one that is shorter"));
    assert!(problem(vec![stage(1_000, 1, u64::MAX)]).starts_with("hold a rate beyond"));
    assert!(problem(vec![stage(6 * 86_400_000, 1, 1); 2]).starts_with("last longer"));
    assert_eq!(problem(vec![stage(1_000, 1, 1); 1_001]), "are more than 1000");
}

prop_compose! {
    fn shapes()(all in prop::collection::vec((100u64..700, 0u64..60_000, 0u64..60_000, 0u8..4), 1..4)) -> Vec<(u64, u64, u64)> {
        let level = |(millis, from, to, kind)| match kind {
            0 => (millis, from, from),
            1 => (millis, 0, to),
            2 => (millis, from, 0),
            _ => (millis, from, to),
        };
        all.into_iter().map(level).collect()
    }
}

proptest! {
    #[test]
    fn every_request_is_due_in_the_nanosecond_in_which_the_area_reaches_it(all in shapes()) {
        let Ok(stages) = Stages::new(all.iter().map(|(millis, from, to)| stage(*millis, *from, *to))) else { return Ok(()) };
        for (item, due) in (0..).zip(due_times(&stages)) {
            prop_assert!(has_come(&all, item, due + 1), "{item} has not come after {due}");
            // Where the area stands still, in a pause, what comes next counts as reached all along.
            let early = due > 0 && has_come(&all, item, due - 1);
            let (before, now) = (area(&all, u128::from(due.saturating_sub(1))).0, area(&all, u128::from(due)).0);
            prop_assert!(!early || before == now, "{item} has come before {due}");
        }
    }

    #[test]
    fn counts_of_stages_are_exact_and_due_times_never_go_back(all in shapes()) {
        let Ok(stages) = Stages::new(all.iter().map(|(millis, from, to)| stage(*millis, *from, *to))) else { return Ok(()) };
        let times = due_times(&stages);
        prop_assert!(times.is_sorted());
        let spans = stages.spans().map(|(start, end)| (start.as_nanos() as u64, end.as_nanos() as u64));
        let found: Vec<u64> = spans.map(|(start, end)| times.iter().filter(|due| (start..end).contains(due)).count() as u64).collect();
        prop_assert_eq!(found, stages.requests().collect::<Vec<_>>());
        let area: u64 = all.iter().map(|(millis, from, to)| (from + to) * millis).sum();
        prop_assert_eq!(times.len() as u64, area.div_ceil(2_000_000));
    }

    #[test]
    fn in_every_window_there_are_as_many_as_the_rate_asks_for(all in shapes(), from in 0.0f64..1.0, to in 0.0f64..1.0) {
        let Ok(stages) = Stages::new(all.iter().map(|(millis, from, to)| stage(*millis, *from, *to))) else { return Ok(()) };
        let whole = stages.duration().as_nanos() as f64;
        let (from, to) = ((from.min(to) * whole) as u64, (from.max(to) * whole) as u64);
        let requests = |time: u64| { let (sum, unit) = area(&all, u128::from(time)); sum as f64 / (unit as f64 * REQUEST as f64) };
        let wanted = requests(to) - requests(from);
        let found = due_times(&stages).iter().filter(|due| (from..to).contains(due)).count() as f64;
        prop_assert!((found - wanted).abs() <= 1.0 + 1e-6, "{found} of {wanted} in {from}..{to}");
    }
}
