//! What stands behind the instances: nothing, a test's callbacks, or machines that really boot.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Handle;

/// What the fake tells about its instances and firewall rules. All but `addresses` may call the fake.
pub trait Machines: Send + Sync {
    /// The addresses of an instance that is being made, before anybody sees it; the fake chooses what is `None`. It must not
    /// call the fake.
    fn addresses(&self, _instance: &InstanceView) -> Addresses {
        Addresses::default()
    }

    /// An instance runs from now on.
    fn boot(&self, _fake: &Handle, _instance: &InstanceView) {}

    /// An instance is being deleted or stopped.
    fn stop(&self, _fake: &Handle, _instance: &InstanceView) {}

    /// These firewall rules hold from now on.
    fn firewalls(&self, _fake: &Handle, _rules: &[Value]) {}
}

/// Addresses of an instance.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// Within the network.
    pub network_ip: Option<String>,
    /// From outside, when the instance is to have one.
    pub nat_ip: Option<String>,
}

/// An instance as its machine sees it.
#[derive(Debug, Clone)]
pub struct InstanceView {
    /// Its project.
    pub project: String,
    /// Its zone.
    pub zone: String,
    /// Its name.
    pub name: String,
    /// Within the network; empty while addresses are chosen.
    pub network_ip: String,
    /// From outside; `None` when it has none.
    pub nat_ip: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its network tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// The address of its service account.
    pub service_account: Option<String>,
}

/// No instance ever boots.
pub struct NothingBoots;

impl Machines for NothingBoots {}

/// Instances that are only what a closure makes of them.
pub struct BootWith<F>(
    /// Told that an instance runs.
    pub F,
);

impl<F: Fn(&Handle, &InstanceView) + Send + Sync> Machines for BootWith<F> {
    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        (self.0)(fake, instance);
    }
}

impl InstanceView {
    /// Of an instance as `instances.get` shows it.
    pub fn of(project: &str, zone: &str, shown: &Value) -> Self {
        let interface = &shown["networkInterfaces"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = shown["metadata"]["items"].as_array().into_iter().flatten();
        let labels = shown["labels"].as_object().into_iter().flatten();
        Self {
            project: project.to_owned(),
            zone: zone.to_owned(),
            name: text(&shown["name"]),
            network_ip: text(&interface["networkIP"]),
            nat_ip: interface["accessConfigs"][0]["natIP"].as_str().map(str::to_owned),
            labels: labels.map(|(key, value)| (key.clone(), text(value))).collect(),
            tags: shown["tags"]["items"].as_array().into_iter().flatten().map(text).collect(),
            metadata: items.map(|item| (text(&item["key"]), text(&item["value"]))).collect(),
            service_account: shown["serviceAccounts"][0]["email"].as_str().map(str::to_owned),
        }
    }
}
