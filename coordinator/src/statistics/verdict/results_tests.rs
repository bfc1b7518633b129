//! Each rule about a result: one that trips it, and the nearest one that does not.

use proto::load::Load;

use super::{ResultEvidence, Side, judge_result};
use crate::merge::fixtures::{closed, open};
use crate::statistics::overhead::{Added, Cell, Estimate, Overhead, Reason};
use crate::statistics::{Distribution, Figures, Upstream, Window, WindowEnd};

const MS: u64 = 1_000_000;

fn figures(throughput: f64, p50_ns: u64) -> Figures {
    let window = Window { length_ns: 1_000_000_000, end: WindowEnd::Duration };
    let time = Distribution {
        count: 1_000,
        below_range: 0,
        above_range: 0,
        mean_ns: p50_ns,
        p50_ns,
        p95_ns: p50_ns,
        p99_ns: p50_ns,
        p999_ns: p50_ns,
        max_ns: p50_ns,
    };
    let nothing = Figures::of_blocks(window, &Default::default());
    Figures {
        throughput: Some(throughput),
        offered_rate: Some(1_000.0),
        achieved_rate: Some(throughput),
        response_time: Some(time),
        ..nothing
    }
}

fn side(throughput: f64, medians_ms: &[u64], below: Option<(Load, f64)>) -> Side {
    let medians_ns = medians_ms.iter().map(|median| median * MS).collect();
    Side { figures: figures(throughput, MS), medians_ns, below, upstream: None }
}

fn overhead(p50: Cell<Estimate>) -> Overhead {
    let unknown = Cell::Unknown(Reason::TooFewSamples { samples: 0, needed: 1 });
    let response_time = Added { mean: unknown, p50, p95: unknown, p99: unknown };
    let throughput_ratio = Cell::Unknown(Reason::NoThroughput);
    Overhead { response_time, time_to_first_token: None, inter_token_gap: None, throughput_ratio }
}

fn rules(load: &Load, gateway: Side, direct: Option<Side>, overhead: Option<&Overhead>) -> Vec<String> {
    let evidence = ResultEvidence { load, gateway, direct, overhead };
    judge_result(&evidence).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn more_in_flight_without_more_throughput_is_queueing() {
    let of = |throughput, below| rules(&closed(10), side(throughput, &[1], below), None, None);
    assert_eq!(of(1_000.0, Some((closed(5), 910.0))), ["queueing"]);
    assert!(of(1_000.0, Some((closed(5), 890.0))).is_empty());
    // From 1 to 10 the same growth for each doubling allows for more.
    assert_eq!(of(1_000.0, Some((closed(1), 720.0))), ["queueing"]);
    assert!(of(1_000.0, Some((closed(1), 690.0))).is_empty());
    assert!(of(1_000.0, None).is_empty());
}

#[test]
fn an_upstream_that_is_full_is_the_bottleneck() {
    let of = |load: &Load, direct| rules(load, side(1_000.0, &[1], None), Some(direct), None);
    assert_eq!(of(&closed(10), side(1_000.0, &[1], Some((closed(5), 950.0)))), ["upstream_saturated"]);
    assert!(of(&closed(10), side(1_000.0, &[1], Some((closed(5), 600.0)))).is_empty());
    assert_eq!(of(&open(1_000), side(980.0, &[1], None)), ["upstream_saturated"]);
    assert!(of(&open(1_000), side(995.0, &[1], None)).is_empty());
}

#[test]
fn a_steady_change_from_block_to_block_is_drift() {
    let of = |medians: &[u64]| rules(&open(1_000), side(1_000.0, medians, None), None, None);
    assert_eq!(of(&[100, 104, 108, 115]), ["drift"]);
    assert_eq!(of(&[115, 108, 104, 100]), ["drift"]);
    assert_eq!(of(&[100, 108, 104, 112, 116]), ["drift"], "one step back of five blocks");
    assert_eq!(of(&[120, 115, 115, 105]), ["drift"], "one pair of equals");
    assert!(of(&[100, 100, 100, 100, 120]).is_empty(), "equals are no rise: one odd block at the end");
    assert!(of(&[100, 103, 106, 109]).is_empty(), "less than a tenth");
    assert!(of(&[100, 120, 100, 120]).is_empty(), "to and fro");
    assert!(of(&[100, 110, 120]).is_empty(), "three blocks go up by chance once in six times");
}

#[test]
fn a_change_that_nobody_would_notice_is_no_drift() {
    let gateway = Side { medians_ns: vec![100_000, 120_000, 150_000, 190_000], ..side(1_000.0, &[], None) };
    assert!(rules(&open(1_000), gateway, None, None).is_empty());
}

#[test]
fn a_gateway_cannot_be_faster_than_its_upstream() {
    let estimate = |low_ns, high_ns| {
        Cell::Known(Estimate { added_ns: (low_ns + high_ns) / 2.0, low_ns, high_ns, pairs: 5 })
    };
    let of = |p50| rules(&open(1_000), side(1_000.0, &[1], None), None, Some(&overhead(p50)));
    assert_eq!(of(estimate(-2e6, -1e6)), ["gateway_faster"]);
    assert!(of(estimate(-2e6, 1.0)).is_empty());
    assert_eq!(of(Cell::Unknown(Reason::TooFewPairs { pairs: 2, needed: 3 })), ["too_few_pairs"]);
}

#[test]
fn an_upstream_that_saw_other_counts_than_the_workers_tells_of_it() {
    let reason = |gateway: Option<[u64; 3]>, direct: Option<[u64; 3]>| {
        let of = |counts: Option<[u64; 3]>| Side {
            upstream: counts.map(|[sent, answered, seen]| Upstream {
                sent,
                answered,
                seen,
                service_time_mean_ns: None,
            }),
            ..side(1_000.0, &[1], None)
        };
        let (gateway, direct) = (of(gateway), Some(of(direct)));
        let found = judge_result(&ResultEvidence { load: &open(1_000), gateway, direct, overhead: None });
        found.first().map_or_else(String::new, |finding| format!("{}: {}", finding.rule, finding.reason))
    };
    let honest = Some([1_000; 3]);
    assert_eq!(reason(honest, honest), "");
    assert_eq!(reason(None, None), "");
    let cached = reason(Some([1_000, 1_000, 412]), honest);
    assert!(cached.starts_with("upstream_count: the upstream saw 412 of 1000 requests"), "{cached}");
    assert!(reason(Some([1_000, 1_000, 0]), honest).contains("saw none of 1000"));
    let twice = reason(Some([1_000, 1_000, 1_006]), honest);
    assert!(twice.contains("saw 1006 requests, and the gateway was sent 1000"), "{twice}");
    let shared = reason(honest, Some([1_000, 1_000, 1_500]));
    assert!(shared.contains("somebody else uses it as well"), "{shared}");
    assert!(reason(honest, Some([1_000, 1_000, 500])).contains("more than one of it"));

    assert_eq!(reason(Some([1_000, 1_000, 995]), honest), "", "one in two hundred");
    assert_eq!(reason(Some([1_000, 1_000, 1_005]), honest), "");
    assert_eq!(reason(Some([1_000, 900, 896]), honest), "", "what failed on the way may not have come");
    assert_eq!(reason(Some([1_000, 900, 1_004]), honest), "", "or it may");
    assert!(reason(Some([1_000, 900, 1_005]), honest).contains("retries"));
}
