//! `archestra-bench pki`: the file with which a worker elsewhere obeys this coordinator and nobody else.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;

use super::private_files;
use super::{Authority, FleetName, Role, TrustError};

const BUNDLE_FILE: &str = "worker.pem";

/// Writes `worker.pem` into the folder `out`, signed by the fleet's authority, which is made where there is none. Returns
/// its path. With `force`, a file that is there is replaced.
///
/// # Errors
/// When a file is there already, or something cannot be written.
pub fn make_worker_bundle(
    state_dir: &Path,
    fleet: &FleetName,
    out: &Path,
    force: bool,
    now: &ZonedDateTime,
) -> Result<PathBuf, TrustError> {
    let path = out.join(BUNDLE_FILE);
    if !force && path.exists() {
        return Err(TrustError::BundleExists { path });
    }

    let leaf = Authority::load_or_create(state_dir, fleet, now)?.issue(Role::Worker, now)?;
    if !out.exists() {
        private_files::create_folder(out)?;
    }
    if private_files::put_file(&path, &leaf.bundle(), force)? {
        Ok(path)
    } else {
        Err(TrustError::BundleExists { path })
    }
}

/// Says what to do with the file. `flags` are those that were given to find the fleet, as `run` takes them.
///
/// # Errors
/// When `output` cannot be written to.
pub fn describe_worker_bundle(
    path: &Path,
    fleet: &FleetName,
    flags: &str,
    output: &mut impl Write,
) -> io::Result<()> {
    let path = path.display();
    writeln!(
        output,
        "Wrote {path}, good for a year. Whoever has it can pose as a worker of the fleet `{fleet}`: keep it secret."
    )?;
    writeln!(
        output,
        "On each worker's machine: archestra-bench worker --listen 0.0.0.0:7700 --credentials worker.pem"
    )?;
    writeln!(
        output,
        "Here: archestra-bench run --fleet addresses --fleet-name {fleet}{flags} --worker-address HOST:7700 --target URL"
    )
}
