//! One host: its connection, what it is, and the worker's program on it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::super::binary::WorkerBinary;
use super::super::child::{Child, ChildError, Ended};
use super::client::Client;
use super::error::{HostError, HostProblem};
use super::facts::{self, Facts};

/// How long a host may take from the first packet until it has said what it is.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long a copy may take: some 30 MB over a slow line.
const COPY_LIMIT: Duration = Duration::from_secs(600);
/// How long ssh may take to say why it failed.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);

/// Shell that puts its standard input into `$folder` under the program's name: whole and checked, or not at all. `$1` is
/// the checksum.
pub(super) const COPY: &str = r#"umask 077; new="$folder/.new.$$"; mkdir -p "$folder" && cat >"$new" && [ "$(sha256sum <"$new" | cut -c1-64)" = "$1" ] && chmod 0755 "$new" && mv -f "$new" "$folder/archestra-bench" || { rm -f "$new"; exit 1; }"#;

/// A worker's program, and its bytes once some host needs them.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) binary: WorkerBinary,
    bytes: OnceCell<Vec<u8>>,
}

/// A host that is connected and has the worker's program.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) client: Client,
    /// Cores that a process may use there.
    pub(super) cores: NonZeroU32,
    /// Ends the connection when it ends.
    master: Child,
}

impl Program {
    pub(super) fn new(binary: WorkerBinary) -> Self {
        Self { binary, bytes: OnceCell::new() }
    }

    async fn bytes(&self) -> Result<&[u8], HostProblem> {
        let read = || async {
            let path = self.binary.path.clone();
            let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
            read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        let bytes = self.bytes.get_or_try_init(read).await;
        bytes.map(Vec::as_slice).map_err(|problem: String| {
            HostProblem::NotCopied(format!("{}: {problem}", self.binary.path.display()))
        })
    }
}

impl Host {
    /// Connects, looks, and copies the program where it is missing. What ssh says goes to files whose
    /// names begin with `own`.
    pub(super) async fn bring_up(
        client: Client,
        program: Arc<Program>,
        own: PathBuf,
    ) -> Result<Self, HostError> {
        let host = client.host().clone();
        Self::connect(client, &program, &own).await.map_err(|problem| HostError { host, problem })
    }

    async fn connect(client: Client, program: &Program, own: &Path) -> Result<Self, HostProblem> {
        let log = own.with_extension("log");
        let master =
            Child::spawn("ssh", client.master(&facts::script(&program.binary)), "", Some(&log)).await;
        let mut master = master.map_err(|error| not_spawned(&client, &error))?;

        let mut facts = Facts::default();
        let told = timeout(CONNECT_LIMIT, async {
            while let Some(line) = master.line().await {
                if facts.take(&line) {
                    return true;
                }
            }
            false
        });
        match told.await {
            Ok(true) => {}
            Ok(false) => {
                let code = match master.exit(LAST_WORDS_LIMIT).await {
                    Some(Ended::Code(code)) => Some(code),
                    _ => None,
                };
                return Err(HostProblem::of_ending(client.host(), code, &last_words(&log)));
            }
            Err(_) => return Err(HostProblem::Silent(CONNECT_LIMIT.as_secs())),
        }
        if !facts.has(&program.binary)? {
            copy(&client, program, &own.with_extension("copy.log")).await?;
        }
        Ok(Self { client, cores: facts.cores(), master })
    }

    /// Ends the connection.
    pub(super) async fn end(self) {
        self.master.end().await;
    }
}

async fn copy(client: &Client, program: &Program, log: &Path) -> Result<(), HostProblem> {
    let bytes = program.bytes().await?;
    let script = format!("{}; {COPY}", facts::folder(&program.binary.sha256));
    let command = client.follow(&script, &[&program.binary.sha256]);
    let copying = Child::spawn("ssh", command, "", Some(log)).await;
    let mut copying = copying.map_err(|error| not_spawned(client, &error))?;

    let copied = timeout(COPY_LIMIT, async {
        if let Some(mut stdin) = copying.take_stdin() {
            // A host that does not take it all says why.
            let _ = stdin.write_all(bytes).await;
        }
        copying.exit(COPY_LIMIT).await
    });
    match copied.await {
        Ok(Some(Ended::Code(0))) => Ok(()),
        Ok(_) => Err(HostProblem::of_copying(&last_words(log))),
        Err(_) => Err(HostProblem::NotCopied(format!("not within {} s", COPY_LIMIT.as_secs()))),
    }
}

/// An ssh client that cannot be started at all.
pub(super) fn not_spawned(client: &Client, error: &ChildError) -> HostProblem {
    match error {
        ChildError::Start { .. } => HostProblem::NoClient(client.program().to_owned()),
        ChildError::Silent { .. } => HostProblem::NotStarted("ssh ended at once".into()),
    }
}

/// The end of what was logged, however much that is.
pub(super) fn last_words(log: &Path) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};

    const KEPT: u64 = 4096;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        file.take(KEPT).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}
