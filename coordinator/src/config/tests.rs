use std::error::Error;
use std::num::NonZeroU64;

use proptest::prelude::*;
use proto::load::{Arrivals, Pace};

use super::*;
use crate::cli::tests::parse_run;

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
    matches!(config.load, Load::Open { .. })
}

fn requests(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

#[test]
fn streams_and_kept_connections_belong_to_http_2() {
    let config = run(&["--http-version", "2", "--streams", "25", "--concurrency", "100"]);
    assert_eq!((config.http_version, config.streams.get()), (HttpVersion::Http2, 25));
    assert_eq!(config.load.connections(config.streams), 4);
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
    assert_eq!((config.load, config.extent), (closed(10), Extent::Requests(requests(1000))));
    assert_eq!(config.warm_up, WarmUp::Requests(requests(10)));
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
    assert_eq!((config.load, config.extent), (closed(20), Extent::Requests(requests(500))));
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
        assert_eq!((&block.load, block.extent, block.warm_up), (&config.load, config.extent, config.warm_up));
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
        config.load,
        Load::Open {
            pace: Pace::Steady("250".parse().unwrap()),
            arrivals: Arrivals::Poisson,
            connections: NonZeroU32::new(8).unwrap(),
            max_in_flight: Some(requests(100)),
        }
    );
    assert_eq!(config.warm_up, WarmUp::Duration(Duration::from_secs(1)));
    assert_eq!(run(&["--warmup", "none"]).warm_up, WarmUp::None);
    assert_eq!(run(&["--concurrency", "3"]).warm_up, WarmUp::Requests(requests(3)));
}

#[test]
fn of_rate_and_concurrency_the_one_from_the_higher_place_wins() {
    let rate = ("ARCHESTRA_BENCH_RATE", "250");
    let concurrency = ("CONCURRENCY", "20");
    assert!(is_open(&configure(&["--rate", "9"], &[concurrency], ["", ""]).unwrap()));
    assert_eq!(configure(&["--concurrency", "9"], &[rate], ["", ""]).unwrap().load, closed(9));
    assert!(is_open(&configure(&[], &[rate], ["CONCURRENCY=20", ""]).unwrap()));
    assert_eq!(configure(&[], &[concurrency], ["ARCHESTRA_BENCH_RATE=250", ""]).unwrap().load, closed(20));
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
    assert_eq!(configure(&[], &[("ARCHESTRA_BENCH_CONNECTIONS", "9")], ["", ""]).unwrap().load, closed(10));
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
fn addresses_decide_the_number_of_workers() {
    let flags =
        ["--fleet", "addresses", "--target", "http://h:1", "--worker-address", "10.0.0.2:7700,10.0.0.3:7700"];
    let with = |more: &[&str]| configure(&[&flags, more].concat(), &[], ["", ""]);
    let config = with(&["--fleet-name", "blue"]).unwrap();
    assert_eq!(config.fleet.workers(), 2);
    let FleetChoice::Addresses { addresses, plaintext, fleet_name, state_dir } = config.fleet else {
        panic!("a local fleet")
    };
    assert_eq!(state_dir, Path::new("/home/me/.local/state/archestra-bench"));
    assert_eq!(
        (addresses[1].to_string().as_str(), plaintext, fleet_name.as_str()),
        ("10.0.0.3:7700", false, "blue")
    );

    assert!(with(&["--workers", "2"]).is_ok());
    assert_eq!(
        with(&["--workers", "3"]).unwrap_err().to_string(),
        "--workers is 3, but there are 2 worker addresses; leave it out, or name as many workers"
    );
    assert_eq!(
        configure(&flags, &[("WORKERS", "9")], ["", ""]).unwrap().fleet.workers(),
        2,
        "addresses given as flags beat a variable"
    );
    assert_eq!(
        with(&["--worker-address", "10.0.0.2:7700"]).unwrap_err().to_string(),
        "--worker-address names 10.0.0.2:7700 twice; name every worker once"
    );
    assert_eq!(
        with(&["--plaintext"]).unwrap_err().to_string(),
        "--plaintext would send commands to 10.0.0.2:7700 unprotected; leave it out and give that worker the file that \
         `archestra-bench pki` makes (plain text is for loopback addresses only)"
    );
}

#[test]
fn fleets_refuse_what_belongs_to_others() {
    assert_eq!(
        refused(&["--fleet", "addresses"]),
        "--fleet is addresses, but no worker's address is given; add --worker-address HOST:PORT for each worker"
    );
    assert_eq!(
        configure(&[], &[("FLEET", "addresses")], ["", ""]).unwrap_err().to_string(),
        "FLEET in the environment is addresses, but no worker's address is given; add --worker-address HOST:PORT for each \
         worker"
    );
    for flags in [&["--worker-address", "h:1"][..], &["--plaintext"], &["--fleet-name", "blue"]] {
        let sentence = refused(flags);
        assert!(sentence.starts_with(&format!("{} is for --fleet addresses", flags[0])), "{sentence}");
    }
    assert!(configure(&[], &[("ARCHESTRA_BENCH_WORKER_ADDRESSES", "h:1")], ["", ""]).is_ok());
}

#[test]
fn hosts_are_dealt_workers_in_turn_and_the_first_are_used() {
    let ssh = ["--fleet", "ssh", "--target", "http://h:1", "--host", "me@a,me@b:2222"];
    let with = |more: &[&str]| match run(&[&ssh, more].concat()).fleet {
        FleetChoice::Ssh(choice) => choice,
        other => panic!("{other:?}"),
    };
    let shown = |choice: &SshChoice| choice.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();

    let choice = with(&[]);
    assert_eq!((shown(&choice), choice.workers.get()), (vec!["me@a".into(), "me@b:2222".into()], 2));
    assert_eq!((choice.on_partial, choice.program.as_path()), (OnPartial::Fail, Path::new("ssh")));
    assert_eq!(with(&["--workers", "5"]).workers.get(), 5);
    let one = with(&["--workers", "1"]);
    assert_eq!((shown(&one), one.workers.get()), (vec!["me@a".into()], 1));
    let told = with(&["--on-partial", "continue", "--worker-binary", "w", "--ssh", "./my-ssh"]);
    assert_eq!((told.on_partial, told.worker_binary.as_deref()), (OnPartial::Continue, Some(Path::new("w"))));
}

#[test]
fn hosts_may_come_from_a_file_whose_broken_lines_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.txt");
    let path = path.to_str().unwrap();
    let ssh = ["--fleet", "ssh", "--target", "http://h:1", "--hosts", path];
    std::fs::write(path, "# load machines\nme@a\n\n  me@b:2222  # the slow one\n").unwrap();
    assert_eq!(run(&ssh).fleet.workers(), 2);
    std::fs::write(path, "\u{feff}me@a\r\nme@b:2222\r\n").unwrap();
    assert_eq!(run(&ssh).fleet.workers(), 2, "as some editors write it");
    let both = configure(&ssh, &[("ARCHESTRA_BENCH_HOSTS", "c,d,e")], ["", ""]).unwrap();
    assert_eq!(both.fleet.workers(), 2, "a file given as a flag beats hosts in a variable");
    assert_eq!(
        refused(&[&ssh[..], &["--host", "c"]].concat()),
        "--host and --hosts exclude each other; keep the one that names all hosts"
    );

    std::fs::write(path, "me@a\nme@b;id\n").unwrap();
    assert_eq!(
        refused(&ssh),
        format!(
            "line 2 of {path}, named by --hosts, must be [USER@]HOST[:PORT], such as me@10.0.0.2 or [::1]:22, not \
             `me@b;id`"
        )
    );
    std::fs::write(path, "# none\n").unwrap();
    assert_eq!(
        refused(&ssh),
        format!("{path}, named by --hosts, names no host; write one a line, as [USER@]HOST[:PORT]")
    );
    std::fs::remove_file(path).unwrap();
    assert_eq!(
        refused(&ssh),
        format!("failed to read {path}, named by --hosts (give a text file that this user can read)")
    );
}

