//! The flags of everything that has to do with Google Cloud.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::machines::MachinesArgs;
use super::values;
use crate::trust::FleetName;

/// How the coordinator reaches workers on VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReachKind {
    /// By external addresses, which a firewall rule opens to the coordinator alone
    External,
    /// By tunnels of `gcloud compute start-iap-tunnel`; the VMs get no external address
    Iap,
}

/// How a binary of this machine comes to the VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeliveryKind {
    /// Through a bucket of the project, which the VMs' account may read
    Bucket,
    /// By `gcloud compute ssh`, from this machine to each VM; the VMs get no account
    Ssh,
}

/// Where machines are made, and of what kind.
#[derive(Debug, Clone, Args)]
pub struct GcpArgs {
    /// Google Cloud project [default: none]
    #[arg(long, value_name = "ID", value_parser = values::text, env = "GCP_PROJECT_ID", help_heading = GCP)]
    pub project: Option<String>,

    /// Zone of the VMs; repeatable, or separated by commas: the next one is used where one has no machine left
    /// [default: none]
    #[arg(long = "zone", value_name = "ZONE", value_parser = values::gcp_name)]
    #[arg(value_delimiter = ',', env = "GCP_ZONE", help_heading = GCP)]
    pub zones: Vec<String>,

    /// Machine type of the VMs
    #[arg(long, value_name = "TYPE", default_value = "e2-standard-4", value_parser = values::gcp_name)]
    #[arg(env = "GCP_MACHINE_TYPE", help_heading = GCP)]
    pub machine_type: String,

    /// Image of the VMs: a Debian or Ubuntu with systemd
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "projects/debian-cloud/global/images/family/debian-12"
    )]
    #[arg(value_parser = values::text, env = "ARCHESTRA_BENCH_IMAGE", help_heading = GCP)]
    pub image: String,

    /// Network of the VMs
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_NETWORK", help_heading = GCP)]
    pub network: String,

    /// Subnetwork of the VMs [default: the network's own in the region]
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_SUBNET", help_heading = GCP)]
    pub subnet: Option<String>,

    /// Use spot VMs, which cost less and may be taken away at any time
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_SPOT", help_heading = GCP)]
    pub spot: bool,

    /// After which Google deletes a VM, whatever becomes of the coordinator; at least 20m
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_MAX_RUN_DURATION", help_heading = GCP)]
    pub max_run_duration: Duration,

    /// Who may reach the workers' port; repeatable, or separated by commas [default: this machine's own address, as
    /// --own-address-url tells it]
    #[arg(long = "source-range", value_name = "CIDR", value_parser = values::address_range)]
    #[arg(value_delimiter = ',', env = "ARCHESTRA_BENCH_SOURCE_RANGE", help_heading = GCP)]
    pub source_ranges: Vec<String>,

    /// What tells this machine's own address, as a line of text; `none` asks nobody, and --source-range must be given
    #[arg(long, value_name = "URL", default_value = "https://checkip.amazonaws.com", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_OWN_ADDRESS_URL", help_heading = GCP)]
    pub own_address_url: String,

    /// How the workers are reached
    #[arg(long, value_name = "WAY", value_enum, default_value_t = ReachKind::External)]
    #[arg(env = "ARCHESTRA_BENCH_REACH", help_heading = GCP)]
    pub reach: ReachKind,

    /// Account of the VMs, which only reads the worker's binary [default: the project's default account]
    #[arg(long, value_name = "EMAIL", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_SERVICE_ACCOUNT", help_heading = GCP)]
    pub service_account: Option<String>,

    /// More labels for everything that is made; repeatable, or separated by commas [default: none]
    #[arg(long = "labels", value_name = "KEY=VALUE", value_parser = values::label)]
    #[arg(value_delimiter = ',', env = "ARCHESTRA_BENCH_LABELS", help_heading = GCP)]
    pub labels: Vec<(String, String)>,

    /// How the worker's binary comes from this machine to the VMs
    #[arg(long, value_name = "WAY", value_enum, default_value_t = DeliveryKind::Bucket)]
    #[arg(env = "ARCHESTRA_BENCH_WORKER_DELIVERY", help_heading = GCP)]
    pub worker_delivery: DeliveryKind,

    /// Where VMs fetch the worker's binary, in place of a bucket of the project; anybody must be able to read it
    /// [default: none]
    #[arg(long, value_name = "URL", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_WORKER_URL", help_heading = GCP)]
    pub worker_url: Option<String>,

    /// SHA-256 of what --worker-url serves, in hexadecimal digits [default: none]
    #[arg(long, value_name = "DIGITS", value_parser = values::sha256)]
    #[arg(env = "ARCHESTRA_BENCH_WORKER_SHA256", help_heading = GCP)]
    pub worker_sha256: Option<String>,

    /// How long a VM may take until its worker answers
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_BOOT_TIMEOUT", help_heading = GCP)]
    pub boot_timeout: Duration,

    /// Keep what was made also when the command fails, to look into it; Google deletes it after --max-run-duration
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_KEEP", help_heading = GCP)]
    pub keep: bool,

    /// Do not ask before more than 4 VMs are made
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_YES", help_heading = GCP)]
    pub yes: bool,
}

