//! The record of a run, as `report.json` holds it: complete enough that every figure can be worked out again from it.
//!
//! Times are whole nanoseconds, named `_ns`; rates are a second; histograms are base64 of the V2 DEFLATE encoding.
//! Values of headers are never part of it.

use proto::interval::{EndReason, HostReading};
use proto::outcome::FailureKind;
use serde::{Deserialize, Serialize};

use crate::plan::{Arm, Purpose};
use crate::statistics::thresholds::Judged;
use crate::statistics::verdict::{Finding, Verdict};
use crate::statistics::{Figures, StageFigures};

mod blame;
mod bounds;
mod capacity;
mod decode;
mod encode;
mod growing;
mod load;
mod measurement;
mod mix;
mod proof;
mod recompute;
mod results;
mod run;
mod scenario;
mod stages;
mod steps;
mod tally;
mod thresholds;
mod witness;

pub use bounds::BoundsRecord;
pub use capacity::{CapacityRecord, ConclusionRecord, LimitRecord, StepKindRecord, StepRecord};
pub use decode::RecordError;
pub(super) use encode::nanos;
pub use growing::GrowingRecord;
pub use load::{ExtentRecord, LoadRecord, ThinkTimeRecord, TraceRecord, WarmUpRecord};
pub use measurement::{
    ConnectionRecord, CountersRecord, FailureRecord, HistogramRecord, HostRecord, HttpRecord,
    LatenciesRecord, PercentilesRecord, SeriesRecord, SkewRecord, TlsRecord, WorkerEndRecord, WorkerRecord,
};
pub(super) use proof::sha256;
pub use recompute::recompute;
pub use results::{ArmRecord, ResultRecord};
pub(super) use results::{figures_of, pairs};
pub use scenario::{GoalRecord, JsonExpectationRecord, ScenarioRecord, VarietyRecord};
pub use stages::StageRecord;
pub(super) use stages::stages_of;
pub use witness::WitnessRecord;

/// The version of the meaning of `report.json`.
pub const SCHEMA_VERSION: u32 = 3;
/// The oldest that can still be read: what it does not hold is not checked.
pub const OLDEST_SCHEMA_VERSION: u32 = 1;

/// A run: what was asked for, on what, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunRecord {
    /// Of what this file means; it changes when a reader of an earlier one would be misled.
    pub schema_version: u32,
    /// What is known without having measured anything.
    pub run: RunHead,
    /// The worst of all blocks; invalid without any.
    pub verdict: Verdict,
    /// Whether the user ended it early: within a block, or before one that is missing.
    pub interrupted: bool,
    /// What the blocks of each scenario and load come to.
    #[serde(default)]
    pub results: Vec<ResultRecord>,
    /// What came of the search for the highest rate, with each scenario; empty where there was none.
    #[serde(default)]
    pub capacities: Vec<CapacityRecord>,
    /// In the order in which they ran.
    pub blocks: Vec<BlockRecord>,
    /// What came of each threshold, for each block that it is about.
    #[serde(default)]
    pub thresholds: Vec<Judged>,
}

/// What is known of a run without having measured anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunHead {
    /// What measured.
    pub tool: ToolRecord,
    /// RFC 3339 with the local offset.
    pub started: String,
    /// RFC 3339 with the local offset; `None` while the run goes on.
    pub finished: Option<String>,
    /// As it was typed, without secrets.
    pub command_line: String,
    /// The folder of the run's files, beside the summary.
    pub results_folder: String,
    /// Such as `local`.
    pub fleet: String,
    /// What was loaded.
    pub target: TargetRecord,
    /// The upstream that it was held against; `None` where it was not.
    #[serde(default)]
    pub direct: Option<TargetRecord>,
    /// In which order the blocks of a pair were to run; `None` without the upstream.
    #[serde(default)]
    pub order: Option<String>,
    /// Rules whose findings leave the verdict alone.
    #[serde(default)]
    pub accepted: Vec<String>,
    /// Seeds Poisson arrivals, think times, what is random in bodies, and back-off.
    pub seed: u64,
    /// The coordinator's machine.
    #[cfg_attr(test, schemars(with = "crate::environment::Environment"))]
    pub environment: serde_json::Value,
    /// The fleet, in order.
    pub workers: Vec<FleetWorkerRecord>,
    /// What the preflight met that did not stop the run.
    pub preflight_warnings: Vec<String>,
    /// The scenario of each block, in the order in which they were to run.
    #[serde(default)]
    pub planned: Vec<String>,
    /// What figures must be, as they were written.
    #[serde(default)]
    pub thresholds: Vec<String>,
}

