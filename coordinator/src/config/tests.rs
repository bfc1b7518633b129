use std::error::Error;
use std::num::NonZeroU64;

use proptest::prelude::*;
use proto::load::{Arrivals, Pace};

use super::*;
use crate::cli::tests::parse_run;
use crate::plan::Arm;

mod fleets;

const HOME: (&str, &str) = ("HOME", "/home/me");

pub(super) fn configure(
    flags: &[&str],
    process: &[(&str, &str)],
    files: [&str; 2],
) -> Result<RunConfig, ConfigError> {
    let (args, given) = parse_run(flags, &[&[HOME], process].concat(), files).unwrap();
    RunConfig::new(&args, &given)
}

pub(super) fn run(flags: &[&str]) -> RunConfig {
    configure(flags, &[], ["", ""]).unwrap()
}

pub(super) fn refused(flags: &[&str]) -> String {
    configure(flags, &[], ["", ""]).unwrap_err().to_string()
}

fn closed(concurrency: u32) -> Load {
    Load::Closed { concurrency: NonZeroU32::new(concurrency).unwrap(), think_time: None }
}

fn is_open(config: &RunConfig) -> bool {
    matches!(config.levels[0].load, Load::Open { .. })
}

fn requests(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

#[test]
fn streams_and_kept_connections_belong_to_http_2() {
    let config = run(&["--http-version", "2", "--streams", "25", "--concurrency", "100"]);
    assert_eq!((config.http_version, config.streams.get()), (HttpVersion::Http2, 25));
    assert_eq!(config.levels[0].load.connections(config.streams), 4);
    assert_eq!(
        refused(&["--streams", "25"]),
        "--streams is for HTTP/2; add --http-version 2 (or auto), or leave it out"
    );
    // A variable may wait for it.
    let waiting = configure(&[], &[("ARCHESTRA_BENCH_STREAMS", "25")], ["", ""]).unwrap();
    assert_eq!(waiting.streams.get(), 1);
    for version in ["2", "auto"] {
        assert_eq!(
            refused(&["--http-version", version, "--no-keepalive"]),
            "--no-keepalive is for HTTP/1.1, because HTTP/2 shares connections; leave it out, or give --http-version 1.1"
        );
    }
}

#[test]
fn without_any_configuration_the_mock_is_measured_on_this_machine() {
    let config = run(&[]);
    assert_eq!(config.target, TargetChoice::BuiltInMock);
    assert_eq!(config.fleet, FleetChoice::Local { workers: NonZeroU32::new(2).unwrap() });
    assert_eq!(
        config.scenarios.iter().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>(),
        ["simple_chat", "chat_with_tools"]
    );
    assert_eq!(
        (config.levels[0].load.clone(), config.extent),
        (closed(10), Extent::Requests(requests(1000)))
    );
    assert_eq!(config.levels[0].warm_up, WarmUp::Requests(requests(10)));
    assert_eq!((config.timeout, config.lease), (Duration::from_secs(30), Duration::from_secs(10)));
    assert!(config.keep_alive && !config.quiet && config.threads.is_none());
    assert_eq!(config.results_dir, Path::new("results"));
    assert_eq!(config.command_line, "archestra-bench run");
    assert_eq!(config.api_key.expose(), DEFAULT_API_KEY);
}

#[test]
fn the_old_variables_still_mean_what_they_meant() {
    let file =
        "export ARCHESTRA_API_URL=http://127.0.0.1:9000\nexport NUM_REQUESTS=500\nexport CONCURRENCY=20\n";
    let config = configure(&[], &[], ["", file]).unwrap();
    let TargetChoice::Url(target) = &config.target else { panic!("the mock") };
    assert_eq!(target.url.as_str(), "http://127.0.0.1:9000/");
    assert_eq!((config.levels[0].load.clone(), config.extent), (closed(20), Extent::Requests(requests(500))));
}

#[test]
fn a_plan_has_a_block_for_each_scenario() {
    let config = run(&["--seed", "7", "--no-keepalive", "--threads", "3", "--model", "small"]);
    let target = Target::new(url::Url::parse("http://127.0.0.1:1").unwrap());
    let plan = config.plan(&target);
    assert_eq!(
        plan.blocks.iter().map(|block| block.scenario.name.as_str()).collect::<Vec<_>>(),
        ["simple_chat", "chat_with_tools"]
    );
    for block in plan.blocks {
        assert_eq!((block.arm, &block.target), (Arm::Gateway, &target));
        assert_eq!(
            (&block.load, block.extent, block.warm_up),
            (&config.levels[0].load, config.extent, config.levels[0].warm_up)
        );
        assert_eq!((block.seed, block.keep_alive, block.threads.unwrap().get()), (7, false, 3));
        assert_eq!(block.timeout, config.timeout);
    }
}

#[test]
fn a_duration_given_alone_lifts_the_count() {
    let minute = Duration::from_secs(60);
    assert_eq!(run(&["--duration", "1m"]).extent, Extent::Duration(minute));
    assert_eq!(run(&["--duration", "1m", "--requests", "5"]).extent, Extent::Either(requests(5), minute));
    let with_variable = configure(&["--duration", "1m"], &[("NUM_REQUESTS", "5")], ["", ""]).unwrap();
    assert_eq!(with_variable.extent, Extent::Either(requests(5), minute));
    assert_eq!(run(&["--rate", "5"]).extent, Extent::Requests(requests(1000)));
}

#[test]
fn a_rate_makes_an_open_loop() {
    let config =
        run(&["--rate", "250", "--arrivals", "poisson", "--connections", "8", "--max-in-flight", "100"]);
    assert_eq!(
        config.levels[0].load,
        Load::Open {
            pace: Pace::Steady("250".parse().unwrap()),
            arrivals: Arrivals::Poisson,
            connections: NonZeroU32::new(8).unwrap(),
            max_in_flight: Some(requests(100)),
        }
    );
    assert_eq!(config.levels[0].warm_up, WarmUp::Duration(Duration::from_secs(1)));
    assert_eq!(run(&["--warmup", "none"]).levels[0].warm_up, WarmUp::None);
    assert_eq!(run(&["--concurrency", "3"]).levels[0].warm_up, WarmUp::Requests(requests(3)));
}

#[test]
fn of_rate_and_concurrency_the_one_from_the_higher_place_wins() {
    let rate = ("ARCHESTRA_BENCH_RATE", "250");
    let concurrency = ("CONCURRENCY", "20");
    assert!(is_open(&configure(&["--rate", "9"], &[concurrency], ["", ""]).unwrap()));
    assert_eq!(configure(&["--concurrency", "9"], &[rate], ["", ""]).unwrap().levels[0].load, closed(9));
    assert!(is_open(&configure(&[], &[rate], ["CONCURRENCY=20", ""]).unwrap()));
    assert_eq!(
        configure(&[], &[concurrency], ["ARCHESTRA_BENCH_RATE=250", ""]).unwrap().levels[0].load,
        closed(20)
    );
    assert!(is_open(&configure(&[], &[], ["ARCHESTRA_BENCH_RATE=250", "CONCURRENCY=20"]).unwrap()));

    assert_eq!(
        refused(&["--rate", "9", "--concurrency", "9"]),
        "--rate and --concurrency exclude each other; keep the rate for an open loop, or the concurrency for a closed one"
    );
    assert_eq!(
        configure(&[], &[], ["CONCURRENCY=1\nARCHESTRA_BENCH_RATE=1", ""]).unwrap_err().to_string(),
        "ARCHESTRA_BENCH_RATE in .env, line 2, and CONCURRENCY in .env, line 1, exclude each other; keep the rate for an \
         open loop, or the concurrency for a closed one"
    );
}

#[test]
fn open_loop_flags_need_a_rate_but_variables_may_wait_for_one() {
    for flags in [["--arrivals", "poisson"], ["--connections", "9"], ["--max-in-flight", "9"]] {
        assert_eq!(
            refused(&flags),
            format!(
                "{} is for an open loop; give --rate, --stage or --trace as well, or leave it out",
                flags[0]
            )
        );
        assert!(configure(&flags, &[("ARCHESTRA_BENCH_RATE", "9")], ["", ""]).is_ok());
    }
    assert_eq!(
        configure(&[], &[("ARCHESTRA_BENCH_CONNECTIONS", "9")], ["", ""]).unwrap().levels[0].load,
        closed(10)
    );
}

#[test]
fn every_worker_must_be_allowed_a_request_in_flight() {
    assert_eq!(
        refused(&["--rate", "9", "--workers", "3", "--max-in-flight", "2"]),
        "--max-in-flight is 2, less than the 3 workers, of which each needs at least 1; raise it to 3, or use fewer workers"
    );
    assert!(is_open(&run(&["--rate", "9", "--workers", "3", "--max-in-flight", "3"])));
}

#[test]
fn targets_are_base_urls_of_ones_own() {
    assert_eq!(
        configure(&[], &[("ARCHESTRA_API_URL", "localhost:9000")], ["", ""]).unwrap_err().to_string(),
        "ARCHESTRA_API_URL in the environment is `localhost:9000`, which has no scheme; write http://HOST:PORT or \
         https://HOST:PORT, here probably http://localhost:9000"
    );
    assert_eq!(
        refused(&["--target", "https://api.OpenAI.com"]),
        "--target names api.openai.com, which belongs to a model provider: a benchmark sends it thousands of requests that \
         cost money; name your gateway instead, or give --allow-provider if you mean it"
    );
    assert!(configure(&["--target", "https://api.openai.com", "--allow-provider"], &[], ["", ""]).is_ok());
}

#[test]
fn root_certificates_are_read_and_must_be_some() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let authority = crate::trust::Authority::ephemeral(&crate::clock::local_now()).unwrap();
    let (good, bad) = (file("good.pem", authority.certificate_pem()), file("bad.pem", "nothing"));
    let https = ["--target", "https://gateway.example"];

    let config = run(&[&https[..], &["--target-ca", &good, "--insecure-target"]].concat());
    let TargetChoice::Url(target) = config.target else { panic!("the mock") };
    assert_eq!((target.extra_roots.as_deref(), target.insecure), (Some(authority.certificate_pem()), true));

    assert_eq!(
        refused(&[&https[..], &["--target-ca", &bad]].concat()),
        format!(
            "{bad}, named by --target-ca, holds no certificate; give a PEM file with -----BEGIN CERTIFICATE----- in it"
        )
    );
    let missing =
        configure(&[&https[..], &["--target-ca", "/nowhere.pem"]].concat(), &[], ["", ""]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "failed to read /nowhere.pem, named by --target-ca (give a PEM file that this user can read)"
    );
    assert!(missing.source().is_some());
    assert_eq!(
        refused(&["--target", "http://h", "--insecure-target"]),
        "--insecure-target is for https targets only; leave it out, or give an https --target"
    );
}

