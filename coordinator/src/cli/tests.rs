use std::path::Path;

use clap::{CommandFactory, Parser};

use super::*;

/// The commands beside others, as the program has them.
#[derive(Debug, Parser)]
#[command(name = "archestra-bench")]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    #[command(flatten)]
    Coordinator(Command),
    /// Serve a coordinator
    Worker {
        /// Where
        #[arg(long)]
        listen: String,
    },
    /// Serve a coordinator as the program's own workers do
    Child {
        /// Where
        #[arg(long, default_value = "127.0.0.1:0", env = "LISTEN")]
        listen: String,
        /// What it proves itself with
        #[arg(long, env = "CREDENTIALS")]
        credentials: Option<String>,
        /// Or whom it obeys
        #[arg(long, env = "AUTHORITY", conflicts_with = "credentials")]
        authority: Option<String>,
        /// As children have it
        #[arg(long)]
        exit_with_stdin: bool,
    },
}

/// Parses `run` with these flags, variables and files (`.env`, `benchmark-config.env`).
pub(crate) fn parse_run(
    flags: &[&str],
    process: &[(&str, &str)],
    files: [&str; 2],
) -> Result<(Box<RunArgs>, Given), UsageError> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in variables::FILES.iter().zip(files) {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let invocation = parse_in(directory.path(), &[&["run"], flags].concat(), process)?;
    match invocation.command.role {
        Role::Coordinator(Command::Run(args)) => Ok((args, invocation.given)),
        other => panic!("not a run: {other:?}"),
    }
}

fn parse_in(
    directory: &Path,
    arguments: &[&str],
    process: &[(&str, &str)],
) -> Result<Invocation<Program>, UsageError> {
    let arguments = ["archestra-bench"].iter().chain(arguments).map(Into::into).collect();
    let process = process.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
    parse(arguments, process, directory)
}

fn run(flags: &[&str]) -> Box<RunArgs> {
    parse_run(flags, &[], ["", ""]).unwrap().0
}

