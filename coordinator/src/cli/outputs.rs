//! Flags of `run` that say where else its results go.

use std::path::PathBuf;

use clap::Args;

use super::OUTPUT;

/// Where results go beside the results folder.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// File that thresholds and the rules of the verdict are written to as test cases (JUnit's XML) [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_JUNIT", help_heading = OUTPUT)]
    pub junit: Option<PathBuf>,
}
