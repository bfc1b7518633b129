//! Files and folders that only their owner may see, from the moment they exist.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::TrustError;

/// Makes a folder with mode 0700, and its parents where they are missing.
pub(super) fn create_folder(path: &Path) -> Result<(), TrustError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(write_error(path))
}

/// Makes a new file with mode 0600, and syncs it.
pub(super) fn create_file(path: &Path, text: &str) -> Result<(), TrustError> {
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(write_error(path))
}

/// Puts a file with mode 0600 in place, whole or not at all. Without `replace`, a file that is there stays.
///
/// Returns whether it was put there.
pub(super) fn put_file(path: &Path, text: &str, replace: bool) -> Result<bool, TrustError> {
    let temporary = beside(path);
    create_file(&temporary, text)?;
    let put = if replace {
        fs::rename(&temporary, path).map(|()| true)
    } else {
        // A link never replaces anything, however many try at once.
        let linked = fs::hard_link(&temporary, path);
        let removed = fs::remove_file(&temporary);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.and(removed).map(|()| true),
        }
    };
    put.inspect_err(|_| drop(fs::remove_file(&temporary))).map_err(write_error(path))
}

/// A name for something that will be renamed to `path` when it is complete.
pub(super) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()))
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, TrustError> {
    fs::read_to_string(path).map_err(|source| TrustError::Read { path: path.to_owned(), source })
}

/// Whether anybody but its owner may read a file.
pub(super) fn is_exposed(path: &Path) -> Result<bool, TrustError> {
    let metadata = fs::metadata(path).map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
    Ok(metadata.permissions().mode() & 0o077 != 0)
}

pub(super) fn write_error(path: &Path) -> impl FnOnce(io::Error) -> TrustError {
    let path = path.to_owned();
    move |source| TrustError::Write { path, source }
}