fn sentence(flags: &[&str], process: &[(&str, &str)], files: [&str; 2]) -> String {
    let error = parse_run(flags, process, files).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn clap_finds_no_fault() {
    Program::command().debug_assert();
}

#[test]
fn nothing_needs_to_be_given() {
    let args = run(&[]);
    assert_eq!(args.fleet, FleetKind::Local);
    assert_eq!(args.scenarios, ["simple_chat", "chat_with_tools"]);
    assert_eq!((args.workers, args.requests, args.concurrency, args.rate), (None, None, vec![], vec![]));
    assert_eq!(args.timeout, Duration::from_secs(30));
    assert_eq!(args.connections.get(), 64);
    assert!(!args.no_keepalive && !args.plaintext && !args.quiet);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_files_in_order() {
    let files = [
        "NUM_REQUESTS=3\nCONCURRENCY=3\nWORKERS=3\n",
        "export NUM_REQUESTS=4\nexport ARCHESTRA_BENCH_SEED=4",
    ];
    let process = [("NUM_REQUESTS", "2"), ("CONCURRENCY", "2"), ("WORKERS", "")];
    let (args, given) = parse_run(&["--requests", "1"], &process, files).unwrap();

    assert_eq!(args.requests.unwrap().get(), 1);
    assert_eq!(args.concurrency[0].get(), 2);
    assert_eq!(args.workers.unwrap().get(), 3, "an empty variable counts as unset");
    assert_eq!(args.seed, Some(4));
    let origins = ["requests", "concurrency", "workers", "seed", "rate"].map(|id| given.origin(id));
    assert_eq!(
        origins,
        [Origin::Flag, Origin::Process, Origin::EnvFile, Origin::BenchmarkConfigFile, Origin::Default]
    );
    let places = ["requests", "concurrency", "workers", "seed", "rate"].map(|id| given.place(id));
    assert_eq!(
        places,
        [
            "--requests",
            "CONCURRENCY in the environment",
            "WORKERS in .env, line 3,",
            "ARCHESTRA_BENCH_SEED in benchmark-config.env, line 2,",
            "--rate"
        ]
    );
}

#[test]
fn lists_are_repeated_flags_or_separated_variables_and_flags_replace_them() {
    let process = [
        ("ARCHESTRA_BENCH_SCENARIOS", "simple_chat, a.toml,"),
        ("ARCHESTRA_BENCH_HEADERS", "a: 1,2\nb: 3\n"),
    ];
    let args = parse_run(&[], &process, ["", ""]).unwrap().0;
    assert_eq!(args.scenarios, ["simple_chat", "a.toml"]);
    let headers: Vec<_> =
        args.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
    assert_eq!(headers, [("a", "1,2"), ("b", "3")]);

    let nothing = [("ARCHESTRA_BENCH_SCENARIOS", " ,,"), ("ARCHESTRA_BENCH_HEADERS", "\n")];
    let (args, given) = parse_run(&[], &nothing, ["ARCHESTRA_BENCH_HEADERS='c: 4'", ""]).unwrap();
    assert_eq!(args.scenarios, ["simple_chat", "chat_with_tools"], "separators alone count as unset");
    assert_eq!((args.headers[0].name.as_str(), given.origin("headers")), ("c", Origin::EnvFile));
    assert_eq!(given.origin("scenarios"), Origin::Default);

    let args =
        parse_run(&["--scenario", "x.toml", "--scenario=y.json,z.json"], &process, ["", ""]).unwrap().0;
    assert_eq!(args.scenarios, ["x.toml", "y.json", "z.json"]);
}

#[test]
fn switches_can_be_turned_on_and_off_from_everywhere() {
    for (value, on) in [("true", true), ("1", true), ("false", false), ("0", false), ("", false)] {
        let args = parse_run(&[], &[("ARCHESTRA_BENCH_NO_KEEPALIVE", value)], ["", ""]).unwrap().0;
        assert_eq!(args.no_keepalive, on, "{value:?}");
    }
    assert!(run(&["--no-keepalive"]).no_keepalive);
    let beaten =
        parse_run(&["--no-keepalive=false"], &[("ARCHESTRA_BENCH_NO_KEEPALIVE", "1")], ["", ""]).unwrap().0;
    assert!(!beaten.no_keepalive);
    assert_eq!(
        sentence(&[], &[("ARCHESTRA_BENCH_QUIET", "maybe")], ["", ""]),
        "ARCHESTRA_BENCH_QUIET in the environment must be true or false, not `maybe`"
    );
}

#[test]
fn wrong_values_are_told_by_flag() {
    for (flags, expected) in [
        (["--requests", "0"], "--requests must be at least 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--workers", "4294967295"], "--workers must be at most 1000, not 4294967295"),
        (["--concurrency", "0"], "--concurrency must be at least 1"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--requests", "many"], "--requests must be a whole number, not `many`"),
        (["--http-version", "3"], "--http-version must be 1.1, 2 or auto, not `3`"),
        (["--streams", "0"], "--streams must be at least 1"),
        (["--fleet", "moon"], "--fleet must be one of local, addresses, gcp, ssh, not `moon`"),
        (["--arrivals", "all"], "--arrivals must be one of constant, poisson, not `all`"),
        (["--scenario", "simple_chat,"], "--scenario must not be empty"),
        (["--target", ""], "--target must not be empty"),
        (
            ["--header", "Host: x"],
            "--header must not set `Host`, which the engine writes itself; leave that header out",
        ),
        (
            ["--worker-address", "box"],
            "--worker-address must be HOST:PORT, such as 10.0.0.2:7700 or [::1]:7700, not `box`",
        ),
        (["--host", "a b"], "--host must be [USER@]HOST[:PORT], such as me@10.0.0.2 or [::1]:22, not `a b`"),
        (["--on-partial", "wait"], "--on-partial must be one of fail, continue, not `wait`"),
        (
            ["--timeout", "30"],
            "--timeout must be a duration with its unit, such as 30s, 500ms or 2m, not `30`",
        ),
    ] {
        assert_eq!(sentence(&flags, &[], ["", ""]), expected);
    }
    assert_eq!(sentence(&["--quiet=maybe"], &[], ["", ""]), "--quiet must be true or false, not `maybe`");
}

#[test]
fn wrong_values_are_told_by_variable_and_place() {
    let also_wrong_but_beaten = ["NUM_REQUESTS=0\n", "\nexport ARCHESTRA_BENCH_RATE=fast"];
    assert_eq!(
        sentence(&["--requests", "1"], &[], also_wrong_but_beaten),
        "ARCHESTRA_BENCH_RATE in benchmark-config.env, line 2, must be arrivals a second: `fast` is not a number of \
         requests per second, such as 250 or 0.5"
    );
    assert_eq!(
        sentence(&[], &[("CONCURRENCY", "0")], ["CONCURRENCY=5", ""]),
        "CONCURRENCY in the environment must be at least 1"
    );
    assert_eq!(
        sentence(&[], &[], ["# comment\nFLEET=moon", ""]),
        "FLEET in .env, line 2, must be one of local, addresses, gcp, ssh, not `moon`"
    );
}

#[test]
fn a_variable_that_a_flag_beats_may_be_wrong() {
    let args = parse_run(&["--requests", "7"], &[("NUM_REQUESTS", "0")], ["", ""]).unwrap().0;
    assert_eq!(args.requests.unwrap().get(), 7);
}

#[test]
fn other_tools_variables_are_ignored() {
    assert!(
        parse_run(&[], &[("REQUESTS", "0"), ("RATE", "x")], ["VITE_URL=x\nPATH=/nowhere", "export DOCKER=1"])
            .is_ok()
    );
}

#[test]
fn keys_come_from_files_too_but_home_does_not() {
    let (_, given) =
        parse_run(&[], &[("HOME", "/home/me")], ["OPENAI_API_KEY=sk-1\nHOME=/x\nXDG_STATE_HOME=/x", ""])
            .unwrap();
    assert_eq!(given.variable("OPENAI_API_KEY").unwrap(), "sk-1");
    assert_eq!(given.process_variable("HOME").unwrap(), "/home/me");
    assert_eq!(given.process_variable("XDG_STATE_HOME"), None);
}

#[test]
fn broken_files_stop_a_run_but_neither_help_nor_commands_without_variables() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".env"), "A=1\nnonsense\n").unwrap();
    let parse = |arguments: &[&str]| parse_in(directory.path(), arguments, &[]);

    let error = parse(&["run"]).unwrap_err();
    assert!(error.to_string().starts_with("line 2 of .env is no NAME=value; correct it"), "{error}");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(parse(&["run", "--help"]).unwrap_err().exit_code(), 0);
    assert!(matches!(
        parse(&["report", "report.json"]).unwrap().command.role,
        Role::Coordinator(Command::Report(args)) if args.path == Path::new("report.json")
    ));
    assert!(parse(&["worker", "--listen", "127.0.0.1:0"]).is_ok());
}

