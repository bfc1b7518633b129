//! Each rule: a block that trips it, and the nearest one that does not.

use std::time::Duration;

use proto::interval::EndReason;
use proto::latencies::Histogram;
use proto::load::{Extent, Load};
use proto::outcome::{Failure, FailureKind};

use super::{Finding, Verdict, judge};
use crate::merge::fixtures::{block, closed, interval, open, requests, seconds, totals};
use crate::merge::{BlockMerge, MeasuredBlock, StartSkew, WorkerEnd};
use crate::statistics::{Evidence, Figures, Merged, WholeSecond};

const MS: u64 = 1_000_000;

fn findings(measured: &MeasuredBlock) -> Vec<Finding> {
    let evidence = Evidence::from(measured);
    judge(&evidence, &Figures::of_block(&evidence, &Merged::of(&measured.workers)))
}

fn names(measured: &MeasuredBlock) -> Vec<String> {
    findings(measured).into_iter().map(|finding| finding.rule).collect()
}

/// 2 workers, 500 successes of 10 ms each in the only second.
fn calm(load: Load, extent: Extent) -> MeasuredBlock {
    let mut merge = BlockMerge::new(block(load, extent), 2);
    for worker in 0..2 {
        let only = interval(0, (0.0, 1.0), &[10 * MS; 500]);
        merge.interval(worker, &only).unwrap();
        merge.finished(worker, totals(&[only], EndReason::Requests));
    }
    merge.finish(false)
}

fn calm_closed() -> MeasuredBlock {
    calm(closed(10), requests(1_000))
}

fn calm_open() -> MeasuredBlock {
    calm(open(1_000), Extent::Duration(seconds(1.0)))
}

fn changed(mut measured: MeasuredBlock, change: impl FnOnce(&mut MeasuredBlock)) -> MeasuredBlock {
    change(&mut measured);
    measured
}

fn fail(measured: &mut MeasuredBlock, count: u64) {
    let totals = &mut measured.workers[0].totals;
    let failure = Failure { kind: FailureKind::Timeout, status: None, detail: String::new() };
    totals.failures.insert(failure, count);
    totals.started += count;
    totals.offered += count;
}

#[test]
fn a_calm_run_is_valid_without_a_word() {
    assert_eq!(findings(&calm_closed()), []);
    assert_eq!(findings(&calm_open()), []);
    assert_eq!(Verdict::of(&[]), Verdict::Valid);
}

#[test]
fn no_success() {
    let failed = changed(calm_closed(), |measured| {
        for worker in &mut measured.workers {
            worker.totals.successes = 0;
            worker.latencies = Default::default();
        }
        fail(measured, 1);
    });
    let found = findings(&failed);
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("no_success", Verdict::Invalid));
    assert_eq!(Verdict::of(&found), Verdict::Invalid);

    let not_begun = BlockMerge::new(block(closed(10), requests(1_000)), 2).finish(true);
    assert_eq!(names(&not_begun), ["interrupted"]);

    let cut_before_an_answer = changed(calm_closed(), |measured| {
        measured.interrupted = true;
        for worker in &mut measured.workers {
            worker.totals.abandoned += std::mem::take(&mut worker.totals.successes);
            worker.latencies = Default::default();
        }
    });
    assert!(!names(&cut_before_an_answer).contains(&"no_success".to_owned()), "nobody knows yet");
}

#[test]
fn totals_disagree() {
    let broken = changed(calm_closed(), |measured| measured.workers[1].mismatch = Some("it lies".into()));
    let found = findings(&broken);
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("totals_disagree", Verdict::Invalid));
    assert_eq!(found[0].reason, "it lies");
}

#[test]
fn worker_lost() {
    let lose = |workers: &[usize]| {
        changed(calm_closed(), |measured| {
            for worker in workers {
                measured.workers[*worker].end = WorkerEnd::Lost { why: "it was killed".into() };
            }
        })
    };
    let found = findings(&lose(&[1]));
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("worker_lost", Verdict::Suspect));
    assert!(found[0].reason.contains("1 of 2 workers were lost: worker 1 (it was killed)"), "{found:?}");
    assert_eq!(findings(&lose(&[0, 1]))[0].verdict, Verdict::Invalid);
}

#[test]
fn stopped_early() {
    let end = |reason| {
        changed(calm_closed(), |measured| {
            if let WorkerEnd::Finished { reason: told, .. } = &mut measured.workers[0].end {
                *told = reason;
            }
        })
    };
    assert_eq!(names(&end(EndReason::Lease)), ["stopped_early"]);
    assert_eq!(names(&end(EndReason::Duration)), [""; 0]);
    let interrupted = changed(end(EndReason::Stopped), |measured| measured.interrupted = true);
    assert_eq!(names(&interrupted), ["interrupted"]);
}

