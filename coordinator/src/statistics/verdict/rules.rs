//! The rules. Each looks at one thing, and answers with a finding or with nothing.

use std::time::Duration;

use proto::interval::{EndReason, HostReading};
use proto::load::{Load, Pace};

use super::bursts::bursts;
use super::{Finding, Verdict};
use crate::merge::{MeasuredWorker, WorkerEnd};
use crate::statistics::{Distribution, Evidence, Figures};

type Rule = fn(&Evidence<'_>, &Figures) -> Option<Finding>;

/// In the order in which findings are shown.
pub(super) const ALL: [Rule; 17] = [
    no_success,
    totals_disagree,
    worker_lost,
    stopped_early,
    interrupted,
    aborted,
    failures,
    offered_load_not_reached,
    send_lag,
    generator_cpu,
    starved,
    stalled,
    clock_stepped,
    start_skew,
    not_settled,
    too_few_samples,
    bursts,
];

/// Without a success there is no latency and no throughput. A block that was interrupted before its first request says
/// nothing about the target, nor about the blocks before it.
fn no_success(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    let was_cut_before_an_answer = evidence.is_cut() && figures.failed == 0;
    (figures.successes == 0 && !was_cut_before_an_answer).then(|| {
        let reason =
            format!("not one of {} requests succeeded ({} failed)", figures.requests, figures.failed);
        Finding::new("no_success", Verdict::Invalid, reason)
    })
}

/// Figures rest on sums; a sum that is wrong once may be wrong anywhere.
fn totals_disagree(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let mismatch = evidence.workers.iter().find_map(|worker| worker.mismatch.clone())?;
    Some(Finding::new("totals_disagree", Verdict::Invalid, mismatch))
}

/// What a lost worker had sent counts, but its share of the load was missing from then on.
fn worker_lost(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    if evidence.is_cut() {
        return None;
    }
    let reasons: Vec<String> =
        lost(evidence).map(|(number, why)| format!("worker {number} ({why})")).collect();
    let active = active(evidence).count();
    let verdict = if reasons.len() == active { Verdict::Invalid } else { Verdict::Suspect };
    (!reasons.is_empty()).then(|| {
        let reason = format!(
            "{} of {active} workers were lost: {}; what they had sent counts",
            reasons.len(),
            reasons.join(", ")
        );
        Finding::new("worker_lost", verdict, reason)
    })
}

/// A worker that ended before its part was done, though nobody interrupted the run.
fn stopped_early(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let early = |worker: &&MeasuredWorker| {
        let stops = [EndReason::Stopped, EndReason::Lease];
        matches!(worker.end, WorkerEnd::Finished { reason, .. } if stops.contains(&reason))
    };
    let worker = evidence.workers.iter().find(early).filter(|_| !evidence.is_cut())?;
    let reason = format!("worker {} stopped before its part of the load was done", worker.number);
    Some(Finding::new("stopped_early", Verdict::Suspect, reason))
}

/// The user ended it; what there is may be too short to mean much.
fn interrupted(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    evidence.interrupted.then(|| {
        let seconds = figures.window.length_ns as f64 / 1e9;
        let reason = format!("the run was interrupted after {seconds:.1} s of this block");
        Finding::new("interrupted", Verdict::Suspect, reason)
    })
}

/// What was measured until then stands, and is too short to mean much.
fn aborted(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    let why = evidence.aborted?;
    let seconds = figures.window.length_ns as f64 / 1e9;
    let reason = format!("the block was ended after {seconds:.1} s: {why}");
    Some(Finding::new("aborted", Verdict::Suspect, reason))
}

/// A failed answer is often a fast one, and it frees its connection for the next: beyond one in a hundred the target
/// was not doing the work that the figures are about.
const MOST_FAILURES: f64 = 0.01;

fn failures(_: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    let rate = figures.failure_rate.filter(|rate| *rate > MOST_FAILURES)?;
    let reason =
        format!("{} of {} requests failed ({:.1} %)", figures.failed, figures.requests, rate * 100.0);
    Some(Finding::new("failures", Verdict::Suspect, reason))
}

/// An open loop that offers less than it says is a closed one in disguise. One in a hundred is left for the requests
/// that fall due in the last moments.
const LEAST_ACHIEVED: f64 = 0.99;

/// What an interruption leaves unsent is no shortcoming.
fn offered_load_not_reached(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    open_loop(evidence).filter(|()| !evidence.is_cut())?;
    let started =
        evidence.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(worker.started_in_window));
    let too_few = (started as f64) < LEAST_ACHIEVED * figures.offered as f64;
    (too_few || figures.dropped > 0 || figures.unsent > 0).then(|| {
        let reason = format!(
            "of {} requests that were due only {started} were sent in time ({} were dropped, {} never sent)",
            figures.offered, figures.dropped, figures.unsent
        );
        Finding::new("offered_load_not_reached", Verdict::Suspect, reason)
    })
}