/// The flags of `setup`.
#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// Where, and of what kind.
    #[command(flatten)]
    pub gcp: GcpArgs,

    /// Of machines elsewhere.
    #[command(flatten)]
    pub machines: MachinesArgs,

    /// Whose.
    #[command(flatten)]
    pub fleet: FleetArgs,

    /// Container image of the platform, with its digest where it must not change
    #[arg(long, value_name = "IMAGE", default_value = "archestra/platform:latest", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_PLATFORM_IMAGE", help_heading = PLATFORM)]
    pub platform_image: String,

    /// Variable of the platform's container, beside those of its mock mode; whoever may read the VM reads it, so nothing
    /// secret; repeatable (in the variable: one a line) [default: none]
    #[arg(long = "platform-env", value_name = "NAME=VALUE", value_parser = values::container_variable)]
    #[arg(value_delimiter = '\n', env = "ARCHESTRA_BENCH_PLATFORM_ENV", help_heading = PLATFORM)]
    pub platform_env: Vec<(String, String)>,

    /// Port of the platform that is loaded
    #[arg(long, value_name = "PORT", default_value = "9000", value_parser = values::port)]
    #[arg(env = "ARCHESTRA_BENCH_PLATFORM_PORT", help_heading = PLATFORM)]
    pub platform_port: u16,

    /// How long the platform may take until it answers
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_PLATFORM_TIMEOUT", help_heading = PLATFORM)]
    pub platform_timeout: Duration,

    /// Path and query by which the platform is asked whether it answers
    #[arg(long, value_name = "PATH", default_value = "/v1/openai/chat/completions", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_PATH", help_heading = PLATFORM)]
    pub path: String,

    /// Model that it is asked for
    #[arg(long, value_name = "NAME", default_value = "gpt-4o", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_MODEL", help_heading = PLATFORM)]
    pub model: String,
}

/// The flags of `status` and `cleanup`.
#[derive(Debug, Clone, Args)]
pub struct InventoryArgs {
    /// Where, and of what kind.
    #[command(flatten)]
    pub gcp: GcpArgs,

    /// Whose.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

/// Whose machines.
#[derive(Debug, Clone, Args)]
pub struct FleetArgs {
    /// Whose machines; two fleets in one project know nothing of each other
    #[arg(long, value_name = "NAME", default_value = FleetName::DEFAULT, value_parser = values::fleet_name)]
    #[arg(env = "ARCHESTRA_BENCH_FLEET_NAME")]
    pub fleet_name: FleetName,

    /// Folder for certificate authorities and journals
    /// [default: $XDG_STATE_HOME/archestra-bench, or ~/.local/state/archestra-bench]
    #[arg(long, value_name = "DIR", env = "ARCHESTRA_BENCH_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
}

const GCP: &str = "Google Cloud";
const PLATFORM: &str = "Platform";
