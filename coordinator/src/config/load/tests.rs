use std::time::Duration;

use proto::load::{Extent, Load, Pace, WarmUp};

use crate::config::tests::{configure, refused, run};

/// The stages of a load: milliseconds and thousandths of a request per second.
fn stages(flags: &[&str]) -> Vec<(u128, u64, u64)> {
    let Load::Open { pace: Pace::Stages(stages), .. } = run(flags).levels[0].load.clone() else {
        panic!("no stages")
    };
    stages
        .iter()
        .map(|stage| (stage.duration.as_millis(), stage.from_millihertz, stage.to_millihertz))
        .collect()
}

#[test]
fn stages_stay_step_or_go_on_from_the_one_before() {
    let flags = ["--stage", "30s:100/s", "--stage", "1m:..500/s,10s:0/s", "--stage", "5s:..50/s"];
    let expected =
        [(30_000, 100_000, 100_000), (60_000, 100_000, 500_000), (10_000, 0, 0), (5_000, 0, 50_000)];
    assert_eq!(stages(&flags), expected);
    let config = run(&flags);
    assert_eq!(config.extent, Extent::Duration(Duration::from_secs(105)));
    assert_eq!(config.levels[0].warm_up, WarmUp::Duration(Duration::from_secs(1)));
    assert_eq!(stages(&["--stage", "1s:..5"]), [(1_000, 0, 5_000)]);
}

#[test]
fn a_load_goes_by_one_thing_alone() {
    assert_eq!(
        refused(&["--stage", "30s:100/s", "--rate", "5"]),
        "--stage and --rate exclude each other; keep the rate where it stays the same, or the stages where it changes"
    );
    assert_eq!(
        refused(&["--stage", "30s:100/s", "--concurrency", "5"]),
        "--stage and --concurrency exclude each other; keep the stages for an open loop, or the concurrency for a closed one"
    );
    for beside in [["--requests", "9"], ["--duration", "9s"]] {
        assert_eq!(
            refused(&[&["--stage", "30s:100/s"][..], &beside].concat()),
            format!(
                "--stage and {} exclude each other; the stages say how long the load lasts, so leave that out",
                beside[0]
            )
        );
    }
}

#[test]
fn of_what_excludes_each_other_the_one_from_the_higher_place_wins() {
    let variables = [("ARCHESTRA_BENCH_RATE", "5"), ("CONCURRENCY", "5"), ("NUM_REQUESTS", "5")];
    let variables = |from: usize| &variables[from..];
    let staged = configure(&["--stage", "1s:7"], variables(0), ["", ""]).unwrap();
    assert!(matches!(staged.levels[0].load, Load::Open { pace: Pace::Stages(_), .. }));
    assert_eq!(staged.extent, Extent::Duration(Duration::from_secs(1)));

    let in_a_file = ["ARCHESTRA_BENCH_STAGES=1s:7,1s:8", ""];
    let closed = configure(&[], variables(1), in_a_file).unwrap();
    assert!(matches!(closed.levels[0].load, Load::Closed { .. }));
    assert_eq!(
        configure(&[], variables(2), in_a_file).unwrap_err().to_string(),
        "ARCHESTRA_BENCH_STAGES in .env, line 1, and NUM_REQUESTS in the environment exclude each other; the stages say \
         how long the load lasts, so leave that out"
    );
}

#[test]
fn only_connections_think() {
    let shortest = |flags: &[&str], variables: &[(&str, &str)]| match configure(flags, variables, ["", ""])
        .unwrap()
        .levels[0]
        .load
    {
        Load::Closed { think_time, .. } => think_time.map(|time| time.shortest().as_millis()),
        Load::Open { .. } => None,
    };
    assert_eq!(shortest(&["--think-time", "50ms..150ms"], &[]), Some(50));
    let variable = [("ARCHESTRA_BENCH_THINK_TIME", "100ms")];
    assert_eq!(shortest(&[], &variable), Some(100));
    assert_eq!(shortest(&["--rate", "5"], &variable), None, "a variable may wait for a closed loop");
    for beside in [["--rate", "9"], ["--stage", "1s:9/s"]] {
        assert_eq!(
            refused(&[&["--think-time", "1s"][..], &beside].concat()),
            format!(
                "--think-time and {} exclude each other; arrivals wait for no answer, so leave one of them out",
                beside[0]
            )
        );
    }
}

#[test]
fn stages_without_a_request_or_too_short_are_refused() {
    assert_eq!(
        refused(&["--stage", "30s:0/s"]),
        "--stage: the stages hold no request: at least one must have a rate above 0; change them"
    );
    assert_eq!(
        refused(&["--stage", "99ms:5/s"]),
        "--stage: the stages hold one that is shorter than 100ms or longer than 7 days; change them"
    );
    let flags = ["--stage", "1s:5", "--workers", "3", "--max-in-flight", "2"];
    assert!(refused(&flags).starts_with("--max-in-flight is 2, less than the 3 workers"));
}

#[test]
fn stages_and_traces_take_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    std::fs::write(&path, "{\"timestamp\": 5000}\n{\"timestamp\": 65000}\n").unwrap();
    let path = path.to_str().unwrap();
    let rest = ["--warmup", "none", "--timeout", "1s", "--scenario", "simple_chat"];
    let takes = |shape: &[&str]| run(&[shape, &rest].concat()).least_time().as_secs();
    assert_eq!(takes(&["--stage", "10s:5,20s:..9"]), 31);
    assert_eq!(takes(&["--trace", path]), 61);
    assert_eq!(takes(&["--trace", path, "--trace-speed", "2x"]), 31);
    assert_eq!(run(&["--trace", path]).extent, Extent::Requests(2.try_into().unwrap()));
}

#[test]
fn there_are_no_more_bodies_than_requests_where_their_number_is_known() {
    let bodies = |shape: &[&str]| {
        let flags = ["--scenario", "simple_chat", "--input-tokens", "5"];
        run(&[shape, &flags].concat()).scenarios[0].variety.as_ref().unwrap().bodies
    };
    assert_eq!(bodies(&["--stage", "1s:5/s,2s:..10/s"]), 20);
    assert_eq!(bodies(&["--rate", "7", "--duration", "1500ms"]), 11);
    assert_eq!(bodies(&["--rate", "7", "--duration", "1500ms", "--requests", "9"]), 9);
    assert_eq!(bodies(&["--rate", "7", "--duration", "1500ms", "--arrivals", "poisson"]), 10_000);
    assert_eq!(bodies(&["--requests", "9"]), 9);
    assert_eq!(bodies(&["--duration", "9s"]), 10_000);
    assert_eq!(bodies(&["--duration", "9s", "--bodies", "77"]), 77);
}