#[test]
fn interrupted() {
    let cut = changed(calm_closed(), |measured| measured.interrupted = true);
    let found = findings(&cut);
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("interrupted", Verdict::Suspect));
    assert!(found[0].reason.contains("after 1.0 s"), "{found:?}");
}

#[test]
fn failures() {
    assert_eq!(names(&changed(calm_closed(), |measured| fail(measured, 10))), [""; 0]);
    assert_eq!(names(&changed(calm_closed(), |measured| fail(measured, 11))), ["failures"]);
}

#[test]
fn offered_load_not_reached() {
    let late = |count| changed(calm_open(), |measured| measured.workers[0].started_in_window -= count);
    assert_eq!(names(&late(10)), [""; 0]);
    assert_eq!(names(&late(11)), ["offered_load_not_reached"]);
    let dropped = changed(calm_open(), |measured| measured.workers[0].totals.dropped = 1);
    assert_eq!(names(&dropped), ["offered_load_not_reached"]);
    let interrupted = changed(dropped, |measured| measured.interrupted = true);
    assert_eq!(names(&interrupted), ["interrupted"]);
    let closed = changed(calm_closed(), |measured| measured.workers[0].started_in_window = 0);
    assert_eq!(names(&closed), [""; 0]);
}

#[test]
fn send_lag() {
    let lagging = |measured, nanos| {
        changed(measured, |measured| {
            (0..20).for_each(|_| measured.workers[0].latencies.send_lag.record(nanos));
        })
    };
    assert_eq!(names(&lagging(calm_open(), 1_100_000)), ["send_lag"]);
    assert_eq!(names(&lagging(calm_open(), 900_000)), [""; 0], "below a millisecond");
    assert_eq!(names(&lagging(calm_closed(), 5 * MS)), [""; 0], "a closed loop's lag is connection work");
    let slow = changed(lagging(calm_open(), 1_100_000), |measured| {
        (0..2_000).for_each(|_| measured.workers[0].latencies.response_time.record(100 * MS));
    });
    assert_eq!(names(&slow), [""; 0], "a hundredth of the response time");
}

#[test]
fn a_lag_that_is_the_making_of_connections_is_no_send_lag() {
    // Each request makes a connection, over 30 ms and TLS: it is sent 95 ms after it was due.
    let connecting = |share: u64, lag: u64| {
        changed(calm_open(), |measured| {
            let latencies = &mut measured.workers[0].latencies;
            latencies.send_lag = Histogram::new();
            (0..1_000).for_each(|_| latencies.send_lag.record(lag));
            for _ in 0..1_000 / share {
                latencies.connect_time.record(31 * MS);
                latencies.tls_handshake_time.record(64 * MS);
            }
        })
    };
    assert_eq!(names(&connecting(1, 95 * MS)), [""; 0]);
    let found = findings(&connecting(1, 140 * MS));
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "send_lag"));
    let said = "after they were due, of which making connections took 95.";
    assert!(found[0].reason.contains(said), "{found:?}");
    // One in twenty makes one, and one in fifty of these takes a second: too few to be the lag of one in a hundred.
    let seldom_slow = changed(connecting(20, 140 * MS), |measured| {
        measured.workers[0].latencies.connect_time.record(1_000 * MS);
    });
    let found = findings(&seldom_slow);
    assert!(found.len() == 1 && found[0].reason.contains(said), "{found:?}");
    // Of connections that are kept a few are made anew: the lag of the others is none of theirs.
    let found = findings(&connecting(200, 95 * MS));
    assert!(found[0].reason.contains("after they were due (P99; "), "{found:?}");
}

#[test]
fn generator_cpu() {
    let busy = |share| changed(calm_closed(), |measured| measured.workers[1].host.busiest_thread = share);
    assert_eq!(names(&busy(0.90)), [""; 0]);
    let found = findings(&busy(0.91));
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "generator_cpu"));
    assert_eq!(
        found[0].reason,
        "the generator was the bottleneck: an engine thread of worker 1 was busy for 91 % of a second: \
         use more workers or threads"
    );
    let pushed = changed(busy(0.91), |measured| measured.workers[1].host.involuntary_switches = 251);
    assert!(findings(&pushed)[0].reason.contains("of a second and lost a core to others 251 times: use"));
}

#[test]
fn starved() {
    let host = |lag, steal| {
        changed(calm_closed(), |measured| {
            measured.workers[1].host.scheduler_lag = lag;
            measured.workers[0].host.steal = steal;
        })
    };
    assert_eq!(names(&host(0.10, 0.05)), [""; 0]);
    let lagging = findings(&host(0.11, 0.0))[0].reason.clone();
    assert!(
        lagging.starts_with("the generator was the bottleneck: engine threads of worker 1 waited"),
        "{lagging}"
    );
    assert!(lagging.contains("for 11 % of a second: too much else"), "{lagging}");
    let pushed = changed(host(0.11, 0.0), |measured| measured.workers[1].host.involuntary_switches = 4_000);
    assert!(findings(&pushed)[0].reason.contains("of a second and lost a core to others 4000 times: too"));
    let robbed = findings(&host(0.0, 0.06))[0].reason.clone();
    assert!(
        robbed.starts_with("the generator was the bottleneck") && robbed.contains("worker 0"),
        "{robbed}"
    );
}

