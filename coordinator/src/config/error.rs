//! What can be wrong with a configuration: each error one sentence that says how to mend it.

mod mix;
mod pem;
mod question;

use std::path::PathBuf;

use crate::scenario::ScenarioError;

pub use mix::MixError;
pub use pem::PemError;
pub use question::QuestionError;

/// A configuration that makes no sense. The process exits with 2.
///
/// A `place` is what the user wrote: a flag (`--target`), or a variable and where it is set.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The target is no base URL.
    #[error("{place} {problem}")]
    Target {
        /// Where the target was given.
        place: String,
        /// Reads on from the place, with the cure.
        problem: String,
    },
    /// The path is none.
    #[error("{place} cannot be sent as it is: it {problem}; write it like /v1/openai/chat/completions")]
    Path {
        /// Where the path was given.
        place: String,
        /// Reads on from the path.
        problem: String,
    },
    /// The target is a model provider's own.
    #[error(
        "{place} names {host}, which belongs to a model provider: a benchmark sends it thousands of requests that cost \
         money; name your gateway instead, or give --allow-provider if you mean it"
    )]
    Provider {
        /// Where the target was given.
        place: String,
        /// The target's host.
        host: String,
    },
    /// A key across a connection that anybody can read.
    #[error(
        "{place} would send the key of --tls-client-key to the workers unprotected; leave it out, and give the workers \
         the file that `archestra-bench pki` makes"
    )]
    KeyInPlainText {
        /// Where plain text was asked for.
        place: String,
    },
    /// A name that TLS cannot ask for.
    #[error("{place} is `{name}`, which can be no server's name; write it like gateway.example")]
    ServerName {
        /// Where it was given.
        place: String,
        /// What was given.
        name: String,
    },
    /// An address for a target that has none.
    #[error("{place} is about addresses, and a unix: target has none; leave one of them out")]
    SocketHasNoAddress {
        /// Where it was given.
        place: String,
    },
    /// A way to the mock, which needs none.
    #[error(
        "{flag} is about a target of your own, and the built-in mock is none; give --target, or leave it out"
    )]
    NeedsTarget {
        /// The flag.
        flag: String,
    },
    /// A flag that only means something with TLS.
    #[error("{flag} is for https targets only; leave it out, or give an https --target")]
    NeedsHttps {
        /// The flag.
        flag: String,
    },
    /// Google Cloud without a project.
    #[error(
        "no Google Cloud project is named: give --project or set GCP_PROJECT_ID (`gcloud config get project` shows the one \
         that gcloud uses)"
    )]
    NoProject,
    /// Google Cloud without a zone.
    #[error("no zone is named: give --zone or set GCP_ZONE, such as europe-west1-b")]
    NoZone,
    /// A fleet's name that cannot be part of the names of what is made.
    #[error(
        "{place} must be at most 30 lower-case letters, digits and dashes for Google Cloud, and end in no dash, not `{name}`"
    )]
    GcpFleetName {
        /// Where it was given.
        place: String,
        /// What was given.
        name: String,
    },
    /// VMs that would hardly have done anything before they are deleted.
    #[error("{place} must be at least 20m: a VM is deleted after it, and must outlive a run by 10 minutes")]
    ShortLife {
        /// Where it was given.
        place: String,
    },
    /// Nobody may reach the workers.
    #[error(
        "{place} asks nobody for this machine's own address: give --source-range, such as 203.0.113.7/32"
    )]
    NoSource {
        /// Where that was given.
        place: String,
    },
    /// A URL without a checksum, or a checksum without a URL.
    #[error("{flag} needs {other} beside it: what a VM fetches is run only when it adds up")]
    HalfABinary {
        /// What was given.
        flag: String,
        /// What was not.
        other: String,
    },
    /// An account that nobody would have.
    #[error(
        "{place} is for a binary in a bucket: with --worker-url or --worker-delivery ssh the VMs have no account; leave one of \
         them out"
    )]
    IdleAccount {
        /// Where the account was given.
        place: String,
    },
    /// Two ways for one binary.
    #[error("{place} and --worker-url are two ways for the worker's binary: leave one of them out")]
    TwoDeliveries {
        /// The way.
        place: String,
    },
    /// Two ways to the worker's binary.
    #[error("{place} and --worker-url name two binaries: leave one of them out")]
    TwoBinaries {
        /// Where the file was given.
        place: String,
    },
    /// A web address that is none.
    #[error("{place} must be a web address that begins with https:// or http://, not `{value}`")]
    WebAddress {
        /// Where it was given.
        place: String,
        /// What was given.
        value: String,
    },
    /// VMs in a cloud cannot reach this machine's loopback.
    #[error(
        "VMs cannot reach the built-in mock, which listens on this machine's loopback only: give --target or set \
         ARCHESTRA_API_URL, or run `archestra-bench setup` first"
    )]
    MockOutOfReachOfVms,
    /// Two settings that cannot both be meant.
    #[error("{one} and {other} exclude each other; {cure}")]
    Contradiction {
        /// Where the one was given.
        one: String,
        /// Where the other was given.
        other: String,
        /// How to mend it.
        cure: &'static str,
    },
    /// A flag for bodies that differ, where all are the same.
    #[error(
        "{flag} is for scenarios whose body is a template, and none is; put {{{{ seq }}}} or the like into a scenario file's \
         body, or leave it out"
    )]
    NoTemplate {
        /// The flag.
        flag: String,
    },
    /// A flag that only built-in scenarios obey, without one.
    #[error("{flag} is for built-in scenarios, and none is named; put {cure}, or leave it out")]
    NeedsBuiltIn {
        /// The flag.
        flag: String,
        /// What to write in its place.
        cure: &'static str,
    },
    /// A dataset that no template uses.
    #[error(
        "{flag} names a dataset of which no scenario puts a column into its body; do so, or leave it out"
    )]
    UnusedDataset {
        /// The flag.
        flag: String,
    },
    /// The speed of a trace without one.
    #[error("{flag} is for a trace; give --trace as well, or leave it out")]
    NeedsTrace {
        /// The flag.
        flag: String,
    },
    /// Stages that make no load.
    #[error("{place}: the stages {problem}; change them")]
    Stages {
        /// Where they were given.
        place: String,
        /// Reads on from the stages.
        problem: String,
    },
    /// An open-loop flag in a closed loop.
    #[error("{flag} is for an open loop; give --rate, --stage or --trace as well, or leave it out")]
    NeedsRate {
        /// The flag.
        flag: String,
    },
    /// Streams where there are none.
    #[error("{flag} is for HTTP/2; add --http-version 2 (or auto), or leave it out")]
    NeedsHttp2 {
        /// The flag.
        flag: String,
    },
    /// A connection for each request, where requests share them.
    #[error(
        "{place} is for HTTP/1.1, because HTTP/2 shares connections; leave it out, or give --http-version 1.1"
    )]
    NoKeepAliveInHttp2 {
        /// Where it was given.
        place: String,
    },
    /// Fewer requests in flight than workers.
    #[error(
        "{place} is {max_in_flight}, less than the {workers} workers, of which each needs at least 1; raise it \
         to {workers}, or use fewer workers"
    )]
    MaxInFlight {
        /// Where it was given.
        place: String,
        /// What was given.
        max_in_flight: u64,
        /// How many workers there are.
        workers: u32,
    },
    /// A lease within which no ping can be expected.
    #[error("{place} must be at least 1s; within it the coordinator must be heard several times")]
    ShortLease {
        /// Where it was given.
        place: String,
    },
    /// A flag of one fleet with another.
    #[error("{flag} is for --fleet {fleet}; add that, or leave it out")]
    NeedsFleet {
        /// The flag.
        flag: String,
        /// The fleet that knows it.
        fleet: &'static str,
    },
    /// The addresses fleet without an address.
    #[error(
        "{place} is addresses, but no worker's address is given; add --worker-address HOST:PORT for each worker"
    )]
    NoAddresses {
        /// Where the fleet was chosen.
        place: String,
    },
    /// A worker that is named twice.
    #[error("{place} names {address} twice; name every worker once")]
    DuplicateAddress {
        /// Where the addresses were given.
        place: String,
        /// The address.
        address: String,
    },
    /// The ssh fleet without a host.
    #[error(
        "{place} is ssh, but no host is given; add --host USER@HOST for each machine, or --hosts FILE with one a line"
    )]
    NoHosts {
        /// Where the fleet was chosen.
        place: String,
    },
    /// Hosts from two places at once.
    #[error("{hosts} and {file} exclude each other; keep the one that names all hosts")]
    TwoHostLists {
        /// Where hosts were given.
        hosts: String,
        /// Where a file of hosts was given.
        file: String,
    },
    /// The file of hosts cannot be read.
    #[error("failed to read {}, named by {place} (give a text file that this user can read)", .path.display())]
    UnreadableHosts {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the file of hosts is none.
    #[error("line {line} of {}, named by {place}, {problem}", .path.display())]
    BrokenHost {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Reads on from the line.
        problem: String,
    },
    /// The file of hosts names none.
    #[error("{}, named by {place}, names no host; write one a line, as [USER@]HOST[:PORT]", .path.display())]
    EmptyHosts {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// A host that is named twice.
    #[error(
        "{place} names {host} twice; name every host once, and give --workers for several workers on each"
    )]
    DuplicateHost {
        /// Where the hosts were given.
        place: String,
        /// The host.
        host: String,
    },
    /// Another number of workers than addresses.
    #[error(
        "{place} is {workers}, but there are {addresses} worker addresses; leave it out, or name as many workers"
    )]
    WorkersAndAddresses {
        /// Where the number was given.
        place: String,
        /// What was given.
        workers: u32,
        /// How many addresses there are.
        addresses: usize,
    },
    /// Plain text across a network.
    #[error(
        "{place} would send commands to {address} unprotected; leave it out and give that worker the file that \
         `archestra-bench pki` makes (plain text is for loopback addresses only)"
    )]
    PlaintextBeyondLoopback {
        /// Where plain text was asked for.
        place: String,
        /// The first address that is not on loopback.
        address: String,
    },
    /// Workers elsewhere cannot reach the mock.
    #[error(
        "{address} cannot reach the built-in mock, which listens on this machine's loopback only; give --target URL, \
         the base URL of a gateway or of an `archestra-bench mock` that every worker can reach"
    )]
    MockOutOfReach {
        /// The first address that is not on loopback.
        address: String,
    },
    /// No place for certificate authorities.
    #[error(
        "there is no place for certificate authorities, because neither HOME nor XDG_STATE_HOME is set; give \
         --state-dir DIR"
    )]
    NoStateDir,
    /// The key is none.
    #[error(
        "{name} holds a blank, a line break or another character that no key has; set it to the key alone"
    )]
    ApiKey {
        /// The variable.
        name: &'static str,
    },
    /// What is compared, searched for or judged makes no sense.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// A mix of scenarios makes no sense.
    #[error(transparent)]
    Mix(#[from] MixError),
    /// A certificate or a key cannot be used.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}
