//! What Google's answers hold of what is needed here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::error::OperationProblem;

/// A virtual machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Instance {
    /// Such as `loadtest-vm-1`.
    pub name: String,
    /// As a URL.
    pub zone: String,
    /// Such as `RUNNING`.
    pub status: String,
    /// As a URL.
    pub machine_type: String,
    /// RFC 3339.
    pub creation_timestamp: String,
    /// RFC 3339; absent until it has started.
    pub last_start_timestamp: Option<String>,
    /// Ours say whose it is.
    pub labels: BTreeMap<String, String>,
    /// Where it is reached.
    pub network_interfaces: Vec<NetworkInterface>,
    /// How long it lives.
    pub scheduling: Scheduling,
    /// What it was told.
    pub metadata: Metadata,
}

impl Instance {
    /// The last part of the zone's URL.
    pub fn zone_name(&self) -> &str {
        last_part(&self.zone)
    }

    /// The last part of the machine type's URL.
    pub fn machine_type_name(&self) -> &str {
        last_part(&self.machine_type)
    }

    /// A value of its metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.items.iter().find(|item| item.key == key)?.value.as_deref()
    }

    /// Within the network.
    pub fn internal_address(&self) -> Option<&str> {
        Some(self.network_interfaces.first()?.network_ip.as_deref()?).filter(|address| !address.is_empty())
    }

    /// From everywhere, where it has one.
    pub fn external_address(&self) -> Option<&str> {
        let access = self.network_interfaces.first()?.access_configs.first()?;
        access.nat_ip.as_deref().filter(|address| !address.is_empty())
    }
}

/// Part of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkInterface {
    #[serde(rename = "networkIP")]
    network_ip: Option<String>,
    #[serde(rename = "accessConfigs")]
    access_configs: Vec<AccessConfig>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct AccessConfig {
    #[serde(rename = "natIP")]
    nat_ip: Option<String>,
}

/// Part of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scheduling {
    /// After which Google deletes it.
    pub max_run_duration: Option<Span>,
    /// `SPOT` or `STANDARD`.
    pub provisioning_model: Option<String>,
}

/// A span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Span {
    /// A whole number, as a string.
    pub seconds: String,
}

/// Part of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    items: Vec<MetadataItem>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct MetadataItem {
    key: String,
    value: Option<String>,
}

/// Something that Google is doing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    /// It is asked for by it.
    pub name: String,
    /// `DONE` at the end, also of one that failed.
    pub status: String,
    /// As a URL; absent for what belongs to no zone.
    pub zone: Option<String>,
    /// Such as `insert`.
    pub operation_type: String,
    /// What it is done to, as a URL.
    pub target_link: String,
    /// Why it failed.
    pub error: Option<OperationErrors>,
    /// In HTTP's terms.
    pub http_error_status_code: Option<u16>,
}

/// Part of an operation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OperationErrors {
    /// At least one, as far as is known.
    pub errors: Vec<OperationProblem>,
}

impl Operation {
    /// Whether it is over, well or not.
    pub fn is_done(&self) -> bool {
        self.status == "DONE"
    }

    /// The last part of the zone's URL.
    pub fn zone_name(&self) -> Option<&str> {
        self.zone.as_deref().map(last_part)
    }

    /// The name of what it is done to.
    pub fn target_name(&self) -> &str {
        last_part(&self.target_link)
    }
}

/// A firewall rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Firewall {
    /// Unique in the project.
    pub name: String,
    /// Holds the marker of ours: rules have no labels.
    pub description: String,
    /// RFC 3339.
    pub creation_timestamp: String,
    /// Whom it lets in.
    pub source_ranges: Vec<String>,
    /// Which machines it lets in.
    pub source_tags: Vec<String>,
    /// To what.
    pub allowed: Vec<Allowed>,
    /// Of which network, as a URL.
    pub network: String,
    /// Which machines it is about.
    pub target_tags: Vec<String>,
    /// Whether it is there and lets nobody in.
    pub disabled: bool,
}

