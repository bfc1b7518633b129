//! The flag that says what figures must be.

use clap::Args;

use crate::threshold::{ParseError, Threshold};

/// What a run is held to.
#[derive(Debug, Clone, Args)]
pub struct ThresholdArgs {
    /// What a figure must be, or the process exits with 4: p95<80ms, simple_chat:p95<80ms, ttft.p95<1s, gap.p99<50ms,
    /// failed<=0, failed<0.1%, throughput>400/s; for each scenario, or the one that it names; repeatable, or separated by
    /// commas [default: none]
    #[arg(long = "threshold", value_name = "EXPR", value_parser = threshold, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_THRESHOLDS", help_heading = super::OUTPUT)]
    pub thresholds: Vec<Threshold>,
}

fn threshold(text: &str) -> Result<Threshold, ParseError> {
    text.trim().parse()
}
