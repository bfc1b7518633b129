//! Flags that say how a target is reached, and what it is shown.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{TARGET, WorkerAddress, values};

/// The flags that say how a target is reached, and what it is shown.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// Where connections go in the place of the target's own host and port; what the Host header and TLS say stays the
    /// target's [default: the target's own]
    #[arg(long, value_name = "HOST:PORT", value_parser = values::worker_address)]
    #[arg(env = "ARCHESTRA_BENCH_CONNECT_TO", help_heading = TARGET)]
    pub connect_to: Option<WorkerAddress>,

    /// Address of the workers' machines that connections come from, each with ports of its own; repeatable, or separated
    /// by commas: they take turns [default: the system's choice]
    #[arg(long = "local-address", value_name = "IP", value_parser = values::ip_address, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_LOCAL_ADDRESSES", help_heading = TARGET)]
    pub local_addresses: Vec<IpAddr>,

    /// Name that TLS asks for, and that the certificate must be for, in the place of the target's host
    /// [default: the target's host]
    #[arg(long, value_name = "NAME", value_parser = values::text, env = "ARCHESTRA_BENCH_TLS_SERVER_NAME")]
    #[arg(help_heading = TARGET)]
    pub tls_server_name: Option<String>,

    /// Let connections resume the TLS sessions of earlier ones, as clients that come back do; without it each is a
    /// stranger, with a whole handshake
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_name = "BOOL", action = ArgAction::Set, value_parser = values::switch)]
    #[arg(env = "ARCHESTRA_BENCH_TLS_SESSION_RESUMPTION", help_heading = TARGET)]
    pub tls_session_resumption: bool,

    /// File (PEM) with the certificate that is shown to the target, and those that it hangs from [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_TLS_CLIENT_CERTIFICATE", help_heading = TARGET)]
    pub tls_client_certificate: Option<PathBuf>,

    /// File (PEM) with the key of that certificate, which nobody else may be able to read [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_TLS_CLIENT_KEY", help_heading = TARGET)]
    pub tls_client_key: Option<PathBuf>,
}
