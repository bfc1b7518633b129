//! The flags that make bodies differ from request to request.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use proto::variety::MAX_BODIES;
use proto::variety::template::MOST_WORDS;

use super::values;

/// What bodies are made of.
#[derive(Debug, Clone, Args)]
pub struct BodyArgs {
    /// File of rows whose columns templates put into bodies, JSON objects a line (.jsonl) or CSV (.csv); the built-in
    /// scenarios ask with its column `prompt` [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_DATASET", help_heading = super::REQUESTS)]
    pub dataset: Option<PathBuf>,

    /// Where a scenario's body is a template: different bodies over all workers, made before the load; after the last
    /// comes the first again [default: 10000, or as many as requests]
    #[arg(long, value_name = "N", value_parser = bodies, env = "ARCHESTRA_BENCH_BODIES")]
    #[arg(help_heading = super::REQUESTS)]
    pub bodies: Option<NonZeroU32>,

    /// Built-in scenarios: length of the user's message, in words of about one token, another message in each body; the
    /// scenario's other text comes on top [default: the scenario's own question]
    #[arg(long, value_name = "N", value_parser = input_tokens, env = "ARCHESTRA_BENCH_INPUT_TOKENS")]
    #[arg(help_heading = super::REQUESTS)]
    pub input_tokens: Option<NonZeroU32>,

    /// Built-in scenarios: most tokens of an answer (max_tokens); a model may stop before it
    /// [default: 100, with tools 200]
    #[arg(long, value_name = "N", value_parser = values::count_u32, env = "ARCHESTRA_BENCH_OUTPUT_TOKENS")]
    #[arg(help_heading = super::REQUESTS)]
    pub output_tokens: Option<NonZeroU32>,
}

fn input_tokens(text: &str) -> Result<NonZeroU32, String> {
    let tokens = values::count_u32(text)?;
    if tokens.get() as usize > MOST_WORDS {
        Err(format!("must be at most {MOST_WORDS}, not {tokens}"))
    } else {
        Ok(tokens)
    }
}

fn bodies(text: &str) -> Result<NonZeroU32, String> {
    let bodies = values::count_u32(text)?;
    if bodies.get() > MAX_BODIES {
        Err(format!("must be at most {MAX_BODIES}, not {bodies}"))
    } else {
        Ok(bodies)
    }
}