#[test]
fn the_first_key_that_is_set_is_sent_and_shown_nowhere() {
    let both = [("OPENAI_API_KEY", "sk-openai-key"), ("ARCHESTRA_BENCHMARK_API_KEY", "sk-archestra-key")];
    let key = |process: &[(&str, &str)], file: &str| {
        configure(&[], process, [file, ""]).unwrap().api_key.expose().to_owned()
    };
    assert_eq!(key(&both, ""), "sk-archestra-key");
    assert_eq!(key(&both[..1], ""), "sk-openai-key");
    assert_eq!(key(&both[..1], "ARCHESTRA_BENCHMARK_API_KEY='sk-file'"), "sk-file");
    assert_eq!(key(&[("OPENAI_API_KEY", "")], ""), "sk-mock-key");

    let config = configure(&["--model", "sk-archestra-key"], &both, ["", ""]).unwrap();
    assert!(
        config.scenarios[0]
            .request
            .headers
            .contains(&("authorization".into(), "Bearer sk-archestra-key".into()))
    );
    assert!(!format!("{config:?}").contains("sk-archestra-key"));

    let broken = configure(&[], &[("OPENAI_API_KEY", "sk-a\nsk-b")], ["", ""]).unwrap_err().to_string();
    assert_eq!(
        broken,
        "OPENAI_API_KEY holds a blank, a line break or another character that no key has; set it to the key alone"
    );
}

