//! The flags of `pki`.

use std::path::PathBuf;

use clap::Args;

use super::values;
use crate::trust::FleetName;

/// The flags of `pki`.
#[derive(Debug, Clone, Args)]
pub struct PkiArgs {
    /// Whose certificate authority; made when there is none of this name
    #[arg(long, value_name = "NAME", default_value = FleetName::DEFAULT, value_parser = values::fleet_name)]
    #[arg(env = "ARCHESTRA_BENCH_FLEET_NAME")]
    pub fleet_name: FleetName,

    /// Folder that worker.pem is written to
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,

    /// Overwrite a worker.pem that is already there
    #[arg(long)]
    pub force: bool,

    /// Folder for certificate authorities
    /// [default: $XDG_STATE_HOME/archestra-bench, or ~/.local/state/archestra-bench]
    #[arg(long, value_name = "DIR", env = "ARCHESTRA_BENCH_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
}
