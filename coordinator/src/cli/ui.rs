//! Flags of `run` about the page on which a browser can follow it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{OUTPUT, outputs};

/// The live page.
#[derive(Debug, Clone, Args)]
pub struct UiArgs {
    /// Address of this machine at which a browser can follow the run, such as 127.0.0.1:9470; port 0 takes a free one;
    /// elsewhere than on loopback the page takes the token of the address that is printed [default: none]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = outputs::address)]
    #[arg(env = "ARCHESTRA_BENCH_UI", help_heading = OUTPUT)]
    pub ui: Option<SocketAddr>,

    /// How long the page stays there when the run has ended, or until Ctrl-C; with none, pages that are open get the report
    /// and keep it
    #[arg(long, value_name = "DURATION|none", default_value = "none", value_parser = outputs::linger)]
    #[arg(env = "ARCHESTRA_BENCH_UI_LINGER", help_heading = OUTPUT)]
    pub ui_linger: Duration,
}