#[test]
fn an_ssh_fleet_needs_hosts_and_a_target_that_they_can_reach() {
    assert_eq!(
        refused(&["--fleet", "ssh", "--target", "http://h:1"]),
        "--fleet is ssh, but no host is given; add --host USER@HOST for each machine, or --hosts FILE with one a line"
    );
    assert!(
        refused(&["--fleet", "ssh", "--host", "me@a"]).starts_with("me@a cannot reach the built-in mock")
    );
    assert_eq!(
        refused(&["--fleet", "ssh", "--target", "http://h:1", "--host", "a,b,a"]),
        "--host names a twice; name every host once, and give --workers for several workers on each"
    );
    for flags in [
        &["--host", "a"][..],
        &["--hosts", "f"],
        &["--on-partial", "fail"],
        &["--worker-binary", "f"],
        &["--ssh", "s"],
    ] {
        let sentence = refused(flags);
        assert!(sentence.starts_with(&format!("{} is for --fleet ssh", flags[0])), "{sentence}");
    }
    assert_eq!(
        refused(&["--fleet", "ssh", "--host", "a", "--target", "http://h:1", "--plaintext"]),
        "--plaintext is for --fleet addresses; add that, or leave it out"
    );
    assert!(
        configure(
            &[],
            &[("ARCHESTRA_BENCH_HOSTS", "a"), ("ARCHESTRA_BENCH_ON_PARTIAL", "continue")],
            ["", ""]
        )
        .is_ok()
    );
}

