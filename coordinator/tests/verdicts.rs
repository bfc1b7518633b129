//! Each rule of the verdict, end to end: one run that trips it, and one that does not.
//!
//! Other rules may speak as well, on a machine that is busy with more than one test, and are not looked at.

// A helper that fails fails the test, which prints what it saw.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;
#[path = "verdicts/workers.rs"]
mod workers;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use coordinator::rules::RULES;
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use support::clock::{now, wait_until};
use support::process::{BOUND, Bench};
use support::proxy::forward;
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::Target;

const MS: Duration = Duration::from_millis(1);

/// Where a run trips each rule, and another one does not.
const TESTS: [(&str, &str); 23] = [
    ("no_success", "a_target_of_which_every_answer_is_bad_is_no_success"),
    ("totals_disagree", "totals_that_are_not_those_of_the_seconds_disagree"),
    ("worker_lost", "a_worker_that_breaks_off_is_lost"),
    ("stopped_early", "a_worker_that_stops_by_itself_stopped_early"),
    ("interrupted", "an_end_that_the_user_asks_for_is_an_interruption"),
    ("failures", "two_failures_in_a_hundred_are_too_many_and_one_is_not"),
    ("offered_load_not_reached", "too_few_connections_lag_behind_the_schedule_and_leave_load_unsent"),
    ("send_lag", "too_few_connections_lag_behind_the_schedule_and_leave_load_unsent"),
    ("generator_cpu", "a_worker_that_has_to_read_more_than_it_can_is_the_bottleneck"),
    ("starved", "a_worker_that_shares_its_core_is_starved"),
    ("stalled", "a_report_that_comes_late_is_a_stall"),
    ("clock_stepped", "a_report_of_what_is_still_to_come_is_a_clock_that_stepped"),
    ("start_skew", "threads_that_begin_apart_are_a_start_skew"),
    ("not_settled", "a_target_that_still_warms_up_has_not_settled_and_a_longer_warm_up_cures_it"),
    ("too_few_samples", "a_thousand_samples_are_enough"),
    ("bursts", "slow_answers_of_one_moment_are_told_and_those_of_all_seconds_are_not"),
    ("queueing", "a_target_with_one_slot_queues"),
    ("upstream_saturated", "an_upstream_that_cannot_carry_the_load_is_saturated"),
    ("drift", "a_gateway_that_grows_slower_from_pair_to_pair_drifts"),
    ("too_few_pairs", "two_pairs_are_too_few"),
    ("gateway_faster", "a_gateway_that_answers_from_a_cache_is_faster_than_its_upstream"),
    ("upstream_count", "a_gateway_that_answers_from_a_cache_asks_the_mock_too_seldom"),
    ("aborted", "a_condition_that_comes_true_aborts"),
];

#[test]
fn every_rule_is_tripped_by_a_test() {
    let listed: BTreeSet<&str> = TESTS.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(listed, BTreeSet::from(RULES));
    let tests = [include_str!("verdicts.rs"), include_str!("verdicts/workers.rs")].concat();
    for (rule, test) in TESTS {
        assert!(tests.contains(&format!("\nfn {test}() {{")), "{rule}: {test}");
    }
}

