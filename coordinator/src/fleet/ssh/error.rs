//! Why a host cannot carry load: each problem one sentence that says how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use super::super::binary::{Architecture, BinaryError};
use super::super::child::ChildError;
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
    /// This machine lets no more be started.
    #[error(
        "cannot be reached, because this machine lets no more ssh clients be started ({0}); raise its limits, or name fewer hosts"
    )]
    NoMoreClients(String),
    /// The client does not get as far as the network.
    #[error("cannot be reached, because ssh fails on this machine ({0}); mend its configuration here")]
    LocalSsh(String),
    /// Another key than the known one.
    #[error(
        "shows another host key than the one in known_hosts, so nothing was sent; if the machine was set up anew, take \
         the old key away ({0}) and connect once by hand, else somebody may stand in between"
    )]
    OtherKey(String),
    /// A key that nobody has accepted.
    #[error(
        "shows a host key that is not in known_hosts, so nothing was sent; connect once by hand with `{0}`, and \
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
    /// It, or a host before it, has too many connections that have not logged in yet.
    #[error(
        "closes connections before anybody has logged in ({0}); raise MaxStartups in its sshd_config, or in that of the \
         jump host, or name fewer hosts"
    )]
    Closed(String),
    /// Nothing answers.
    #[error("does not answer ({0}); check that the machine is up and that ssh reaches it from here")]
    Unreachable(String),
    /// It has answered, and then went silent.
    #[error("does not say within {0} s what it is; check by hand that `ssh` logs in there without a prompt")]
    Silent(u64),
    /// It lets the user in, but runs no command of ours.
    #[error("does not say what it is ({0}); check by hand that `ssh` runs commands such as `uname` there")]
    NoCommands(String),
    /// Certificates do not hold at the time that it thinks it is.
    #[error("has a clock that is {0}, so that no certificate holds there; set it")]
    Clock(String),
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
    /// The program is there, and must not run.
    #[error(
        "does not let the worker's program run ({0}); where its folder is mounted noexec, set XDG_CACHE_HOME there to \
         another, in the shell's start-up file or with SetEnv in its sshd_config"
    )]
    NotExecutable(String),
    /// The worker did not come up.
    #[error("does not start a worker ({0}); run that program there by hand to see why")]
    NotStarted(String),
    /// No way to the worker.
    #[error("lets nothing through to its worker ({0}); allow TCP forwarding in its sshd_config")]
    NotForwarded(String),
}

/// What ssh says of this machine, before or beside any connection.
const LOCAL: [&str; 5] = [
    "bad configuration option",
    "Bad configuration option",
    "Bad owner or permissions on",
    "unix_listener: ",
    "muxserver_listen",
];
/// What ssh says where too many knock at once; it passes.
const CLOSED: [&str; 3] = ["kex_exchange_identification", "Connection closed by", "Connection reset by"];

impl HostProblem {
    /// Whether it may well be otherwise in a moment.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// What `ssh`'s last words say about a connection that was not made.
    pub(super) fn of_connecting(host: &SshHost, words: &str) -> Self {
        let says = |text: &str| words.contains(text);
        let last = last_line(words);
        if says("REMOTE HOST IDENTIFICATION HAS CHANGED") || says("has changed and you have requested strict")
        {
            return Self::OtherKey(way_to_forget(host, words));
        }
        if says("Host key verification failed") {
            return Self::UnknownKey(by_hand(host));
        }
        if LOCAL.into_iter().any(says) {
            return Self::LocalSsh(last);
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
        if CLOSED.into_iter().any(says) {
            return Self::Closed(last);
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

    /// An ssh client that did not start for this reason.
    pub(super) fn of_spawning(program: &Path, error: &ChildError) -> Self {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match error {
            ChildError::Start { source, .. } if matches!(source.kind(), NotFound | PermissionDenied) => {
                Self::NoClient(program.to_owned())
            }
            ChildError::Start { source, .. } | ChildError::Log { source, .. } => {
                Self::NoMoreClients(source.to_string())
            }
            ChildError::Silent { .. } => Self::NotStarted("ssh ended at once".into()),
        }
    }

    /// What the exit code and the last words, ssh's or the host's, say about a copy that failed.
    pub(super) fn of_copying(code: Option<i32>, words: &str) -> Self {
        if words.contains(NO_SESSION) {
            return Self::Sessions;
        }
        let last = last_line(words);
        if words.contains("No space left") || words.contains("quota exceeded") {
            return Self::NoSpace(last);
        }
        let denied =
            ["Permission denied", "Read-only file system", "Not a directory", "Operation not permitted"];
        if denied.into_iter().any(|denied| words.contains(denied)) {
            return Self::NoPermission(last);
        }
        Self::NotCopied(match code {
            _ if !last.is_empty() => last,
            Some(1) => "the checksum of what arrived is wrong".into(),
            _ => "the ssh connection broke".into(),
        })
    }

    /// What the last words say about a socket through which no worker is reached.
    pub(super) fn of_forwarding(words: &str) -> Self {
        let last = last_line(words);
        Self::NotForwarded(if last.is_empty() { "no handshake".into() } else { last })
    }

    /// What the last words say about a worker that did not come up.
    pub(super) fn of_starting(words: &str) -> Self {
        if words.contains(NO_SESSION) {
            return Self::Sessions;
        }
        let last = last_line(words);
        if last.contains("Permission denied") {
            return Self::NotExecutable(last);
        }
        Self::NotStarted(if last.is_empty() { "it says nothing".into() } else { last })
    }
}

/// What ssh says where MaxSessions is reached.
const NO_SESSION: &str = "Session open refused";

/// How a user connects to a host.
fn by_hand(host: &SshHost) -> String {
    let port = host.port.map_or_else(String::new, |port| format!("-p {port} "));
    format!("ssh {port}{}", host.destination())
}

/// How an old key is taken away. Some builds of ssh print the command, and all of them where the key is: only ssh knows
/// under which name a host of its configuration stands there.
fn way_to_forget(host: &SshHost, words: &str) -> String {
    let lines = || words.lines().map(str::trim);
    if let Some(command) = lines().find(|line| line.starts_with("ssh-keygen -f ")) {
        return printable(command);
    }
    let place = lines().find_map(|line| line.strip_prefix("Offending ")?.split_once(" key in "));
    match (place, host.port) {
        (Some((_, place)), _) => printable(place),
        (None, Some(port)) if port != 22 => format!("ssh-keygen -R \"[{}]:{port}\"", host.host),
        (None, _) => format!("ssh-keygen -R {}", host.host),
    }
}

/// The last line that says something.
fn last_line(words: &str) -> String {
    printable(words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default())
}

/// What comes from elsewhere, kept short and printable.
pub(super) fn printable(line: &str) -> String {
    line.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn version(glibc: Option<(u32, u32)>) -> String {
    glibc.map_or_else(|| "no glibc".into(), |(major, minor)| format!("glibc {major}.{minor}"))
}

fn in_one_line(errors: &[HostError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(". ")
}

#[cfg(test)]
mod tests;