/// A lag below a millisecond is what a timer and a scheduler cost; above it, and above a tenth of the typical response
/// time, it is a visible part of what is reported.
const LONGEST_SEND_LAG: Duration = Duration::from_millis(1);
const LARGEST_SEND_LAG_SHARE: f64 = 0.1;

/// In a closed loop the lag is the making of connections, which is part of what was asked for. So it is in an open one where
/// requests make their own: what that took is no fault of the workers.
fn send_lag(evidence: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    open_loop(evidence)?;
    let (lag, response) = (figures.send_lag?.p99_ns, figures.response_time?.p50_ns);
    let connecting = connecting_ns(figures);
    let left = lag.saturating_sub(connecting);
    let visible = left as f64 > LARGEST_SEND_LAG_SHARE * response as f64;
    (Duration::from_nanos(left) > LONGEST_SEND_LAG && visible).then(|| {
        let beside = match connecting {
            0 => String::new(),
            connecting => format!(", of which making connections took {:.1} ms", connecting as f64 / 1e6),
        };
        let reason = format!(
            "requests were sent up to {:.1} ms after they were due{beside} (P99; the median response time is {:.1} ms): \
             too few connections, or workers that could not keep up",
            lag as f64 / 1e6,
            response as f64 / 1e6
        );
        Finding::new("send_lag", Verdict::Suspect, reason)
    })
}

/// What the P99 of the lag holds of the making of connections: of each of its parts the quantile beyond which lie as many as one
/// in a hundred requests, or the next that is known above it. Together these are seldom less than that of both.
fn connecting_ns(figures: &Figures) -> u64 {
    let of_part = |times: Option<Distribution>| {
        let Some(times) = times else { return 0 };
        match times.count as f64 * 100.0 / figures.requests.max(1) as f64 {
            20.0.. => times.p99_ns,
            2.0.. => times.p95_ns,
            1.0.. => times.p50_ns,
            // So few that the lag of one in a hundred is none of theirs.
            _ => 0,
        }
    };
    of_part(figures.connect_time).saturating_add(of_part(figures.tls_handshake_time))
}

/// Above it a thread has no room for a burst, so that requests queue in the tool and not in the target.
const BUSIEST_THREAD: f64 = 0.90;

fn generator_cpu(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let (worker, busiest) = highest(evidence, |host| host.busiest_thread)?;
    (busiest > BUSIEST_THREAD).then(|| {
        let reason = format!(
            "the generator was the bottleneck: an engine thread of worker {worker} was busy for {:.0} % of a second{}: \
             use more workers or threads",
            busiest * 100.0,
            interruptions(evidence, worker)
        );
        Finding::new("generator_cpu", Verdict::Suspect, reason)
    })
}

/// A thread on a core of its own is put off it a few times a second, by the kernel's own work. Beyond this another program
/// wants the same core.
const MANY_SWITCHES: u64 = 250;

/// How often engine threads were put off their core, where that explains something.
fn interruptions(evidence: &Evidence<'_>, worker: u32) -> String {
    let host =
        evidence.workers.iter().find(|measured| measured.number == worker).map(|measured| measured.host);
    match host.unwrap_or_default().involuntary_switches {
        0..=MANY_SWITCHES => String::new(),
        switches => format!(" and lost a core to others {switches} times"),
    }
}

