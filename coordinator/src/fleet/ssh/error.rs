//! Why a host cannot carry load: each problem one sentence that says how to mend it.

use std::io;
use std::path::PathBuf;

use super::super::binary::{Architecture, BinaryError};
use crate::cli::SshHost;

/// An ssh fleet that could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// There is nothing that could be carried to the hosts.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// There is no place for the sockets.
    #[error("failed to make the folder {} (set TMPDIR to a folder that this user can write to)", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Some hosts, or all.
    #[error("{}", in_one_line(.0))]
    Hosts(Vec<HostError>),
}

/// A host that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{host} {problem}")]
pub struct HostError {
    /// Which.
    pub host: SshHost,
    /// Reads on from the host.
    pub problem: HostProblem,
}

/// What is wrong with a host; reads on from its name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// This machine has no ssh client.
    #[error("cannot be reached, because {} cannot be started; install an OpenSSH client, or name it with --ssh", .0.display())]
    NoClient(PathBuf),
    /// Another key than the known one.
    #[error(
        "shows another host key than the one in known_hosts, so nothing was sent; if the machine was set up anew, take \
         the old key away with `ssh-keygen -R {0}` and connect once by hand, else somebody may stand in between"
    )]
    OtherKey(String),
    /// A key that nobody has accepted.
    #[error(
        "shows a host key that is not in known_hosts, so nothing was sent; connect once by hand with `ssh {0}`, and \
         accept the key if it is the right one"
    )]
    UnknownKey(String),
    /// It does not let the user in.
    #[error(
        "accepts none of this user's keys; put one into its authorized_keys, or load the right one into the agent with \
         ssh-add (nothing is asked for, so a password or a passphrase does not help)"
    )]
    NoKeyAccepted,
    /// Its name means nothing.
    #[error("is no known host name; correct it, or name it in the ssh configuration")]
    NoSuchName,
    /// It is up, and has no ssh server there.
    #[error("refuses connections; start its ssh server, or correct the port")]
    Refused,
    /// Nothing answers.
    #[error("does not answer ({0}); check that the machine is up and that ssh reaches it from here")]
    Unreachable(String),
    /// It has answered, and then went silent.
    #[error("does not say within {0} s what it is; check by hand that `ssh` logs in there without a prompt")]
    Silent(u64),
    /// It lets the user in, but runs no command of ours.
    #[error("does not say what it is ({0}); check by hand that `ssh` runs commands such as `uname` there")]
    NoCommands(String),
    /// Not Linux.
    #[error("runs {0}, and workers need Linux; name a Linux machine instead")]
    Kernel(String),
    /// Another processor.
    #[error(
        "is an {machine} machine, but {} is for {needed}; give a program that is made for {machine} with --worker-binary",
        .path.display()
    )]
    Architecture {
        /// Its own.
        machine: String,
        /// The program's.
        needed: Architecture,
        /// The program.
        path: PathBuf,
    },
    /// An old library, or another.
    #[error(
        "has {}, but {} needs {}.{} or newer; give a program that was built on an older system, or a static one (for \
         musl), with --worker-binary",
        version(*.found), .path.display(), .needed.0, .needed.1
    )]
    Library {
        /// Its glibc.
        found: Option<(u32, u32)>,
        /// The program's.
        needed: (u32, u32),
        /// The program.
        path: PathBuf,
    },
    /// Nowhere to put the program.
    #[error("has no home folder for this user; make one, or set XDG_CACHE_HOME there")]
    NoHome,
    /// The copy cannot be checked.
    #[error("has no `sha256sum`; install coreutils there")]
    NoChecksums,
    /// No room for the program.
    #[error(
        "has too little space for the worker's program ({0}); free some, or set XDG_CACHE_HOME there to a folder on \
         another disk"
    )]
    NoSpace(String),
    /// The folder cannot be written to.
    #[error(
        "lets this user not write the worker's program ({0}); mend the folder's permissions, or set XDG_CACHE_HOME there \
         to another folder"
    )]
    NoPermission(String),
    /// The program has not arrived.
    #[error("did not get the worker's program ({0}); try again, or look at the machine and the network")]
    NotCopied(String),
    /// It allows only so many processes on one connection.
    #[error(
        "allows no more sessions on one connection; raise MaxSessions in its sshd_config, or start fewer workers there"
    )]
    Sessions,
    /// The worker did not come up.
    #[error("does not start a worker ({0}); run that program there by hand to see why")]
    NotStarted(String),
    /// No way to the worker.
    #[error("lets nothing through to its worker ({0}); allow TCP forwarding in its sshd_config")]
    NotForwarded(String),
}

