use super::*;
use proto::random::mix;

/// Numbers with mean 0 and standard deviation 1, nearly normal (the sum of 12 even ones; Box and Muller take longer).
struct Normal(u64);

impl Normal {
    fn next(&mut self) -> f64 {
        let even = (0..12).map(|_| {
            self.0 += 1;
            (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
        });
        even.sum::<f64>() - 6.0
    }
}

/// Log-normal times round 10 ms; each second is `drift` (of one) like the one before it, and `tail` makes the slowest slower.
fn block(seed: u64, seconds: u64, each: u64, drift: f64, tail: f64) -> Block {
    let mut normal = Normal(mix(seed));
    let mut whole = Histogram::new();
    let mut level = normal.next();
    let seconds: Vec<Second> = (0..seconds)
        .map(|_| {
            level = 0.5 * level + 0.75f64.sqrt() * normal.next();
            let mut response_time = Histogram::new();
            for _ in 0..each {
                let noise = normal.next();
                let slower = if noise > 2.0 { tail } else { 1.0 };
                response_time.record((10e6 * (0.3 * noise + drift * level).exp() * slower) as u64);
            }
            whole.merge(&response_time);
            Second { response_time, length: 1.0, successes: each, failed: 0 }
        })
        .collect();
    let successes = seconds.len() as u64 * each;
    Block { response_time: whole, throughput: Some(each as f64), successes, failed: 0, seconds }
}

fn five_percent(figure: Figure) -> f64 {
    if figure == Figure::Failed { 0.001 } else { 0.05 }
}

fn of(figure: Figure, old: &[Block], new: &[Block]) -> Difference {
    compare(old, new, five_percent).into_iter().find(|difference| difference.figure == figure).unwrap()
}

#[test]
fn a_tenth_more_p99_over_100_000_samples_is_always_found() {
    for seed in 0..5 {
        let [old, new] =
            [(2 * seed, 1.0), (2 * seed + 1, 1.1)].map(|(seed, tail)| block(seed, 20, 5_000, 0.0, tail));
        let found = of(Figure::P99, &[old], &[new]);
        assert_eq!(found.outcome, Outcome::Worse, "{found:?}");
        assert!((found.change.unwrap() - 0.1).abs() < 0.03, "{found:?}");
    }
}

#[test]
fn the_same_target_twice_is_worse_in_no_more_than_one_of_twenty_comparisons() {
    let (mut worse, mut covered, mut all) = (0, 0, 0);
    for seed in 1_000..1_060 {
        let [old, new] = [2 * seed, 2 * seed + 1].map(|seed| block(seed, 40, 60, 0.05, 1.0));
        // Nothing at all is tolerated.
        let differences = compare(&[old], &[new], |_| 0.0);
        let of_times = differences
            .iter()
            .filter(|difference| matches!(difference.figure, Figure::Mean | Figure::P50 | Figure::P95));
        for difference in of_times {
            let [low, high] = difference.interval.unwrap();
            all += 1;
            covered += usize::from(low <= 0.0 && 0.0 <= high);
            worse += usize::from(difference.outcome == Outcome::Worse);
        }
    }
    assert!(worse * 20 <= all, "{worse} of {all}");
    assert!(covered * 10 >= all * 9, "{covered} of {all}");
}

#[test]
fn several_blocks_are_the_unit() {
    let quick = |seed: u64, factor: f64| {
        let mut block = block(seed, 1, 300, 0.0, 1.0);
        block.throughput = Some(100.0 * factor);
        block
    };
    let run = |factors: [f64; 3]| factors.map(|factor| quick(7, factor));
    let worse = of(Figure::Throughput, &run([1.0, 1.01, 0.99]), &run([0.8, 0.81, 0.79]));
    assert_eq!(worse.outcome, Outcome::Worse, "{worse:?}");
    let unsure = of(Figure::Throughput, &run([1.0, 1.2, 0.8]), &run([0.8, 1.0, 0.6]));
    assert_eq!(unsure.outcome, Outcome::Tolerated, "{unsure:?}");
    let better = of(Figure::Throughput, &run([0.8, 0.81, 0.79]), &run([1.0, 1.01, 0.99]));
    assert_eq!(better.outcome, Outcome::Tolerated);
    let few = of(Figure::P99, &run([1.0; 3]), &run([1.0; 3]));
    assert_eq!(
        (few.outcome, few.why.as_deref()),
        (Outcome::Unknown, Some("the old run: too few samples in a block (300 of 1000)"))
    );
}

#[test]
fn a_short_block_fails_nobody() {
    let [old, new] = [1, 2].map(|seed| block(seed, 3, 400, 0.0, 1.0));
    for difference in compare(&[old], &[new], |_| 0.0) {
        assert_eq!(difference.outcome, Outcome::Unknown);
        assert_eq!(difference.why.unwrap(), "the old run: too few seconds (3 of 5)");
        assert!(difference.change.is_some());
    }
}

/// So many failures in each second.
fn failing(seconds: u64, successes: u64, failed: u64) -> Block {
    let mut block = block(1, seconds, successes, 0.0, 1.0);
    block.failed = seconds * failed;
    block.seconds.iter_mut().for_each(|second| second.failed = failed);
    block
}

#[test]
fn failures_are_compared_by_their_share() {
    let of = |old: Block, new: Block| of(Figure::Failed, &[old], &[new]).outcome;
    assert_eq!(of(failing(10, 100, 0), failing(10, 95, 5)), Outcome::Worse);
    assert_eq!(of(failing(10, 95, 5), failing(10, 100, 0)), Outcome::Tolerated);
}

#[test]
fn a_handful_of_failures_proves_nothing() {
    // Fisher's exact test has 0 of 2,000 against 4 by chance once in eight times, and against 40 never.
    let run = |failed: u64| [failing(1, 1_000 - failed, failed), failing(1, 1_000 - failed, failed)];
    let few = of(Figure::Failed, &run(0), &run(2));
    assert_eq!(few.outcome, Outcome::Tolerated, "{few:?}");
    let [low, high] = few.interval.unwrap();
    assert!(low < 0.0 && high > 0.004 && (few.change.unwrap() - 0.002).abs() < 1e-9, "{few:?}");
    assert_eq!(of(Figure::Failed, &run(0), &run(20)).outcome, Outcome::Worse);
    assert_eq!(of(Figure::Failed, &run(0), &run(1_000)).outcome, Outcome::Worse);

    // The same of a block in whose seconds they lie evenly.
    let block = |failed: u64| [failing(5, 400 - failed, failed)];
    let few = of(Figure::Failed, &block(0), &block(1));
    assert_eq!(few.outcome, Outcome::Tolerated, "{few:?}");
    assert_eq!(of(Figure::Failed, &block(0), &block(8)).outcome, Outcome::Worse);
    let none = of(Figure::Failed, &block(0), &block(0));
    assert!(none.interval.unwrap()[0] < 0.0, "{none:?}");
}

#[test]
fn the_same_chance_of_failing_is_seldom_worse() {
    for (chance, mut seed) in [(0.000_5, 1u64), (0.003, 2), (0.03, 3)] {
        let mut run = || {
            [(); 2].map(|()| {
                seed += 1;
                let even = (0..1_000u64).map(|at| (mix(mix(seed) ^ at) >> 11) as f64 / (1u64 << 53) as f64);
                let failed = even.filter(|even| *even < chance).count() as u64;
                let mut block = failing(1, 0, 0);
                (block.successes, block.failed) = (1_000 - failed, failed);
                block
            })
        };
        let outcomes: Vec<_> =
            (0..300).map(|_| difference(Figure::Failed, &run(), &run(), 0.0).outcome).collect();
        let worse = outcomes.iter().filter(|outcome| **outcome == Outcome::Worse).count();
        assert!(worse * 20 <= outcomes.len(), "{chance}: {worse} of {}", outcomes.len());
    }
}

/// Seconds of 100 answers, but for those in which the target stands still.
fn freezing(seconds: u64, is_frozen: impl Fn(u64) -> bool) -> Block {
    let mut block = block(3, seconds, 100, 0.0, 1.0);
    let frozen = (0..seconds).filter(|second| is_frozen(*second));
    let frozen = frozen.map(|second| block.seconds[second as usize].successes = 0).count() as u64;
    block.successes -= 100 * frozen;
    block.throughput = Some(block.successes as f64 / seconds as f64);
    block
}

#[test]
fn seconds_in_which_nothing_succeeds_are_seen() {
    let old = [freezing(15, |_| false)];
    let once = of(Figure::Throughput, &old, &[freezing(15, |second| second == 6)]);
    let [low, high] = once.interval.unwrap();
    assert!(low < -1.0 / 15.0 && -1.0 / 15.0 < high, "{once:?}");
    let again = of(Figure::Throughput, &old, &[freezing(15, |second| second % 2 == 0)]);
    assert_eq!(again.outcome, Outcome::Worse, "{again:?}");
    let failures = of(Figure::Failed, &old, &[freezing(15, |second| second == 6)]);
    assert_eq!((failures.outcome, failures.why), (Outcome::Tolerated, None));

    let never = of(Figure::Throughput, &old, &[freezing(15, |_| true)]);
    assert_eq!(never.why.as_deref(), Some("the new run: not one request succeeded"));
    let mut late = freezing(15, |_| true);
    (late.successes, late.throughput) = (1, Some(0.06));
    let late = of(Figure::Throughput, &old, &[late]);
    assert_eq!(late.why.as_deref(), Some("the new run: no request succeeded in a whole second"));
}

#[test]
fn counts_of_a_strangers_report_may_be_anything() {
    // More seconds than batches, so that some are added up.
    let mut hostile = failing(30, 100, 0);
    hostile.seconds.iter_mut().for_each(|second| (second.successes, second.failed) = (u64::MAX, u64::MAX));
    (hostile.successes, hostile.failed) = (u64::MAX, u64::MAX);
    for blocks in [&[hostile.clone()][..], &[hostile.clone(), hostile]] {
        let differences = compare(&[failing(10, 100, 0)], blocks, five_percent);
        assert_eq!(differences.len(), 6);
    }
}

/// Seconds of 200 answers, of which those that were due in the one before each of these seconds had to wait for it.
fn standing_still(seed: u64, seconds: u64, until: impl Fn(u64) -> bool) -> Block {
    let mut block = block(seed, seconds, 200, 0.0, 1.0);
    for second in (1..seconds).filter(|second| until(*second)) {
        let waiting = (0..200u64).map(|at| 10_000_000 + at * 5_000_000);
        waiting.clone().for_each(|nanos| block.seconds[second as usize].response_time.record(nanos));
        waiting.for_each(|nanos| block.response_time.record(nanos));
        block.seconds[second as usize - 1].response_time.clear();
        block.seconds[second as usize - 1].successes = 0;
        block.seconds[second as usize].successes = 400;
    }
    block
}

#[test]
fn one_freeze_may_have_been_chance_and_many_may_not() {
    let run = |seed, until: fn(u64) -> bool| [standing_still(seed, 60, until)];
    let worse = |old: &[Block], new: &[Block]| {
        let worse = compare(old, new, five_percent).into_iter().filter(|one| one.outcome == Outcome::Worse);
        worse.map(|one| one.figure).collect::<Vec<_>>()
    };
    let never = run(1, |_| false);
    for at in [1, 25, 44] {
        let once = [standing_still(2, 60, |second| second == at)];
        assert!(of(Figure::P99, &never, &once).change.unwrap() > 10.0);
        // It tells as little the other way round.
        assert_eq!([worse(&never, &once), worse(&once, &never)], [[]; 2], "{at}");
    }
    let often = run(2, |second| second % 7 == 3);
    assert_eq!(worse(&never, &often), [Figure::Mean, Figure::P95, Figure::P99]);
    assert_eq!(worse(&often, &run(4, |second| second % 7 == 4)), []);
}

#[test]
fn an_interval_of_a_quantile_is_that_of_the_share_beyond_it() {
    // Of 20 seconds, each of which is another even stretch of times from 10 ms on.
    let even = |second: u64| (0..1_000u64).map(move |at| 10_000_000 + (at * 20 + second) * 1_000);
    let mut all = Histogram::new();
    let seconds: Vec<Second> = (0..20)
        .map(|second| {
            let mut response_time = Histogram::new();
            even(second).for_each(|nanos| response_time.record(nanos));
            all.merge(&response_time);
            Second { response_time, length: 1.0, successes: 1_000, failed: 0 }
        })
        .collect();
    let value = all.fine_quantile(0.95).unwrap().value;
    assert!((value - 29e6).abs() < 0.01e6, "{value}");
    let beyond = quantile::Beyond::of(95, value.ln(), &all, &seconds).unwrap();
    assert_eq!(beyond.degrees, 4.0);
    // All seconds have the same share beyond it, but for what their stretches differ by.
    assert!(beyond.reach(2.0).iter().all(|reach| *reach < 1e-3), "{:?}", beyond.reach(2.0));

    // In every other four seconds twice as many, and none in those between: 5 % beyond it, give or take.
    let mut uneven = seconds.clone();
    for (at, second) in uneven.iter_mut().enumerate() {
        let slow = if at / 4 % 2 == 0 { 100 } else { 0 };
        second.response_time.clear();
        even(0).take(1_000 - slow).for_each(|nanos| second.response_time.record(nanos));
        (0..slow as u64).for_each(|at| second.response_time.record(50_000_000 + at * 10_000));
    }
    let beyond = quantile::Beyond::of(95, value.ln(), &all, &uneven).unwrap();
    let [below, above] = beyond.reach(2.0);
    assert!(below > 0.01 && above > 0.01, "{below} {above}");
}

#[test]
fn seconds_that_take_after_each_other_make_a_mean_less_sure() {
    let alternating: Vec<f64> = (0..20).map(|at| f64::from(at % 2)).collect();
    let in_order: Vec<f64> = (0..20).map(|at| f64::from(at / 10)).collect();
    let [(quick, degrees), (slow, _)] =
        [alternating, in_order].map(|values| seconds::variance_of_mean(&values).unwrap());
    assert_eq!(degrees, 4.0);
    // Of independent values it would be a quarter in nineteen.
    assert!(quick < 0.001 && slow > 2.0 * 0.25 / 19.0, "{quick} {slow}");

    // With every wave that there is, it is the variance of independent values.
    assert_eq!(seconds::variance_of_mean(&[1.0, 2.0]), None);
    let (variance, degrees) = seconds::variance_of_mean(&[1.0, 2.0, 6.0]).unwrap();
    assert!((variance - 7.0 / 3.0).abs() < 1e-9 && degrees == 2.0, "{variance} {degrees}");
    let degrees = |count: usize| seconds::variance_of_mean(&vec![1.0; count]).unwrap().1;
    assert_eq!([5, 10, 20, 60, 600].map(degrees), [2.0, 2.0, 4.0, 8.0, 39.0]);
}

#[test]
fn the_variance_is_right_on_average() {
    for correlation in [0.0f64, 0.5] {
        let (mut means, mut estimates) = (0.0, 0.0);
        for seed in 0..2_000u64 {
            let mut normal = Normal(mix(seed ^ 0xabcd));
            let mut level = normal.next();
            let values: Vec<f64> = (0..60)
                .map(|_| {
                    level = correlation * level + (1.0 - correlation * correlation).sqrt() * normal.next();
                    level
                })
                .collect();
            means += (values.iter().sum::<f64>() / 60.0).powi(2) / 2_000.0;
            estimates += seconds::variance_of_mean(&values).unwrap().0 / 2_000.0;
        }
        let ratio = estimates / means;
        assert!((0.8..1.1).contains(&ratio), "{correlation}: {ratio}");
    }
}
