//! What Google is asked to make: machines, firewall rules, buckets, as its API takes them. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::{FLEET_LABEL, MANAGED_BY, Names, OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Role};
use crate::config::gcp::{BinarySource, GcpConfig, Reach};

/// Where Google's tunnel through its identity-aware proxy comes from.
pub const IAP_RANGE: &str = "35.235.240.0/20";
/// Where workers listen on a VM.
pub const WORKER_PORT: u16 = 7000;
/// Where the project's own mock upstream listens on the platform's VM.
pub const MOCK_PORT: u16 = 9100;
/// In place of an address: the worker's binary is carried to the VM.
pub const BY_SSH: &str = "ssh";
/// Where sshd listens on a VM.
const SSH_PORT: u16 = 22;
/// Lets a VM fetch the worker's binary and no more.
const READ_STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// Names of metadata values that the startup scripts read.
pub mod metadata {
    /// The certificate of the authority whose coordinators the worker obeys.
    pub const COORDINATOR_CA: &str = "archestra-coordinator-ca";
    /// Where the worker listens.
    pub const WORKER_PORT: &str = "archestra-worker-port";
    /// Where the worker's binary is fetched from; [`super::BY_SSH`] where it is carried there.
    pub const WORKER_URL: &str = "archestra-worker-url";
    /// What it must add up to.
    pub const WORKER_SHA256: &str = "archestra-worker-sha256";
    /// `service-account` where the VM's token is needed for that, else `none`.
    pub const WORKER_AUTHORIZATION: &str = "archestra-worker-authorization";
    /// What kind of machine was asked for, in words: one that was asked for otherwise is not used again.
    pub const KIND: &str = "archestra-bench-kind";
    /// The platform's container image.
    pub const PLATFORM_IMAGE: &str = "archestra-platform-image";
    /// Its environment, `NAME=value` a line.
    pub const PLATFORM_ENV: &str = "archestra-platform-env";
    /// Where the mock upstream listens.
    pub const MOCK_PORT: &str = "archestra-mock-port";
}

/// What a VM needs to fetch the worker's binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it is, or [`BY_SSH`].
    pub url: String,
    /// In hexadecimal digits.
    pub sha256: String,
    /// The account that may read it; `None` where everybody may.
    pub account: Option<String>,
}

/// A machine to be made.
#[derive(Debug, Clone)]
pub struct Machine<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub role: Role,
    /// Which command makes it.
    pub run: &'a str,
    /// Its disk.
    pub disk_gb: u32,
    /// Its startup script.
    pub script: &'a str,
    /// More of its metadata.
    pub more: Vec<(&'static str, String)>,
}

/// The body that makes a machine.
pub fn instance(
    config: &GcpConfig,
    names: &Names,
    zone: &str,
    machine: &Machine<'_>,
    coordinator_ca: &str,
    delivery: &Delivery,
) -> Value {
    let mut interface = json!({ "network": global(&config.project, "networks", &config.network) });
    if let Some(subnet) = &config.subnet {
        interface["subnetwork"] = subnetwork(&config.project, zone, subnet).into();
    }
    if config.reach == Reach::External {
        interface["accessConfigs"] = json!([{ "name": "External NAT", "type": "ONE_TO_ONE_NAT" }]);
    }
    let mut scheduling = json!({
        "automaticRestart": false,
        "maxRunDuration": { "seconds": config.max_run_duration.as_secs().to_string() },
        "instanceTerminationAction": "DELETE",
    });
    if config.spot {
        scheduling["provisioningModel"] = "SPOT".into();
        scheduling["preemptible"] = true.into();
        scheduling["onHostMaintenance"] = "TERMINATE".into();
    }
    let mut body = json!({
        "name": machine.name,
        "machineType": format!("projects/{}/zones/{zone}/machineTypes/{}", config.project, config.machine_type),
        "labels": labels(config, names, machine),
        "tags": { "items": [names.tag(machine.role)] },
        "disks": [{
            "boot": true,
            "autoDelete": true,
            "type": "PERSISTENT",
            "mode": "READ_WRITE",
            "initializeParams": {
                "sourceImage": config.image,
                "diskSizeGb": machine.disk_gb.to_string(),
                "diskType": disk_type(&config.project, zone, &config.machine_type),
            },
        }],
        "networkInterfaces": [interface],
        "scheduling": scheduling,
        "deletionProtection": false,
        "metadata": { "items": items(config, machine, coordinator_ca, delivery) },
    });
    if let Some(account) = &delivery.account {
        body["serviceAccounts"] = json!([{ "email": account, "scopes": [READ_STORAGE] }]);
    }
    body
}