#[test]
fn unknown_flags_are_explained_in_one_line() {
    let error = parse_run(&["--request", "5"], &[], ["", ""]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.to_string(),
        "unexpected argument '--request' found; tip: a similar argument exists: '--requests'; \
         see `archestra-bench run --help`"
    );
}

#[test]
fn help_names_every_variable_and_default_and_no_value_from_the_environment() {
    let error = parse_run(&["--help"], &[("NUM_REQUESTS", "77")], ["", ""]).unwrap_err();
    assert_eq!(error.exit_code(), 0);
    let help = error.to_string();
    for name in variables_of("run") {
        assert!(help.contains(&format!("[env: {name}]")), "{name} is missing in\n{help}");
    }
    assert!(!help.contains("77"));

    let command = Program::command();
    let run = command.find_subcommand("run").unwrap();
    for argument in run.get_arguments() {
        let text = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let id = argument.get_id();
        assert!(!text.is_empty(), "{id} has no help");
        assert!(argument.get_env().is_some(), "{id} has no variable");
        assert!(
            text.contains("[default: ") || !argument.get_default_values().is_empty(),
            "{id} names no default"
        );
    }
}

#[test]
fn the_example_file_says_what_help_says() {
    let example = include_str!("../../../.env.example");
    let unset = parse_run(&[], &[], [example, ""]).unwrap().0;
    assert_eq!(format!("{unset:?}"), format!("{:?}", run(&[])), "as it is, it changes nothing");

    let set: String = example.lines().map(|line| format!("{}\n", without_comment_mark(line))).collect();
    let (args, given) = parse_run(&[], &[], [&set, ""]).unwrap();
    let defaults = run(&[]);
    for id in
        ["fleet", "scenarios", "path", "model", "timeout", "http_version", "lease", "arrivals", "connections"]
    {
        assert_eq!(given.origin(id), Origin::EnvFile, "{id}");
    }
    assert_eq!(args.scenarios, defaults.scenarios);
    assert_eq!((&args.path, &args.model), (&defaults.path, &defaults.model));
    assert_eq!(
        (args.timeout, args.lease, args.connections),
        (defaults.timeout, defaults.lease, defaults.connections)
    );
    assert_eq!((args.fleet, args.arrivals, args.no_keepalive), (defaults.fleet, defaults.arrivals, false));
    assert_eq!((args.requests.unwrap().get(), args.concurrency[0].get()), (1000, 10));
}

