use hdrhistogram::Histogram as Library;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use proptest::prelude::*;

use super::codec::{COMPRESSED_COOKIE, V2_COOKIE};
use super::*;

fn of(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|value| histogram.record(*value));
    histogram
}

fn librarys(values: &[u64]) -> Library<u64> {
    let mut library = Library::new_with_bounds(LOWEST_NANOS, HIGHEST_NANOS, SIGNIFICANT_DIGITS).unwrap();
    values.iter().for_each(|value| library.record(*value).unwrap());
    library
}

fn librarys_bytes(library: &Library<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(library, &mut bytes).unwrap();
    bytes
}

fn compress(inflated: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(inflated).unwrap();
    let deflated = encoder.finish().unwrap();
    [&COMPRESSED_COOKIE.to_be_bytes()[..], &(deflated.len() as u32).to_be_bytes(), &deflated].concat()
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    inflated.extend(V2_COOKIE.to_be_bytes());
    inflated.extend((payload.len() as u32).to_be_bytes());
    inflated.extend(0u32.to_be_bytes());
    inflated.extend(u32::from(SIGNIFICANT_DIGITS).to_be_bytes());
    inflated.extend(LOWEST_NANOS.to_be_bytes());
    inflated.extend(HIGHEST_NANOS.to_be_bytes());
    inflated.extend(1.0f64.to_be_bytes());
    inflated.extend(payload);
    compress(&inflated)
}

#[test]
fn out_of_range_values_are_counted_at_the_bound() {
    let histogram = of(&[0, 99, 100, HIGHEST_NANOS, HIGHEST_NANOS + 1, u64::MAX]);
    assert_eq!((histogram.count(), histogram.below_range(), histogram.above_range()), (6, 2, 2));
    assert!(histogram.max().unwrap() >= HIGHEST_NANOS);
}

#[test]
fn the_library_reads_what_we_write_and_we_read_what_it_writes() {
    let values = [0, 1, 100, 4_000, 4_000, 123_456_789, HIGHEST_NANOS];
    let (ours, library) = (of(&values), librarys(&values));
    let theirs: Library<u64> = Deserializer::new().deserialize(&mut ours.encode().as_slice()).unwrap();
    assert_eq!(theirs, library);
    let read = Histogram::decode(&librarys_bytes(&library)).unwrap();
    assert_eq!(read.with_out_of_range(2, 0), ours);
}

#[test]
fn what_is_not_used_takes_no_memory() {
    let mut histogram = of(&[50_000, 51_000]);
    assert_eq!(histogram.counts.blocks_held(), 1);
    histogram.record(1_000_000_000);
    assert_eq!(histogram.counts.blocks_held(), 2);
    histogram.clear();
    assert_eq!((histogram.counts.blocks_held(), histogram.count()), (2, 0), "it is used again");
    assert_eq!(histogram, Histogram::new());
    assert_eq!(Histogram::new().counts.blocks_held(), 0);
}

#[test]
fn other_bounds_are_refused_and_named() {
    let mut other = Library::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
    other.record(5).unwrap();
    assert_eq!(
        Histogram::decode(&librarys_bytes(&other)),
        Err(CodecError::OtherBounds { lowest: 1, highest: 60_000_000, digits: 3 })
    );
}

#[test]
fn hostile_counts_are_refused() {
    let minimum = [0xff; 9];
    assert_eq!(
        Histogram::decode(&framed(&[&minimum[..], &minimum, &[2]].concat())),
        Err(CodecError::Impossible)
    );
    let one_less = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(
        Histogram::decode(&framed(&[&minimum[..], &one_less, &[0]].concat())),
        Err(CodecError::Impossible)
    );
    assert_eq!(Histogram::decode(&framed(&[0xff; 8])), Err(CodecError::Malformed));
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Histogram::decode(&framed(&huge)), Err(CodecError::Impossible));
}