/// The cheapest disk that machines of a type can boot from, by the generation in their family's name: machines of the
/// fourth and later take hyperdisks only, those of the third (and G2) no standard ones.
fn disk_type(project: &str, zone: &str, machine_type: &str) -> String {
    let family = machine_type.split('-').next().unwrap_or_default();
    // `custom-4-8192` is of the first generation, and names none.
    let generation = family.chars().find_map(|letter| letter.to_digit(10)).unwrap_or(1);
    let kind = match (family, generation) {
        ("g2", _) => "pd-balanced",
        (_, ..=2) => "pd-standard",
        (_, 3) => "pd-balanced",
        _ => "hyperdisk-balanced",
    };
    format!("projects/{project}/zones/{zone}/diskTypes/{kind}")
}

fn labels(config: &GcpConfig, names: &Names, machine: &Machine<'_>) -> BTreeMap<String, String> {
    let mut labels = config.labels.clone();
    let (key, value) = MANAGED_BY;
    for (key, value) in [
        (key, value),
        (FLEET_LABEL, names.fleet()),
        (RUN_LABEL, machine.run),
        (ROLE_LABEL, machine.role.as_str()),
        (OWNER_LABEL, &config.owner),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// Whoever may read the machine may read these: scripts, addresses and public certificates only.
fn items(config: &GcpConfig, machine: &Machine<'_>, coordinator_ca: &str, delivery: &Delivery) -> Vec<Value> {
    let authorization = if delivery.account.is_some() { "service-account" } else { "none" };
    let mut items = vec![
        ("startup-script", machine.script.to_owned()),
        ("enable-guest-attributes", "TRUE".to_owned()),
        (metadata::KIND, kind(config)),
        (metadata::COORDINATOR_CA, coordinator_ca.to_owned()),
        (metadata::WORKER_PORT, WORKER_PORT.to_string()),
        (metadata::WORKER_URL, delivery.url.clone()),
        (metadata::WORKER_SHA256, delivery.sha256.clone()),
        (metadata::WORKER_AUTHORIZATION, authorization.to_owned()),
    ];
    items.extend(machine.more.iter().cloned());
    items.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// The rule that lets the coordinator reach the workers of both kinds of machines.
pub fn workers_rule(config: &GcpConfig, names: &Names, source_ranges: &[String]) -> Value {
    json!({
        "name": names.workers_rule(),
        "description": format!("{} lets the coordinator reach its workers", names.marker()),
        "network": global(&config.project, "networks", &config.network),
        "direction": "INGRESS",
        "disabled": false,
        "sourceRanges": source_ranges,
        "targetTags": [names.tag(Role::Load), names.tag(Role::Platform)],
        "allowed": [{ "IPProtocol": "tcp", "ports": workers_ports(config) }],
    })
}

/// Where the coordinator reaches the VMs.
pub fn workers_ports(config: &GcpConfig) -> Vec<String> {
    let ssh = matches!(config.binary, BinarySource::Ssh(_)).then_some(SSH_PORT);
    [WORKER_PORT].into_iter().chain(ssh).map(|port| port.to_string()).collect()
}

/// The rule that lets workers, and nobody else, reach the platform and the mock upstream beside it.
pub fn platform_rule(config: &GcpConfig, names: &Names, port: u16) -> Value {
    json!({
        "name": names.platform_rule(),
        "description": format!("{} lets workers reach the platform", names.marker()),
        "network": global(&config.project, "networks", &config.network),
        "direction": "INGRESS",
        "disabled": false,
        "sourceTags": [names.tag(Role::Load)],
        "targetTags": [names.tag(Role::Platform)],
        "allowed": [{ "IPProtocol": "tcp", "ports": [port.to_string(), MOCK_PORT.to_string()] }],
    })
}

/// A bucket for the worker's binary.
pub fn bucket(config: &GcpConfig, names: &Names, region: &str) -> Value {
    let mut labels = config.labels.clone();
    labels.extend(names.labels().map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.insert(OWNER_LABEL.to_owned(), config.owner.clone());
    json!({
        "name": names.bucket(&config.project),
        "location": region,
        "labels": labels,
        "iamConfiguration": {
            "uniformBucketLevelAccess": { "enabled": true },
            "publicAccessPrevention": "enforced",
        },
    })
}

/// What kind of machine is asked for, but for its zone and the binary that it runs.
pub fn kind(config: &GcpConfig) -> String {
    let GcpConfig { machine_type, image, network, spot, .. } = config;
    let subnet = config.subnet.as_deref().unwrap_or("the network's own");
    let address = if config.reach == Reach::External { "external" } else { "none" };
    format!(
        "machine type {machine_type}, spot {spot}, image {image}, network {network}, subnet {subnet}, external address \
         {address}"
    )
}

/// A zone's name without its last part.
pub fn region_of(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}

fn global(project: &str, kind: &str, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/{project}/global/{kind}/{name}") }
}

fn subnetwork(project: &str, zone: &str, name: &str) -> String {
    if name.contains('/') {
        name.to_owned()
    } else {
        format!("projects/{project}/regions/{}/subnetworks/{name}", region_of(zone))
    }
}

#[cfg(test)]
mod tests;
