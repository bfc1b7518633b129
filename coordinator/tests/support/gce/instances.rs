//! Instances: made, seen, stopped by Google or by their time limit, and deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::Answer;
use super::catalogue::{processors, region_of};
use super::errors::{self, OperationError};
use super::instance_body::{last, plain, refusal, refused_labels, shown};
use super::machines::{InstanceView, Machines};
use super::operations::{Beginning, Work};
use super::serial::Serial;
use super::state::{Effect, Place, State, fingerprint};

/// An instance.
pub struct Instance {
    /// As it is shown.
    pub value: Value,
    /// What it has published, by namespace and key.
    pub guest_attributes: BTreeMap<(String, String), String>,
    /// What it has written to its first serial port.
    pub serial: Serial,
    /// When its time is over.
    deadline: Option<Duration>,
}

/// What a call that changes something says besides its body.
pub struct Change<'a> {
    /// Its request ID.
    pub request: Option<&'a str>,
    /// Whether its operation is to fail.
    pub failure: Option<OperationError>,
}

impl Instance {
    /// Its share of a quota.
    pub fn usage(&self, metric: &str) -> f64 {
        match metric {
            "CPUS" => processors(last(&self.value["machineType"])).unwrap_or_default().into(),
            "INSTANCES" => 1.0,
            "IN_USE_ADDRESSES" => {
                self.value["networkInterfaces"][0]["accessConfigs"].as_array().map_or(0, Vec::len) as f64
            }
            "DISKS_TOTAL_GB" => plain(&self.value["disks"][0]["diskSizeGb"]).parse().unwrap_or_default(),
            _ => 0.0,
        }
    }

    fn view(&self, place: &Place) -> InstanceView {
        InstanceView::of(&place.project, place.zone.as_deref().unwrap_or_default(), &self.value)
    }
}

impl State {
    /// `instances.insert`.
    pub fn insert_instance(
        &mut self,
        place: &Place,
        body: &Value,
        change: Change<'_>,
        machines: &dyn Machines,
    ) -> Answer {
        if let Some(refusal) = refusal(self, place, body) {
            return refusal;
        }
        if self.instances.contains_key(place) {
            return errors::already_exists(&place.path("instances"));
        }
        let instance = self.new_instance(place, body, machines);
        let target_id = plain(&instance.value["id"]).to_owned();
        self.instances.insert(place.clone(), instance);
        let region = region_of(place.zone.as_deref().unwrap_or_default());
        let over = self.exceeded_quota(&place.project, region);
        let over = over.map(|(metric, limit)| errors::quota_of_operation(&metric, limit, region));
        Answer::good(&self.begin(Beginning {
            kind: "insert",
            target: place,
            target_kind: "instances",
            target_id,
            request: change.request,
            work: Work::InsertInstance(place.clone()),
            failure: change.failure.or(over),
        }))
    }

    /// An instance that is not among the others yet.
    fn new_instance(&mut self, place: &Place, body: &Value, machines: &dyn Machines) -> Instance {
        let value = shown(self, place, body);
        let mut instance =
            Instance { value, guest_attributes: BTreeMap::new(), serial: Serial::default(), deadline: None };
        let addresses = machines.addresses(&instance.view(place));
        let number = self.number();
        let interface = &mut instance.value["networkInterfaces"][0];
        let network_ip = format!("10.132.{}.{}", number / 200, 2 + number % 200);
        interface["networkIP"] = json!(addresses.network_ip.unwrap_or(network_ip));
        if let Some(access) = interface.get_mut("accessConfigs").and_then(|access| access.get_mut(0)) {
            let nat_ip = format!("203.0.113.{}", 1 + number % 200);
            access["natIP"] = json!(addresses.nat_ip.unwrap_or(nat_ip));
        }
        instance
    }

    /// Puts an instance there that nobody asked for over the API and that runs already.
    pub fn put_instance(&mut self, place: &Place, body: &Value, machines: &dyn Machines) {
        let mut instance = self.new_instance(place, body, machines);
        instance.value["status"] = json!("RUNNING");
        self.instances.insert(place.clone(), instance);
    }

    /// An instance runs, now that it is inserted.
    pub fn run_instance(&mut self, place: &Place) {
        let (now, stamp) = (self.clock.time(), self.stamp());
        let Some(instance) = self.instances.get_mut(place) else { return };
        if instance.value["status"] != "PROVISIONING" {
            return;
        }
        instance.value["status"] = json!("RUNNING");
        instance.value["lastStartTimestamp"] = json!(stamp);
        let seconds = plain(&instance.value["scheduling"]["maxRunDuration"]["seconds"]).parse().ok();
        instance.deadline = seconds.map(|seconds| now + Duration::from_secs(seconds));
        self.effects.push_back(Effect::Boot(instance.view(place)));
    }

