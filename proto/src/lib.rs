//! The contract between the coordinator and its load workers.
//!
//! - [`wire`]: what the proto file generates; only this crate, the worker's gRPC face and the coordinator's session name it.
//! - [`assignment`]: one block's work for one worker, validated ([`target`], [`expectation`] and [`load`] are its parts);
//!   [`route`] and [`tls`] say how a target is reached and what it is shown.
//! - [`share`]: which part of a global sequence belongs to whom; [`stages`] and [`trace`]:
//!   when its items are due where the rate changes; [`mix`]: which scenario each is of where several are mixed.
//! - [`variety`]: bodies that differ from request to request; [`random`] is what they are drawn from.
//! - [`outcome`] and [`interval`]: what came of it, second by second ([`counters`] and [`latencies`] are its parts).
//! - [`description`]: who a worker is.
//! - [`visible`]: text of others, for a person to see.
//!
//! The crate knows no runtime, no HTTP client and no cloud.

pub mod assignment;
pub mod counters;
pub mod description;
pub mod expectation;
pub mod goal;
pub mod interval;
pub mod latencies;
pub mod load;
pub mod mix;
pub mod outcome;
pub mod random;
pub mod route;
pub mod share;
pub mod stages;
pub mod target;
pub mod tls;
pub mod trace;
pub mod variety;
pub mod visible;

/// What the proto file generates, unvalidated.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]
pub mod wire {
    tonic::include_proto!("loadtest.v1");
}

/// The revision of the meaning of `loadtest.v1`; a coordinator refuses a worker of another revision.
pub const WIRE_REVISION: u32 = 3;

/// The version of this software, as both sides show it.
pub const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of the source that this was built from; "unknown" where git could not tell.
pub const COMMIT: &str = env!("ARCHESTRA_BENCH_COMMIT");

/// The name in every worker's certificate: workers can have any address, so it stands for none.
pub const WORKER_NAME: &str = "worker.archestra-bench.internal";

/// The largest message that either side accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 96 << 20;

/// A message that does not mean anything: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidMessage {
    /// The field, as the proto names it.
    pub field: &'static str,
    /// What is wrong, to be read after the field's name.
    pub problem: String,
}

impl InvalidMessage {
    /// `field` is what the proto calls it; `problem` reads on from there ("is missing").
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }
}
