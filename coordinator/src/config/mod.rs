//! What a run is to do, complete and free of contradictions: from here on there is nothing left to validate.

mod arms;
mod bodies;
mod capacity;
mod command_line;
mod error;
mod fleet;
pub mod gcp;
mod hosts;
mod identity;
mod load;
mod mix;
mod redactor;
mod route;
mod secret;
mod target;
mod telemetry;
#[cfg(test)]
mod tests;
mod thresholds;
mod ui;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::load::{Extent, Load, Pace, WarmUp};
use proto::target::{HttpVersion, Target};

use crate::cli::{Given, LogFormat, OnPartial, RunArgs, SshHost, WorkerAddress};
use crate::plan::{Design, Level, Order, Plan};
use crate::scenario::{Scenario, ScenarioOptions};
use crate::threshold::Threshold;
use crate::trust::FleetName;

pub use arms::Direct;
pub use capacity::CapacityConfig;
pub(crate) use command_line::shell_quoted;
pub use error::ConfigError;
pub use redactor::Redactor;
pub use secret::{API_KEY_VARIABLES, DEFAULT_API_KEY, DIRECT_API_KEY_VARIABLE, Secret};
pub use telemetry::{OtlpConfig, PrometheusConfig, TelemetryConfig};
pub use ui::UiConfig;

/// One run.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// Which workers carry the load.
    pub fleet: FleetChoice,
    /// Where requests go.
    pub target: TargetChoice,
    /// At least one; complete with headers and body.
    pub scenarios: Vec<Scenario>,
    /// The weight of each in a mix of all; empty where each is measured by itself.
    pub weights: Vec<NonZeroU32>,
    /// The upstream that the target is held against.
    pub direct: Option<Direct>,
    /// At least one: how much is asked of the target, over the whole fleet.
    pub levels: Vec<Level>,
    /// How often each scenario is measured at each level.
    pub repeats: NonZeroU32,
    /// In which order the two blocks of a pair run.
    pub order: Order,
    /// The rest after each block.
    pub cool_down: Duration,
    /// Whether a single level of a closed loop is held against half of it.
    pub queueing_check: bool,
    /// Names of rules whose findings leave the verdict alone.
    pub accepted: Vec<String>,
    /// What is searched for, in the place of blocks that are planned.
    pub capacity: Option<CapacityConfig>,
    /// Conditions that end the run when one comes true.
    pub abort_on: Vec<Threshold>,
    /// When each block ends, over the whole fleet.
    pub extent: Extent,
    /// From the moment a request is given a connection until its last byte.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// What is spoken with the target.
    pub http_version: HttpVersion,
    /// HTTP/2: the most requests that are in flight on a connection.
    pub streams: NonZeroU32,
    /// Engine threads of each worker; `None` for one per core that it may use.
    pub threads: Option<NonZeroU32>,
    /// Seeds Poisson arrivals, think times, what is random in bodies, and back-off.
    pub seed: u64,
    /// What figures must be; each scenario that one names is there.
    pub thresholds: Vec<Threshold>,
    /// Where the run goes as test cases.
    pub junit: Option<PathBuf>,
    /// Who can follow the run.
    pub telemetry: TelemetryConfig,
    /// The page on which a browser can.
    pub ui: Option<UiConfig>,
    /// Where the summary and the report go.
    pub results_dir: PathBuf,
    /// Only tell the plan.
    pub dry_run: bool,
    /// Show no progress.
    pub quiet: bool,
    /// How log lines look.
    pub log_format: LogFormat,
    /// A worker stops its load when it hears nothing for this long.
    pub lease: Duration,
    /// As it was typed, quoted for a shell, without secrets.
    pub command_line: String,
    /// The bearer key. The scenarios' headers hold it already.
    pub api_key: Secret,
    /// Takes the secrets of this run out of whatever is shown or stored.
    pub redactor: Redactor,
}

