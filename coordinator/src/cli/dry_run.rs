//! The flag that has a plan told and not carried out.

use clap::{ArgAction, Args};

use super::values;

/// Whether the plan is carried out.
#[derive(Debug, Clone, Args)]
pub struct DryRunArgs {
    /// Print the plan, each worker's share, and what it takes in time, requests and machines; send nothing, make nothing
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_DRY_RUN", help_heading = super::OUTPUT)]
    pub dry_run: bool,
}
