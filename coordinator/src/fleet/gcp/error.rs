//! Why something in Google Cloud did not come about: each error one sentence that says how to mend it.

use std::time::Duration;

use super::api::ApiError;
use super::journal::JournalError;
use crate::fleet::binary::BinaryError;
use crate::trust::TrustError;

/// Something in Google Cloud that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum GcpError {
    /// Google did not do what it was asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A quota that is used up.
    #[error("{problem}{fitting}")]
    Quota {
        /// What Google says.
        problem: ApiError,
        /// What still fits, where that is known; reads on from the problem.
        fitting: String,
    },
    /// Nothing may be made that is not written down before.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No authority.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No worker's binary.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// A binary that VMs cannot run.
    #[error(
        "{binary} cannot run on the VMs: {problem}; give one that can with --worker-binary, or change {flag}"
    )]
    Unfit {
        /// The file.
        binary: String,
        /// What is against it.
        problem: String,
        /// What else could be changed.
        flag: &'static str,
    },
    /// The user has had enough; what was made is gone again, or kept where that was asked for.
    #[error("interrupted; {0}")]
    Interrupted(String),
    /// Nobody asked.
    #[error("{0} VMs would be made, and nobody agreed to that: run it again and answer yes, or give --yes")]
    NotAgreed(usize),
    /// Somebody else's thing has our name.
    #[error(
        "{kind} {name} is there already and is not this fleet's (it lacks the label or marker of fleet {fleet}): it is \
         left alone; remove it yourself, or choose another name with --fleet-name"
    )]
    NameTaken {
        /// "the VM", "the bucket", "the firewall rule".
        kind: &'static str,
        /// Its name.
        name: String,
        /// Ours.
        fleet: String,
    },
    /// Workers that obey another authority.
    #[error(
        "{names} belong to fleet {fleet} and obey the coordinator of another machine (made by {owner}): use another \
         --fleet-name, or delete them with `archestra-bench cleanup`"
    )]
    OtherCoordinator {
        /// The VMs.
        names: String,
        /// The fleet.
        fleet: String,
        /// Who made them.
        owner: String,
    },
    /// A VM whose worker did not come up.
    #[error("the worker on {name} did not come up: {problem}")]
    Boot {
        /// The VM.
        name: String,
        /// What is known of it.
        problem: String,
    },
    /// A plan longer than a VM's life.
    #[error(
        "the run takes about {} and VMs are deleted after {}: raise --max-run-duration by what it lacks and 10 minutes",
        humantime::format_duration(*needed), humantime::format_duration(*life)
    )]
    LongerThanLife {
        /// What the plan takes.
        needed: Duration,
        /// What a VM has.
        life: Duration,
    },
    /// A platform that would be deleted in the middle of the run.
    #[error(
        "the platform's VM {name} is deleted in {}, before the run would be over: run `archestra-bench cleanup` and \
         `archestra-bench setup` again",
        humantime::format_duration(*left)
    )]
    PlatformTooOld {
        /// The VM.
        name: String,
        /// What is left of its life.
        left: Duration,
    },
    /// This machine's own address.
    #[error(
        "{url} does not tell this machine's IPv4 address ({problem}): give it with --source-range, such as 203.0.113.7/32"
    )]
    OwnAddress {
        /// Who was asked.
        url: String,
        /// What came of it.
        problem: String,
    },
    /// Accounts of VMs.
    #[error(
        "the project has no default account for VMs: name one with --service-account, or serve the binary with --worker-url"
    )]
    NoAccount,
    /// Some of the machines.
    #[error("{failed} of {wanted} VMs did not become ready ({first}); {fate}")]
    Partial {
        /// How many did not.
        failed: usize,
        /// How many were wanted.
        wanted: usize,
        /// The first one's reason.
        first: Box<GcpError>,
        /// What became of the others.
        fate: String,
    },
    /// What did not come about, and what became of what was made for it.
    #[error("{problem}; {fate}")]
    Undone {
        /// Why it did not.
        problem: Box<GcpError>,
        /// Of what was made.
        fate: String,
    },
    /// Zones whose machines cannot be told.
    #[error(
        "Google cannot look into {zones} at the moment, so that nobody knows which VMs are there: try again in a while"
    )]
    Unseen {
        /// Their names.
        zones: String,
    },
    /// The fleet has another command.
    #[error(
        "another command is at work on fleet {fleet} from this machine: wait until it has ended, or use another \
         --fleet-name"
    )]
    AtWork {
        /// The fleet.
        fleet: String,
    },
    /// What is listed again and again.
    #[error("{left} are still there after they were deleted: run `archestra-bench cleanup` again in a while")]
    Undying {
        /// How Google lists them.
        left: String,
    },
    /// An address that cannot be dialled.
    #[error("{0}")]
    Access(String),
    /// benchmark-config.env.
    #[error("failed to write {path} (check that the folder can be written)")]
    Settings {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What could not be deleted.
    #[error("{left} could not be deleted ({first}): run `archestra-bench cleanup` again")]
    Left {
        /// Names, separated by commas.
        left: String,
        /// The first one's reason.
        first: ApiError,
    },
}

impl GcpError {
    /// With what became of what was made before it failed.
    pub fn with_fate(self, fate: String) -> Self {
        match self {
            Self::Interrupted(_) => Self::Interrupted(fate),
            Self::Partial { failed, wanted, first, .. } => Self::Partial { failed, wanted, first, fate },
            problem if fate == NOTHING_MADE => problem,
            problem => Self::Undone { problem: Box::new(problem), fate },
        }
    }
}

/// The fate of nothing.
pub const NOTHING_MADE: &str = "nothing was made";
