//! A child process that never outlives its parent: another role of this same executable, or an ssh client.
//!
//! The child holds a pipe from the coordinator as its standard input and exits at its end, whatever way the coordinator
//! ends. It leads a process group of its own, so that a Ctrl-C on the terminal reaches the coordinator alone, which then
//! ends it in order, and so that what it has started itself, such as an ssh client's proxy, can be ended with it.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{API_KEY_VARIABLES, DIRECT_API_KEY_VARIABLE};

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
    /// There is no place for what it logs.
    #[error("failed to make the log {} (check that this user may write there, and that more files may be open)", .path.display())]
    Log {
        /// Which.
        path: PathBuf,
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
        let create = |path: &Path| {
            File::create(path).map_err(|source| ChildError::Log { path: path.to_owned(), source })
        };
        let stderr = log.map(create).transpose()?;

        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(stderr.map_or_else(Stdio::null, Stdio::from));
        command.process_group(0).kill_on_drop(true);
        for key in API_KEY_VARIABLES.into_iter().chain([DIRECT_API_KEY_VARIABLE]) {
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
        let told = timeout(START_LIMIT, async {
            // On other machines a shell's start-up files may say things before.
            while let Some(line) = self.line().await {
                if let Some(address) = address_in(&line) {
                    return Some(address.to_owned());
                }
            }
            None
        });
        told.await.ok().flatten().ok_or(ChildError::Silent { program: self.program })
    }

    /// The next line that it says, in whatever encoding; `None` when it says nothing more.
    pub(super) async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stdout.read_until(b'\n', &mut line).await {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim().to_owned()),
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
            self.kill_group();
            // Nothing is left to be done when even this fails.
            let _ = self.process.wait().await;
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

    /// Ends it and what it has started, unless it has ended: then its number may be somebody else's.
    fn kill_group(&self) {
        let number = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = number {
            // One that has ended in the meantime needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn address_in(line: &str) -> Option<&str> {
    let (_, url) = line.split_once("listening on ")?;
    Some(url.split_once("://")?.1)
}

fn describe(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Otherwise(format!("its process was ended by signal {signal}")),
        (None, None) => Ended::Otherwise("its process ended".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::spawn("sh", command, "", None).await.unwrap()
    }

    #[tokio::test]
    async fn what_a_login_shell_says_before_is_no_address() {
        let mut child =
            shell(r#"echo Welcome; printf "caf\351\nhello> "; echo "listening on https://127.0.0.1:7""#)
                .await;
        assert_eq!(child.address().await.unwrap(), "127.0.0.1:7");
        assert!(shell("echo Welcome").await.address().await.is_err());
    }

    #[tokio::test]
    async fn what_a_child_has_started_ends_with_it() {
        for dropped in [true, false] {
            let mut child = shell(r#"trap "" HUP; sleep 600 & echo $!; wait"#).await;
            let grandchild = Pid::from_raw(child.line().await.unwrap().parse().unwrap()).unwrap();
            if dropped {
                drop(child)
            } else {
                child.end().await
            }
            let state = || std::fs::read_to_string(format!("/proc/{}/stat", grandchild.as_raw_nonzero()));
            let is_alive = || state().is_ok_and(|stat| !stat.contains(") Z"));
            for _ in 0..200 {
                if !is_alive() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(!is_alive(), "dropped: {dropped}");
        }
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_made_is_named_and_not_the_program() {
        let command = Command::new("true");
        let failed = Child::spawn("true", command, "", Some("/nowhere/log".as_ref())).await.unwrap_err();
        assert!(failed.to_string().starts_with("failed to make the log /nowhere/log ("), "{failed}");
    }
}
