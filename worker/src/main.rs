//! The load worker alone, for machines that carry load and nothing else.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use worker::cli::WorkerArgs;

/// A load worker of archestra-bench.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    worker: WorkerArgs,
}

fn main() -> ExitCode {
    worker::log::to_stderr(worker::log::Format::Text);
    match worker::cli::main(&Arguments::parse().worker) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut sentence = error.to_string();
            let mut cause = error.source();
            while let Some(source) = cause {
                sentence.push_str(&format!(": {source}"));
                cause = source.source();
            }
            let _ = writeln!(std::io::stderr(), "error: {sentence}");
            ExitCode::FAILURE
        }
    }
}