    /// `instances.delete`.
    pub fn delete_instance(&mut self, place: &Place, change: Change<'_>) -> Answer {
        let Some(instance) = self.instances.get(place) else {
            return errors::not_found(&place.path("instances"));
        };
        if instance.value["deletionProtection"] == true {
            let path = place.path("instances");
            return errors::invalid(&format!(
                "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion: '{path}'."
            ));
        }
        let target_id = plain(&instance.value["id"]).to_owned();
        if change.failure.is_none() {
            self.stop_machine(place);
        }
        Answer::good(&self.begin(Beginning {
            kind: "delete",
            target: place,
            target_kind: "instances",
            target_id,
            request: change.request,
            work: Work::DeleteInstance(place.clone()),
            failure: change.failure,
        }))
    }

    /// `instances.setLabels`.
    pub fn set_labels(&mut self, place: &Place, body: &Value, change: Change<'_>) -> Answer {
        let Some(instance) = self.instances.get_mut(place) else {
            return errors::not_found(&place.path("instances"));
        };
        if body["labelFingerprint"] != instance.value["labelFingerprint"] {
            let message = "Labels fingerprint either invalid or resource labels have changed";
            return Answer::error(412, "global", "conditionNotMet", message);
        }
        if let Some(refusal) = refused_labels(&body["labels"]) {
            return refusal;
        }
        if change.failure.is_none() {
            instance.value["labels"] = body["labels"].clone();
            instance.value["labelFingerprint"] = json!(fingerprint(&body["labels"]));
        }
        let target_id = plain(&instance.value["id"]).to_owned();
        Answer::good(&self.begin(Beginning {
            kind: "setLabels",
            target: place,
            target_kind: "instances",
            target_id,
            request: change.request,
            work: Work::Nothing,
            failure: change.failure,
        }))
    }

    /// Google takes a VM back.
    pub fn preempt(&mut self, name: &str) {
        self.take_back(name, "compute.instances.preempted");
    }

    /// Ends the instances whose time is over.
    pub fn expire_instances(&mut self) {
        let now = self.clock.time();
        let is_over = |instance: &Instance| {
            instance.deadline.is_some_and(|deadline| deadline <= now) && instance.value["status"] == "RUNNING"
        };
        let over = self.instances.iter().filter(|(_, instance)| is_over(instance));
        let names: Vec<String> = over.map(|(place, _)| place.name.clone()).collect();
        for name in names {
            self.take_back(&name, "compute.instances.scheduledTermination");
        }
    }

    fn take_back(&mut self, name: &str, kind: &str) {
        let found = self.instances.iter().find(|(place, _)| place.name == name);
        let (place, instance) = found.unwrap_or_else(|| panic!("there is no instance {name}"));
        let (place, target_id) = (place.clone(), plain(&instance.value["id"]).to_owned());
        let work = if instance.value["scheduling"]["instanceTerminationAction"] == "DELETE" {
            Work::DeleteInstance(place.clone())
        } else {
            Work::TerminateInstance(place.clone())
        };
        self.stop_machine(&place);
        self.begin_by_system(Beginning {
            kind,
            target: &place,
            target_kind: "instances",
            target_id,
            request: None,
            work,
            failure: None,
        });
    }

    /// The instance is being stopped, and its machine is told, once.
    fn stop_machine(&mut self, place: &Place) {
        let instance = self.instances.get_mut(place).unwrap();
        let before = std::mem::replace(&mut instance.value["status"], json!("STOPPING"));
        if before != "STOPPING" && before != "TERMINATED" {
            self.effects.push_back(Effect::Stop(instance.view(place)));
        }
    }

    /// Sets the status of an instance that is still there.
    pub fn set_status(&mut self, place: &Place, status: &str) {
        if let Some(instance) = self.instances.get_mut(place) {
            instance.value["status"] = json!(status);
        }
    }

    /// `instances.getGuestAttributes`; `path` is `NAMESPACE/` or `NAMESPACE/KEY`.
    pub fn guest_attributes(&self, place: &Place, path: &str) -> Answer {
        let Some(instance) = self.instances.get(place) else {
            return errors::not_found(&place.path("instances"));
        };
        let (namespace, key) = path.split_once('/').unwrap_or((path, ""));
        let wanted = instance.guest_attributes.iter().filter(|((of, named), _)| {
            (namespace.is_empty() || of == namespace) && (key.is_empty() || named == key)
        });
        let items: Vec<Value> = wanted
            .map(|((namespace, key), value)| json!({"namespace": namespace, "key": key, "value": value}))
            .collect();
        if items.is_empty() {
            let message = format!("The resource '{path}' of type 'Guest Attribute' was not found.");
            return Answer::error(404, "global", "notFound", &message);
        }
        Answer::good(&json!({
            "kind": "compute#guestAttributes", "queryPath": path, "queryValue": {"items": items},
            "selfLink": format!("{}/guestAttributes/{path}", place.link("instances")),
        }))
    }

    /// `instances.getSerialPortOutput` of the first port, from byte `start` on.
    pub fn serial_output(&self, place: &Place, start: usize) -> Answer {
        let Some(instance) = self.instances.get(place) else {
            return errors::not_found(&place.path("instances"));
        };
        let (start, contents) = instance.serial.since(start);
        Answer::good(&json!({
            "kind": "compute#serialPortOutput", "contents": contents,
            "start": start.to_string(), "next": (start + contents.len()).to_string(),
            "selfLink": format!("{}/serialPort", place.link("instances")),
        }))
    }
}