/// Which workers carry the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetChoice {
    /// Child processes on this machine.
    Local {
        /// How many.
        workers: NonZeroU32,
    },
    /// Workers that somebody started elsewhere.
    Addresses {
        /// At least one, each named once.
        addresses: Vec<WorkerAddress>,
        /// Without TLS; all addresses are then on loopback.
        plaintext: bool,
        /// Whose certificate authority they trust.
        fleet_name: FleetName,
        /// Where certificate authorities are kept.
        state_dir: PathBuf,
    },
    /// VMs in Google Cloud.
    Gcp {
        /// How many carry load.
        workers: NonZeroU32,
        /// Where, and of what kind.
        config: Box<gcp::GcpConfig>,
        /// Whether they are deleted when the run has ended.
        cleanup_after: bool,
    },
    /// Processes on machines that ssh reaches.
    Ssh(SshChoice),
}

/// Machines that ssh reaches, and what is started there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshChoice {
    /// At least one and at most as many as workers, each named once.
    pub hosts: Vec<SshHost>,
    /// How many, dealt out to the hosts in turn.
    pub workers: NonZeroU32,
    /// The ssh client.
    pub program: PathBuf,
    /// The workers' program; `None` for the one that is running.
    pub worker_binary: Option<PathBuf>,
    /// What happens when some hosts cannot be brought up.
    pub on_partial: OnPartial,
}

impl FleetChoice {
    /// Whether it ends in order by itself when the user interrupts it while it comes up.
    pub fn undoes_what_it_made(&self) -> bool {
        matches!(self, Self::Gcp { .. })
    }

    /// Whether the workers are talked to without TLS.
    fn is_plaintext(&self) -> bool {
        matches!(self, Self::Addresses { plaintext: true, .. })
    }

    /// How many workers there will be.
    pub fn workers(&self) -> u32 {
        match self {
            Self::Local { workers } | Self::Gcp { workers, .. } => workers.get(),
            Self::Addresses { addresses, .. } => addresses.len() as u32,
            Self::Ssh(ssh) => ssh.workers.get(),
        }
    }
}

/// Where requests go. There is one in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum TargetChoice {
    /// A mock upstream that the run starts, so that it works without any configuration.
    BuiltInMock,
    /// The system under test.
    Url(Target),
}

impl TargetChoice {
    /// Whether a private key goes to the workers with it.
    fn has_key(&self) -> bool {
        matches!(self, Self::Url(target) if target.client_identity.is_some())
    }
}

impl RunConfig {
    /// Makes a configuration of what was given; reads scenario files and root certificates.
    ///
    /// # Errors
    /// What makes no sense, where it was given, and how to mend it.
    pub fn new(args: &RunArgs, given: &Given) -> Result<Self, ConfigError> {
        let args = &*mix::settled(args, given)?;
        let target = target::choose(args, given)?;
        target::check_path(args, given)?;
        let fleet = fleet::choose(args, given, &target)?;
        if fleet.is_plaintext() && target.has_key() {
            return Err(ConfigError::KeyInPlainText { place: given.place("plaintext").into() });
        }
        let trace = load::trace(args, given)?;
        let direct_target = target::choose_direct(args, given, &target)?;
        let loads = load::loads(args, given, fleet.workers(), trace.as_ref())?;
        let extent = load::extent(args, given, &loads[0])?;
        let api_key = Secret::api_key(given)?;
        let seed = args.seed.unwrap_or_else(random_seed);
        let dataset = bodies::dataset(args, given, trace.is_some())?;
        let options = ScenarioOptions {
            dataset: trace.as_ref().map(|trace| &trace.rows).or(dataset.as_ref()),
            is_trace: trace.is_some(),
            bodies: bodies::number(args, &loads, extent),
            input_tokens: bodies::input_tokens(args, given)?.filter(|_| trace.is_none()),
            output_tokens: args.body.output_tokens.map(NonZeroU32::get).filter(|_| trace.is_none()),
            varied: direct_target.is_some() && !args.arms.identical_prompts,
            seed,
            goal: args.goal.goal(),
            ..ScenarioOptions::new(&args.path, &args.model, &args.headers, api_key.expose())
        };
        let scenarios = Scenario::load_all(&args.scenarios, &options)?;
        let direct = match direct_target {
            Some(target) => Some(Direct::new(target, args, given, &options)?),
            None => None,
        };
        arms::check(given, direct.is_some())?;
        bodies::check(args, given, &scenarios)?;
        thresholds::check_goal(given, &scenarios)?;
        mix::check(args, given, &scenarios)?;
        let names = mix::names(args, &scenarios);
        let has_goal = scenarios.iter().any(|scenario| !scenario.expectation.goal.is_none());
        let abort_on = thresholds::watched(args, given, &names)?;
        let thresholds = thresholds::check(args, given, &names, direct.is_some(), has_goal)?;
        let of_direct = direct.as_ref().map(|direct| (&direct.api_key, direct.scenarios.as_slice()));
        let redactor = Redactor::new([(&api_key, scenarios.as_slice())].into_iter().chain(of_direct));
        if args.lease < SHORTEST_LEASE {
            return Err(ConfigError::ShortLease { place: given.place("lease").into() });
        }

        Ok(Self {
            fleet,
            target,
            scenarios,
            weights: mix::weights(args),
            levels: load::levels(args, loads, direct.is_some()),
            repeats: arms::repeats(args, direct.is_some()),
            order: arms::order(args),
            cool_down: arms::cool_down(args, direct.is_some()),
            queueing_check: args.arms.queueing_check.unwrap_or(direct.is_some()),
            accepted: args.arms.accept.clone(),
            direct,
            capacity: None,
            abort_on,
            extent,
            timeout: args.timeout,
            keep_alive: !args.no_keepalive,
            http_version: args.http_version,
            streams: load::streams(args, given)?,
            threads: args.threads,
            seed,
            thresholds,
            junit: args.outputs.junit.clone(),
            telemetry: TelemetryConfig::new(&args.outputs, given)?,
            ui: UiConfig::new(&args.page),
            results_dir: args.results_dir.clone(),
            dry_run: args.rehearsal.dry_run,
            quiet: args.quiet,
            log_format: args.log_format,
            lease: args.lease,
            command_line: command_line::shown(given.arguments(), &redactor),
            api_key,
            redactor,
        })
    }

