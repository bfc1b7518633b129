//! All that the fake knows: what exists, which operations are under way, and what is to be told to the machines.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::accounts::Account;
use super::catalogue::Catalogue;
use super::clock::Clock;
use super::instances::Instance;
use super::machines::InstanceView;
use super::objects::Bucket;
use super::operations::Operation;

/// What links begin with. Not where the fake is: a link is a name, and who follows it leaves the test.
pub const LINKS: &str = "https://www.googleapis.com/compute/v1/";
/// Who does what the caller does.
pub const USER: &str = "tester@example.com";
/// The number of every project.
pub const PROJECT_NUMBER: &str = "123456789012";

/// Where a resource is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The project.
    pub project: String,
    /// `None` for what is global.
    pub zone: Option<String>,
    /// Its name.
    pub name: String,
}

/// How long an operation takes.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So long.
    Takes(Duration),
    /// Until it has been looked at so often, by `get` or `wait`. Waiting returns at once then.
    Looks(u32),
}

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Only to read objects, as the service account of a VM.
    ReadObjects,
}

/// What the machines are to be told.
pub enum Effect {
    /// An instance runs.
    Boot(InstanceView),
    /// An instance is being deleted or stopped.
    Stop(InstanceView),
    /// The firewall rules are others now.
    Firewalls(Vec<Value>),
}

/// The state of the fake.
pub struct State {
    /// Its time.
    pub clock: Clock,
    /// How long operations take.
    pub pace: Pace,
    /// How long waiting for an operation lasts at most.
    pub wait_limit: Duration,
    /// How many entries a page of a list goes through at most.
    pub page_limit: usize,
    /// The tokens that are accepted.
    pub tokens: HashMap<String, Access>,
    /// Accounts that sign tokens themselves.
    pub accounts: Vec<Account>,
    /// The projects that there are.
    pub projects: BTreeSet<String>,
    /// What cannot be made or deleted here.
    pub catalogue: Catalogue,
    /// By name.
    pub operations: BTreeMap<String, Operation>,
    /// The operation of a request ID, of a method, of a path.
    pub requests: HashMap<(String, &'static str, String), String>,
    /// The instances.
    pub instances: BTreeMap<Place, Instance>,
    /// The firewall rules, as they are shown.
    pub firewalls: BTreeMap<Place, Value>,
    /// By name, since names of buckets are everybody's.
    pub buckets: BTreeMap<String, Bucket>,
    /// In the order in which it happened.
    pub effects: VecDeque<Effect>,
    numbers: u64,
}

impl Place {
    /// Of something in a zone.
    pub fn zonal(project: &str, zone: &str, name: &str) -> Self {
        Self { project: project.to_owned(), zone: Some(zone.to_owned()), name: name.to_owned() }
    }

    /// Of something that is global.
    pub fn global(project: &str, name: &str) -> Self {
        Self { project: project.to_owned(), zone: None, name: name.to_owned() }
    }

    /// Such as `projects/P/zones/Z`.
    pub fn scope(&self) -> String {
        match &self.zone {
            Some(zone) => format!("projects/{}/zones/{zone}", self.project),
            None => format!("projects/{}/global", self.project),
        }
    }

    /// Such as `projects/P/zones/Z/instances/NAME`.
    pub fn path(&self, kind: &str) -> String {
        format!("{}/{kind}/{}", self.scope(), self.name)
    }

    /// The same as a link.
    pub fn link(&self, kind: &str) -> String {
        format!("{LINKS}{}", self.path(kind))
    }
}

impl State {
    /// One project, nothing in it, and one token.
    pub fn new(project: &str, token: &str) -> Self {
        Self {
            clock: Clock::start(),
            pace: Pace::Takes(Duration::from_millis(20)),
            wait_limit: Duration::from_secs(120),
            page_limit: 500,
            tokens: HashMap::from([(token.to_owned(), Access::Full)]),
            accounts: Vec::new(),
            projects: BTreeSet::from([project.to_owned()]),
            catalogue: Catalogue::new(),
            operations: BTreeMap::new(),
            requests: HashMap::new(),
            instances: BTreeMap::new(),
            firewalls: BTreeMap::new(),
            buckets: BTreeMap::new(),
            effects: VecDeque::new(),
            numbers: 0,
        }
    }

    /// What the bearer of a token may do.
    pub fn access(&self, token: &str) -> Option<Access> {
        let now = self.clock.now().as_second();
        let signed = || self.accounts.iter().any(|account| account.has_signed(token, now));
        self.tokens.get(token).copied().or_else(|| signed().then_some(Access::Full))
    }

    /// The next of 0, 1, 2 ….
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers - 1
    }

    /// An ID of a resource that no other has.
    pub fn id(&mut self) -> String {
        (3_806_535_917_841_650_408 + 7919 * self.number()).to_string()
    }

    /// The time now, as Google writes it.
    pub fn stamp(&self) -> String {
        self.clock.stamp(self.clock.time())
    }

    /// Does what is due by now.
    pub fn settle(&mut self) {
        self.finish_due_operations();
        self.expire_instances();
    }

    /// All that exists and that somebody made, in order.
    pub fn resources(&self) -> Vec<String> {
        let instances = self.instances.keys().map(|place| format!("instance {}", place.path("instances")));
        let firewalls = self.firewalls.keys().map(|place| format!("firewall {}", place.path("firewalls")));
        let buckets = self.buckets.keys().map(|name| format!("bucket {name}"));
        let objects = self.buckets.iter().flat_map(|(bucket, contents)| {
            contents.objects.keys().map(move |name| format!("object {bucket}/{name}"))
        });
        let mut all: Vec<String> = instances.chain(firewalls).chain(buckets).chain(objects).collect();
        all.sort();
        all
    }
}

/// A fingerprint of a value, which is another for another value.
pub fn fingerprint(value: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    STANDARD.encode(hasher.finish().to_be_bytes())
}
