//! Files that a command writes because it was asked to: pages, and what a new folder begins with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::files::{FilesError, write_atomically};

/// Files that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The folder for them.
    #[error("the folder {} cannot be made: name one that can be written", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something of the name is there.
    #[error(
        "{names} would be overwritten, so nothing is written: move what is there away, or begin in another folder"
    )]
    Exists {
        /// Which.
        names: String,
    },
    /// One of them.
    #[error(transparent)]
    File(#[from] FilesError),
}

/// Writes pages into a folder, in the place of earlier ones.
///
/// # Errors
/// When one of them cannot be written.
pub fn write_pages<'a>(
    folder: &Path,
    pages: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), DocumentsError> {
    let failed = |source| DocumentsError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    for (name, text) in pages {
        write_atomically(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// Writes files that are not there yet: all of them or, where something of one's name is there, none.
///
/// # Errors
/// When something is there already, or one of them cannot be written.
pub fn write_new(folder: &Path, files: &[(&str, &str)]) -> Result<(), DocumentsError> {
    // A link that leads nowhere is there, too.
    let is_there = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    let there: Vec<&str> = files.iter().map(|(name, _)| *name).filter(|name| is_there(name)).collect();
    if !there.is_empty() {
        return Err(DocumentsError::Exists { names: there.join(" and ") });
    }
    for (name, text) in files {
        let path = folder.join(name);
        // Whatever came in between is left alone as well.
        let written = OpenOptions::new().write(true).create_new(true).open(&path);
        let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| FilesError::write(&path, source))?;
    }
    Ok(())
}
