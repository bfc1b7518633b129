//! How the system's `ssh` is called: one connection for each host, and everything else over it.
//!
//! The first call, the *master*, makes the connection with whatever the user's configuration says of the host, and never
//! asks anything. Its own command on the host ends with its standard input, and it then ends with the last of the others:
//! no connection outlives its coordinator. All further calls go over its control socket or not at all.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::super::child::ChildError;
use super::error::HostProblem;
use crate::cli::SshHost;

/// Nothing is asked at a prompt, a silent host is given up, and the host gets no agent and no display.
///
/// Nothing is said of host keys: the user's configuration decides about them, and ssh checks them by default.
const MASTER: &[&str] = &[
    "-M",
    "-T",
    "-a",
    "-x",
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oConnectionAttempts=1",
    "-oControlPersist=no",
    "-oServerAliveInterval=3",
    "-oServerAliveCountMax=4",
    "-oLogLevel=ERROR",
    "-oRemoteCommand=none",
    "-oClearAllForwardings=yes",
];

/// No configuration is needed on a connection that stands. Were the master gone, ssh would connect anew by itself: the
/// proxy that fails keeps it from that.
const FOLLOWER: &[&str] =
    &["-F/dev/null", "-T", "-a", "-x", "-oControlMaster=no", "-oProxyCommand=false", "-oBatchMode=yes"];

/// The ways to call `ssh` for one host.
#[derive(Debug, Clone)]
pub(super) struct Client {
    program: PathBuf,
    host: SshHost,
    /// The master's control socket.
    control: PathBuf,
}

impl Client {
    pub(super) fn new(program: PathBuf, host: SshHost, control: PathBuf) -> Self {
        Self { program, host, control }
    }

    /// Which host.
    pub(super) fn host(&self) -> &SshHost {
        &self.host
    }

    /// Why it did not start.
    pub(super) fn not_spawned(&self, error: &ChildError) -> HostProblem {
        HostProblem::of_spawning(&self.program, error)
    }

    /// Connects, and runs `script` on the host.
    pub(super) fn master(&self, script: &str) -> Command {
        let mut command = self.call(MASTER);
        command.arg(self.host.destination()).arg(remote(script, &[]));
        command
    }

    /// Runs `script` with `arguments` on the host, over the master's connection.
    pub(super) fn follow(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = self.call(FOLLOWER);
        command.arg(self.host.destination()).arg(remote(script, arguments));
        command
    }

    /// Has the master listen on `socket` and pass on what comes there to the host's loopback.
    pub(super) fn forward(&self, socket: &Path, port: u16) -> Command {
        let mut command = self.call(FOLLOWER);
        command.args(["-O", "forward", "-L"]).arg(format!("{}:127.0.0.1:{port}", socket.display()));
        command.arg(self.host.destination());
        command
    }

    fn call(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(options).arg("-S").arg(&self.control);
        if let Some(port) = self.host.port {
            command.arg("-p").arg(port.to_string());
        }
        command
    }
}

/// The login shell may be any, but within single quotes all of them leave such text alone: our scripts have no quote, no
/// backslash, no `!` and no line break in them.
fn remote(script: &str, arguments: &[&str]) -> String {
    format!("exec sh -c '{script}' sh {}", arguments.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: &Command) -> String {
        let words = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    fn client(host: &str) -> Client {
        Client::new("ssh".into(), host.parse().unwrap(), "/tmp/x/h0".into())
    }

    #[test]
    fn host_keys_are_left_to_ssh_and_the_user() {
        let client = client("me@h:2222");
        for command in [client.master("true"), client.follow("true", &[]), client.forward("/s".as_ref(), 1)] {
            let shown = shown(&command);
            assert!(shown.contains("BatchMode=yes") && shown.contains("-S /tmp/x/h0 -p 2222"), "{shown}");
            for word in ["HostKey", "KnownHosts", "StrictHost"] {
                assert!(!shown.contains(word), "{shown}");
            }
        }
    }

    #[test]
    fn an_address_of_ipv6_is_named_without_brackets_as_ssh_wants_it() {
        let shown = shown(&client("me@[::1]:22").follow("echo", &["a", "b"]));
        assert!(shown.ends_with("-p 22 me@::1 exec sh -c 'echo' sh a b"), "{shown}");
    }
}
