//! The rules about all blocks of one scenario and load together.

use std::cmp::Ordering;

use proto::load::Load;

use super::{Finding, Verdict};
use crate::statistics::overhead::{Cell, FEWEST_PAIRS, Overhead, Reason};
use crate::statistics::{Figures, Upstream};

/// What the rules look at.
#[derive(Debug)]
pub struct ResultEvidence<'a> {
    /// How requests came about.
    pub load: &'a Load,
    /// The system under test.
    pub gateway: Side,
    /// The upstream, where it was measured.
    pub direct: Option<Side>,
    /// What the gateway adds.
    pub overhead: Option<&'a Overhead>,
}

/// One arm.
#[derive(Debug)]
pub struct Side {
    /// Of all blocks together.
    pub figures: Figures,
    /// The median response time of each block that has one, in the order in which they ran.
    pub medians_ns: Vec<u64>,
    /// A closed loop with fewer requests in flight, and its throughput.
    pub below: Option<(Load, f64)>,
    /// What the upstream saw of it, where it says so.
    pub upstream: Option<Upstream>,
}

type Rule = fn(&ResultEvidence<'_>) -> Option<Finding>;

const ALL: [Rule; 6] = [queueing, upstream_saturated, drift, too_few_pairs, gateway_faster, upstream_count];

/// Everything that speaks against a result, in the order of the rules.
pub fn judge_result(evidence: &ResultEvidence<'_>) -> Vec<Finding> {
    ALL.iter().filter_map(|rule| rule(evidence)).collect()
}

/// Twice as much in flight for at most a ninth more throughput: the exponent with which throughput grows with
/// concurrency. At half the concurrency there is then 90 % of the throughput.
const LEAST_GROWTH: f64 = 0.152;

/// How throughput grows from one level to a higher one: 1 in proportion, 0 not at all.
fn growth(load: &Load, side: &Side) -> Option<(u32, f64, f64)> {
    let Load::Closed { concurrency, think_time: None } = load else { return None };
    let (Load::Closed { concurrency: below, .. }, before) = side.below.as_ref()? else { return None };
    let throughput = side.figures.throughput?;
    let ratio = f64::from(concurrency.get()) / f64::from(below.get());
    (ratio > 1.0 && *before > 0.0 && throughput > 0.0)
        .then(|| (below.get(), *before, (throughput / before).ln() / ratio.ln()))
}

/// In a closed loop, concurrency ÷ throughput is the latency (Little 1961). Where throughput has stopped growing, more in
/// flight is only a longer queue, and the latency says how long the queue was made, not what the target costs.
fn queueing(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let Load::Closed { concurrency, .. } = evidence.load else { return None };
    let side = &evidence.gateway;
    let (below, before, growth) = growth(evidence.load, side)?;
    let throughput = side.figures.throughput?;
    (growth < LEAST_GROWTH).then(|| {
        let reason = format!(
            "{concurrency} in flight bring {throughput:.1} req/s and {below} bring {before:.1}: more in flight only wait \
             longer, and {concurrency} ÷ {throughput:.1} req/s = {:.1} ms is the length of that queue, not a cost; \
             measure with fewer in flight, or with --rate",
            f64::from(concurrency.get()) / throughput * 1e3
        );
        Finding::new("queueing", Verdict::Suspect, reason)
    })
}

/// Below it the upstream itself did not keep up, and what is behind a gateway cannot be faster than it.
const LEAST_ACHIEVED: f64 = 0.99;

/// Where the upstream alone cannot carry the load, the gateway waits for it, and neither arm says what the gateway costs.
fn upstream_saturated(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let direct = evidence.direct.as_ref()?;
    let reason = match evidence.load {
        Load::Open { .. } => {
            let (offered, achieved) = (direct.figures.offered_rate?, direct.figures.achieved_rate?);
            (achieved < LEAST_ACHIEVED * offered).then(|| {
                format!("the upstream alone was sent {achieved:.1} of {offered:.1} req/s: it cannot carry this load")
            })?
        }
        Load::Closed { concurrency, .. } => {
            let (below, before, growth) = growth(evidence.load, direct)?;
            let throughput = direct.figures.throughput?;
            (growth < LEAST_GROWTH).then(|| {
                format!(
                    "the upstream alone brings {throughput:.1} req/s with {concurrency} in flight and {before:.1} with \
                     {below}: it is the bottleneck, so that the difference of the arms is not what the gateway costs"
                )
            })?
        }
    };
    Some(Finding::new("upstream_saturated", Verdict::Suspect, reason))
}

/// So much of the median may change from the first pair to the last.
const LARGEST_DRIFT: f64 = 0.10;
/// Below it a change is nothing that anybody would notice.
const SMALLEST_DRIFT_NS: f64 = 100_000.0;

/// Something that changes from block to block in one direction (a cache that fills, a heap that grows, a machine that
/// warms up) makes the figures those of a moment. Only a steady change counts: of four blocks each is beyond the one before
/// it, of five all but one (Kendall's tau of 0.8 and more), which chance alone does once in twelve times.
fn drift(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let sides = [("gateway", Some(&evidence.gateway)), ("direct", evidence.direct.as_ref())];
    sides.into_iter().filter_map(|(arm, side)| Some((arm, side?))).find_map(|(arm, side)| {
        let medians: Vec<f64> = side.medians_ns.iter().map(|median| *median as f64).collect();
        let (first, last) = (*medians.first()?, *medians.last()?);
        let change = (last - first).abs();
        let is_large = change > SMALLEST_DRIFT_NS && change > LARGEST_DRIFT * first.min(last);
        (medians.len() >= 4 && is_large && tau(&medians).abs() >= 0.8).then(|| {
            let reason = format!(
                "the median of the {arm} arm went from {:.3} ms in its first block to {:.3} ms in its last, block by \
                 block: the target changed while it was measured",
                first / 1e6,
                last / 1e6
            );
            Finding::new("drift", Verdict::Suspect, reason)
        })
    })
}

/// Kendall's rank correlation of values with their order: 1 for a steady rise, -1 for a steady fall. A pair of equals is
/// neither a rise nor a fall.
fn tau(values: &[f64]) -> f64 {
    let mut earlier: Vec<f64> = Vec::with_capacity(values.len());
    let (mut pairs, mut sum) = (0, 0.0);
    for value in values {
        let (rises, not_falls) =
            (earlier.partition_point(|other| other < value), earlier.partition_point(|other| other <= value));
        sum += rises as f64 - (earlier.len() - not_falls) as f64;
        pairs += earlier.len();
        earlier.insert(rises, *value);
    }
    sum / pairs.max(1) as f64
}

/// With fewer than three pairs nothing is known about how much they differ by chance.
fn too_few_pairs(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let overhead = evidence.overhead?;
    let Cell::Unknown(Reason::TooFewPairs { pairs, .. }) = overhead.response_time.p50 else { return None };
    let reason = format!(
        "only {pairs} whole pairs of blocks were measured, and it takes {FEWEST_PAIRS} to say what the gateway adds"
    );
    Some(Finding::new("too_few_pairs", Verdict::Valid, reason))
}

/// Nothing that does the same work and calls the upstream on top of it can be faster than the upstream.
fn gateway_faster(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let added = evidence.overhead?.response_time.p50.known()?;
    (added.high_ns < 0.0).then(|| {
        let reason = format!(
            "the gateway is faster than its upstream ({added} at the median): it answers from a cache, or the two arms do \
             not do the same work"
        );
        Finding::new("gateway_faster", Verdict::Suspect, reason)
    })
}

/// One in two hundred: what a gateway asks for itself now and then, and a connection that it had to make again.
const LARGEST_MISCOUNT: f64 = 0.005;

/// What a gateway answers without its upstream costs nothing, and what it asks for twice costs double: neither is what the
/// figures are taken for. Requests that failed on the way, or were given up, may have come to the upstream or not.
fn upstream_count(evidence: &ResultEvidence<'_>) -> Option<Finding> {
    let direct = evidence.direct.as_ref().and_then(|direct| direct.upstream);
    let reason = evidence.gateway.upstream.and_then(of_gateway).or_else(|| direct.and_then(of_direct))?;
    Some(Finding::new("upstream_count", Verdict::Suspect, reason))
}

fn of_gateway(upstream: Upstream) -> Option<String> {
    let Upstream { sent, answered, seen, .. } = upstream;
    match miscount(upstream)? {
        Ordering::Less if seen == 0 => Some(format!(
            "the upstream saw none of {answered} requests that the gateway answered: the gateway calls another one, or \
             answers by itself"
        )),
        Ordering::Less => Some(format!(
            "the upstream saw {seen} of {answered} requests that the gateway answered: the gateway answered the others by \
             itself, from a cache or without having asked"
        )),
        _ => Some(format!(
            "the upstream saw {seen} requests, and the gateway was sent {sent}: the gateway asks more than once (retries, \
             or calls of its own), or somebody else uses the upstream"
        )),
    }
}

fn of_direct(upstream: Upstream) -> Option<String> {
    let Upstream { sent, answered, seen, .. } = upstream;
    match miscount(upstream)? {
        Ordering::Less => Some(format!(
            "the upstream saw {seen} of {answered} requests that were answered on the direct way: something in between \
             answers in its place, or there is more than one of it"
        )),
        _ => Some(format!(
            "the upstream saw {seen} requests while {sent} were sent straight to it: somebody else uses it as well, and both \
             arms wait for them"
        )),
    }
}

/// Whether the upstream saw fewer requests than were answered, or more than were sent, by more than may be.
fn miscount(upstream: Upstream) -> Option<Ordering> {
    let Upstream { sent, answered, seen, .. } = upstream;
    let allowed = LARGEST_MISCOUNT * answered as f64;
    if answered.saturating_sub(seen) as f64 > allowed {
        Some(Ordering::Less)
    } else if seen.saturating_sub(sent) as f64 > allowed {
        Some(Ordering::Greater)
    } else {
        None
    }
}
