//! The load worker alone, for machines that carry load and nothing else.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser};
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
    match worker::cli::main(&arguments().worker) {
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

/// A flag beats a variable, also that of the flag which it excludes; and what a coordinator has started, which ends with
/// its standard input, is told everything with flags.
fn arguments() -> Arguments {
    let without_variable = |argument: clap::Arg| argument.env(None::<&'static str>);
    let flags = Arguments::command().mut_args(without_variable).ignore_errors(true).get_matches();
    let typed = |id: &str| flags.value_source(id) == Some(ValueSource::CommandLine);
    let command = Arguments::command().mut_args(|argument| {
        let excluded = match argument.get_id().as_str() {
            "credentials" => typed("coordinator_ca"),
            "coordinator_ca" => typed("credentials"),
            _ => false,
        };
        if excluded || typed("exit_with_stdin") { without_variable(argument) } else { argument }
    });
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}
