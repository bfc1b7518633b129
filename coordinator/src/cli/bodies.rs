//! The flags that make bodies differ from request to request.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use proto::variety::MAX_BODIES;

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
}

fn bodies(text: &str) -> Result<NonZeroU32, String> {
    let bodies = values::count_u32(text)?;
    if bodies.get() > MAX_BODIES {
        Err(format!("must be at most {MAX_BODIES}, not {bodies}"))
    } else {
        Ok(bodies)
    }
}
