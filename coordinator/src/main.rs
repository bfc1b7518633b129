//! `archestra-bench`: one binary for every role. The only place where the coordinator's crate names the worker's.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use coordinator::causes;
use coordinator::cli::{self, Invocation, UsageError};
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
    #[command(flatten)]
    Load(LoadRole),
}

/// The roles that carry load or stand in for its target.
#[derive(Debug, Subcommand)]
enum LoadRole {
    Worker(WorkerArgs),
    Mock(MockArgs),
}

/// The same program for a machine that carries load: a command line of its own, since that of the coordinator, with all of
/// its help, takes 2 MB of memory.
#[derive(Debug, Parser)]
#[command(name = "archestra-bench", version)]
struct LoadProgram {
    #[command(subcommand)]
    role: LoadRole,
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
    if std::env::args_os().nth(1).is_some_and(|name| name == "worker") {
        return match understood::<LoadProgram>()? {
            Ok(invocation) => carry(&invocation.command.role),
            Err(code) => Ok(code),
        };
    }
    let invocation = match understood::<Program>()? {
        Ok(invocation) => invocation,
        Err(code) => return Ok(code),
    };
    match &invocation.command.role {
        Role::Coordinator(command) => {
            let notices = Notices::default();
            log_of(command, &notices);
            // Each host and each worker takes a few.
            worker::host::raise_open_files_limit();
            command::execute(command, &invocation.given, &Program::command(), &notices)
        }
        Role::Load(role) => carry(role),
    }
}

/// What the command line says; the code to leave with where that was all that was asked for.
fn understood<P: Parser>() -> Result<Result<Invocation<P>, ExitCode>, Failure> {
    match cli::parse::<P>(std::env::args_os().collect(), cli::process_variables(), ".".as_ref()) {
        Ok(invocation) => Ok(Ok(invocation)),
        Err(UsageError::Clap(words)) => {
            // With no output open there is nobody to tell.
            let _ = words.print();
            Ok(Err(ExitCode::from(words.exit_code() as u8)))
        }
        Err(error) => Err(Failure { code: error.exit_code(), sentence: causes::sentence(&error) }),
    }
}

fn carry(role: &LoadRole) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::error::Error| Failure { code: 1, sentence: causes::sentence(error) };
    log::to_stderr(log::Format::Text);
    match role {
        LoadRole::Worker(args) => worker::cli::main(args).map_err(|error| failed(&error))?,
        LoadRole::Mock(args) => worker::mock::main(args.clone()).map_err(|error| failed(&error))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn log_of(command: &cli::Command, notices: &Notices) {
    let format = match command {
        cli::Command::Run(args) if args.log_format == cli::LogFormat::Json => log::Format::Json,
        cli::Command::Capacity(args) if args.run.log_format == cli::LogFormat::Json => log::Format::Json,
        _ => log::Format::Sentences,
    };
    let notices = notices.clone();
    log::to(format, move || notices.clone());
}
