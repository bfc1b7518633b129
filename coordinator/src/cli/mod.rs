//! The command line: every flag, its variable, its unit and its default.
//!
//! [`parse`] also takes settings from the environment and from two files; [`values`] says how each value is read.

mod arms;
mod bodies;
mod capacity;
mod compare;
mod dry_run;
mod env_file;
mod error;
mod gcp;
mod goodput;
mod history;
mod machines;
mod manual;
mod mix;
mod outputs;
mod parse;
mod pki;
mod report;
mod scenarios;
mod shape;
mod ssh;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod thresholds;
mod ui;
pub mod values;
mod variables;

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use proto::load::{Rate, WarmUp};
use proto::target::HttpVersion;

use crate::scenario::Header;
use crate::trust::FleetName;

pub use arms::{ArmArgs, OrderKind};
pub use bodies::BodyArgs;
pub use capacity::{CapacityArgs, Precision};
pub use compare::{Amount, CompareArgs, CompareFormat, Tolerance};
pub use dry_run::DryRunArgs;
pub use env_file::ProcessVariables;
pub use error::UsageError;
pub use gcp::{DeliveryKind, FleetArgs, GcpArgs, InventoryArgs, ReachKind, SetupArgs};
pub use goodput::{GoalBound, GoodputArgs};
pub use history::{ListArgs, ListFormat, OpenArgs, ResultsArgs};
pub use machines::{MachinesArgs, OnPartial};
pub use manual::{CompletionsArgs, ManArgs, PageFormat};
pub use mix::{MixArgs, Weighted};
pub use outputs::OutputArgs;
pub use parse::{Given, Invocation, parse};
pub use pki::PkiArgs;
pub use report::{ReportArgs, ReportFormat};
pub use scenarios::ScenariosArgs;
pub use shape::{ShapeArgs, StageArg};
pub use ssh::{SshArgs, SshHost};
pub use target::TargetArgs;
pub use thresholds::ThresholdArgs;
pub use ui::UiArgs;
pub use values::WorkerAddress;
pub use variables::{Origin, process_variables};

const ABOUT_SETTINGS: &str = "\
Every setting is taken from, in this order: the flag, the variable in the environment, `.env`, `benchmark-config.env` \
(both in the current directory), the default. An empty variable counts as unset. A file that names a program \
(ARCHESTRA_BENCH_SSH, ARCHESTRA_BENCH_WORKER_BINARY) is refused: give it as a flag or in the environment.

The bearer key is ARCHESTRA_BENCHMARK_API_KEY, else OPENAI_API_KEY, else `sk-mock-key`; there is no flag for it, \
because command lines can be read by everybody on a machine.

Exit codes: 0 all well; 1 something failed; 2 wrong usage or configuration; 3 measured, but the verdict is invalid; \
4 a threshold was missed, or a run is worse than another; 130 interrupted.";

/// What the coordinator can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load a target from all workers and write the global percentiles
    #[command(after_help = ABOUT_SETTINGS)]
    Run(Box<RunArgs>),
    /// Find the highest rate that a target carries while it holds its objectives
    #[command(after_help = ABOUT_SETTINGS)]
    Capacity(Box<CapacityArgs>),
    /// Print an earlier run again, from its histograms alone: its summary, or tables and records for other programs
    Report(ReportArgs),
    /// Recompute every figure of an earlier run and check that its counts and histograms add up
    Verify {
        /// The run: its folder, its report.json or its summary
        path: PathBuf,
    },
    /// Compare two runs, and exit with 4 where the later one is worse beyond what is tolerated
    Compare(CompareArgs),
    /// List past results, the newest first
    List(ListArgs),
    /// Open the report of the last run, or of another
    Open(OpenArgs),
    /// Make the credentials that workers on other machines need
    Pki(PkiArgs),
    /// Make the platform's VM in Google Cloud, wait until it answers, and write benchmark-config.env
    Setup(Box<SetupArgs>),
    /// List everything that a fleet has in Google Cloud
    Status(Box<InventoryArgs>),
    /// Delete everything that a fleet has in Google Cloud
    Cleanup(Box<InventoryArgs>),
    /// Write `.env` and a scenario file into the current folder, both with comments and ready to run
    Init,
    /// List the scenarios, or show one as it would be sent
    Scenarios(Box<ScenariosArgs>),
    /// Print what a shell sources to complete commands and flags
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
}

/// Where workers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FleetKind {
    /// Child processes on this machine
    Local,
    /// Workers that somebody started elsewhere
    Addresses,
    /// VMs in Google Cloud, made as they are needed
    Gcp,
    /// Processes on machines that ssh reaches
    Ssh,
}

/// How open-loop arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArrivalKind {
    /// Evenly
    Constant,
    /// With exponential gaps, as independent users arrive
    Poisson,
}

