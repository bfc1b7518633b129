//! The flags of `capacity`.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use proto::load::Rate;

use super::{RunArgs, values};
use crate::threshold::{ParseError, Threshold};

/// The flags of `capacity`: those of `run`, but for the load, which it finds itself.
#[derive(Debug, Clone, Args)]
pub struct CapacityArgs {
    /// What the target must hold: p99<250ms, failed<0.1%; every one at every rate that passes; repeatable, or separated by
    /// commas [default: p99<1s,failed<1%]
    #[arg(long = "slo", value_name = "EXPR", value_parser = objective, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_SLOS", help_heading = SEARCH)]
    pub slos: Vec<Threshold>,

    /// Arrivals a second with which the search begins
    #[arg(long, value_name = "R", default_value = "100", value_parser = values::rate)]
    #[arg(env = "ARCHESTRA_BENCH_START_RATE", help_heading = SEARCH)]
    pub start_rate: Rate,

    /// The most arrivals a second that are tried
    #[arg(long, value_name = "R", default_value = "1000000", value_parser = values::rate)]
    #[arg(env = "ARCHESTRA_BENCH_MAX_RATE", help_heading = SEARCH)]
    pub max_rate: Rate,

    /// How close the highest rate that passes and the lowest that fails must be
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = precision)]
    #[arg(env = "ARCHESTRA_BENCH_PRECISION", help_heading = SEARCH)]
    pub precision: Precision,

    /// How long the first steps take; later ones take up to two and a half times as long
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_STEP", help_heading = SEARCH)]
    pub step: Duration,

    /// The longest that the search of one scenario may take
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_MAX_TIME", help_heading = SEARCH)]
    pub max_time: Duration,

    /// The most requests that the search of one scenario may offer
    #[arg(long, value_name = "N", default_value = "10000000", value_parser = values::count)]
    #[arg(env = "ARCHESTRA_BENCH_MAX_REQUESTS", help_heading = SEARCH)]
    pub max_requests: NonZeroU64,

    /// Everything else.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Where help lists them.
const SEARCH: &str = "Search";

/// A part of a rate, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision(pub u32);

fn objective(text: &str) -> Result<Threshold, ParseError> {
    text.trim().parse()
}

/// `2%` or `2`.
fn precision(text: &str) -> Result<Precision, String> {
    let text = text.trim();
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    let thousandths =
        percent.map(|percent| (percent * 10.0).round()).filter(|found| (1.0..=1000.0).contains(found));
    thousandths
        .map(|thousandths| Precision(thousandths as u32))
        .ok_or_else(|| format!("must be from 0.1% to 100%, such as 2%, not `{text}`"))
}
