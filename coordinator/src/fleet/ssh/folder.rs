//! A private folder for the sockets that lead to the hosts, gone with the fleet.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Every such folder's name begins with this.
const PREFIX: &str = "ab-";
/// A socket's path may have about a hundred bytes, and ssh appends a few while it makes one.
const LONGEST_PARENT: usize = 60;

/// Is locked as long as its coordinator lives, whatever way that ends.
const LOCK: &str = "lock";

/// A folder with mode 0700 and a short path.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held.
    _lock: File,
}

impl Folder {
    /// Makes one, and takes away what coordinators that were killed have left beside it.
    pub(super) fn create() -> Result<Self, (PathBuf, io::Error)> {
        Self::create_in(&parent(std::env::temp_dir()))
    }

    fn create_in(parent: &Path) -> Result<Self, (PathBuf, io::Error)> {
        sweep(parent);
        let path = parent.join(format!("{PREFIX}{:08x}", uuid::Uuid::new_v4().as_fields().0));
        // One that is there already is somebody else's, and an error.
        let made = DirBuilder::new().mode(0o700).create(&path);
        let locked = made.and_then(|()| File::create(path.join(LOCK))).and_then(|lock| {
            lock.try_lock()?;
            Ok(lock)
        });
        match locked {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(error) => Err((path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be taken away does no harm: sockets that nobody listens on.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The folder for temporary files, or one that ssh takes: it reads a `%` or a `:` in a path as something else.
fn parent(temporary: PathBuf) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@,=".contains(&byte);
    let path = temporary.as_os_str().as_bytes();
    if path.len() <= LONGEST_PARENT && path.iter().copied().all(plain) { temporary } else { "/tmp".into() }
}

/// Takes away folders of this user whose locks nobody holds.
fn sweep(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_ours = || entry.metadata().is_ok_and(|folder| folder.is_dir() && folder.uid() == user);
        let is_free = || File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_named_so && is_ours() && is_free() {
            // Another may be as quick.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_private_short_and_gone_in_the_end() {
        let folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(path.as_os_str().len() < 80);
        fs::write(path.join("h0"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_by_the_killed_is_taken_away_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let living = Folder::create_in(parent.path()).unwrap();
        let [left, of_another_kind, other] = ["ab-1", "ab-2", "other"].map(|name| parent.path().join(name));
        for (folder, file) in [(&left, LOCK), (&of_another_kind, "file"), (&other, LOCK)] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        let next = Folder::create_in(parent.path()).unwrap();
        assert!(!left.exists() && of_another_kind.exists() && other.exists());
        assert!(living.path().exists() && next.path().exists());
    }

    #[test]
    fn a_path_that_ssh_would_misread_is_not_used() {
        for (temporary, used) in [
            ("/var/tmp", "/var/tmp"),
            ("/a%b", "/tmp"),
            ("/a:b", "/tmp"),
            ("/a b", "/tmp"),
            ("/0123456789012345678901234567890123456789012345678901234567890123", "/tmp"),
        ] {
            assert_eq!(parent(temporary.into()), Path::new(used));
        }
    }
}
