//! `archestra-bench`: one binary for every role. The only place where the coordinator's crate names the worker's.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use coordinator::causes;
use coordinator::cli::{self, UsageError};
use coordinator::command::{self, Failure};
use coordinator::screen::Notices;
use worker::cli::WorkerArgs;
use worker::log;
use worker::mock::MockArgs;

/// Measure what an AI gateway costs: true global percentiles under a load from as many machines as it takes
#[derive(Debug, Parser)]
#[command(name = "archestra-bench", version)]
struct Program {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    #[command(flatten)]
    Coordinator(cli::Command),
    Worker(WorkerArgs),
    Mock(MockArgs),
}

fn main() -> ExitCode {
    match play() {
        Ok(code) => code,
        Err(failure) => {
            // With standard error closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {}", causes::shown(&failure.sentence));
            ExitCode::from(failure.code)
        }
    }
}

fn play() -> Result<ExitCode, Failure> {
    let invocation =
        match cli::parse::<Program>(std::env::args_os().collect(), cli::process_variables(), ".".as_ref()) {
            Ok(invocation) => invocation,
            Err(UsageError::Clap(words)) => {
                // With no output open there is nobody to tell.
                let _ = words.print();
                return Ok(ExitCode::from(words.exit_code() as u8));
            }
            Err(error) => {
                return Err(Failure { code: error.exit_code(), sentence: causes::sentence(&error) });
            }
        };
    let failed = |error: &dyn std::error::Error| Failure { code: 1, sentence: causes::sentence(error) };
    let notices = Notices::default();
    log_of(&invocation.command.role, &notices);
    match &invocation.command.role {
        Role::Coordinator(command) => {
            // Each host and each worker takes a few.
            worker::host::raise_open_files_limit();
            command::execute(command, &invocation.given, &Program::command(), &notices)
        }
        Role::Worker(args) => {
            worker::cli::main(args).map(|()| ExitCode::SUCCESS).map_err(|error| failed(&error))
        }
        Role::Mock(args) => {
            worker::mock::main(args.clone()).map(|()| ExitCode::SUCCESS).map_err(|error| failed(&error))
        }
    }
}

fn log_of(role: &Role, notices: &Notices) {
    let format = match role {
        Role::Coordinator(cli::Command::Run(args)) if args.log_format == cli::LogFormat::Json => {
            log::Format::Json
        }
        Role::Coordinator(cli::Command::Capacity(args)) if args.run.log_format == cli::LogFormat::Json => {
            log::Format::Json
        }
        Role::Coordinator(_) => log::Format::Sentences,
        Role::Worker(_) | Role::Mock(_) => return log::to_stderr(log::Format::Text),
    };
    let notices = notices.clone();
    log::to(format, move || notices.clone());
}
