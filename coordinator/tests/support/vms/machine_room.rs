//! What this machine must have for VMs to boot, and what crashed tests left on it.

use std::fs;
use std::process::{Command, Stdio};

use super::machine;
use super::namespace;
use super::rootfs;

/// What the name of the folder of the VMs' /etc/hosts begins with.
pub const HOSTS_PREFIX: &str = "vm-hosts-";
/// What it takes, and Debian's package for it.
const PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("systemd-nspawn", "systemd-container"),
    ("unshare", "util-linux"),
];

/// Why VMs cannot boot here, if so.
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it takes root".to_owned());
    }
    for (program, package) in PROGRAMS {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        if !found.is_ok_and(|found| found.success()) {
            return Some(format!("{program} is not installed (apt-get install {package})"));
        }
    }
    let isolated =
        Command::new("unshare").args(["--mount", "--net", "--pid", "--fork", "true"]).output().unwrap();
    let why = || format!("namespaces are not allowed: {}", String::from_utf8_lossy(&isolated.stderr).trim());
    (!isolated.status.success()).then(why)
}

/// What is there of VMs, in words: namespaces, control groups and mounts. Nothing when all is well and no cloud is there.
pub fn leftovers() -> Vec<String> {
    let namespaces = namespace::existing().into_iter();
    let groups = machine::existing_groups().into_iter().map(|group| group.display().to_string());
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mounts: Vec<String> =
        mounts.lines().filter(|line| line.contains(rootfs::PREFIX)).map(str::to_owned).collect();
    namespaces.chain(groups).chain(mounts).collect()
}

/// Removes it. The lock is held, so that it is of a test that crashed.
pub fn remove_leftovers() {
    namespace::existing().iter().for_each(|name| namespace::remove(name));
    machine::existing_groups().iter().for_each(|group| machine::remove_group(group));
    rootfs::remove_folders(HOSTS_PREFIX);
}
