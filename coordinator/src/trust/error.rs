//! What can go wrong with keys and certificates.

use std::io;
use std::path::PathBuf;

/// Keys and certificates that cannot be made, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The fleet has no authority.
    #[error(
        "there is no certificate authority for the fleet `{fleet}` in {}; make one with `archestra-bench pki \
         --fleet-name {fleet}`, or name another with --fleet-name or --state-dir",
        .folder.display()
    )]
    NoAuthority {
        /// The fleet's name.
        fleet: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Somebody else on this machine can read the authority's key.
    #[error(
        "{} can be read by other users; run `chmod 600` on it, or remove its folder to make a new \
         authority",
        .path.display()
    )]
    ExposedKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The authority's files are no certificate and key, or do not belong together.
    #[error(
        "{} holds no usable certificate authority; remove it and run `archestra-bench pki` again",
        .folder.display()
    )]
    BrokenAuthority {
        /// The fleet's folder.
        folder: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("failed to write {} (choose a folder that this user may write to)", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("failed to read {} (check that this user may read it)", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bundle would replace another.
    #[error(
        "{} is already there, and a worker may be using it; give --force to replace it, or another --out",
        .path.display()
    )]
    BundleExists {
        /// The bundle's file.
        path: PathBuf,
    },
    /// A certificate cannot be made; this is not the user's fault.
    #[error("failed to make a certificate")]
    Certificate(#[from] rcgen::Error),
}
