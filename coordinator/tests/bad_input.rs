//! Whatever a user gets wrong is answered with one line that says what and how to mend it, and leaves nothing behind.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::net::TcpListener;

use support::process::Bench;
use support::request::{Purpose, Reply};
use support::results::names;
use support::target::Target;

/// Runs and expects this code and one line of error that holds each of `parts`.
fn refused(bench: &Bench, arguments: &[&str], code: i32, parts: &[&str]) {
    let finished = bench.run(arguments);
    let stderr = finished.stderr.trim_end();
    assert_eq!(finished.code, Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains('\n'), "{arguments:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: `{part}` is not in: {stderr}");
    }
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{stderr}");
    assert_eq!(names(bench), Vec::<String>::new(), "{arguments:?} left something in results");
}

#[test]
fn wrong_flags_are_usage_errors() {
    let bench = Bench::new();
    for (flags, parts) in [
        (&["--scenario", "simple_chta"][..], &["simple_chta", "did you mean `simple_chat`"][..]),
        (&["--scenario", "missing.toml"], &["missing.toml"]),
        (&["--target", "::::"], &["--target", "::::"]),
        (&["--target", "localhost:9000"], &["http://localhost:9000"]),
        (&["--target", "https://api.openai.com"], &["--allow-provider", "money"]),
        (&["--requests", "0"], &["--requests", "at least 1"]),
        (&["--workers", "0"], &["--workers", "at least 1"]),
        (&["--concurrency", "0"], &["--concurrency", "at least 1"]),
        (&["--rate", "0"], &["--rate"]),
        (&["--rate", "5", "--concurrency", "5"], &["--rate", "--concurrency"]),
        (&["--http-version", "3"], &["--http-version", "auto"]),
        (&["--streams", "5"], &["--streams", "--http-version 2"]),
        (&["--http-version", "2", "--no-keepalive"], &["--no-keepalive", "--http-version 1.1"]),
        (&["--header", "no-colon"], &["--header"]),
        (&["--fleet", "addresses"], &["--worker-address"]),
        (&["--target", "http://127.0.0.1:9000/v1"], &["--target", "--path"]),
        (&["--connections", "5"], &["--connections", "--rate"]),
        (&["--fleet", "addresses", "--worker-address", "10.0.0.2:7000"], &["10.0.0.2:7000", "--target"]),
        (&["--warmup", "soon"], &["--warmup"]),
        (&["--target", "unix:gateway.sock"], &["unix:gateway.sock", "absolute"]),
        (&["--target", "unix:/g.sock", "--connect-to", "h:1"], &["--connect-to", "unix:"]),
        (&["--connect-to", "h:1"], &["--connect-to", "--target"]),
        (&["--target", "http://h", "--connect-to", "h"], &["--connect-to", "HOST:PORT"]),
        (&["--target", "http://h", "--local-address", "h"], &["--local-address", "IP address"]),
        (&["--target", "http://h", "--tls-server-name", "h"], &["--tls-server-name", "https"]),
        (&["--target", "https://h", "--tls-client-key", "none.key"], &["--tls-client-certificate"]),
    ] {
        refused(&bench, &[&["run"], flags].concat(), 2, parts);
    }
}

#[test]
fn what_is_no_command_or_flag_is_named_in_one_line() {
    let bench = Bench::new();
    for (arguments, parts) in [
        (&["run", "--requets", "5"][..], &["--requets", "--requests", "archestra-bench run --help"][..]),
        (&["run", "now"], &["now", "archestra-bench run --help"]),
        (&["runn"], &["runn", "'run'", "archestra-bench --help"]),
        (&["report"], &["<PATH>", "archestra-bench report --help"]),
        (&["run", "--requests"], &["--requests", "archestra-bench run --help"]),
        (&["run", "--requests", "5", "--requests", "6"], &["--requests", "archestra-bench run --help"]),
        (&["worker", "--listn", "x"], &["--listen", "archestra-bench worker --help"]),
    ] {
        refused(&bench, arguments, 2, parts);
    }
}

