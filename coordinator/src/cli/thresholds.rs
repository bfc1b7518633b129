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

    /// What ends the run as soon as it comes true of a block, with what there is by then: failed>50%, p99>10s, dropped>0;
    /// repeatable, or separated by commas [default: none]
    #[arg(long = "abort-on", value_name = "EXPR", value_parser = threshold, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_ABORT_ON", help_heading = super::OUTPUT)]
    pub abort_on: Vec<Threshold>,
}

fn threshold(text: &str) -> Result<Threshold, ParseError> {
    text.trim().parse()
}
