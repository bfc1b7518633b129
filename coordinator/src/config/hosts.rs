//! Which machines ssh is to reach: from flags, from a variable, or from a file.

use std::collections::BTreeSet;
use std::path::Path;

use super::ConfigError;
use crate::cli::{Given, RunArgs, SshHost};

/// The hosts that were named, at least one and each once. A list and a file exclude each other: the one from the greater
/// origin wins.
pub(super) fn named(args: &RunArgs, given: &Given) -> Result<Vec<SshHost>, ConfigError> {
    let (listed, file) = (&args.ssh.hosts, args.ssh.hosts_file.as_deref());
    let (hosts, id) = match file {
        None => (listed.clone(), "hosts"),
        Some(file) if listed.is_empty() => (read(file, given)?, "hosts_file"),
        Some(file) => match given.origin("hosts").cmp(&given.origin("hosts_file")) {
            std::cmp::Ordering::Less => (read(file, given)?, "hosts_file"),
            std::cmp::Ordering::Greater => (listed.clone(), "hosts"),
            std::cmp::Ordering::Equal => {
                return Err(ConfigError::TwoHostLists {
                    hosts: given.place("hosts").into(),
                    file: given.place("hosts_file").into(),
                });
            }
        },
    };
    let mut seen = BTreeSet::new();
    if let Some(twice) = hosts.iter().find(|host| !seen.insert(*host)) {
        return Err(ConfigError::DuplicateHost { place: given.place(id).into(), host: twice.to_string() });
    }
    if hosts.is_empty() {
        return Err(ConfigError::NoHosts { place: given.place("fleet").into() });
    }
    Ok(hosts)
}

fn read(path: &Path, given: &Given) -> Result<Vec<SshHost>, ConfigError> {
    let (place, path) = (given.place("hosts_file").to_owned(), path.to_owned());
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::UnreadableHosts { place, path, source }),
    };
    let mut hosts = Vec::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let host = text.split('#').next().unwrap_or_default().trim();
        match host.parse() {
            _ if host.is_empty() => {}
            Ok(host) => hosts.push(host),
            Err(problem) => return Err(ConfigError::BrokenHost { place, path, line, problem }),
        }
    }
    if hosts.is_empty() { Err(ConfigError::EmptyHosts { place, path }) } else { Ok(hosts) }
}