/// `#NAME=value` is a setting that is commented out; `# text` is a comment.
fn without_comment_mark(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|first: char| first.is_ascii_uppercase()) => setting,
        _ => line,
    }
}

fn variables_of(subcommand: &str) -> Vec<String> {
    let command = Program::command();
    let arguments = command.find_subcommand(subcommand).unwrap().get_arguments();
    arguments.filter_map(|argument| Some(argument.get_env()?.to_str().unwrap().to_owned())).collect()
}

#[test]
fn a_file_names_no_program() {
    for (name, flag) in
        [("ARCHESTRA_BENCH_SSH", "--ssh"), ("ARCHESTRA_BENCH_WORKER_BINARY", "--worker-binary")]
    {
        let line = format!("{name}=./evil.sh");
        for (files, file) in [([line.as_str(), ""], ".env"), (["", &line], "benchmark-config.env")] {
            assert_eq!(
                sentence(&[], &[], files),
                format!(
                    "{name} in {file}, line 1, names a program to run, which no file may do; give it as {flag} or in the \
                     process's environment"
                )
            );
            assert!(parse_run(&[flag, "mine"], &[], files).is_ok());
            assert!(parse_run(&[], &[(name, "mine")], files).is_ok());
        }
    }
}

/// What a child is told: where it listens, its credentials, its authority.
fn child(flags: &[&str], process: &[(&str, &str)], file: &str) -> (String, Option<String>, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".env"), file).unwrap();
    let parsed = parse_in(directory.path(), &[&["child"], flags].concat(), process).unwrap();
    match parsed.command.role {
        Role::Child { listen, credentials, authority, .. } => (listen, credentials, authority),
        other => panic!("not a child: {other:?}"),
    }
}

#[test]
fn a_flag_beats_the_variable_of_one_that_it_excludes() {
    let variables = [("CREDENTIALS", "file"), ("AUTHORITY", "ca")];
    let some = |text: &str| Some(text.to_owned());
    let here = "127.0.0.1:0".to_owned();
    assert_eq!(child(&["--credentials", "-"], &variables, ""), (here.clone(), some("-"), None));
    assert_eq!(child(&["--authority", "x"], &variables, ""), (here.clone(), None, some("x")));
    assert_eq!(child(&[], &variables, ""), (here, some("file"), some("ca")));
}

#[test]
fn children_of_a_coordinator_are_told_everything_with_flags() {
    let flags = ["--exit-with-stdin", "--credentials", "-"];
    let told = child(&flags, &[("AUTHORITY", "ca"), ("LISTEN", "0.0.0.0:1")], "X=$(id)\n");
    assert_eq!(told, ("127.0.0.1:0".into(), Some("-".into()), None));
}
