//! One worker on a host: a process that ends with its standard input, and the socket that leads to it.
//!
//! A connection that is cut ends nothing on the other side: nobody tells it. So a line goes over the standard input every
//! few seconds, and a worker that has got none for a while ends by itself.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::super::access::WorkerAccess;
use super::super::binary::WorkerBinary;
use super::super::child::{Child, Ended};
use super::client::Client;
use super::error::{HostError, HostProblem};
use super::facts;
use super::host::last_words;
use crate::cli::SshHost;

/// What every worker is told.
const ARGUMENTS: [&str; 7] =
    ["--listen", "127.0.0.1:0", "--credentials", "-", "--exit-with-stdin", "--stdin-silence", "30s"];
/// How often a worker is told that the connection stands; several times in that silence.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// ssh exits with this when the connection, not the command, has failed.
const CONNECTION_LOST: i32 = 255;
/// How long the master may take to make a socket.
const FORWARD_LIMIT: Duration = Duration::from_secs(10);

/// What it takes to start a worker.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) client: Client,
    pub(super) sha256: String,
    /// Its credentials.
    pub(super) bundle: String,
    /// Where its log goes.
    pub(super) log: PathBuf,
    /// What will lead to it.
    pub(super) socket: PathBuf,
    /// How it is reached once the socket is there.
    pub(super) access: WorkerAccess,
}

/// A worker that is up.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) host: SshHost,
    pub(super) access: WorkerAccess,
    child: Child,
    /// Holds its standard input; aborted when it is dropped.
    signs_of_life: JoinSet<()>,
}

impl Start {
    /// Starts it and makes the way to it.
    pub(super) async fn start(self) -> Result<Worker, HostError> {
        let host = self.client.host().clone();
        match self.child().await {
            Ok(mut child) => {
                let mut signs_of_life = JoinSet::new();
                if let Some(stdin) = child.take_stdin() {
                    signs_of_life.spawn(give_signs_of_life(stdin));
                }
                Ok(Worker { host, access: self.access, child, signs_of_life })
            }
            Err(problem) => Err(HostError { host, problem }),
        }
    }

    async fn child(&self) -> Result<Child, HostProblem> {
        let script = format!(
            r#"echo; {}; binary="$folder/archestra-bench"; {}"#,
            facts::folder(&self.sha256),
            WorkerBinary::START
        );
        let command = self.client.follow(&script, &ARGUMENTS);
        let child = Child::spawn("ssh", command, &self.bundle, Some(&self.log)).await;
        let mut child = child.map_err(|error| self.client.not_spawned(&error))?;
        let address = child.address().await.map_err(|_| HostProblem::of_starting(&last_words(&self.log)))?;
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.ok_or_else(|| HostProblem::NotStarted("it listens nowhere".into()))?;
        self.forward(port).await?;
        Ok(child)
    }

    async fn forward(&self, port: u16) -> Result<(), HostProblem> {
        let log = self.socket.with_extension("log");
        let forwarding = Child::spawn("ssh", self.client.forward(&self.socket, port), "", Some(&log)).await;
        let mut forwarding = forwarding.map_err(|error| self.client.not_spawned(&error))?;
        match forwarding.exit(FORWARD_LIMIT).await {
            Some(Ended::Code(0)) => {}
            _ => return Err(HostProblem::of_forwarding(&last_words(&log))),
        }
        // The socket is there in any case. Whether the host lets anything through shows when it is used.
        match timeout(FORWARD_LIMIT, self.access.answers()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(HostProblem::of_forwarding("")),
        }
    }
}

impl Worker {
    /// How it died, if it did.
    pub(super) fn epitaph(&mut self) -> Option<String> {
        Some(match self.child.ended()? {
            Ended::Code(CONNECTION_LOST) => format!("the ssh connection to {} broke", self.host),
            Ended::Code(code) => format!("its process on {} exited with code {code}", self.host),
            Ended::Otherwise(words) => words,
        })
    }

    /// Ends it.
    pub(super) async fn end(self) {
        drop(self.signs_of_life);
        self.child.end().await;
    }
}

async fn give_signs_of_life(mut stdin: ChildStdin) {
    let mut times = interval(SIGN_OF_LIFE);
    loop {
        times.tick().await;
        // ssh that has ended needs none, and a line that waits for the network is followed by no other.
        if stdin.write_all(b"\n").await.is_err() {
            return;
        }
    }
}