#[test]
fn near_misses_are_asked_for() {
    let bench = Bench::new();
    for (arguments, meant) in [
        (&["run", "--fleet", "loacl"][..], "did you mean `local`?"),
        (&["run", "--arrivals", "poison"], "did you mean `poisson`?"),
        (&["run", "--accept", "send_lags"], "did you mean `send_lag`?"),
        (&["compare", "a", "b", "--tolerance", "p98=1%"], "did you mean `p95`?"),
        (&["scenarios", "simple_chatstream"], "did you mean `simple_chat_stream`?"),
        (&["mokc"], "'mock'"),
    ] {
        refused(&bench, arguments, 2, &[meant]);
    }
    bench.file(".env", "ARCHESTRA_BENCH_THRESHOLD='p95<80ms'\n");
    refused(&bench, &["run"], 2, &["line 1", "did you mean `ARCHESTRA_BENCH_THRESHOLDS`?"]);
}

#[test]
fn a_scenario_file_is_held_to_what_it_may_say() {
    let bench = Bench::new();
    bench.file("typo.toml", "path = \"/v1/x\"\nbdoy = \"{}\"\n");
    refused(
        &bench,
        &["run", "--scenario", "typo.toml"],
        2,
        &["typo.toml", "line 2", "bdoy", "did you mean `body`?"],
    );
    bench.file("typo.json", "{\n\"path\": \"/v1/x\",\n\"expcet\": {}\n}");
    refused(&bench, &["run", "--scenario", "typo.json"], 2, &["typo.json", "line 3", "expcet"]);
    bench.file("cut.toml", "path = \"/v1/x\"\n[expect\n");
    refused(&bench, &["run", "--scenario", "cut.toml"], 2, &["cut.toml", "line 2"]);
    bench.file("body.toml", "path = \"/v1/x\"\nbody_file = \"not-here.json\"\n");
    refused(&bench, &["run", "--scenario", "body.toml"], 2, &["not-here.json"]);
    // Even root cannot read a folder as a file.
    bench.file("folder.toml/file", "");
    refused(&bench, &["run", "--scenario", "folder.toml"], 2, &["folder.toml"]);
}

#[test]
fn a_broken_line_in_env_is_named() {
    let bench = Bench::new();
    bench.file(".env", "WORKERS=2\nthis is no variable\n");
    refused(&bench, &["run"], 2, &["line 2", ".env"]);
    bench.file(".env", "\nNUM_REQUESTS=many\n");
    refused(&bench, &["run"], 2, &["NUM_REQUESTS", "line 2", ".env", "many"]);
    bench.file(".env", "NUM_REQUESTS=5\nOPENAI_API_KEY=pa$$word\n");
    refused(&bench, &["run"], 2, &["line 2 of .env has a $", "single quotes"]);
    let bench = Bench::new().variable("ARCHESTRA_BENCHMARK_API_KEY", "sk-secret\nX-Evil: 1");
    refused(&bench, &["run"], 2, &["ARCHESTRA_BENCHMARK_API_KEY"]);
}

#[test]
fn a_results_folder_that_cannot_be_made_is_found_before_anything_is_sent() {
    let (bench, target) = (Bench::new(), Target::good());
    bench.file("taken", "a file");
    let arguments = ["run", "--target", &target.url(), "--results-dir", "taken"];
    refused(&bench, &arguments, 1, &["taken", "--results-dir"]);
    assert_eq!(target.counts().preflight, 0);
}