impl HostProblem {
    /// What `ssh`'s last words say about a connection that was not made.
    pub(super) fn of_connecting(host: &SshHost, words: &str) -> Self {
        let says = |text: &str| words.contains(text);
        let last = last_line(words);
        if says("REMOTE HOST IDENTIFICATION HAS CHANGED") || says("has changed and you have requested strict")
        {
            return Self::OtherKey(known_name(host));
        }
        if says("Host key verification failed") {
            return Self::UnknownKey(host.destination());
        }
        if says("Permission denied") || says("Too many authentication failures") {
            return Self::NoKeyAccepted;
        }
        if says("Could not resolve hostname") {
            return Self::NoSuchName;
        }
        if says("Connection refused") {
            return Self::Refused;
        }
        Self::Unreachable(if last.is_empty() { "ssh says nothing".into() } else { last })
    }

    /// A connection that ended with this code, and these words, before the host had said what it is. ssh exits with 255
    /// where there was none.
    pub(super) fn of_ending(host: &SshHost, code: Option<i32>, words: &str) -> Self {
        match code {
            None | Some(255) => Self::of_connecting(host, words),
            Some(code) => {
                let last = last_line(words);
                Self::NoCommands(if last.is_empty() { format!("exit code {code}") } else { last })
            }
        }
    }

    /// What the host's last words say about a copy that failed.
    pub(super) fn of_copying(words: &str) -> Self {
        let last = last_line(words);
        if words.contains("No space left") || words.contains("quota exceeded") {
            return Self::NoSpace(last);
        }
        let denied =
            ["Permission denied", "Read-only file system", "Not a directory", "Operation not permitted"];
        if denied.into_iter().any(|denied| words.contains(denied)) {
            return Self::NoPermission(last);
        }
        Self::NotCopied(if last.is_empty() { "the checksum of what arrived is wrong".into() } else { last })
    }

    /// What the last words say about a socket through which no worker is reached.
    pub(super) fn of_forwarding(words: &str) -> Self {
        let last = last_line(words);
        Self::NotForwarded(if last.is_empty() { "no handshake".into() } else { last })
    }

    /// What the last words say about a worker that did not come up.
    pub(super) fn of_starting(words: &str) -> Self {
        if words.contains("Session open refused") {
            return Self::Sessions;
        }
        let last = last_line(words);
        Self::NotStarted(if last.is_empty() { "it says nothing".into() } else { last })
    }
}

/// Under which name a host stands in known_hosts.
fn known_name(host: &SshHost) -> String {
    match host.port {
        Some(port) if port != 22 => format!("[{}]:{port}", host.host),
        _ => host.host.clone(),
    }
}

/// The last line that says something. It comes from elsewhere, so it is kept short and printable.
fn last_line(words: &str) -> String {
    let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn version(glibc: Option<(u32, u32)>) -> String {
    glibc.map_or_else(|| "no glibc".into(), |(major, minor)| format!("glibc {major}.{minor}"))
}

fn in_one_line(errors: &[HostError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(". ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connecting(words: &str) -> HostProblem {
        HostProblem::of_connecting(&"me@h:2222".parse().unwrap(), words)
    }

    #[test]
    fn what_ssh_says_becomes_a_sentence_with_the_cure() {
        let changed =
            "@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n";
        assert_eq!(connecting(changed), HostProblem::OtherKey("[h]:2222".into()));
        assert_eq!(connecting("Host key verification failed."), HostProblem::UnknownKey("me@h".into()));
        assert_eq!(connecting("me@h: Permission denied (publickey)."), HostProblem::NoKeyAccepted);
        assert_eq!(
            connecting("ssh: Could not resolve hostname h: Name or service not known"),
            HostProblem::NoSuchName
        );
        assert_eq!(connecting("ssh: connect to host h port 22: Connection refused"), HostProblem::Refused);
        for words in [
            "ssh: connect to host h port 22: No route to host",
            "Connection timed out during banner exchange",
        ] {
            assert_eq!(connecting(words), HostProblem::Unreachable(words.into()));
        }
    }

    #[test]
    fn what_a_host_says_of_a_copy_becomes_one_too() {
        let copying = HostProblem::of_copying;
        assert!(matches!(copying("cat: write error: No space left on device\n"), HostProblem::NoSpace(_)));
        assert!(matches!(
            copying("mkdir: cannot create directory '/x': Permission denied"),
            HostProblem::NoPermission(_)
        ));
        assert!(copying("").to_string().contains("checksum"));
        assert_eq!(
            HostProblem::of_starting(
                "mux_client_request_session: session request failed: Session open refused by peer"
            ),
            HostProblem::Sessions
        );
    }

    #[test]
    fn a_hosts_words_cannot_disturb_the_terminal() {
        let words = format!("\u{1b}[2J{}\n\n", "x".repeat(1000));
        let last = last_line(&words);
        assert!(last.starts_with("[2J") && last.len() == 200);
    }
}