/// What measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ToolRecord {
    /// Of the software.
    pub version: String,
    /// Of the source that it was built from, where known.
    pub commit: Option<String>,
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetRecord {
    /// The base URL.
    pub url: String,
    /// It is the built-in mock upstream, so that the figures are no gateway's.
    pub is_built_in_mock: bool,
    /// Any certificate was accepted.
    pub insecure_target: bool,
    /// Root certificates were trusted beside the system's.
    pub extra_roots: bool,
    /// Where connections went in the place of the URL's host and port.
    #[serde(default)]
    pub connect_to: Option<String>,
    /// Addresses of the workers' machines that connections came from; empty for the system's choice.
    #[serde(default)]
    pub local_addresses: Vec<String>,
    /// What TLS asked for in the place of the URL's host.
    #[serde(default)]
    pub tls_server_name: Option<String>,
    /// Whether connections could resume the TLS sessions of earlier ones; `None` in plain text.
    #[serde(default)]
    pub tls_session_resumption: Option<bool>,
    /// Whether a certificate was shown to the target.
    #[serde(default)]
    pub tls_client_certificate: bool,
}

/// One worker of the fleet and its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FleetWorkerRecord {
    /// From 0.
    pub number: u32,
    /// Host and port.
    pub address: String,
    /// Of the software.
    pub software_version: String,
    /// Of the source that it was built from; empty where not known.
    pub commit: String,
    /// The machine's name.
    pub hostname: String,
    /// The processor's name.
    pub cpu_model: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// The kernel's release.
    pub kernel: String,
    /// Cores that the worker may use.
    pub cores: u32,
    /// The machine's memory.
    pub memory_bytes: u64,
    /// The most files, and so connections, that the worker may hold open.
    pub open_files_limit: u64,
}

/// One block: what was asked for, what every worker measured, and what it adds up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockRecord {
    /// From 1.
    pub number: u32,
    /// What was sent, and what a good answer is.
    pub scenario: ScenarioRecord,
    /// The role of the target.
    #[serde(with = "ArmName")]
    pub arm: Arm,
    /// Which of its likes it was, from 1; the two blocks of a pair share it.
    #[serde(default = "one")]
    pub repeat: u32,
    /// What it was for.
    #[serde(with = "PurposeName", default = "measurement")]
    pub purpose: Purpose,
    /// Of what was random in it; `None` where it was the run's.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How requests came about, over the whole fleet.
    pub load: LoadRecord,
    /// When the block was to end, over the whole fleet.
    pub extent: ExtentRecord,
    /// What went before it.
    pub warm_up: WarmUpRecord,
    /// For one request.
    pub timeout_ns: u64,
    /// Whether a connection served more than one request.
    pub keep_alive: bool,
    /// What was to be spoken with the target.
    #[serde(default)]
    pub http_version: HttpRecord,
    /// HTTP/2: the most requests that were in flight on a connection.
    #[serde(default = "one")]
    pub streams: u32,
    /// Threads of each worker as asked for; `None` for one per core.
    pub threads: Option<u32>,
    /// Whether it was cut short by the user.
    pub interrupted: bool,
    /// Why it was ended before its time, where that was not the user's doing.
    #[serde(default)]
    pub aborted: Option<String>,
    /// When its load began, on the coordinator's clock, in RFC 3339; `None` where it never did, or an earlier version wrote
    /// this.
    #[serde(default)]
    pub started: Option<String>,
    /// How far apart the workers began.
    pub start_skew: SkewRecord,
    /// What the upstream says of it; `None` where it says nothing.
    #[serde(default)]
    pub witness: Option<WitnessRecord>,
    /// Why what the upstream saw could not be told from what came before the block, and is left out, in a clause.
    #[serde(default)]
    pub unwitnessed: Option<String>,
    /// What is worked out from all workers together.
    pub figures: Figures,
    /// What speaks against the figures, and notes.
    pub findings: Vec<Finding>,
    /// All workers' counts together.
    pub totals: CountersRecord,
    /// All workers' histograms together.
    pub latencies: LatenciesRecord,
    /// The SHA-256 of these histograms; `None` in older records.
    #[serde(default)]
    pub histograms_sha256: Option<String>,
    /// One entry per worker of the fleet.
    pub workers: Vec<WorkerRecord>,
    /// All workers together, second by second.
    pub series: Vec<SeriesRecord>,
    /// The SHA-256 of the histograms of all seconds.
    #[serde(default)]
    pub seconds_sha256: Option<String>,
    /// What came of each stage, where the load had stages.
    #[serde(default)]
    pub stages: Vec<StageFigures>,
    /// Where this is one scenario's part of a mix: so many of as many requests as all weights add up to were of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Each scenario's part of a mix, with the bytes and connections in none, which they shared; empty for no mix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<BlockRecord>,
}

/// Of a record that was written before there were streams.
fn one() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(remote = "Arm", rename_all = "snake_case")]
enum ArmName {
    Gateway,
    Direct,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(remote = "Purpose", rename_all = "snake_case")]
enum PurposeName {
    Measurement,
    QueueingCheck,
    CapacityStep,
}

/// Of a record that was written before blocks had a purpose.
fn measurement() -> Purpose {
    Purpose::Measurement
}