#[test]
fn scenarios_are_found_or_refused() {
    assert!(refused(&["--scenario", "simple_chatt"]).contains("did you mean `simple_chat`?"));
    assert_eq!(run(&["--scenario", "simple_chat_stream"]).scenarios[0].name, "simple_chat_stream");
}

#[test]
fn a_lease_leaves_room_for_pings() {
    assert_eq!(
        refused(&["--lease", "900ms"]),
        "--lease must be at least 1s; within it the coordinator must be heard several times"
    );
}

#[test]
fn seeds_are_random_unless_given() {
    assert_eq!(run(&["--seed", "18446744073709551615"]).seed, u64::MAX);
    let seeds: std::collections::BTreeSet<_> = (0..8).map(|_| run(&[]).seed).collect();
    assert!(seeds.len() > 1);
}

#[test]
fn results_and_log_go_where_they_are_told() {
    let config = run(&["--results-dir", "out", "--quiet", "--log-format", "json", "--timeout", "5s"]);
    assert_eq!((config.results_dir.as_path(), config.quiet), (Path::new("out"), true));
    assert_eq!((config.log_format, config.timeout), (LogFormat::Json, Duration::from_secs(5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_number_means_the_same_from_every_place(number in 1u32..) {
        let text = number.to_string();
        for (flags, process, files) in [
            (vec!["--concurrency", text.as_str()], vec![], [String::new(), String::new()]),
            (vec![], vec![("CONCURRENCY", text.as_str())], [String::new(), String::new()]),
            (vec![], vec![], [format!("CONCURRENCY={text}"), String::new()]),
            (vec![], vec![], [String::new(), format!("export CONCURRENCY='{text}'")]),
        ] {
            let config = configure(&flags, &process, [&files[0], &files[1]]).unwrap();
            prop_assert_eq!(config.levels[0].load.clone(), closed(number));
        }
    }
}

#[test]
fn what_a_plan_takes_at_least_is_what_its_durations_say() {
    let takes = |flags: &[&str]| run(flags).least_time();
    assert_eq!(takes(&["--timeout", "1s"]), Duration::from_secs(2));
    assert_eq!(takes(&["--timeout", "1s", "--duration", "10s", "--warmup", "2s"]), Duration::from_secs(26));
}