/// The rules that speak of a run, notes too.
fn rules(results: &Results) -> BTreeSet<String> {
    let all = ["blocks", "results"].into_iter().flat_map(|part| results.report[part].as_array().unwrap());
    let findings = all.flat_map(|part| part["findings"].as_array().unwrap());
    findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

/// Runs against one target, and asks whether the rule speaks.
fn speaks(rule: &str, target: &Target, flags: &[&str]) -> bool {
    let bench = Bench::new();
    let url = target.url();
    let finished =
        bench.run(&[&["run", "--quiet", "--scenario", "simple_chat", "--target", &url], flags].concat());
    assert!(matches!(finished.code, Some(0 | 3 | 4)), "{:?}: {}", finished.code, finished.stderr);
    heard(rule, &bench)
}

/// The same against both arms.
fn speaks_of_arms(rule: &str, gateway: &Target, upstream: &Target, flags: &[&str]) -> bool {
    let upstream = upstream.url();
    let arms = ["--direct", &upstream, "--warmup", "10ms", "--cool-down", "1ms"];
    speaks(rule, gateway, &[&arms, flags].concat())
}

fn heard(rule: &str, bench: &Bench) -> bool {
    let results = Results::of(bench);
    let rules = rules(&results);
    println!("{rule}: {rules:?}");
    rules.contains(rule)
}

/// A target that does this for its load, and is good otherwise.
fn under_load(script: impl Fn(u64, &Request) -> Reply + Send + Sync + 'static) -> Target {
    Target::scripted(move |number, request| match request.purpose() {
        Purpose::Load => script(number, request),
        _ => Reply::good(request),
    })
}

/// One request at a time, each for so long.
fn one_slot(each: Duration) -> Target {
    let slot = Arc::new(Mutex::new(()));
    under_load(move |_, request| {
        let _turn = slot.lock().unwrap();
        thread::sleep(each);
        Reply::good(request)
    })
}

#[test]
fn a_target_of_which_every_answer_is_bad_is_no_success() {
    let broken = under_load(|_, _| Reply::json(503, "{}"));
    assert!(speaks("no_success", &broken, &["--requests", "20"]));
    let half = under_load(|number, request| match number % 2 {
        0 => Reply::json(503, "{}"),
        _ => Reply::good(request),
    });
    assert!(!speaks("no_success", &half, &["--requests", "20"]));
}

#[test]
fn two_failures_in_a_hundred_are_too_many_and_one_is_not() {
    for (every, are_many) in [(50, true), (100, false)] {
        let target = under_load(move |number, request| match number % every {
            7 => Reply::json(500, "{}"),
            _ => Reply::good(request),
        });
        assert_eq!(speaks("failures", &target, &["--requests", "200"]), are_many);
    }
}

#[test]
fn a_thousand_samples_are_enough() {
    let target = Target::good();
    assert!(speaks("too_few_samples", &target, &["--requests", "999"]));
    assert!(!speaks("too_few_samples", &target, &["--requests", "1000"]));
}

#[test]
fn too_few_connections_lag_behind_the_schedule_and_leave_load_unsent() {
    // So slow that a machine's own lateness is no visible part of it.
    let target = Target::with_latencies(vec![500 * MS]);
    let rate = ["--rate", "10", "--duration", "2s", "--warmup", "none"];
    for rule in ["send_lag", "offered_load_not_reached"] {
        // Two workers with a connection each carry 4 a second.
        assert!(speaks(rule, &target, &[&rate[..], &["--connections", "1"]].concat()));
        assert!(!speaks(rule, &target, &rate));
    }
}

#[test]
fn a_target_that_still_warms_up_has_not_settled_and_a_longer_warm_up_cures_it() {
    // Slow for a second and a half from its first request on, other than preflights.
    let warming = || {
        let began: Arc<Mutex<Option<Instant>>> = Arc::default();
        Target::scripted(move |_, request| match request.purpose() {
            Purpose::Preflight => Reply::good(request),
            _ => {
                let began = *began.lock().unwrap().get_or_insert_with(now);
                let is_cold = now().duration_since(began) < 1500 * MS;
                Reply::good(request).after(if is_cold { 80 * MS } else { 20 * MS })
            }
        })
    };
    let [cold, warm] = ["none", "2s"].map(|warm_up| {
        thread::spawn(move || {
            speaks(
                "not_settled",
                &warming(),
                &["--duration", "5s", "--concurrency", "4", "--warmup", warm_up],
            )
        })
    });
    assert!(cold.join().unwrap());
    assert!(!warm.join().unwrap());
}

#[test]
fn slow_answers_of_one_moment_are_told_and_those_of_all_seconds_are_not() {
    // 1,500 requests in six seconds: a fifth of a second in which all are slow, or one in twenty, each other ones slower.
    let in_one_moment = |number: u64| if (600..650).contains(&number) { 400 * MS } else { MS };
    let everywhere = |number: u64| match number % 20 {
        7 => (200 + number / 20 * 29 % 75 * 4) as u32 * MS,
        _ => MS,
    };
    let speak = |latency: fn(u64) -> Duration| {
        let target = Target::with_latencies((0..1_500).map(latency).collect());
        thread::spawn(move || {
            speaks("bursts", &target, &["--rate", "250", "--duration", "6s", "--warmup", "none"])
        })
    };
    let [bursts, chance] = [in_one_moment, everywhere].map(speak);
    assert!(bursts.join().unwrap());
    assert!(!chance.join().unwrap());
}

#[test]
fn a_target_with_one_slot_queues() {
    let flags = ["--duration", "1s", "--concurrency", "8", "--queueing-check"];
    assert!(speaks("queueing", &one_slot(5 * MS), &flags));
    assert!(!speaks("queueing", &Target::with_latencies(vec![30 * MS]), &flags));
}

#[test]
fn an_upstream_that_cannot_carry_the_load_is_saturated() {
    let gateway = Target::with_latencies(vec![20 * MS]);
    let open = ["--rate", "100", "--duration", "1s", "--connections", "2", "--repeats", "1"];
    assert!(speaks_of_arms("upstream_saturated", &gateway, &one_slot(25 * MS), &open));
    assert!(!speaks_of_arms("upstream_saturated", &gateway, &Target::good(), &open));
    let closed = ["--duration", "1s", "--concurrency", "8", "--repeats", "1"];
    assert!(speaks_of_arms("upstream_saturated", &gateway, &one_slot(5 * MS), &closed));
    let roomy = Target::with_latencies(vec![20 * MS]);
    assert!(!speaks_of_arms("upstream_saturated", &gateway, &roomy, &closed));
}

#[test]
fn a_gateway_that_grows_slower_from_pair_to_pair_drifts() {
    const REQUESTS: u64 = 40;
    let flags = ["--requests", "40", "--concurrency", "4", "--repeats", "5", "--queueing-check=false"];
    let upstream = Target::with_latencies(vec![5 * MS]);
    for (growth, drifts) in [(8, true), (0, false)] {
        let gateway = under_load(move |number, request| {
            Reply::good(request).after(20 * MS + growth * (number / REQUESTS) as u32 * MS)
        });
        assert_eq!(speaks_of_arms("drift", &gateway, &upstream, &flags), drifts);
    }
}

#[test]
fn two_pairs_are_too_few() {
    let (gateway, upstream) = (Target::good(), Target::good());
    for (pairs, are_few) in [("2", true), ("3", false)] {
        let flags = ["--requests", "40", "--queueing-check=false", "--repeats", pairs];
        assert_eq!(speaks_of_arms("too_few_pairs", &gateway, &upstream, &flags), are_few);
    }
}

/// A gateway that keeps what the upstream answered, or does not.
fn caching(upstream: SocketAddr, keeps: bool) -> Target {
    let kept: Mutex<HashMap<Vec<u8>, Reply>> = Mutex::default();
    Target::scripted(move |_, request| {
        let known = kept.lock().unwrap().get(&request.body).cloned().filter(|_| keeps);
        known.unwrap_or_else(|| {
            let reply = forward(request, upstream);
            let at_once = Reply { after: Duration::ZERO, ..reply.clone() };
            kept.lock().unwrap().insert(request.body.clone(), at_once);
            reply
        })
    })
}

#[test]
fn a_gateway_that_answers_from_a_cache_is_faster_than_its_upstream() {
    let upstream = Target::scripted(|_, request| Reply::good(request).after(25 * MS));
    let flags = ["--requests", "40", "--repeats", "3", "--queueing-check=false", "--identical-prompts"];
    for keeps in [true, false] {
        let gateway = caching(upstream.address(), keeps);
        assert_eq!(speaks_of_arms("gateway_faster", &gateway, &upstream, &flags), keeps);
    }
}

#[test]
fn a_gateway_that_answers_from_a_cache_asks_the_mock_too_seldom() {
    let bench = Bench::new();
    let mock = bench.start(&["mock", "--listen", "127.0.0.1:0", "--latency", "5ms"]);
    mock.wait_for("http://127.0.0.1:", BOUND);
    let address =
        mock.stdout().split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let direct = format!("http://{address}");
    let flags = ["--direct", &direct, "--requests", "40", "--repeats", "1", "--queueing-check=false"];
    for keeps in [true, false] {
        let gateway = caching(address.parse().unwrap(), keeps);
        let flags = [&flags[..], &["--identical-prompts", "--cool-down", "1ms"]].concat();
        assert_eq!(speaks("upstream_count", &gateway, &flags), keeps);
    }
}

#[test]
fn a_condition_that_comes_true_aborts() {
    let broken = under_load(|_, _| Reply::json(500, "{}").after(10 * MS));
    let flags = ["--duration", "20s", "--concurrency", "4", "--abort-on", "failed>50%"];
    assert!(speaks("aborted", &broken, &flags));
    let good = Target::with_latencies(vec![10 * MS]);
    let flags = ["--duration", "1s", "--concurrency", "4", "--abort-on", "failed>50%"];
    assert!(!speaks("aborted", &good, &flags));
}

#[test]
fn an_end_that_the_user_asks_for_is_an_interruption() {
    for asks in [true, false] {
        let (bench, target) = (Bench::new(), Target::with_latencies(vec![10 * MS]));
        let url = target.url();
        let duration = if asks { "60s" } else { "1s" };
        let running =
            bench.start(&["run", "--scenario", "simple_chat", "--target", &url, "--duration", duration]);
        if asks {
            assert!(wait_until(BOUND, || target.counts().load > 20), "{}", running.stderr());
            running.signal(Signal::INT);
        }
        assert_eq!(running.wait(BOUND).code, Some(if asks { 130 } else { 0 }));
        assert_eq!(heard("interrupted", &bench), asks);
    }
}

/// Answers that take a worker far longer to look through than it takes a target to send them.
fn heavy() -> Target {
    let filler = r#""a":0,"#.repeat(1 << 17);
    let body = format!(
        r#"{{"filler":{{{filler}"a":0}},"choices":[{{"finish_reason":"stop","message":{{"content":"Hello"}}}}]}}"#
    );
    let reply = Reply::json(200, &body);
    under_load(move |_, _| reply.clone())
}

/// One request a tenth of a second leaves a worker at rest.
const AT_REST: [&str; 6] = ["--rate", "10", "--duration", "1s", "--workers", "1"];

#[test]
fn a_worker_that_has_to_read_more_than_it_can_is_the_bottleneck() {
    let busy = ["--duration", "2s", "--concurrency", "4", "--workers", "1", "--threads", "1"];
    let target = heavy();
    // Where others have its core for a part of the time, it cannot be on it for 90 %, and that is said instead.
    let is_blamed = speaks("generator_cpu", &target, &busy) || speaks("starved", &target, &busy);
    assert!(is_blamed);
    assert!(!speaks("generator_cpu", &Target::good(), &AT_REST));
}

#[test]
fn a_worker_that_shares_its_core_is_starved() {
    // What a thread starts runs where it may run itself.
    let pinned = thread::spawn(|| {
        let allowed = sched_getaffinity(None).unwrap();
        let core = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)).unwrap();
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let spinning: Vec<_> = (0..3)
            .map(|_| {
                let done = Arc::clone(&done);
                thread::spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        let bench = Bench::new();
        let target = thread::spawn(move || {
            // The target has all cores.
            sched_setaffinity(None, &allowed).unwrap();
            heavy()
        });
        let target = target.join().unwrap();
        let url = target.url();
        let flags = ["--duration", "2s", "--concurrency", "4", "--workers", "1", "--threads", "1", "--quiet"];
        let running =
            bench.start(&[&["run", "--scenario", "simple_chat", "--target", &url], &flags[..]].concat());
        let ended = running.wait(BOUND);
        done.store(true, Ordering::Relaxed);
        spinning.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        heard("starved", &bench)
    });
    assert!(pinned.join().unwrap());
    assert!(!speaks("starved", &Target::good(), &AT_REST));
}
