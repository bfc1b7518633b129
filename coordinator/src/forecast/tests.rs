use proptest::prelude::*;

use super::share::part;
use super::*;
use crate::cli::tests::parse_run;

fn config(flags: &[&str]) -> RunConfig {
    let (args, given) = parse_run(flags, &[("HOME", "/home/me")], ["", ""]).unwrap();
    RunConfig::new(&args, &given).unwrap()
}

fn told(flags: &[&str]) -> String {
    forecast(&config(flags))
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in\n{text}");
}

#[test]
fn blocks_stand_in_order_with_what_is_known_of_them() {
    let text = told(&[
        "--target",
        "http://a:1",
        "--direct",
        "http://b:2",
        "--repeats",
        "3",
        "--scenario",
        "simple_chat",
    ]);
    let after = text.lines().filter_map(|line| line.split_once("simple_chat, "));
    let arms: Vec<&str> = after.filter_map(|(_, rest)| rest.split(':').next()).collect();
    assert_eq!(arms, ["gateway", "direct", "direct", "gateway", "gateway", "direct"]);
    has(&text, "queueing check");
    has(&text, "as long as it takes");
    has(&text, "and 8 blocks that take as long as the target does");
}

#[test]
fn an_open_loop_says_how_long_it_takes_and_what_it_sends() {
    let text = told(&[
        "--rate",
        "50",
        "--duration",
        "10s",
        "--scenario",
        "simple_chat",
        "--workers",
        "4",
        "--warmup",
        "2s",
    ]);
    has(&text, "50 req/s, constant; 500 requests, 10s long; after 2s of warm-up");
    has(&text, "workers 0 to 3, each: 125 requests, 12.5 req/s, 64 connections");
    has(&text, "Time:     12s;");
    has(&text, "Requests: 500,");
    let bytes = config(&["--scenario", "simple_chat"]).scenarios[0].request.body.len();
    has(&text, &format!("{:.1} kB of bodies up", bytes as f64 * 500.0 / 1e3));
    // A count ends it sooner.
    has(&told(&["--rate", "50", "--duration", "10s", "--requests", "100"]), "100 requests, 2s long");
}

#[test]
fn shares_that_differ_are_told_apart_and_idle_workers_named() {
    let text =
        told(&["--requests", "1001", "--concurrency", "7", "--workers", "3", "--scenario", "simple_chat"]);
    has(&text, "worker 0: 429 requests, 3 in flight, 3 connections");
    has(&text, "workers 1 to 2, each: 286 requests, 2 in flight, 2 connections");
    let text = told(&["--concurrency", "1", "--workers", "2", "--scenario", "simple_chat"]);
    has(&text, "worker 1: nothing, for want of a connection");
}

#[test]
fn a_fleet_of_vms_says_what_it_costs() {
    let gcp = ["--fleet", "gcp", "--project", "p", "--zone", "z", "--target", "http://a:1", "--workers", "6"];
    let text = told(
        &[&gcp[..], &["--rate", "10", "--duration", "10m", "--warmup", "none", "--scenario", "simple_chat"]]
            .concat(),
    );
    has(&text, "6 VMs e2-standard-4");
    has(&text, "VM-hours: 1.00 for the blocks alone");
    has(&text, "at most 6.00");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn shares_add_up_to_the_whole(requests in 1u64..5_000, concurrency in 1u32..80, workers in 1u32..9, streams in 1u32..5) {
        let flags = [("--requests", requests), ("--concurrency", concurrency.into()), ("--workers", workers.into()), ("--streams", streams.into())];
        let mut words: Vec<String> = flags.iter().flat_map(|(flag, number)| [(*flag).to_owned(), number.to_string()]).collect();
        words.extend(["--http-version", "2", "--scenario", "simple_chat"].map(ToOwned::to_owned));
        let config = config(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let block = &blocks(&config)[0];
        let foreseen = Foreseen::of(block);
        let parts: Vec<_> = (0..workers).filter_map(|worker| part(block, foreseen, worker, workers)).collect();
        prop_assert_eq!(parts.iter().map(|part| part.requests.unwrap()).sum::<u64>(), requests);
        prop_assert_eq!(parts.iter().map(|part| part.in_flight.unwrap()).sum::<u64>(), u64::from(concurrency));
        prop_assert!(parts.iter().all(|part| part.connections > 0));
    }
}
