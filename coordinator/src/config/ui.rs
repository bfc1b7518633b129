//! The page on which a browser can follow a run.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::UiArgs;

/// Where the page is, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UiConfig {
    /// Of this machine.
    pub address: SocketAddr,
    /// How long it stays when the run has ended.
    pub linger: Duration,
}

impl UiConfig {
    pub(super) fn new(args: &UiArgs) -> Option<Self> {
        args.ui.map(|address| Self { address, linger: args.ui_linger })
    }
}
