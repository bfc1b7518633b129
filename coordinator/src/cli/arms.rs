//! The flags that compare a gateway with the upstream that it stands before.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::values;
use crate::nearest::nearest;
use crate::rules::RULES;
use crate::scenario::Header;

/// In which order the blocks of a pair run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderKind {
    /// Gateway, direct, direct, gateway, and so on: what drifts evenly weighs on both the same
    Abba,
    /// Each pair as a coin falls that --seed throws
    Random,
}

/// What is compared, and how often.
#[derive(Debug, Clone, Args)]
pub struct ArmArgs {
    /// Base URL of the upstream that the gateway calls, or unix:/PATH: measured as well, at the same load, in pairs of
    /// blocks, so that the report says what the gateway adds [default: the gateway alone]
    #[arg(long, value_name = "URL", value_parser = values::text, env = "DIRECT_API_URL", help_heading = ARMS)]
    pub direct: Option<String>,

    /// Path and query of the built-in scenarios at the upstream, and of scenario files without a `direct_path`
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions", value_parser = values::text)]
    #[arg(env = "DIRECT_API_PATH", help_heading = ARMS)]
    pub direct_path: String,

    /// Model that the built-in scenarios ask the upstream for [default: the same as --model]
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    #[arg(env = "ARCHESTRA_BENCH_DIRECT_MODEL", help_heading = ARMS)]
    pub direct_model: Option<String>,

    /// Header of every request to the upstream, in place of one of the same name; those of --header never go there;
    /// repeatable (in the variable: one a line) [default: none]
    #[arg(long = "direct-header", value_name = "NAME: VALUE", value_delimiter = '\n')]
    #[arg(value_parser = values::header, env = "ARCHESTRA_BENCH_DIRECT_HEADERS", help_heading = ARMS)]
    pub direct_headers: Vec<Header>,

    /// Blocks of each scenario and load: with --direct, pairs of one block through the gateway and one straight to the
    /// upstream [default: 5 with --direct, else 1]
    #[arg(long, value_name = "N", value_parser = repeats)]
    #[arg(env = "ARCHESTRA_BENCH_REPEATS", help_heading = ARMS)]
    pub repeats: Option<NonZeroU32>,

    /// In which order the two blocks of a pair run
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = OrderKind::Abba)]
    #[arg(env = "ARCHESTRA_BENCH_ORDER", help_heading = ARMS)]
    pub order: OrderKind,

    /// Rest after each block, in which the target gets over it [default: 500ms with --direct, else none]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(env = "ARCHESTRA_BENCH_COOL_DOWN", help_heading = ARMS)]
    pub cool_down: Option<Duration>,

    /// With --direct: send the same prompt all the time, so that a cache may answer; without it the built-in scenarios ask
    /// something else each time, the same of both arms
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_IDENTICAL_PROMPTS", help_heading = ARMS)]
    pub identical_prompts: bool,

    /// Closed loop with a single --concurrency: a short further block of each arm at half of it, which tells whether
    /// requests only queue [default: true with --direct, else false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_QUEUEING_CHECK", help_heading = ARMS)]
    pub queueing_check: Option<bool>,

    /// Rule whose findings leave the verdict alone, such as failures; they are told all the same; repeatable, or separated
    /// by commas [default: none]
    #[arg(long = "accept", value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    #[arg(env = "ARCHESTRA_BENCH_ACCEPT", help_heading = ARMS)]
    pub accept: Vec<String>,
}

/// Where help lists them.
const ARMS: &str = "What the gateway adds";

/// Of one scenario and load; more would take days.
const MOST_REPEATS: u32 = 1_000;

fn repeats(text: &str) -> Result<NonZeroU32, String> {
    let repeats = values::count_u32(text)?;
    if repeats.get() > MOST_REPEATS {
        Err(format!("must be at most {MOST_REPEATS}, not {repeats}"))
    } else {
        Ok(repeats)
    }
}

fn rule(text: &str) -> Result<String, String> {
    let text = text.trim();
    if RULES.contains(&text) {
        return Ok(text.to_owned());
    }
    let meant = nearest(text, RULES).map(|known| format!("did you mean `{known}`? ")).unwrap_or_default();
    Err(format!("must be a rule of the verdict, not `{text}`; {meant}there are {}", RULES.join(", ")))
}