#[test]
fn a_bomb_is_refused_before_it_unfolds() {
    let bomb = compress(&vec![0; 200 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(Histogram::decode(&bomb), Err(CodecError::Malformed));
}

proptest! {
    #[test]
    fn a_round_trip_loses_nothing(values in proptest::collection::vec(0u64..=HIGHEST_NANOS, 0..200)) {
        let histogram = of(&values);
        let read = Histogram::decode(&histogram.encode()).unwrap();
        prop_assert_eq!(read.with_out_of_range(histogram.below_range, histogram.above_range), histogram);
    }

    #[test]
    fn merged_equals_pooled(
        left in proptest::collection::vec(0u64..=HIGHEST_NANOS, 0..100),
        right in proptest::collection::vec(0u64..=HIGHEST_NANOS, 0..100),
    ) {
        let mut merged = of(&left);
        merged.merge(&of(&right));
        prop_assert_eq!(merged, of(&[left, right].concat()));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Histogram::decode(&bytes);
        let _ = Histogram::decode(&framed(&bytes));
        let _ = Histogram::decode(&compress(&bytes));
    }

    #[test]
    fn a_flipped_byte_never_panics(values in proptest::collection::vec(0u64..=HIGHEST_NANOS, 1..50), at in any::<usize>(), with in any::<u8>()) {
        let mut bytes = of(&values).encode();
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = Histogram::decode(&bytes);
    }

    #[test]
    fn every_slot_and_every_byte_is_the_librarys(values in proptest::collection::vec(0u64..=HIGHEST_NANOS, 1..50)) {
        prop_assert_eq!(of(&values).encode(), librarys_bytes(&librarys(&values)));
    }

    #[test]
    fn every_figure_is_the_librarys(
        values in proptest::collection::vec((0u32..42).prop_flat_map(|bits| 0u64..=(1 << bits).min(HIGHEST_NANOS)), 1..80),
        quantile in 0.0f64..=1.0,
        at in 0u64..=HIGHEST_NANOS,
    ) {
        let (ours, library) = (of(&values), librarys(&values));
        for quantile in [0.0, 0.5, 0.99, 0.999, 1.0, quantile] {
            prop_assert_eq!(ours.quantile(quantile), Some(library.value_at_quantile(quantile)));
        }
        prop_assert_eq!(ours.mean(), Some(library.mean()));
        // The library takes a largest value of 0 for none, where the bucket's upper bound is meant.
        let max = if library.max() == 0 { library.highest_equivalent(0) } else { library.max() };
        prop_assert_eq!((ours.min(), ours.max()), (Some(library.min()), Some(max)));
        prop_assert_eq!(ours.count_at_most(at), library.count_between(0, at));
        let buckets: Vec<(u64, u64)> =
            library.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        prop_assert_eq!(ours.buckets().collect::<Vec<_>>(), buckets);
    }
}

#[test]
fn a_fine_quantile_is_nearer_than_a_bucket() {
    // 10,001 values a microsecond apart round 100 ms, where buckets are 65 µs wide.
    let histogram = of(&(0..=10_000).map(|step| 100_000_000 + step * 1_000).collect::<Vec<_>>());
    for (quantile, expected) in [(0.5, 105_000_000.0), (0.95, 109_500_000.0)] {
        let fine = histogram.fine_quantile(quantile).unwrap();
        assert!((fine.value - expected).abs() < 33_000.0, "{quantile}: {fine:?}");
        assert!(fine.error <= 65_536.0 + 1.0, "{fine:?}");
    }
    let fine = histogram.fine_quantile(0.5).unwrap();
    assert!((fine.value - 105_000_000.0).abs() < 2_000.0, "{fine:?}");
    let mean = histogram.fine_mean().unwrap();
    assert!((mean.value - 105_000_000.0).abs() < 10_000.0 && mean.error < 32_769.0, "{mean:?}");
    assert_eq!((Histogram::new().fine_quantile(0.5), Histogram::new().fine_mean()), (None, None));
}

#[test]
fn values_above_a_fine_quantile_are_its_share() {
    let even = of(&(0..=10_000).map(|step| 100_000_000 + step * 1_000).collect::<Vec<_>>());
    // All in one bucket: that which lies above a moment in it is taken as even as well.
    let alike = of(&[100_000_000; 10_001]);
    for histogram in [even, alike] {
        for quantile in [0.05, 0.5, 0.99] {
            let above = histogram.fine_count_above(histogram.fine_quantile(quantile).unwrap().value);
            assert!((above - 10_001.0 * (1.0 - quantile)).abs() < 1.0, "{quantile}: {above}");
        }
        assert_eq!((histogram.fine_count_above(0.0), histogram.fine_count_above(1e12)), (10_001.0, 0.0));
    }
    assert_eq!(Histogram::new().fine_count_above(0.0), 0.0);
}

proptest! {
    #[test]
    fn fine_quantiles_are_monotone_and_within_their_bound(
        values in prop::collection::vec(0u64..2_000_000_000, 1..200), low in 0.0f64..=1.0, high in 0.0f64..=1.0,
    ) {
        let histogram = of(&values);
        let (low, high) = (low.min(high), low.max(high));
        let (below, above) = (histogram.fine_quantile(low).unwrap(), histogram.fine_quantile(high).unwrap());
        prop_assert!(below.value <= above.value, "{:?} {:?}", below, above);

        let mut sorted = values;
        sorted.sort_unstable();
        let count = sorted.len();
        let rank = ((count as f64 + 1.0 / 3.0) * low + 1.0 / 3.0).clamp(1.0, count as f64);
        let (first, second) = (sorted[rank as usize - 1] as f64, sorted[(rank as usize).min(count - 1)] as f64);
        let exact = first + rank.fract() * (second - first);
        prop_assert!((below.value - exact).abs() <= below.error + 1e-3, "{:?} {}", below, exact);

        let mean = sorted.iter().map(|value| *value as f64).sum::<f64>() / count as f64;
        let fine = histogram.fine_mean().unwrap();
        prop_assert!((fine.value - mean).abs() <= fine.error + 1.0, "{:?} {}", fine, mean);
    }
}
