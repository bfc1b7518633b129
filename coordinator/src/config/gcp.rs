//! What is to be in Google Cloud, complete and free of contradictions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{ConfigError, state_dir};
use crate::cli::{
    DeliveryKind, FleetArgs, GcpArgs, Given, InventoryArgs, MachinesArgs, OnPartial, Origin, ReachKind,
    SetupArgs,
};
use crate::scenario::{Scenario, ScenarioOptions};

/// The longest name of a fleet that fits into the names of what is made.
const LONGEST_FLEET_NAME: usize = 30;
/// A run wants VMs that live 10 minutes beyond its plan, and `setup` makes a platform anew that has less than 15 left.
const SHORTEST_LIFE: Duration = Duration::from_secs(1200);
const COMPUTE: &str = "https://compute.googleapis.com/compute/v1/";
const STORAGE: &str = "https://storage.googleapis.com/storage/v1/";

/// How the coordinator reaches workers on VMs.
pub use crate::cli::ReachKind as Reach;

/// A fleet in Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpConfig {
    /// The project's id.
    pub project: String,
    /// Where VMs are made: the next where one has no machine left.
    pub zones: Vec<String>,
    /// What kind they are.
    pub machine_type: String,
    /// What they boot.
    pub image: String,
    /// Their network, by name or path.
    pub network: String,
    /// Their subnetwork, by name or path.
    pub subnet: Option<String>,
    /// Whether they may be taken away at any time.
    pub spot: bool,
    /// After which they are deleted.
    pub max_run_duration: Duration,
    /// Who may reach the workers' port.
    pub source: Source,
    /// How the coordinator reaches it.
    pub reach: Reach,
    /// Whose account fetches the worker's binary; `None` for the project's default.
    pub service_account: Option<String>,
    /// More labels.
    pub labels: BTreeMap<String, String>,
    /// Where VMs fetch the worker's binary.
    pub binary: BinarySource,
    /// How long a VM may take until its worker answers.
    pub boot_timeout: Duration,
    /// Whether what was made stays when a command fails.
    pub keep: bool,
    /// Whether nobody is asked before many VMs are made.
    pub yes: bool,
    /// What to do when some VMs cannot be had.
    pub on_partial: OnPartial,
    /// Whose it all is.
    pub fleet_name: String,
    /// Who has it made: a user's name.
    pub owner: String,
    /// Where authorities and journals are kept.
    pub state_dir: PathBuf,
    /// Where Compute Engine's API is.
    pub compute_endpoint: Url,
    /// Where Cloud Storage's API is.
    pub storage_endpoint: Url,
}

/// Who may reach the workers' port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// These.
    Ranges(Vec<String>),
    /// The address of this machine, as this page tells it.
    Ask(Url),
}

/// Where VMs fetch the worker's binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BinarySource {
    /// From a bucket of the project, which this file is put into; `None` for the running executable.
    Bucket(Option<PathBuf>),
    /// From nowhere: this file is carried to them by ssh; `None` for the running executable.
    Ssh(Option<PathBuf>),
    /// From anywhere.
    Url {
        /// Anybody can read it.
        url: Url,
        /// What it must add up to.
        sha256: String,
    },
}

/// What `setup` makes.
#[derive(Debug, Clone)]
pub struct SetupConfig {
    /// Where.
    pub gcp: GcpConfig,
    /// The platform's container image.
    pub image: String,
    /// Its environment.
    pub variables: Vec<(String, String)>,
    /// The port that is loaded.
    pub port: u16,
    /// How long it may take until it answers.
    pub timeout: Duration,
    /// What it is asked.
    pub scenario: Scenario,
    /// What a plain `run` must be told to do the same: names of variables, and their values.
    pub settings: Vec<(String, String)>,
}

impl SetupConfig {
    /// Of what was given.
    ///
    /// # Errors
    /// What makes no sense, where it was given, and how to mend it.
    pub fn new(args: &SetupArgs, given: &Given) -> Result<Self, ConfigError> {
        let gcp = GcpConfig::to_make(&args.gcp, &args.machines, &args.fleet, given)?;
        let key = super::Secret::api_key(given)?;
        let options = ScenarioOptions::new(&args.path, &args.model, &[], key.expose());
        let scenario = Scenario::load_all(&["simple_chat".to_owned()], &options)?.remove(0);
        Ok(Self {
            gcp,
            image: args.platform_image.clone(),
            variables: args.platform_env.clone(),
            port: args.platform_port,
            timeout: args.platform_timeout,
            scenario,
            settings: settings(given),
        })
    }
}

/// Flags of `setup` that are the platform's alone or written down otherwise, and the program, which no file may name.
const OF_THE_PLATFORM: [&str; 7] =
    ["platform_image", "platform_env", "platform_port", "platform_timeout", "keep", "yes", "worker_binary"];

/// What was given to `setup` and counts for a run too, other than by the file that it writes.
fn settings(given: &Given) -> Vec<(String, String)> {
    given
        .settings()
        .filter(|(id, ..)| !OF_THE_PLATFORM.contains(id))
        .map(|(_, name, value)| (name, value))
        .collect()
}