/// A tenth of a second without a core is far beyond any response time that one would want to tell apart.
const MOST_SCHEDULER_LAG: f64 = 0.10;
/// A hypervisor that takes one part in twenty takes it in slices of milliseconds.
const MOST_STEAL: f64 = 0.05;

fn starved(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let (lagging, lag) = highest(evidence, |host| host.scheduler_lag)?;
    let (robbed, steal) = highest(evidence, |host| host.steal)?;
    let reason = if lag > MOST_SCHEDULER_LAG {
        format!(
            "the generator was the bottleneck: engine threads of worker {lagging} waited for a core for {:.0} % of a \
             second{}: too much else runs on its machine",
            lag * 100.0,
            interruptions(evidence, lagging)
        )
    } else if steal > MOST_STEAL {
        format!(
            "the generator was the bottleneck: the hypervisor took {:.0} % of a second from the machine of worker {robbed}",
            steal * 100.0
        )
    } else {
        return None;
    };
    Some(Finding::new("starved", Verdict::Suspect, reason))
}

/// A report leaves within milliseconds of the end of its interval. Half a second more is half an interval in which a
/// closed loop may have sent nothing, and looks the same whether the worker, the network or the coordinator stood still.
const LONGEST_REPORT_DELAY: Duration = Duration::from_millis(500);

fn stalled(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let delay = |worker: &MeasuredWorker| worker.report_delay.saturating_sub(worker.round_trip);
    let worker = evidence.workers.iter().max_by_key(|worker| delay(worker))?;
    (delay(worker) > LONGEST_REPORT_DELAY).then(|| {
        let reason = format!(
            "the reports of worker {} came up to {:.1} s late: it stood still, or the network or the coordinator did",
            worker.number,
            worker.report_delay.as_secs_f64()
        );
        Finding::new("stalled", Verdict::Suspect, reason)
    })
}

/// All times of a worker are spans on its monotonic clock, which nobody sets; its wall clock may be set as anybody likes. But
/// a machine that is moved, suspended or restored may come back with another time. Where its monotonic clock went ahead, it
/// reports what is still to come. Where that stood still, its reports come late from then on, and its wall clock, which
/// somebody sets right again, goes on by as much as it is late.
const FURTHEST: Duration = Duration::from_millis(100);

fn clock_stepped(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let ahead = clock_ahead(evidence).or_else(|| clock_behind(evidence));
    let suspect = ahead.map(|reason| Finding::new("clock_stepped", Verdict::Suspect, reason));
    suspect.or_else(|| Some(Finding::new("clock_stepped", Verdict::Valid, wall_clock_set(evidence)?)))
}

fn clock_ahead(evidence: &Evidence<'_>) -> Option<String> {
    let ahead = |worker: &MeasuredWorker| worker.clock_advance.saturating_sub(worker.round_trip);
    let worker = evidence.workers.iter().max_by_key(|worker| ahead(worker))?;
    (ahead(worker) > FURTHEST).then(|| {
        format!(
            "the clock of worker {} stepped: it reported a span that went on for another {:.0} ms by the coordinator's clock",
            worker.number,
            worker.clock_advance.as_secs_f64() * 1e3
        )
    })
}

fn clock_behind(evidence: &Evidence<'_>) -> Option<String> {
    let is_behind = |worker: &&MeasuredWorker| {
        let late = worker.report_delay.saturating_sub(worker.round_trip);
        worker.host.wall_step_ns > 0
            && wall_step(worker) > FURTHEST
            && late.saturating_add(FURTHEST) >= wall_step(worker)
    };
    let worker = evidence.workers.iter().filter(is_behind).max_by_key(|worker| wall_step(worker))?;
    Some(format!(
        "the clock of worker {} fell behind: its machine's wall clock went {:.1} s further, and its reports came up to {:.1} s late",
        worker.number,
        wall_step(worker).as_secs_f64(),
        worker.report_delay.as_secs_f64()
    ))
}

/// Which bends no figure.
fn wall_clock_set(evidence: &Evidence<'_>) -> Option<String> {
    let worker = evidence.workers.iter().max_by_key(|worker| wall_step(worker))?;
    let way = if worker.host.wall_step_ns < 0 { "back" } else { "forward" };
    (wall_step(worker) > FURTHEST).then(|| {
        format!(
            "the wall clock of worker {}'s machine was set {way} by {:.1} s; times are taken from its other clock",
            worker.number,
            wall_step(worker).as_secs_f64()
        )
    })
}

