//! Who a worker is, and whether its coordinator can talk to it.

use crate::{SOFTWARE_VERSION, WIRE_REVISION, wire};

/// A worker's version and machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerDescription {
    /// Of the software.
    pub software_version: String,
    /// Of the source that it was built from, where known.
    pub commit: String,
    /// The machine's name.
    pub hostname: String,
    /// The processor's name.
    pub cpu_model: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// The kernel's release.
    pub kernel: String,
    /// Cores that the worker's affinity allows it to use.
    pub cores: u32,
    /// The machine's memory.
    pub memory_bytes: u64,
    /// The most files, and so connections, that the worker may hold open.
    pub open_files_limit: u64,
}

/// Two sides whose messages do not mean the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {other} is version {other_version} and speaks loadtest.v1 revision {other_revision}, \
     this one is version {SOFTWARE_VERSION} and speaks revision {WIRE_REVISION}: use the same version on both sides"
)]
pub struct Incompatible {
    /// "worker" or "coordinator".
    pub other: &'static str,
    /// The other side's software.
    pub other_version: String,
    /// The other side's revision.
    pub other_revision: u32,
}

/// Whether the `other` side ("worker" or "coordinator") can be talked to.
///
/// # Errors
/// When it is of another revision.
pub fn check_revision(other: &'static str, version: &str, revision: u32) -> Result<(), Incompatible> {
    if revision == WIRE_REVISION {
        return Ok(());
    }
    Err(Incompatible { other, other_version: version.to_owned(), other_revision: revision })
}

impl From<&WorkerDescription> for wire::WorkerDescription {
    fn from(description: &WorkerDescription) -> Self {
        let description = description.clone();
        wire::WorkerDescription {
            wire_revision: WIRE_REVISION,
            software_version: description.software_version,
            commit: description.commit,
            hostname: description.hostname,
            cpu_model: description.cpu_model,
            architecture: description.architecture,
            kernel: description.kernel,
            cores: description.cores,
            memory_bytes: description.memory_bytes,
            open_files_limit: description.open_files_limit,
        }
    }
}

impl TryFrom<wire::WorkerDescription> for WorkerDescription {
    type Error = Incompatible;

    fn try_from(description: wire::WorkerDescription) -> Result<Self, Incompatible> {
        check_revision("worker", &description.software_version, description.wire_revision)?;
        Ok(Self {
            software_version: description.software_version,
            commit: description.commit,
            hostname: description.hostname,
            cpu_model: description.cpu_model,
            architecture: description.architecture,
            kernel: description.kernel,
            cores: description.cores,
            memory_bytes: description.memory_bytes,
            open_files_limit: description.open_files_limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_revision_is_refused_with_both_versions() {
        let other = wire::WorkerDescription {
            wire_revision: 9,
            software_version: "7.8.9".into(),
            ..Default::default()
        };
        let message = WorkerDescription::try_from(other).unwrap_err().to_string();
        for part in
            ["7.8.9", "revision 9", SOFTWARE_VERSION, &format!("revision {WIRE_REVISION}"), "same version"]
        {
            assert!(message.contains(part), "{message}");
        }
    }
}
