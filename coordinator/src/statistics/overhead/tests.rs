use proto::latencies::Latencies;

use super::*;

const MS: u64 = 1_000_000;

/// `count` values spread evenly over 20 ms from `start`.
fn block(start: u64, count: u64) -> Latencies {
    let mut latencies = Latencies::default();
    (0..count).for_each(|at| latencies.response_time.record(start + at * 20 * MS / count));
    latencies
}

/// Pairs whose gateway takes so much longer than 80 to 100 ms.
fn blocks_of(added: &[u64], count: u64) -> Vec<(Latencies, Latencies)> {
    added.iter().map(|added| (block(80 * MS + added, count), block(80 * MS, count))).collect()
}

fn pairs(blocks: &[(Latencies, Latencies)]) -> Vec<Pair> {
    let arm = |latencies, throughput| ArmBlock::new(latencies, Some(throughput));
    blocks
        .iter()
        .map(|(gateway, direct)| Pair { gateway: arm(gateway, 90.0), direct: arm(direct, 100.0) })
        .collect()
}

fn of(added: &[u64], count: u64) -> Overhead {
    Overhead::of(&pairs(&blocks_of(added, count)))
}

#[test]
fn the_pair_is_the_unit() {
    let overhead = of(&[4 * MS, 5 * MS, 6 * MS], 2_000);
    let cells = &overhead.response_time;
    for cell in [cells.mean, cells.p50, cells.p95, cells.p99] {
        let estimate = cell.known().unwrap();
        assert_eq!(estimate.pairs, 3);
        assert!((estimate.added_ns - 5e6).abs() < 3e4, "{estimate}");
        // A standard deviation of 1 ms over 3 pairs: 4.303 × 1 ms ÷ √3.
        assert!((estimate.high_ns - estimate.added_ns - 2.484e6).abs() < 3e4, "{estimate}");
        assert!((estimate.high_ns + estimate.low_ns - 2.0 * estimate.added_ns).abs() < 1.0);
        assert!(!estimate.contains_zero());
    }
    assert_eq!((overhead.time_to_first_token, overhead.inter_token_gap), (None, None));
}

#[test]
fn too_few_pairs_or_samples_give_a_reason_and_no_figure() {
    let two = of(&[4 * MS, 5 * MS], 2_000);
    assert_eq!(two.response_time.p50, Cell::Unknown(Reason::TooFewPairs { pairs: 2, needed: 3 }));
    assert_eq!(two.throughput_ratio.to_string(), "too few pairs (2 of 3)");
    assert_eq!(of(&[], 0).response_time.mean.to_string(), "too few pairs (0 of 3)");

    for (count, known) in [(9, 0), (10, 1), (20, 2), (199, 2), (200, 3), (999, 3), (1_000, 4)] {
        let Added { mean, p50, p95, p99 } = of(&[MS; 3], count).response_time;
        let found = [mean, p50, p95, p99].iter().filter(|cell| cell.known().is_some()).count();
        assert_eq!(found, known, "{count}");
    }
    let mut blocks = blocks_of(&[MS; 4], 1_000);
    blocks[2].1 = block(80 * MS, 998);
    let cell = Overhead::of(&pairs(&blocks)).response_time.p99;
    assert_eq!(cell, Cell::Unknown(Reason::TooFewSamples { samples: 998, needed: 1_000 }));
}

#[test]
fn no_interval_is_narrower_than_a_bucket_can_tell() {
    // All answers of an arm take the same time: buckets of 65 µs hide that 40 µs were added.
    let constant = |nanos: u64| {
        let mut latencies = Latencies::default();
        (0..1_000).for_each(|_| latencies.response_time.record(nanos));
        latencies
    };
    for added in (0..200_000).step_by(7_001) {
        let blocks: Vec<_> = (0..5).map(|_| (constant(100 * MS + added), constant(100 * MS))).collect();
        let cells = Overhead::of(&pairs(&blocks)).response_time;
        for cell in [cells.mean, cells.p50, cells.p95, cells.p99] {
            let estimate = cell.known().unwrap();
            assert!(
                estimate.low_ns <= added as f64 && added as f64 <= estimate.high_ns,
                "{added}: {estimate}"
            );
            assert!(estimate.high_ns - estimate.low_ns < 300_000.0, "{estimate}");
        }
    }
}

#[test]
fn the_same_in_both_arms_adds_nothing() {
    let estimate = *of(&[0; 5], 2_000).response_time.p95.known().unwrap();
    assert_eq!(estimate.added_ns, 0.0);
    assert!(estimate.contains_zero());
}

#[test]
fn ratios_of_throughput_are_taken_as_logarithms() {
    let blocks = blocks_of(&[MS; 3], 10);
    let mut pairs = pairs(&blocks);
    for (pair, factor) in pairs.iter_mut().zip([0.5, 1.0, 2.0]) {
        pair.gateway.throughput = Some(100.0 * factor);
    }
    let ratio = *Overhead::of(&pairs).throughput_ratio.known().unwrap();
    assert!((ratio.ratio - 1.0).abs() < 1e-12 && (ratio.low * ratio.high - 1.0).abs() < 1e-9, "{ratio}");
    for none in [None, Some(0.0)] {
        pairs[1].direct.throughput = none;
        assert_eq!(Overhead::of(&pairs).throughput_ratio, Cell::Unknown(Reason::NoThroughput));
    }
}

#[test]
fn streams_have_times_of_their_own() {
    let mut blocks = blocks_of(&[MS; 3], 20);
    for (gateway, direct) in &mut blocks {
        (0..20).for_each(|_| gateway.time_to_first_token.record(3 * MS));
        (0..20).for_each(|_| direct.time_to_first_token.record(2 * MS));
    }
    let overhead = Overhead::of(&pairs(&blocks));
    let first = overhead.time_to_first_token.unwrap();
    assert!((first.p50.known().unwrap().added_ns - 1e6).abs() < 2_000.0);
    assert_eq!(first.p95.to_string(), "too few samples (20 of 200)");
    assert_eq!(overhead.inter_token_gap, None);
}

#[test]
fn figures_are_written_with_the_decimals_they_need() {
    let estimate = |added_ns, low_ns, high_ns| Estimate { added_ns, low_ns, high_ns, pairs: 5 };
    for (figure, text) in [
        (estimate(412_000.0, 398_000.0, 431_000.0), "+0.412 ms [0.398, 0.431]"),
        (estimate(-41_200.0, -50_000.0, -32_000.0), "-0.0412 ms [-0.0500, -0.0320]"),
        (estimate(-1.0, -40.0, 38.0), "+0.0000 ms [0.0000, 0.0000]"),
        (estimate(12_345_678.0, 11e6, 13e6), "+12.35 ms [11.00, 13.00]"),
        (estimate(250e6, -1e6, 501e6), "+250.0 ms [-1.0, 501.0]"),
    ] {
        assert_eq!(figure.to_string(), text);
    }
    assert_eq!(Ratio { ratio: 0.982, low: 0.975, high: 0.99, pairs: 3 }.to_string(), "0.982 [0.975, 0.990]");
}

#[test]
fn figures_and_reasons_survive_json() {
    let overhead = of(&[4 * MS, 5 * MS, 6 * MS], 300);
    let json = serde_json::to_string(&overhead).unwrap();
    assert!(json.contains(r#""p99":{"reason":"too_few_samples","samples":300,"needed":1000}"#), "{json}");
    assert!(json.contains(r#""mean":{"added_ns":"#), "{json}");
    assert_eq!(serde_json::from_str::<Overhead>(&json).unwrap(), overhead);
}