#[test]
fn a_target_that_refuses_stops_the_run_before_the_load() {
    let long = format!("{{\"error\":\"{}END\"}}", "x".repeat(285));
    for (status, part) in [(401, "ARCHESTRA_BENCHMARK_API_KEY"), (403, "key"), (404, "--path")] {
        let (bench, target) = (Bench::new(), Target::status(status, &long));
        let status = format!("status {status}");
        refused(&bench, &["run", "--target", &target.url()], 1, &[&status, part, "simple_chat", "xxEND"]);
        let counts = target.counts();
        assert_eq!((counts.warm_up, counts.load), (0, 0));
        assert!(counts.preflight <= 2, "it is not tried again: {counts:?}");
    }

    let (bench, wrong) = (Bench::new(), Target::status(200, r#"{"hello":"world"}"#));
    refused(&bench, &["run", "--target", &wrong.url()], 1, &["does not expect", "hello"]);
    assert_eq!(wrong.counts().load, 0);
}

#[test]
fn three_hundred_characters_of_an_answer_are_shown_and_no_more() {
    let target = Target::status(404, &format!("{}END\u{1f980}SECOND", "\u{e9}".repeat(296)));
    let (bench, url) = (Bench::new(), target.url());
    refused(&bench, &["run", "--target", &url], 1, &["\u{e9}END\u{1f980}"]);
    assert!(!bench.run(&["run", "--target", &url]).stderr.contains("SECOND"));
}

#[test]
fn a_target_that_is_not_there_is_said_to_be_so() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    refused(&Bench::new(), &["run", "--target", &url], 1, &["connection refused", "--target"]);
    let nowhere = "http://no-such-host.invalid:9000";
    refused(&Bench::new(), &["run", "--target", nowhere], 1, &["no-such-host.invalid", "resolved"]);
    // Kept for documents.
    let elsewhere = ["run", "--target", "http://127.0.0.1:9000", "--local-address", "192.0.2.1"];
    refused(&Bench::new(), &elsewhere, 1, &["192.0.2.1", "--local-address"]);
}

#[test]
fn a_worker_that_is_no_worker_is_said_to_be_so() {
    let bench = Bench::new();
    let web = Target::status(200, "{}").address().to_string();
    refused(&bench, &["run", "--fleet", "addresses", "--worker-address", &web], 1, &[&web, "worker"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    refused(
        &bench,
        &["run", "--fleet", "addresses", "--worker-address", &closed],
        1,
        &[&closed, "cannot be reached"],
    );

    let garbage = listener.local_addr().unwrap().to_string();
    let speaking = std::thread::spawn(move || {
        // The first connection is the run's.
        let (mut stream, _) = listener.accept().unwrap();
        drop(stream.write_all(b"220 mail.example ESMTP\r\n"));
        std::thread::sleep(std::time::Duration::from_millis(300));
    });
    refused(&bench, &["run", "--fleet", "addresses", "--worker-address", &garbage], 1, &[&garbage, "worker"]);
    speaking.join().unwrap();
}

#[test]
fn plain_text_against_credentials_is_said_to_be_so() {
    let bench = Bench::new();
    let made = bench.run(&["pki", "--state-dir", "my state", "--out", "keys"]);
    assert!(
        made.stdout.contains("--fleet-name default --state-dir 'my state' --worker-address"),
        "{}",
        made.stdout
    );
    let worker = bench.start(&["worker", "--listen", "127.0.0.1:0", "--credentials", "keys/worker.pem"]);
    worker.wait_for("listening on ", support::process::BOUND);
    let address = worker.stdout().trim().rsplit_once('/').unwrap().1.to_owned();
    refused(
        &bench,
        &["run", "--fleet", "addresses", "--worker-address", &address],
        1,
        &["both sides speak TLS or neither", "--state-dir"],
    );
}

#[test]
fn a_full_device_behind_standard_output_is_said_to_be_so_with_where_the_results_are() {
    let bench = Bench::new();
    let program = env!("CARGO_BIN_EXE_archestra-bench");
    let command = format!("{program} run --requests 20 --quiet --scenario simple_chat > /dev/full");
    let finished = bench.start_program("sh", &["-c", &command]).wait(support::process::BOUND);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for part in ["standard output cannot be written (No space left", "the results are in results/summary_"] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
}

/// The kernel accepts connections for a listener that never does: nobody speaks, neither TLS nor plain text.
#[test]
fn a_worker_that_never_speaks_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let run = ["run", "--fleet", "addresses", "--worker-address", &address];
    let bench = Bench::new();
    refused(&bench, &[&run[..], &["--plaintext"]].concat(), 1, &[&address, "silent", "worker 0"]);
    assert_eq!(bench.run(&["pki", "--out", "keys"]).code, Some(0));
    refused(&bench, &run, 1, &[&address, "no handshake", "worker 0"]);
}

#[test]
fn flags_go_before_the_environment_before_env_before_the_config_file() {
    let targets: Vec<_> = (0..4).map(|_| Target::good()).collect();
    let [flag, process, env, config] = [0, 1, 2, 3].map(|place: usize| targets[place].url());
    let bench = Bench::new().variable("ARCHESTRA_API_URL", &process);
    bench.file(".env", &format!("ARCHESTRA_API_URL={env}\nNUM_REQUESTS=11\n"));
    bench.file("benchmark-config.env", &format!("export ARCHESTRA_API_URL={config}\nexport CONCURRENCY=3\n"));
    let run = |bench: &Bench, flags: &[&str]| {
        let arguments = [&["run", "--scenario", "simple_chat", "--warmup", "none"], flags].concat();
        let finished = bench.run(&arguments);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    };
    let loads = || targets.iter().map(|target| target.counts().load).collect::<Vec<_>>();

    run(&bench, &["--target", &flag]);
    assert_eq!(loads(), [11, 0, 0, 0]);
    run(&bench, &[]);
    assert_eq!(loads(), [11, 11, 0, 0]);
    let bench = bench.variable("ARCHESTRA_API_URL", "");
    run(&bench, &[]);
    assert_eq!(loads(), [11, 11, 11, 0]);
    bench.file(".env", "NUM_REQUESTS=5\n");
    run(&bench, &[]);
    assert_eq!(loads(), [11, 11, 11, 5]);
}

#[test]
fn the_key_reaches_the_target_and_nobody_else() {
    const KEY: &str = "sk-very-secret-7f3a";
    let target = Target::scripted(|_, request| {
        let bearer = request.header("authorization") == Some(&format!("Bearer {KEY}"));
        let reply = if bearer { Reply::good(request) } else { Reply::json(401, "{}") };
        match request.purpose() {
            Purpose::Load => reply.after(std::time::Duration::from_millis(20)),
            _ => reply,
        }
    });
    let bench = Bench::new().variable("ARCHESTRA_BENCHMARK_API_KEY", KEY).variable("RUST_LOG", "debug");
    let running =
        bench.start(&["run", "--target", &target.url(), "--requests", "300", "--scenario", "simple_chat"]);
    assert!(support::clock::wait_until(support::process::BOUND, || target.counts().load > 20));
    let processes = running.descendants();
    assert!(processes.len() >= 2);
    for process in processes {
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(KEY), "{file} of a child holds the key");
        }
    }
    let finished = running.wait(support::process::BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(!finished.stdout.contains(KEY) && !finished.stderr.contains(KEY));
    for entry in walk(&bench.folder().join("results")) {
        let text = std::fs::read(&entry).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(KEY), "{} holds the key", entry.display());
    }
}

