//! One host: its connection, what it is, and the worker's program on it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{sleep, timeout};

use super::super::binary::WorkerBinary;
use super::super::child::{Child, Ended};
use super::super::news::{MachineState, News};
use super::client::Client;
use super::error::{HostError, HostProblem};
use super::facts::{self, Facts};
use crate::clock;

/// How long a host may take from the first packet until it has said what it is.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long before each further try: whoever closes connections early has too many at once.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// How long a copy may stand still. All hosts may share one slow line, so how long it takes says nothing.
const STILL_LIMIT: Duration = Duration::from_secs(120);
/// How much is handed to ssh at once.
const PIECE: usize = 64 * 1024;
/// How long ssh may take to say why it failed.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);

/// Shell that puts its standard input into `$folder` under the program's name: whole and checked, or not at all. `$1` is
/// the checksum. What is left of copies that were cut off an hour ago or earlier is taken away first.
pub(super) const COPY: &str = r#"umask 077; new="$folder/.new.$$"; mkdir -p "$folder" && { find "${folder%/*}" -name ".new.*" -mmin +60 -exec rm -f {} + 2>/dev/null || true; } && cat >"$new" && [ "$(sha256sum <"$new" | cut -c1-64)" = "$1" ] && chmod 0755 "$new" && mv -f "$new" "$folder/archestra-bench" || { rm -f "$new"; exit 1; }"#;

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
    /// The same for two names of one machine.
    pub(super) machine: String,
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
    /// names begin with `own`. `doors` bounds how many connect at once.
    pub(super) async fn bring_up(
        client: Client,
        program: Arc<Program>,
        own: PathBuf,
        doors: Arc<Semaphore>,
        news: News,
    ) -> Result<Self, HostError> {
        let host = client.host().clone();
        Self::prepare(client, &program, &own, &doors, &news)
            .await
            .map_err(|problem| HostError { host, problem })
    }

    async fn prepare(
        client: Client,
        program: &Program,
        own: &Path,
        doors: &Semaphore,
        news: &News,
    ) -> Result<Self, HostProblem> {
        let (master, facts) = Self::connect_patiently(&client, program, own, doors).await?;
        facts.agrees_on_time(clock::local_now().timestamp().as_second())?;
        if !facts.has(&program.binary)? {
            copy(&client, program, &own.with_extension("copy.log"), news).await?;
        }
        let machine = facts.boot().map_or_else(|| client.host().to_string(), ToOwned::to_owned);
        Ok(Self { client, cores: facts.cores(), machine, master })
    }

    async fn connect_patiently(
        client: &Client,
        program: &Program,
        own: &Path,
        doors: &Semaphore,
    ) -> Result<(Child, Facts), HostProblem> {
        let mut pauses = PAUSES.into_iter();
        loop {
            // Nobody closes it, so there is always a door.
            let door = doors.acquire().await;
            let connected = Self::connect(client, program, own).await;
            drop(door);
            match (connected, pauses.next()) {
                (Err(problem), Some(pause)) if problem.may_pass() => sleep(pause).await,
                (connected, _) => return connected,
            }
        }
    }

    /// The connection, and what the host says of itself.
    async fn connect(client: &Client, program: &Program, own: &Path) -> Result<(Child, Facts), HostProblem> {
        let log = own.with_extension("log");
        let master =
            Child::spawn("ssh", client.master(&facts::script(&program.binary)), "", Some(&log)).await;
        let mut master = master.map_err(|error| client.not_spawned(&error))?;

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
            Ok(true) => Ok((master, facts)),
            Ok(false) => {
                let code = match master.exit(LAST_WORDS_LIMIT).await {
                    Some(Ended::Code(code)) => Some(code),
                    _ => None,
                };
                Err(HostProblem::of_ending(client.host(), code, &last_words(&log)))
            }
            Err(_) => Err(HostProblem::Silent(CONNECT_LIMIT.as_secs())),
        }
    }

    /// Ends the connection.
    pub(super) async fn end(self) {
        self.master.end().await;
    }
}

async fn copy(client: &Client, program: &Program, log: &Path, news: &News) -> Result<(), HostProblem> {
    let bytes = program.bytes().await?;
    news.tell(&client.host().to_string(), MachineState::Copying(bytes.len() as u64));
    let script = format!("{}; {COPY}", facts::folder(&program.binary.sha256));
    let command = client.follow(&script, &[&program.binary.sha256]);
    let copying = Child::spawn("ssh", command, "", Some(log)).await;
    let mut copying = copying.map_err(|error| client.not_spawned(&error))?;

    let still = || HostProblem::NotCopied(format!("nothing moves for {} s", STILL_LIMIT.as_secs()));
    if let Some(mut stdin) = copying.take_stdin() {
        for piece in bytes.chunks(PIECE) {
            match timeout(STILL_LIMIT, stdin.write_all(piece)).await {
                Ok(Ok(())) => {}
                // A host that does not take it all says why.
                Ok(Err(_)) => break,
                Err(_) => return Err(still()),
            }
        }
    }
    match copying.exit(STILL_LIMIT).await {
        Some(Ended::Code(0)) => Ok(()),
        Some(Ended::Code(code)) => Err(HostProblem::of_copying(Some(code), &last_words(log))),
        Some(Ended::Otherwise(_)) => Err(HostProblem::of_copying(None, &last_words(log))),
        None => Err(still()),
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
