//! Firewall rules.

use serde_json::{Value, json};

use super::call::Answer;
use super::errors;
use super::instance_body::{last, plain};
use super::instances::Change;
use super::operations::{Beginning, Work};
use super::schema::is_resource_name;
use super::state::{LINKS, Place, State};

impl State {
    /// `firewalls.insert`.
    pub fn insert_firewall(&mut self, place: &Place, body: &Value, change: Change<'_>) -> Answer {
        if !is_resource_name(&place.name) {
            return errors::invalid(&format!("Invalid value for field 'resource.name': '{}'.", place.name));
        }
        if body["allowed"].is_null() == body["denied"].is_null() {
            return errors::invalid(
                "Invalid value for field 'resource': one of allowed and denied is needed.",
            );
        }
        let network = body.get("network").map_or("default", last);
        if !self.catalogue.networks.contains(network) {
            return errors::not_found(&format!("projects/{}/global/networks/{network}", place.project));
        }
        if self.firewalls.contains_key(place) {
            return errors::already_exists(&place.path("firewalls"));
        }
        let value = self.new_firewall(place, body);
        let target_id = plain(&value["id"]).to_owned();
        self.firewalls.insert(place.clone(), value);
        self.begin_firewall("insert", place, target_id, change, Work::InsertFirewall(place.clone()))
    }

    /// Puts a rule there that nobody asked for over the API.
    pub fn put_firewall(&mut self, place: &Place, body: &Value) {
        let value = self.new_firewall(place, body);
        self.firewalls.insert(place.clone(), value);
        self.tell_firewalls();
    }

    fn new_firewall(&mut self, place: &Place, body: &Value) -> Value {
        let network = body.get("network").map_or("default", last);
        let defaults = json!({
            "name": place.name, "direction": "INGRESS", "priority": 1000, "disabled": false,
            "logConfig": {"enable": false},
        });
        let mut value = defaults;
        value.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        value["network"] = json!(format!("{LINKS}projects/{}/global/networks/{network}", place.project));
        value["id"] = json!(self.id());
        value["kind"] = json!("compute#firewall");
        value["selfLink"] = json!(place.link("firewalls"));
        value["creationTimestamp"] = json!(self.stamp());
        value
    }

    /// `firewalls.patch`.
    pub fn patch_firewall(&mut self, place: &Place, body: &Value, change: Change<'_>) -> Answer {
        let Some(value) = self.firewalls.get(place) else {
            return errors::not_found(&place.path("firewalls"));
        };
        let mut value = value.clone();
        for (name, part) in body.as_object().into_iter().flatten() {
            value[name] = part.clone();
        }
        let target_id = plain(&value["id"]).to_owned();
        self.begin_firewall("patch", place, target_id, change, Work::PatchFirewall(place.clone(), value))
    }

    /// `firewalls.delete`.
    pub fn delete_firewall(&mut self, place: &Place, change: Change<'_>) -> Answer {
        let Some(value) = self.firewalls.get(place) else {
            return errors::not_found(&place.path("firewalls"));
        };
        let target_id = plain(&value["id"]).to_owned();
        self.begin_firewall("delete", place, target_id, change, Work::DeleteFirewall(place.clone()))
    }

    fn begin_firewall(
        &mut self,
        kind: &str,
        target: &Place,
        target_id: String,
        change: Change<'_>,
        work: Work,
    ) -> Answer {
        let Change { request, failure } = change;
        Answer::good(&self.begin(Beginning {
            kind,
            target,
            target_kind: "firewalls",
            target_id,
            request,
            work,
            failure,
        }))
    }
}