    /// What the plan takes at least: the durations that it names, each with its warm-up and the time that requests may
    /// still take at its end. What is measured in requests takes nobody knows how long.
    pub fn least_time(&self) -> Duration {
        let kinds = if self.weights.is_empty() { self.scenarios.len() as u32 } else { 1 };
        if let Some(search) = &self.capacity {
            return search.bounds.time.saturating_add(self.timeout).saturating_mul(kinds);
        }
        let arms = if self.direct.is_some() { 2 } else { 1 };
        let blocks = kinds.saturating_mul(self.repeats.get()).saturating_mul(arms);
        let of_level = |level: &Level| {
            let named = match self.extent {
                Extent::Duration(duration) | Extent::Either(_, duration) => duration,
                // A trace takes as long as it was recorded for.
                Extent::Requests(_) => match &level.load {
                    Load::Open { pace: Pace::Trace(trace), .. } => trace.duration(),
                    _ => Duration::ZERO,
                },
            };
            let warm_up = match level.warm_up {
                WarmUp::Duration(duration) => duration,
                WarmUp::None | WarmUp::Requests(_) => Duration::ZERO,
            };
            (named + warm_up + self.cool_down).saturating_add(self.timeout).saturating_mul(blocks)
        };
        self.levels.iter().map(of_level).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The blocks, against `target` (what [`RunConfig::target`] has become: the mock has a URL by now).
    pub fn plan(&self, target: &Target) -> Plan {
        let direct = self.direct.as_ref().map(|direct| (direct.scenarios.as_slice(), &direct.target));
        let design = Design {
            scenarios: &self.scenarios,
            weights: &self.weights,
            target,
            direct,
            levels: &self.levels,
            repeats: self.repeats,
            order: self.order,
            queueing_check: self.queueing_check,
            extent: self.extent,
            timeout: self.timeout,
            keep_alive: self.keep_alive,
            streams: self.streams,
            threads: self.threads,
            seed: self.seed,
        };
        design.plan()
    }
}

/// Where certificate authorities are kept: `chosen`, or the user's folder for such things.
///
/// # Errors
/// When nothing says where the user's folders are.
pub fn state_dir(chosen: Option<&Path>, given: &Given) -> Result<PathBuf, ConfigError> {
    if let Some(chosen) = chosen {
        return Ok(chosen.to_owned());
    }
    let state_home =
        given.process_variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || given.process_variable("HOME").map(|home| Path::new(home).join(".local/state"));
    state_home.or_else(home).map(|folder| folder.join("archestra-bench")).ok_or(ConfigError::NoStateDir)
}

/// Workers are pinged a few times within it.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Short enough to be typed again.
fn random_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}