fn wall_step(worker: &MeasuredWorker) -> Duration {
    Duration::from_nanos(worker.host.wall_step_ns.unsigned_abs())
}

/// Beyond it some workers loaded the target alone for longer than a person's eye blinks in the first second.
const LARGEST_START_SKEW: Duration = Duration::from_millis(50);

fn start_skew(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let skew = evidence.start_skew;
    (skew.spread.saturating_sub(skew.uncertainty) > LARGEST_START_SKEW).then(|| {
        let reason = format!(
            "the workers began {:.1} ms apart (± {:.1} ms)",
            skew.spread.as_secs_f64() * 1e3,
            skew.uncertainty.as_secs_f64() * 1e3
        );
        Finding::new("start_skew", Verdict::Suspect, reason)
    })
}

/// As many whole seconds tell the first from the others.
const FEWEST_SECONDS: usize = 5;
/// So much slower than the others may the first second be.
const SLOWEST_FIRST_SECOND: f64 = 1.25;
/// Below it nobody would notice.
const SMALLEST_DIFFERENCE_NS: u64 = 100_000;

/// Where the first second is much slower than the others, caches, pools or a just-in-time compiler were still filling: the
/// warm-up was too short. A load that changes says nothing of the kind.
fn not_settled(evidence: &Evidence<'_>, _: &Figures) -> Option<Finding> {
    let (first, others) = evidence.seconds.split_first()?;
    let first = first.median_ns;
    let mut others: Vec<u64> = others.iter().map(|second| second.median_ns).collect();
    others.sort_unstable();
    let median = *others.get(others.len() / 2)?;
    let is_slower = first.saturating_sub(median) > SMALLEST_DIFFERENCE_NS
        && first as f64 > SLOWEST_FIRST_SECOND * median as f64;
    (is_steady(evidence) && evidence.seconds.len() >= FEWEST_SECONDS && is_slower).then(|| {
        let reason = format!(
            "the median of the first second is {:.3} ms and that of the others {:.3} ms: the target was still warming up; \
             give a longer --warmup",
            first as f64 / 1e6,
            median as f64 / 1e6
        );
        Finding::new("not_settled", Verdict::Suspect, reason)
    })
}

/// With fewer, fewer than ten samples lie above the P99.
const FEWEST_SAMPLES: u64 = 1_000;

fn too_few_samples(_: &Evidence<'_>, figures: &Figures) -> Option<Finding> {
    (1..FEWEST_SAMPLES).contains(&figures.successes).then(|| {
        let reason =
            format!("P99 rests on fewer than ten samples: there are only {} successes", figures.successes);
        Finding::new("too_few_samples", Verdict::Valid, reason)
    })
}

/// Whether the load is the same from the first second to the last.
pub(super) fn is_steady(evidence: &Evidence<'_>) -> bool {
    match evidence.load {
        Load::Closed { .. } => true,
        Load::Open { pace, .. } => matches!(pace, Pace::Steady(_)),
    }
}

fn open_loop(evidence: &Evidence<'_>) -> Option<()> {
    matches!(evidence.load, Load::Open { .. }).then_some(())
}

fn active<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a MeasuredWorker> {
    evidence.workers.iter().filter(|worker| worker.end != WorkerEnd::Idle)
}

fn lost<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (u32, &'a str)> {
    evidence.workers.iter().filter_map(|worker| match &worker.end {
        WorkerEnd::Lost { why } => Some((worker.number, why.as_str())),
        WorkerEnd::Idle | WorkerEnd::Finished { .. } => None,
    })
}

/// The worker with the highest reading, and that reading.
fn highest(evidence: &Evidence<'_>, reading: fn(&HostReading) -> f64) -> Option<(u32, f64)> {
    let readings = evidence.workers.iter().map(|worker| (worker.number, reading(&worker.host)));
    readings.max_by(|left, right| left.1.total_cmp(&right.1))
}