/// How the program's own log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The flags of `run`. What is `None` was given nowhere; [`crate::config`] knows the defaults of those.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where the workers run
    #[arg(long, value_name = "KIND", value_enum, default_value_t = FleetKind::Local)]
    #[arg(env = "FLEET", help_heading = FLEET)]
    pub fleet: FleetKind,

    /// Number of workers [default: 2 for `local`, 4 for `gcp`, the number of addresses for `addresses`, of hosts for `ssh`]
    #[arg(long, value_name = "N", value_parser = values::workers, env = "WORKERS", help_heading = FLEET)]
    pub workers: Option<NonZeroU32>,

    /// Where a worker listens; repeatable, or separated by commas [default: none]
    #[arg(long = "worker-address", value_name = "HOST:PORT", value_parser = values::worker_address)]
    #[arg(value_delimiter = ',', env = "ARCHESTRA_BENCH_WORKER_ADDRESSES", help_heading = FLEET)]
    pub worker_addresses: Vec<WorkerAddress>,

    /// Whose certificate authority the workers at the addresses trust; `pki` makes it
    #[arg(long, value_name = "NAME", default_value = FleetName::DEFAULT, value_parser = values::fleet_name)]
    #[arg(env = "ARCHESTRA_BENCH_FLEET_NAME", help_heading = FLEET)]
    pub fleet_name: FleetName,

    /// Talk to the workers without TLS; only for addresses on this machine's loopback
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_PLAINTEXT", help_heading = FLEET)]
    pub plaintext: bool,

    /// Of the ssh fleet.
    #[command(flatten)]
    pub ssh: SshArgs,

    /// Of fleets of other machines.
    #[command(flatten)]
    pub machines: MachinesArgs,

    /// Of Google Cloud.
    #[command(flatten)]
    pub gcp: GcpArgs,

    /// Delete the VMs that carry load when the run has ended; without it they stay for the next run, until Google
    /// deletes them after --max-run-duration
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_CLEANUP_AFTER", help_heading = "Google Cloud")]
    pub cleanup_after: bool,

    /// Engine threads of each worker [default: the cores that it may use; workers of one machine divide them, at least 1]
    #[arg(long, value_name = "N", value_parser = values::count_u32)]
    #[arg(env = "ARCHESTRA_BENCH_THREADS", help_heading = FLEET)]
    pub threads: Option<NonZeroU32>,

    /// How long a worker goes on when it hears nothing from the coordinator; at least 1s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_LEASE", help_heading = FLEET)]
    pub lease: Duration,

    /// Base URL of the system under test, without a path, or unix:/PATH of a socket on the workers' machines
    /// [default: the built-in mock, started for the run]
    #[arg(long, value_name = "URL", value_parser = values::text, env = "ARCHESTRA_API_URL", help_heading = TARGET)]
    pub target: Option<String>,

    /// File (PEM) with root certificates that are trusted beside the system's, for an https target [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_TARGET_CA", help_heading = TARGET)]
    pub target_ca: Option<PathBuf>,

    /// Accept any certificate of an https target; the report says so
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_INSECURE_TARGET", help_heading = TARGET)]
    pub insecure_target: bool,

    /// How the target is reached, and what it is shown.
    #[command(flatten)]
    pub reach: TargetArgs,

    /// What is compared.
    #[command(flatten)]
    pub arms: ArmArgs,

    /// Allow a target that belongs to a model provider, whose every request costs money
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_ALLOW_PROVIDER", help_heading = TARGET)]
    pub allow_provider: bool,

    /// What to send: simple_chat, chat_with_tools, simple_chat_stream, chat_with_tools_stream, or a .toml or .json file;
    /// repeatable, or separated by commas
    #[arg(long = "scenario", value_name = "NAME|FILE", default_value = "simple_chat,chat_with_tools")]
    #[arg(value_delimiter = ',', value_parser = values::text, env = "ARCHESTRA_BENCH_SCENARIOS")]
    #[arg(help_heading = REQUESTS)]
    pub scenarios: Vec<String>,

    /// What is mixed.
    #[command(flatten)]
    pub mixed: MixArgs,

    /// Path and query of the built-in scenarios, and of scenario files that name none
    #[arg(long, value_name = "PATH", default_value = "/v1/openai/chat/completions", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_PATH", help_heading = REQUESTS)]
    pub path: String,

    /// Model that the built-in scenarios ask for; scenario files keep their own
    #[arg(long, value_name = "NAME", default_value = "gpt-4o", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_MODEL", help_heading = REQUESTS)]
    pub model: String,

    /// What bodies are made of.
    #[command(flatten)]
    pub body: BodyArgs,

    /// Header of every request, in place of one of the same name; without a value it takes that one away; repeatable
    /// (in the variable: one a line) [default: none]
    #[arg(long = "header", value_name = "NAME: VALUE", value_delimiter = '\n', value_parser = values::header)]
    #[arg(env = "ARCHESTRA_BENCH_HEADERS", help_heading = REQUESTS)]
    pub headers: Vec<Header>,

    /// Time that a request may take, from when it is given a connection until its last byte
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_TIMEOUT", help_heading = REQUESTS)]
    pub timeout: Duration,

    /// HTTP version: 1.1, 2 (over TLS by ALPN, over plain text by prior knowledge), or auto (over TLS what the target
    /// chooses, else 1.1)
    #[arg(long, value_name = "VERSION", default_value = "1.1", value_parser = values::http_version)]
    #[arg(env = "ARCHESTRA_BENCH_HTTP_VERSION", help_heading = REQUESTS)]
    pub http_version: HttpVersion,

    /// HTTP/2: requests that share a connection, in a closed loop of --concurrency and for each of --connections; a target
    /// that allows fewer streams gets fewer at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::streams)]
    #[arg(env = "ARCHESTRA_BENCH_STREAMS", help_heading = LOAD)]
    pub streams: NonZeroU32,

    /// Use a new connection for every request, as ApacheBench does by default
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_NO_KEEPALIVE", help_heading = REQUESTS)]
    pub no_keepalive: bool,

    /// Requests per scenario (of a mix: together) over all workers, warm-up apart [default: 1000; no limit when only a duration is given]
    #[arg(long, value_name = "N", value_parser = values::count, env = "NUM_REQUESTS", help_heading = LOAD)]
    pub requests: Option<NonZeroU64>,

    /// Time per scenario, warm-up apart; with --requests as well, whichever ends first [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_DURATION", help_heading = LOAD)]
    pub duration: Option<Duration>,

    /// Closed loop: requests in flight over all workers; several levels, separated by commas, are measured one after
    /// another [default: 10]
    #[arg(long, value_name = "C", value_parser = values::count_u32, value_delimiter = ',')]
    #[arg(env = "CONCURRENCY", help_heading = LOAD)]
    pub concurrency: Vec<NonZeroU32>,

    /// Open loop: arrivals a second over all workers, whatever the target does; in place of --concurrency; several levels,
    /// separated by commas, are measured one after another [default: closed loop]
    #[arg(long, value_name = "R", value_parser = values::rate, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_RATE", help_heading = LOAD)]
    pub rate: Vec<Rate>,

    /// How the load changes.
    #[command(flatten)]
    pub shape: ShapeArgs,

    /// Open loop: how arrivals are spaced
    #[arg(long, value_name = "KIND", value_enum, default_value_t = ArrivalKind::Constant)]
    #[arg(env = "ARCHESTRA_BENCH_ARRIVALS", help_heading = LOAD)]
    pub arrivals: ArrivalKind,

    /// Open loop: connections of each worker; due requests wait when all are busy (HTTP/2: all their --streams)
    #[arg(long, value_name = "N", default_value = "64", value_parser = values::count_u32)]
    #[arg(env = "ARCHESTRA_BENCH_CONNECTIONS", help_heading = LOAD)]
    pub connections: NonZeroU32,

    /// Open loop: requests waiting or in flight over all workers, beyond which arrivals are counted as dropped
    /// [default: none]
    #[arg(long, value_name = "N", value_parser = values::count)]
    #[arg(env = "ARCHESTRA_BENCH_MAX_IN_FLIGHT", help_heading = LOAD)]
    pub max_in_flight: Option<NonZeroU64>,

    /// What precedes each block and is not counted: a duration (2s, 500ms), a number of requests, or none
    /// [default: closed loop, one request per connection; open loop, or with --direct, 1s]
    #[arg(long, value_name = "DURATION|N|none", value_parser = values::warm_up)]
    #[arg(env = "ARCHESTRA_BENCH_WARMUP", help_heading = LOAD)]
    pub warmup: Option<WarmUp>,

    /// Seed of everything random, to repeat a run [default: random, and in the report]
    #[arg(long, value_name = "N", value_parser = values::seed, env = "ARCHESTRA_BENCH_SEED", help_heading = LOAD)]
    pub seed: Option<u64>,

    /// What figures must be.
    #[command(flatten)]
    pub judge: ThresholdArgs,

    /// What a request must keep to.
    #[command(flatten)]
    pub goal: GoodputArgs,

    /// Whether the plan is carried out.
    #[command(flatten)]
    pub rehearsal: DryRunArgs,

    /// Where else results go.
    #[command(flatten)]
    pub outputs: OutputArgs,

    /// Who can watch it in a browser.
    #[command(flatten)]
    pub page: UiArgs,

    /// Folder for the summary and the report
    #[arg(long, value_name = "DIR", default_value = "results", env = "ARCHESTRA_BENCH_RESULTS_DIR")]
    #[arg(help_heading = OUTPUT)]
    pub results_dir: PathBuf,

    /// Folder for certificate authorities
    /// [default: $XDG_STATE_HOME/archestra-bench, or ~/.local/state/archestra-bench]
    #[arg(long, value_name = "DIR", env = "ARCHESTRA_BENCH_STATE_DIR", help_heading = OUTPUT)]
    pub state_dir: Option<PathBuf>,

    /// Show no progress, only the summary
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_QUIET", help_heading = OUTPUT)]
    pub quiet: bool,

    /// How log lines look
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    #[arg(env = "ARCHESTRA_BENCH_LOG_FORMAT")]
    #[arg(help_heading = OUTPUT)]
    pub log_format: LogFormat,
}

const FLEET: &str = "Fleet";
const TARGET: &str = "Target";
const REQUESTS: &str = "Requests";
const LOAD: &str = "Load";
const OUTPUT: &str = "Output";
