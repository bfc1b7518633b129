//! The flags of `scenarios`.

use clap::Args;

use super::{BodyArgs, values};
use crate::scenario::Header;

/// The flags of `scenarios`: those of `run` that say what is sent.
#[derive(Debug, Clone, Args)]
pub struct ScenariosArgs {
    /// Show this one as it would be sent, without secrets: a built-in scenario, or a .toml or .json file
    /// [default: list those that are built in]
    #[arg(value_name = "NAME|FILE", value_parser = values::text)]
    pub name: Option<String>,

    /// Base URL of the system under test, for the Host header [default: none is shown]
    #[arg(long, value_name = "URL", value_parser = values::text, env = "ARCHESTRA_API_URL")]
    #[arg(help_heading = super::TARGET)]
    pub target: Option<String>,

    /// Path and query of the built-in scenarios, and of scenario files that name none
    #[arg(long, value_name = "PATH", default_value = "/v1/openai/chat/completions", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_PATH", help_heading = super::REQUESTS)]
    pub path: String,

    /// Model that the built-in scenarios ask for; scenario files keep their own
    #[arg(long, value_name = "NAME", default_value = "gpt-4o", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_MODEL", help_heading = super::REQUESTS)]
    pub model: String,

    /// What bodies are made of.
    #[command(flatten)]
    pub body: BodyArgs,

    /// Header of every request, in place of one of the same name; without a value it takes that one away; repeatable
    /// (in the variable: one a line) [default: none]
    #[arg(long = "header", value_name = "NAME: VALUE", value_delimiter = '\n', value_parser = values::header)]
    #[arg(env = "ARCHESTRA_BENCH_HEADERS", help_heading = super::REQUESTS)]
    pub headers: Vec<Header>,

    /// Seed of what is random in bodies [default: 0]
    #[arg(long, value_name = "N", value_parser = values::seed, env = "ARCHESTRA_BENCH_SEED")]
    #[arg(help_heading = super::REQUESTS)]
    pub seed: Option<u64>,
}
