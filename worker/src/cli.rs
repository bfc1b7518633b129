//! The `worker` command: its arguments, and what it does until it is told to end.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::credentials::{Credentials, CredentialsError, InvalidBundle};
use crate::host;
use crate::lifetime::{Stdin, announce, end_of_service, read_pem_blocks_from_stdin};
use crate::service::{self, ServeError};

/// Run a load worker that a coordinator commands
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:7000",
        env = "ARCHESTRA_BENCH_WORKER_LISTEN"
    )]
    pub listen: SocketAddr,

    /// File with this worker's certificate, key and authority, made by `archestra-bench pki`; - reads standard input.
    /// Without it the worker speaks plain text, and only on a loopback address
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_WORKER_CREDENTIALS")]
    pub credentials: Option<PathBuf>,

    /// File (PEM) with the certificate of the authority whose coordinators this worker obeys; the worker then makes its
    /// own key and certificate, in place of --credentials
    #[arg(long, value_name = "FILE", conflicts_with = "credentials")]
    #[arg(env = "ARCHESTRA_BENCH_WORKER_COORDINATOR_CA")]
    pub coordinator_ca: Option<PathBuf>,

    /// Where the certificate that the worker made itself is written, for the coordinator to pin
    #[arg(long, value_name = "FILE", requires = "coordinator_ca")]
    #[arg(env = "ARCHESTRA_BENCH_WORKER_CERTIFICATE_OUT")]
    pub certificate_out: Option<PathBuf>,

    /// Exit when standard input ends: whoever holds its other end is gone
    #[arg(long, hide = true)]
    pub exit_with_stdin: bool,

    /// Exit too when nothing has come over standard input for so long: the way to whoever holds its other end was cut
    #[arg(long, hide = true, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[arg(requires = "exit_with_stdin")]
    pub stdin_silence: Option<Duration>,
}

/// Why the worker could not serve.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The address is taken, or is none of this machine's.
    #[error("the worker cannot listen on {address} (choose another with --listen; port 0 takes a free one)")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Anybody who reaches the address could command the worker.
    #[error(
        "the worker has no credentials, and {0} is not a loopback address: give --credentials FILE, \
         which `archestra-bench pki` makes where the coordinator runs"
    )]
    Open(SocketAddr),
    /// Two variables: of two flags clap takes one, and a flag beats a variable.
    #[error(
        "ARCHESTRA_BENCH_WORKER_CREDENTIALS and ARCHESTRA_BENCH_WORKER_COORDINATOR_CA exclude each other: unset one, or \
         give --credentials or --coordinator-ca as a flag"
    )]
    TwoCredentials,
    /// The credentials cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The credentials on standard input cannot be used.
    #[error("the credentials on standard input {0}")]
    Stdin(InvalidBundle),
    /// The server broke.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The system denied something that every server needs.
    #[error("the worker cannot serve")]
    System(#[from] io::Error),
}

/// Serves until Ctrl-C, SIGTERM or, where asked, the end of standard input. Prints one line, `listening on URL`, once
/// connections are accepted.
///
/// # Errors
/// When the address cannot be listened on, the credentials cannot be used, or the server breaks.
pub fn main(args: &WorkerArgs) -> Result<(), WorkerError> {
    host::raise_open_files_limit();
    let credentials = match (&args.coordinator_ca, &args.credentials) {
        (Some(_), Some(_)) => return Err(WorkerError::TwoCredentials),
        (Some(authority), None) => Some(Credentials::make(authority)?),
        (None, bundle) => {
            let limit = args.stdin_silence.unwrap_or(Duration::MAX);
            bundle.as_deref().map(|path| read_credentials(path, limit)).transpose()?
        }
    };
    if credentials.is_none() && !args.listen.ip().is_loopback() {
        return Err(WorkerError::Open(args.listen));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|source| WorkerError::Listen { address: args.listen, source })?;
        let end = end_of_service(match args.stdin_silence {
            Some(limit) => Stdin::EndsOrFallsSilent(limit),
            None if args.exit_with_stdin => Stdin::Ends,
            None => Stdin::Unwatched,
        })?;
        let scheme = if credentials.is_some() { "https" } else { "http" };
        if let (Some(credentials), Some(path)) = (&credentials, &args.certificate_out) {
            credentials.show_certificate(path)?;
        }
        announce(scheme, listener.local_addr()?)?;
        Ok(service::run(listener, credentials.as_ref(), end).await?)
    });
    // A probe or a look-up in progress cannot be called off; it ends with the process.
    runtime.shutdown_background();
    served
}

fn read_credentials(path: &Path, silence: Duration) -> Result<Credentials, WorkerError> {
    if path != Path::new("-") {
        return Ok(Credentials::read(path)?);
    }
    let bundle =
        read_pem_blocks_from_stdin(3, silence).map_err(|_| WorkerError::Stdin(InvalidBundle::Blocks))?;
    Credentials::parse(&bundle).map_err(WorkerError::Stdin)
}
