//! The program that becomes a worker on another machine: which file it is, and where it can run.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use super::elf;

pub use super::elf::{Architecture, ElfProblem};

/// A worker's program for Linux, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerBinary {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// The processor that it is made for.
    pub architecture: Architecture,
    /// The oldest glibc that it runs with; `None` when it brings its own library or needs none.
    pub glibc: Option<(u32, u32)>,
}

/// A file that no worker can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// It cannot be read.
    #[error("failed to read the worker's program {} (give a file that this user can read with --worker-binary)", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not run where workers run.
    #[error(
        "the worker's program {} {problem}; give an archestra-bench or archestra-bench-worker for Linux with \
         --worker-binary",
        .path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Reads on from the file.
        problem: ElfProblem,
    },
}

impl WorkerBinary {
    /// Shell that becomes the worker: `$binary` is the program, `$@` the worker's arguments. `archestra-bench` plays
    /// several roles and must be told which; `archestra-bench-worker` plays one.
    pub const START: &str = r#"case "$("$binary" --version)" in "archestra-bench "*) set -- worker "$@";; esac; exec "$binary" "$@""#;

    /// Reads the program at `path`, or else the one that is running.
    ///
    /// # Errors
    /// When it cannot be read, or is no Linux program for a known processor.
    pub fn read(path: Option<&Path>) -> Result<Self, BinaryError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()
                .map_err(|source| BinaryError::Unreadable { path: "archestra-bench".into(), source })?,
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(BinaryError::Unreadable { path, source }),
        };
        match elf::read(&bytes) {
            Ok((architecture, glibc)) => Ok(Self { path, sha256: sha256(&bytes), architecture, glibc }),
            Err(problem) => Err(BinaryError::Unfit { path, problem }),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_is_the_one_where_none_is_named() {
        let running = std::env::current_exe().unwrap();
        let binary = WorkerBinary::read(None).unwrap();
        assert_eq!(binary, WorkerBinary::read(Some(&running)).unwrap());
        assert_eq!((binary.path, binary.sha256.len()), (running, 64));
    }

    #[test]
    fn checksums_are_those_that_sha256sum_prints() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_no_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(
            WorkerBinary::read(Some(&script)).unwrap_err().to_string(),
            format!(
                "the worker's program {} is no Linux program; give an archestra-bench or archestra-bench-worker for \
                 Linux with --worker-binary",
                script.display()
            )
        );
        let missing = WorkerBinary::read(Some(&folder.path().join("missing"))).unwrap_err();
        assert!(missing.to_string().starts_with("failed to read the worker's program "), "{missing}");
    }
}