impl GcpConfig {
    /// Of a command that makes something.
    ///
    /// # Errors
    /// What makes no sense, where it was given, and how to mend it.
    pub fn to_make(
        args: &GcpArgs,
        machines: &MachinesArgs,
        fleet: &FleetArgs,
        given: &Given,
    ) -> Result<Self, ConfigError> {
        let config = Self::new(args, fleet, given)?;
        if config.zones.is_empty() {
            return Err(ConfigError::NoZone);
        }
        if args.max_run_duration < SHORTEST_LIFE {
            return Err(ConfigError::ShortLife { place: given.place("max_run_duration").into() });
        }
        let binary = binary(args, machines, given)?;
        // Only a bucket is read with an account; elsewhere the VMs would have none in spite of the flag.
        if !matches!(binary, BinarySource::Bucket(_)) && given.origin("service_account") == Origin::Flag {
            return Err(ConfigError::IdleAccount { place: given.place("service_account").into() });
        }
        Ok(Self { source: source(args, given)?, binary, on_partial: machines.on_partial, ..config })
    }

    /// Of a command that looks or deletes.
    ///
    /// # Errors
    /// What makes no sense, where it was given, and how to mend it.
    pub fn to_look(args: &InventoryArgs, given: &Given) -> Result<Self, ConfigError> {
        Self::new(&args.gcp, &args.fleet, given)
    }

    fn new(args: &GcpArgs, fleet: &FleetArgs, given: &Given) -> Result<Self, ConfigError> {
        let fleet_name = fleet.fleet_name.as_str();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if fleet_name.len() > LONGEST_FLEET_NAME || !fleet_name.bytes().all(fits) || fleet_name.ends_with('-')
        {
            return Err(ConfigError::GcpFleetName {
                place: given.place("fleet_name").into(),
                name: fleet_name.into(),
            });
        }
        Ok(Self {
            project: args.project.clone().ok_or(ConfigError::NoProject)?,
            zones: args.zones.clone(),
            machine_type: args.machine_type.clone(),
            image: args.image.clone(),
            network: args.network.clone(),
            subnet: args.subnet.clone(),
            spot: args.spot,
            max_run_duration: args.max_run_duration,
            source: Source::Ranges(Vec::new()),
            reach: args.reach,
            service_account: args.service_account.clone(),
            labels: args.labels.iter().cloned().collect(),
            binary: BinarySource::Bucket(None),
            boot_timeout: args.boot_timeout,
            keep: args.keep,
            yes: args.yes,
            on_partial: OnPartial::Fail,
            fleet_name: fleet_name.into(),
            owner: owner(given),
            state_dir: state_dir(fleet.state_dir.as_deref(), given)?,
            compute_endpoint: endpoint(given, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", COMPUTE)?,
            storage_endpoint: endpoint(given, "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", STORAGE)?,
        })
    }
}

fn source(args: &GcpArgs, given: &Given) -> Result<Source, ConfigError> {
    if args.reach == ReachKind::Iap || !args.source_ranges.is_empty() {
        return Ok(Source::Ranges(args.source_ranges.clone()));
    }
    if args.own_address_url.eq_ignore_ascii_case("none") {
        return Err(ConfigError::NoSource { place: given.place("own_address_url").into() });
    }
    web_address(&args.own_address_url, "own_address_url", given).map(Source::Ask)
}

fn binary(args: &GcpArgs, machines: &MachinesArgs, given: &Given) -> Result<BinarySource, ConfigError> {
    let unfinished =
        |flag: &str, other: &str| ConfigError::HalfABinary { flag: flag.into(), other: other.into() };
    match (&args.worker_url, &args.worker_sha256) {
        (None, None) => Ok(match args.worker_delivery {
            DeliveryKind::Bucket => BinarySource::Bucket(machines.worker_binary.clone()),
            DeliveryKind::Ssh => BinarySource::Ssh(machines.worker_binary.clone()),
        }),
        (Some(_), None) => Err(unfinished(given.place("worker_url"), "--worker-sha256")),
        (None, Some(_)) => Err(unfinished(given.place("worker_sha256"), "--worker-url")),
        (Some(_), Some(_)) if given.origin("worker_binary") == Origin::Flag => {
            Err(ConfigError::TwoBinaries { place: given.place("worker_binary").into() })
        }
        (Some(_), Some(_)) if given.origin("worker_delivery") == Origin::Flag => {
            Err(ConfigError::TwoDeliveries { place: given.place("worker_delivery").into() })
        }
        (Some(url), Some(sha256)) => {
            let url = web_address(url, "worker_url", given)?;
            Ok(BinarySource::Url { url, sha256: sha256.clone() })
        }
    }
}

fn endpoint(given: &Given, variable: &str, default: &str) -> Result<Url, ConfigError> {
    let value =
        given.process_variable(variable).and_then(|value| value.to_str()).filter(|value| !value.is_empty());
    // A base without a slash at its end would lose its last part.
    let url = Url::parse(&format!("{}/", value.unwrap_or(default).trim_end_matches('/')));
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        ConfigError::WebAddress { place: variable.into(), value: value.unwrap_or(default).into() }
    })
}

fn web_address(text: &str, id: &str, given: &Given) -> Result<Url, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| ConfigError::WebAddress { place: given.place(id).into(), value: text.into() })
}

/// As labels show it: nobody is asked to prove it.
fn owner(given: &Given) -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| given.process_variable(name)?.to_str());
    let name = name.filter(|name| !name.is_empty()).unwrap_or("unknown");
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
    name.to_lowercase().chars().map(|letter| if fits(letter) { letter } else { '-' }).take(63).collect()
}
