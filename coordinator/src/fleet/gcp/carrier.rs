//! Carries the worker's binary to a VM, with gcloud's own ssh: keys, host keys, OS Login and tunnels are its business.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::api::Instance;
use super::bodies::metadata;
use super::error::GcpError;
use super::workshop::Workshop;
use crate::config::gcp::{BinarySource, Reach};

/// What a VM's startup script says while it waits.
pub const WAITS: &str = "waiting for the worker's binary to come by ssh";

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// The VM has it.
    There,
    /// gcloud did not bring it there, for this reason; it may be too early.
    NotYet(String),
}

/// Brings the binary to a VM that waits for it. The VM's startup script checks what it adds up to.
///
/// # Errors
/// When no further attempt can be better: no gcloud, or no file.
pub async fn carry(workshop: &Workshop, zone: &str, vm: &Instance) -> Result<Carried, GcpError> {
    let name = &vm.name;
    let hint =
        format!("try `gcloud compute ssh {name} --zone {zone}` by hand, or leave out --worker-delivery ssh");
    let failed = |problem: String| GcpError::Boot {
        name: name.clone(),
        problem: format!("the worker's binary cannot be carried to it ({problem}); {hint}"),
    };
    let BinarySource::Ssh(path) = &workshop.config.binary else {
        return Err(failed("it was made to wait for that, and now there is another way".into()));
    };
    let file = open(path.as_ref()).map_err(|error| failed(error.to_string()))?;
    let place =
        format!("/tmp/archestra-bench-worker-{}", vm.metadata(metadata::WORKER_SHA256).unwrap_or_default());
    let mut command = Command::new("gcloud");
    command.args(["compute", "ssh", name, "--zone", zone, "--project", &workshop.config.project, "--quiet"]);
    if workshop.config.reach == Reach::Iap {
        command.arg("--tunnel-through-iap");
    }
    // It gets its name when it is whole.
    command.arg("--command").arg(format!("umask 077 && cat >{place}.part && mv {place}.part {place}"));
    command.stdin(file).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    // A Ctrl-C on the terminal reaches the coordinator alone, which then ends this.
    command.process_group(0);
    match command.output().await {
        Ok(output) if output.status.success() => Ok(Carried::There),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
            Ok(Carried::NotYet(format!("gcloud says: {}; {hint}", last.unwrap_or("nothing"))))
        }
        Err(error) => Err(failed(format!("gcloud cannot be started: {error}"))),
    }
}

fn open(path: Option<&PathBuf>) -> io::Result<File> {
    match path {
        Some(path) => File::open(path),
        None => File::open(std::env::current_exe()?),
    }
}