/// A target that tells whoever asks what it was sent, as debugging gateways do.
#[test]
fn a_key_in_a_path_or_in_an_answer_is_taken_out() {
    const KEY: &str = "sk-very-secret-7f3a";
    let target = Target::scripted(|_, request| match request.purpose() {
        Purpose::Preflight => {
            let headers = ["authorization", "x-api-key"].map(|name| request.header(name).unwrap_or_default());
            Reply::json(503, &format!("{headers:?} {}", "-".repeat(240)))
        }
        _ => Reply::good(request),
    });
    let bench = Bench::new().variable("ARCHESTRA_BENCHMARK_API_KEY", KEY);
    let path = format!("/v1/x?key={KEY}&again={KEY}");
    let finished = bench.run(
        &[
            &[
                "run",
                "--target",
                &target.url(),
                "--requests",
                "20",
                "--scenario",
                "simple_chat",
                "--path",
                &path,
            ][..],
            &["--header", "x-team: a\nx-api-key: other-secret"],
        ]
        .concat(),
    );
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("Bearer [redacted]"), "{}", finished.stderr);
    let secrets = [KEY, "other-secret"];
    let hold_none = |text: &str| assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    hold_none(&finished.stdout);
    hold_none(&finished.stderr);
    for entry in walk(&bench.folder().join("results")) {
        hold_none(&String::from_utf8_lossy(&std::fs::read(&entry).unwrap()));
    }
    let report = std::fs::read_to_string(support::results::Results::of(&bench).report_path).unwrap();
    assert!(report.contains("/v1/x?key=[redacted]&again=[redacted]"));

    let wrong = bench.run(&["run", "--path", &format!("/v1 x?key={KEY}")]);
    hold_none(&wrong.stderr);
    let refusing = Target::status(401, "{}");
    let refused = bench.run(&["run", "--target", &refusing.url(), "--path", &path]);
    assert_eq!(refused.code, Some(1));
    hold_none(&refused.stderr);
}

#[test]
fn a_path_that_cannot_be_sent_is_named_where_it_was_given() {
    refused(&Bench::new(), &["run", "--path", "v1/x"], 2, &["--path cannot", "does not start with /"]);
    let bench = Bench::new().variable("ARCHESTRA_BENCH_PATH", "/v1 x");
    refused(&bench, &["run"], 2, &["ARCHESTRA_BENCH_PATH in the environment", "the character ` `"]);
    bench.file(".env", "ARCHESTRA_BENCH_PATH='/v1/ü'\n");
    let bench = bench.variable("ARCHESTRA_BENCH_PATH", "");
    refused(&bench, &["run"], 2, &["ARCHESTRA_BENCH_PATH in .env, line 1", "the character `ü`"]);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
