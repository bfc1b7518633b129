//! The flags of what looks into the results folder.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where results are.
#[derive(Debug, Clone, Args)]
pub struct ResultsArgs {
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results", env = "ARCHESTRA_BENCH_RESULTS_DIR")]
    pub results_dir: PathBuf,
}

/// The flags of `list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Where results are.
    #[command(flatten)]
    pub results: ResultsArgs,

    /// How the list is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A line for each scenario of each run
    Text,
    /// Everything
    Json,
}

/// The flags of `open`.
#[derive(Debug, Clone, Args)]
pub struct OpenArgs {
    /// The run: its folder's name, its folder, or its summary [default: the last one]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,

    /// Where results are.
    #[command(flatten)]
    pub results: ResultsArgs,
}