#[test]
fn workers_elsewhere_cannot_reach_the_mock() {
    assert_eq!(
        refused(&["--fleet", "addresses", "--worker-address", "127.0.0.1:1,10.0.0.2:7700"]),
        "10.0.0.2:7700 cannot reach the built-in mock, which listens on this machine's loopback only; give --target URL, \
         the base URL of a gateway or of an `archestra-bench mock` that every worker can reach"
    );
    assert!(
        configure(&["--fleet", "addresses", "--worker-address", "[::1]:1", "--plaintext"], &[], ["", ""])
            .is_ok()
    );
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
fn authorities_are_kept_where_the_user_keeps_such_things() {
    let state = |flags: &[&str], process: &[(&str, &str)]| {
        let (args, given) = parse_run(flags, process, ["", ""]).unwrap();
        state_dir(args.state_dir.as_deref(), &given).map_err(|error| error.to_string())
    };
    let xdg = ("XDG_STATE_HOME", "/state");
    assert_eq!(state(&["--state-dir", "/mine"], &[HOME, xdg]), Ok("/mine".into()));
    assert_eq!(state(&[], &[HOME, ("ARCHESTRA_BENCH_STATE_DIR", "mine")]), Ok("mine".into()));
    assert_eq!(state(&[], &[HOME, xdg]), Ok("/state/archestra-bench".into()));
    assert_eq!(
        state(&[], &[HOME, ("XDG_STATE_HOME", "relative")]),
        Ok("/home/me/.local/state/archestra-bench".into())
    );
    assert_eq!(
        state(&[], &[]),
        Err("there is no place for certificate authorities, because neither HOME nor XDG_STATE_HOME is set; give \
             --state-dir DIR"
            .into())
    );
}

#[test]
fn a_fleet_that_keeps_no_authority_needs_no_place_for_one() {
    let configured = |flags: &[&str]| {
        let (args, given) = parse_run(flags, &[], ["", ""]).unwrap();
        RunConfig::new(&args, &given).map_err(|error| error.to_string())
    };
    assert!(configured(&[]).is_ok());
    let elsewhere = configured(&["--fleet", "addresses", "--worker-address", "127.0.0.1:7700"]);
    assert!(elsewhere.unwrap_err().contains("no place for certificate authorities"));
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
            prop_assert_eq!(config.load, closed(number));
        }
    }
}

#[test]
fn vms_need_a_project_a_zone_and_a_target_that_they_can_reach() {
    let gcp = |flags: &[&str]| refused(&[&["--fleet", "gcp"], flags].concat());
    assert!(gcp(&[]).starts_with("no Google Cloud project is named"));
    assert!(gcp(&["--project", "p"]).starts_with("no zone is named"));
    let place = ["--project", "p", "--zone", "europe-west1-b,europe-west1-c"];
    assert!(gcp(&place).starts_with("VMs cannot reach the built-in mock"));
    let with = |flags: &[&str]| gcp(&[&place[..], &["--target", "http://h:1"], flags].concat());
    for (flags, part) in [
        (&["--max-run-duration", "19m"][..], "at least 20m"),
        (&["--own-address-url", "none"], "--source-range"),
        (&["--own-address-url", "ftp://x"], "https://"),
        (&["--worker-url", "https://x/w"], "--worker-sha256"),
        (&["--worker-sha256", &"0".repeat(64)], "--worker-url"),
        (
            &["--worker-url", "https://x/w", "--worker-sha256", &"0".repeat(64), "--worker-delivery", "ssh"],
            "--worker-delivery and --worker-url are two ways",
        ),
        (
            &["--worker-url", "https://x/w", "--worker-sha256", &"0".repeat(64), "--service-account", "a@p"],
            "--service-account is for a binary in a bucket",
        ),
        (
            &["--worker-delivery", "ssh", "--service-account", "a@p"],
            "--service-account is for a binary in a bucket",
        ),
        (&["--fleet-name", "Blue"], "lower-case"),
        (&["--host", "a"], "--fleet ssh"),
        (&["--plaintext"], "--fleet addresses"),
    ] {
        let sentence = with(flags);
        assert!(sentence.contains(part), "{flags:?}: {sentence}");
    }
    for flag in ["--spot", "--cleanup-after", "--yes"] {
        assert!(refused(&[flag]).starts_with(&format!("{flag} is for --fleet gcp")), "{}", refused(&[flag]));
    }

    let config = run(&[&["--fleet", "gcp", "--target", "http://h:1"], &place[..]].concat());
    let FleetChoice::Gcp { workers, config, cleanup_after } = config.fleet else { panic!("another fleet") };
    assert_eq!((workers.get(), cleanup_after), (4, false));
    assert_eq!(config.zones, ["europe-west1-b", "europe-west1-c"]);
    assert_eq!(config.compute_endpoint.as_str(), "https://compute.googleapis.com/compute/v1/");
    assert_eq!(config.max_run_duration, Duration::from_secs(3600));
}

#[test]
fn what_a_plan_takes_at_least_is_what_its_durations_say() {
    let takes = |flags: &[&str]| run(flags).least_time();
    assert_eq!(takes(&["--timeout", "1s"]), Duration::from_secs(2));
    assert_eq!(takes(&["--timeout", "1s", "--duration", "10s", "--warmup", "2s"]), Duration::from_secs(26));
}
