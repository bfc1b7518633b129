//! A private folder for the sockets that lead to the hosts, gone with the fleet.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A socket's path may have about a hundred bytes, and ssh appends a few while it makes one.
const LONGEST_PARENT: usize = 60;

/// A folder with mode 0700 and a short path.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn create() -> Result<Self, (PathBuf, io::Error)> {
        let parent = Some(std::env::temp_dir()).filter(|parent| parent.as_os_str().len() <= LONGEST_PARENT);
        let name = format!("ab-{:08x}", uuid::Uuid::new_v4().as_fields().0);
        let path = parent.unwrap_or_else(|| "/tmp".into()).join(name);
        // One that is there already is somebody else's, and an error.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err((path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be taken away does no harm: sockets that nobody listens on.
        let _ = fs::remove_dir_all(&self.0);
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
}
