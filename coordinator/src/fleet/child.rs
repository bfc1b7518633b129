//! A child process that never outlives its parent: another role of this same executable, or an ssh client.
//!
//! The child holds a pipe from the coordinator as its standard input and exits at its end, whatever way the coordinator
//! ends. It is in a process group of its own, so that a Ctrl-C on the terminal reaches the coordinator alone, which then
//! ends it in order.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::API_KEY_VARIABLES;

/// How long a child may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a child may take to exit once its standard input has ended.
const END_LIMIT: Duration = Duration::from_secs(3);
/// How much of what a child says is listened to.
const MAX_SAID_BYTES: u64 = 64 * 1024;

/// A child process that did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error(
        "the {program} process cannot be started (is this executable still there, and may more processes run?)"
    )]
    Start {
        /// Its role.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It ended, or said nothing, or something else.
    #[error(
        "the {program} process did not say where it listens; run `archestra-bench {program}` by hand to see why"
    )]
    Silent {
        /// Its role.
        program: &'static str,
    },
}

/// A child process.
#[derive(Debug)]
pub(super) struct Child {
    program: &'static str,
    process: tokio::process::Child,
    /// Held open: its end is the child's end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<Take<ChildStdout>>,
}

/// How it is when it was asked whether it still runs.
pub(super) enum Ended {
    /// It exited by itself, with this code.
    Code(i32),
    /// Something else ended it.
    Otherwise(String),
}

impl Child {
    /// Starts this executable with `arguments`, hands it `input`, and sends what it logs to `log`.
    pub(super) async fn start(
        arguments: &[&'static str],
        input: &str,
        log: Option<&Path>,
    ) -> Result<Self, ChildError> {
        let program = arguments.first().copied().unwrap_or_default();
        let executable = std::env::current_exe().map_err(|source| ChildError::Start { program, source })?;
        let mut command = Command::new(executable);
        command.args(arguments);
        Self::spawn(program, command, input, log).await
    }

    /// Starts `command`, which errors call `program`, in the same way.
    pub(super) async fn spawn(
        program: &'static str,
        mut command: Command,
        input: &str,
        log: Option<&Path>,
    ) -> Result<Self, ChildError> {
        let failed = |source| ChildError::Start { program, source };
        let stderr = log.map(File::create).transpose().map_err(failed)?;

        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(stderr.map_or_else(Stdio::null, Stdio::from));
        command.process_group(0).kill_on_drop(true);
        for key in API_KEY_VARIABLES {
            command.env_remove(key);
        }
        let mut process = command.spawn().map_err(failed)?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(ChildError::Silent { program });
        };
        stdin.write_all(input.as_bytes()).await.map_err(|_| ChildError::Silent { program })?;
        let stdout = BufReader::new(stdout.take(MAX_SAID_BYTES));
        Ok(Self { program, process, stdin: Some(stdin), stdout })
    }

    /// Where it listens: host and port.
    pub(super) async fn address(&mut self) -> Result<String, ChildError> {
        let line = timeout(START_LIMIT, self.line()).await;
        let address = line.ok().flatten().and_then(|line| {
            let (_, address) = line.strip_prefix("listening on ")?.split_once("://")?;
            Some(address.to_owned())
        });
        address.ok_or(ChildError::Silent { program: self.program })
    }

    /// The next line that it says; `None` when it says nothing more.
    pub(super) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line).await {
            Ok(1..) => Some(line.trim().to_owned()),
            Ok(_) | Err(_) => None,
        }
    }

    /// What ends it when it is dropped, to be held by somebody else.
    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// How it died, if it did.
    pub(super) fn epitaph(&mut self) -> Option<String> {
        Some(match self.ended()? {
            Ended::Code(code) => format!("its process exited with code {code}"),
            Ended::Otherwise(words) => words,
        })
    }

    /// Whether it has ended, and how.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        self.process.try_wait().ok().flatten().map(describe)
    }

    /// Waits for its end, which something else brings about.
    pub(super) async fn exit(&mut self, limit: Duration) -> Option<Ended> {
        timeout(limit, self.process.wait()).await.ok()?.ok().map(describe)
    }

    /// Ends it: by the end of its standard input, or else by force.
    pub(super) async fn end(mut self) {
        self.let_go();
        if timeout(END_LIMIT, self.process.wait()).await.is_err() {
            // Nothing is left to be done when even this fails.
            let _ = self.process.kill().await;
        }
    }

    /// Ends them all, within the time that one may take.
    pub(super) async fn end_all(mut children: Vec<Self>) {
        children.iter_mut().for_each(Self::let_go);
        let mut ending: JoinSet<()> = children.into_iter().map(Self::end).collect();
        while ending.join_next().await.is_some() {}
    }

    /// Ends its standard input, and so its work.
    fn let_go(&mut self) {
        self.stdin = None;
    }
}

fn describe(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Otherwise(format!("its process was ended by signal {signal}")),
        (None, None) => Ended::Otherwise("its process ended".into()),
    }
}