#[test]
fn stalled() {
    let late = |delay| {
        changed(calm_closed(), |measured| {
            measured.workers[1].round_trip = Duration::from_millis(100);
            measured.workers[1].report_delay = Duration::from_millis(delay);
        })
    };
    assert_eq!(names(&late(600)), [""; 0], "half a second beyond the round trip");
    let found = findings(&late(601));
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("stalled", Verdict::Suspect));
    assert!(found[0].reason.starts_with("the reports of worker 1 came up to 0.6 s late"), "{found:?}");
}

#[test]
fn clock_stepped() {
    let ahead = |advance| {
        changed(calm_closed(), |measured| {
            measured.workers[1].round_trip = Duration::from_millis(50);
            measured.workers[1].clock_advance = Duration::from_millis(advance);
        })
    };
    assert_eq!(names(&ahead(150)), [""; 0], "a tenth of a second beyond the round trip");
    let found = findings(&ahead(151));
    assert_eq!((found[0].rule.as_str(), found[0].verdict), ("clock_stepped", Verdict::Suspect));
    assert!(
        found[0]
            .reason
            .starts_with("the clock of worker 1 stepped: it reported a span that went on for another 151 ms"),
        "{found:?}"
    );
}

#[test]
fn clock_that_fell_behind() {
    let stepped = |step: i64, late: u64| {
        changed(calm_closed(), |measured| {
            measured.workers[1].round_trip = Duration::from_millis(50);
            measured.workers[1].host.wall_step_ns = step * 1_000_000;
            measured.workers[1].report_delay = Duration::from_millis(late);
        })
    };
    let said = |step, late| {
        let found = findings(&stepped(step, late));
        let found = found.iter().find(|finding| finding.rule == "clock_stepped")?;
        Some((found.verdict, found.reason.clone()))
    };
    assert_eq!(said(100, 500), None, "a tenth of a second is what is not known");
    let (verdict, reason) = said(450, 450).unwrap();
    assert_eq!(verdict, Verdict::Suspect);
    assert!(
        reason.starts_with("the clock of worker 1 fell behind: its machine's wall clock went 0.5 s"),
        "{reason}"
    );
    // Whoever sets the wall clock bends no figure, whichever way.
    let (verdict, reason) = said(3_000, 0).unwrap();
    assert_eq!(verdict, Verdict::Valid);
    assert!(reason.contains("of worker 1's machine was set forward by 3.0 s"), "{reason}");
    let (verdict, reason) = said(-3_000, 400).unwrap();
    assert!(verdict == Verdict::Valid && reason.contains("was set back by 3.0 s"), "{reason}");
}

#[test]
fn start_skew() {
    let skewed = |spread, uncertainty| {
        let (spread, uncertainty) = (Duration::from_millis(spread), Duration::from_millis(uncertainty));
        changed(calm_closed(), |measured| measured.start_skew = StartSkew { spread, uncertainty })
    };
    assert_eq!(names(&skewed(60, 10)), [""; 0]);
    assert_eq!(names(&skewed(60, 9)), ["start_skew"]);
}

#[test]
fn too_few_samples_is_a_note() {
    let few = changed(calm_closed(), |measured| measured.workers[0].totals.successes -= 1);
    let found = findings(&few);
    assert_eq!(found[0].rule, "too_few_samples");
    assert!(found[0].is_note());
    assert_eq!(Verdict::of(&found), Verdict::Valid);
}

#[test]
fn a_first_second_that_is_much_slower_shows_that_the_target_was_warming_up() {
    let of = |medians: &[u64], load: Load| {
        let measured = calm(load, requests(1_000));
        let second = |median_ns: &u64| WholeSecond { median_ns: *median_ns, answers: 200, slow: 2.0 };
        let seconds: Vec<_> = medians.iter().map(second).collect();
        let evidence = Evidence::new(&measured, &seconds);
        let figures = Figures::of_block(&evidence, &Merged::of(&measured.workers));
        judge(&evidence, &figures).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(of(&[13 * MS, 10 * MS, 10 * MS, 11 * MS, 9 * MS], closed(10)), ["not_settled"]);
    assert!(of(&[12 * MS, 10 * MS, 10 * MS, 11 * MS, 9 * MS], closed(10)).is_empty());
    assert!(of(&[13 * MS, 10 * MS, 10 * MS, 10 * MS], closed(10)).is_empty(), "four seconds tell nothing");
    assert!(of(&[150_000, 60_000, 60_000, 60_000, 60_000], closed(10)).is_empty(), "nobody would notice");
}
