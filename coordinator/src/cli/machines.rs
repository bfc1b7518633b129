//! Flags of the fleets that bring machines up: what is carried there, and what happens when some do not come up.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::FLEET;

/// What happens when some machines cannot be brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnPartial {
    /// The run ends and names them
    Fail,
    /// They are named, and the run goes on with the others
    Continue,
}

/// Flags that fleets of other machines share.
#[derive(Debug, Clone, Args)]
pub struct MachinesArgs {
    /// Program that the workers on other machines run: an archestra-bench or archestra-bench-worker for Linux
    /// [default: this very program]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_WORKER_BINARY", help_heading = FLEET)]
    pub worker_binary: Option<PathBuf>,

    /// What happens when some machines cannot be brought up: the run ends, or goes on with the others
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnPartial::Fail)]
    #[arg(env = "ARCHESTRA_BENCH_ON_PARTIAL", help_heading = FLEET)]
    pub on_partial: OnPartial,
}