impl Firewall {
    /// The last part of the network's URL.
    pub fn network_name(&self) -> &str {
        last_part(&self.network)
    }
}

/// Part of a firewall rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Allowed {
    /// Single ports.
    pub ports: Vec<String>,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub struct Page<T> {
    /// What is on it.
    #[serde(default = "Vec::new")]
    pub items: Vec<T>,
    /// Where it goes on.
    pub next_page_token: Option<String>,
}

/// One page of a list over all zones.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregatedPage {
    /// By zone.
    pub items: BTreeMap<String, InstancesOfZone>,
    /// Where it goes on.
    pub next_page_token: Option<String>,
    /// Zones that Google could not look into, as paths.
    pub unreachables: Vec<String>,
}

/// Part of a list over all zones.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstancesOfZone {
    /// What is in the zone.
    pub instances: Vec<Instance>,
    /// Why that may not be all.
    pub warning: Option<Warning>,
}

/// Part of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// Such as `UNREACHABLE`.
    pub code: String,
}

/// Machines, as far as Google could look.
#[derive(Debug, Clone, Default)]
pub struct Instances {
    /// By name.
    pub found: Vec<Instance>,
    /// Zones that Google could not look into.
    pub unseen: BTreeSet<String>,
}

impl Instances {
    /// Takes in a page.
    pub fn add(&mut self, page: AggregatedPage) {
        self.unseen.extend(page.unreachables.iter().map(|zone| last_part(zone).to_owned()));
        for (zone, there) in page.items {
            if there.warning.is_some_and(|warning| warning.code == "UNREACHABLE") {
                self.unseen.insert(last_part(&zone).to_owned());
            }
            self.found.extend(there.instances);
        }
    }

    /// The zones that Google could not look into, in words; `None` when it has seen everything.
    pub fn blind_spots(&self) -> Option<String> {
        let zones: Vec<_> = self.unseen.iter().map(String::as_str).collect();
        (!zones.is_empty()).then(|| zones.join(", "))
    }
}

/// What a machine says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GuestAttributes {
    /// One namespace's.
    pub query_value: GuestAttributeItems,
}

/// Part of what a machine says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GuestAttributeItems {
    /// In no order.
    pub items: Vec<GuestAttribute>,
}

/// One thing that a machine says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GuestAttribute {
    /// Such as `certificate`.
    pub key: String,
    /// Any text.
    pub value: String,
}

/// What came out of a machine's serial port.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SerialOutput {
    /// The last part of it, at most a megabyte.
    pub contents: String,
}

/// A project.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Project {
    /// The account of machines that name none.
    pub default_service_account: Option<String>,
    /// Those that hold in all regions together.
    pub quotas: Vec<Quota>,
}

/// A region's quotas.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Region {
    /// All of them.
    pub quotas: Vec<Quota>,
}

/// A region's quota.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Quota {
    /// Such as `CPUS`.
    pub metric: String,
    /// How much there may be.
    pub limit: f64,
    /// How much there is.
    pub usage: f64,
}

/// A kind of machine.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MachineType {
    /// Of one machine.
    pub guest_cpus: u32,
    /// `X86_64` or `ARM64`; absent for older ones, which are x86-64.
    pub architecture: Option<String>,
}

/// A bucket.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bucket {
    /// Unique in the world.
    pub name: String,
    /// Ours say whose it is.
    pub labels: BTreeMap<String, String>,
    /// RFC 3339.
    pub time_created: String,
}

/// A file in a bucket.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    /// Unique in its bucket.
    pub name: String,
}

/// Who may do what with a bucket.
#[derive(Debug, Default, serde::Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// One for each role.
    pub bindings: Vec<Binding>,
    /// So that nobody's change is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Who has a role.
#[derive(Debug, Clone, Default, serde::Serialize, Deserialize)]
#[serde(default)]
pub struct Binding {
    /// Such as `roles/storage.objectViewer`.
    pub role: String,
    /// Such as `serviceAccount:me@example.com`.
    pub members: Vec<String>,
    /// Kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<serde_json::Value>,
}

pub(super) fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
