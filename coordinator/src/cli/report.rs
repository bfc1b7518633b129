//! The flags of `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The flags of `report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run: its folder, its report.json or its summary
    pub path: PathBuf,

    /// File that thresholds and the rules of the verdict are written to as test cases (JUnit's XML) [default: none]
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// What is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ReportFormat::Markdown)]
    pub format: ReportFormat,
}

/// How a run is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The summary
    Markdown,
    /// The record, with every figure worked out again; docs/schema describes it
    Json,
    /// A row for each result and arm
    Csv,
    /// A row for each second of each block
    CsvSeconds,
    /// The histograms of each second, for tools of HdrHistogram
    Hlog,
}
