//! The root filesystem of the VMs, made once for each version of the script that makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::gce::checksums::md5;

/// What names of root filesystems begin with.
pub const PREFIX: &str = "vm-root-";

/// Where it is. It is made first when there is none, which takes a minute or two.
pub fn path() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/vms/rootfs.sh");
    let digest = md5(&fs::read(&script).unwrap());
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{PREFIX}{name}"));
    if !path.exists() {
        // Of former versions of the script, or half made when a machine went down.
        remove_folders(PREFIX);
        let made = Command::new(&script).arg(&path).output().unwrap();
        let complaint = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "no root filesystem: {complaint}");
    }
    path
}

/// Removes the folders beside it whose names begin so.
pub fn remove_folders(prefix: &str) {
    for entry in fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}
