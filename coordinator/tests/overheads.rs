//! What a gateway adds, over real sockets, where its delay is drawn from a known distribution.
//!
//! Both arms are the same proxy in front of the same upstream, and only that of the gateway waits as well: so what the proxy
//! itself costs is in both, and cancels out. What is left over (a delay begins when the upstream's answer is there, and
//! threads wake late on a busy machine) is measured in the same run: each proxy notes how long it took over every request,
//! and the difference of their quantiles is the truth as the target saw it. The interval must reach what lies between that
//! and the distribution's own quantile.

// A helper that fails fails the test, which prints what it saw.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "simulation/random.rs"]
mod random;
mod support;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use random::{Correlated, Random};
use statrs::distribution::{ContinuousCDF, Normal};
use support::process::Bench;
use support::proxy::forward;
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// Enough for ten samples beyond P95.
const REQUESTS: usize = 240;
/// In milliseconds: what a worker's own threads may be late by, beside a twentieth of the truth.
const SLACK: f64 = 0.3;

/// How like the one before each delay is.
const INDEPENDENT: f64 = 0.0;
const CORRELATED: f64 = 0.9;

/// Delays of one block, in milliseconds, in an order that the seed decides. Every block has all steps of the distribution once,
/// so that no block has more of its tail than another by chance: that is for simulations, where it costs nothing to repeat them.
fn delays(seed: u64, correlation: f64, quantile: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut process = Correlated::new(correlation, &mut random);
    let mut order: Vec<(f64, usize)> = (0..REQUESTS).map(|at| (process.next(&mut random), at)).collect();
    order.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let mut delays = vec![0.0; REQUESTS];
    for (step, (_, at)) in order.into_iter().enumerate() {
        delays[at] = quantile((step as f64 + 0.5) / REQUESTS as f64);
    }
    delays
}

fn constant(_share: f64) -> f64 {
    4.0
}

/// With a median of 6 ms, and 13.7 ms at P95.
fn log_normal(share: f64) -> f64 {
    6.0 * (0.5 * Normal::new(0.0, 1.0).unwrap().inverse_cdf(share)).exp()
}

/// 5 ms, and for 2 % of requests 40 ms more.
fn bimodal(share: f64) -> f64 {
    if share < 0.98 { 5.0 } else { 45.0 }
}

/// Hands on what comes, and waits for as long as it is told to before it answers.
fn proxy(upstream: &Target, delays: Vec<f64>) -> Target {
    let upstream = upstream.address();
    Target::scripted(move |number, request| {
        let reply = forward(request, upstream);
        let delay = match request.purpose() {
            Purpose::Load if !delays.is_empty() => delays[number as usize % delays.len()],
            _ => 0.0,
        };
        Reply { after: reply.after + Duration::from_secs_f64(delay / 1e3), ..reply }
    })
}

/// In milliseconds.
fn observed(target: &Target, quantile: f64) -> f64 {
    let mut times = target.service_times();
    times.sort_unstable();
    times[((times.len() - 1) as f64 * quantile).round() as usize].as_secs_f64() * 1e3
}

/// Measures the gateway, and holds what is said to be added to these statistics against the truth.
fn held_against_the_truth(seed: u64, correlation: f64, quantile: fn(f64) -> f64) {
    // One at a time: what the others take of the cores would be in the figures.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let upstream = Target::scripted(|_, request| Reply::good(request).after(Duration::from_millis(2)));
    let delays = delays(seed, correlation, quantile);
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    let (gateway, direct) = (proxy(&upstream, delays), proxy(&upstream, Vec::new()));
    let (to, past) = (gateway.url(), direct.url());
    let requests = REQUESTS.to_string();
    let bench = Bench::new();
    let flags = [
        "run",
        "--scenario",
        "simple_chat",
        "--target",
        &to,
        "--direct",
        &past,
        "--rate",
        "240",
        "--requests",
        &requests,
        "--repeats",
        "4",
        "--connections",
        "32",
        "--warmup",
        "100ms",
        "--cool-down",
        "10ms",
        "--quiet",
    ];
    let finished = bench.run(&flags);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(gateway.service_times().len(), 4 * REQUESTS);

    let added = &results.report["results"][0]["overhead"]["response_time"];
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("mean", f64::NAN)] {
        let at = |end: &str| added[name][end].as_f64().unwrap() / 1e6;
        let (truth, seen) = if name == "mean" {
            let of = |target: &Target| {
                let times = target.service_times();
                times.iter().map(Duration::as_secs_f64).sum::<f64>() * 1e3 / times.len() as f64
            };
            (mean, of(&gateway) - of(&direct))
        } else {
            (quantile(share), observed(&gateway, share) - observed(&direct, share))
        };
        let slack = SLACK + 0.05 * truth;
        let (low, high) = (at("low_ns"), at("high_ns"));
        println!("{name}: truth {truth:.3}, seen {seen:.3}, interval {low:.3} to {high:.3} ms");
        assert!(
            low <= truth.max(seen) + slack && high >= truth.min(seen) - slack,
            "{name}: {low} to {high} ms does not reach {truth} ms, nor the {seen} ms that the proxies saw"
        );
        // An interval that holds everything would hold the truth as well; that of the median is narrow on any machine.
        assert!(name != "p50" || low > 0.0, "{name}: {low} to {high} ms");
    }
}

#[test]
fn a_constant_delay_is_found_again() {
    held_against_the_truth(40, INDEPENDENT, constant);
}

#[test]
fn a_log_normal_delay_is_found_again() {
    held_against_the_truth(41, INDEPENDENT, log_normal);
}

#[test]
fn a_delay_that_is_long_for_one_in_fifty_is_found_again() {
    held_against_the_truth(42, INDEPENDENT, bimodal);
}

#[test]
fn delays_that_take_after_each_other_are_found_again() {
    held_against_the_truth(43, CORRELATED, log_normal);
    held_against_the_truth(44, CORRELATED, bimodal);
}
