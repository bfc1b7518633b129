//! What a test does to a fake, and sees of it, behind the API's back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::accounts::Account;
use super::catalogue::region_of;
use super::faults::Rule;
use super::machines::InstanceView;
use super::objects::Upload;
use super::state::{Access, LINKS, Pace, Place};
use super::{CallEvent, Handle, Recorded};

impl Handle {
    /// Its first project.
    pub fn project(&self) -> &str {
        &self.shared.project
    }

    /// How long operations take from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.shared.state().pace = pace;
    }

    /// How long waiting for an operation lasts at most.
    pub fn set_wait_limit(&self, limit: Duration) {
        self.shared.state().wait_limit = limit;
    }

    /// How many entries a page goes through at most.
    pub fn set_page_limit(&self, limit: usize) {
        self.shared.state().page_limit = limit;
    }

    /// The limit of a quota in a region.
    pub fn set_quota(&self, region: &str, metric: &str, limit: f64) {
        self.shared.state().catalogue.quotas.insert((region.to_owned(), metric.to_owned()), limit);
    }

    /// One more project of the caller.
    pub fn add_project(&self, project: &str) {
        self.shared.state().projects.insert(project.to_owned());
    }

    /// Another network, of every project.
    pub fn add_network(&self, network: &str) {
        self.shared.state().catalogue.networks.insert(network.to_owned());
    }

    /// An image family that there is no more.
    pub fn remove_image_family(&self, family: &str) {
        self.shared.state().catalogue.images.retain(|(_, known, _)| known != family);
    }

    /// One more token that is accepted.
    pub fn accept_token(&self, token: &str, access: Access) {
        self.shared.state().tokens.insert(token.to_owned(), access);
    }

    /// A service account that signs its tokens itself.
    pub fn accept_account(&self, account: Account) {
        self.shared.state().accounts.push(account);
    }

    /// A token that is accepted no more.
    pub fn refuse_token(&self, token: &str) {
        self.shared.state().tokens.remove(token);
    }

    /// Moves the fake's time forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.shared.state();
        state.clock.advance(by);
        state.settle();
    }

    /// Google takes an instance back. There must be one of that name.
    pub fn preempt(&self, name: &str) {
        self.shared.state().preempt(name);
    }

    /// An instance was made so much earlier, for whoever goes by its creation time. There must be one of that name.
    pub fn age(&self, name: &str, by: Duration) {
        let mut state = self.shared.state();
        let found = state.instances.iter_mut().find(|(place, _)| place.name == name);
        let (_, instance) = found.unwrap_or_else(|| panic!("there is no instance {name}"));
        for stamp in ["creationTimestamp", "lastStartTimestamp"] {
            if let Some(time) = instance.value[stamp].as_str() {
                let time: jiff::Timestamp = time.parse().unwrap();
                instance.value[stamp] = (time - by).to_string().into();
            }
        }
    }

    /// Lets calls go wrong.
    pub fn script(&self, rule: Rule) {
        self.shared.rules.lock().unwrap().push(rule);
    }

    /// Lets all calls go right again.
    pub fn clear_script(&self) {
        self.shared.rules.lock().unwrap().clear();
    }

    /// Called at every call before its answer is sent, and after. It may call the fake.
    pub fn on_call(&self, hook: impl Fn(&CallEvent) + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    /// All calls so far.
    pub fn log(&self) -> Vec<Recorded> {
        self.shared.log.lock().unwrap().clone()
    }

    /// What was wrong with calls and answers so far.
    pub fn violations(&self) -> Vec<String> {
        self.shared.violations.lock().unwrap().clone()
    }

    /// The same, and the fake forgets it: its end is no failure then.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.violations.lock().unwrap())
    }

    /// All that exists, in order, such as `instance projects/P/zones/Z/instances/NAME` and `object BUCKET/NAME`.
    pub fn resources(&self) -> Vec<String> {
        let mut state = self.shared.state();
        state.settle();
        state.resources()
    }

    /// The instances that there are.
    pub fn instances(&self) -> Vec<InstanceView> {
        let mut state = self.shared.state();
        state.settle();
        let view = |place: &Place, value: &Value| {
            InstanceView::of(&place.project, place.zone.as_deref().unwrap_or_default(), value)
        };
        state.instances.iter().map(|(place, instance)| view(place, &instance.value)).collect()
    }

    /// An instance as `instances.get` shows it.
    pub fn instance(&self, name: &str) -> Option<Value> {
        let mut state = self.shared.state();
        state.settle();
        let found = state.instances.iter().find(|(place, _)| place.name == name);
        found.map(|(_, instance)| instance.value.clone())
    }

    /// The firewall rules that there are, as `firewalls.get` shows them.
    pub fn firewalls(&self) -> Vec<Value> {
        let mut state = self.shared.state();
        state.settle();
        state.firewalls.values().cloned().collect()
    }

    /// What an object holds.
    pub fn object(&self, bucket: &str, name: &str) -> Option<Vec<u8>> {
        let state = self.shared.state();
        state.buckets.get(bucket)?.objects.get(name).map(|object| object.content.clone())
    }

    /// An instance publishes something; nothing happens when it is gone.
    pub fn set_guest_attribute(&self, instance: &str, namespace: &str, key: &str, value: &str) {
        let mut state = self.shared.state();
        if let Some((_, instance)) = state.instances.iter_mut().find(|(place, _)| place.name == instance) {
            instance.guest_attributes.insert((namespace.to_owned(), key.to_owned()), value.to_owned());
        }
    }

    /// What an instance has published; `None` when it has not, or is gone.
    pub fn guest_attribute(&self, instance: &str, namespace: &str, key: &str) -> Option<String> {
        let state = self.shared.state();
        let (_, found) = state.instances.iter().find(|(place, _)| place.name == instance)?;
        found.guest_attributes.get(&(namespace.to_owned(), key.to_owned())).cloned()
    }

    /// What an instance has written to its first serial port; nothing when it is gone.
    pub fn serial(&self, instance: &str) -> String {
        let state = self.shared.state();
        let found = state.instances.iter().find(|(place, _)| place.name == instance);
        found.map_or_else(String::new, |(_, instance)| instance.serial.since(0).1.to_owned())
    }

    /// An instance writes to its first serial port, of which the last mebibyte is kept; nothing happens when it is gone.
    pub fn append_serial(&self, instance: &str, text: &str) {
        let mut state = self.shared.state();
        if let Some((_, instance)) = state.instances.iter_mut().find(|(place, _)| place.name == instance) {
            instance.serial.append(text);
        }
    }

    /// Puts a running instance there that is not the caller's.
    pub fn put_instance(&self, zone: &str, name: &str, labels: &Value) {
        let project = self.project();
        let mut state = self.shared.state();
        let place = Place::zonal(project, zone, name);
        let image = "projects/debian-cloud/global/images/family/debian-12";
        let body = json!({
            "name": name, "labels": labels,
            "machineType": format!("{LINKS}{}/machineTypes/e2-small", place.scope()),
            "disks": [{"boot": true, "autoDelete": true, "initializeParams": {"sourceImage": image}}],
            "networkInterfaces": [{"network": "global/networks/default"}],
        });
        state.put_instance(&place, &body, &*self.shared.machines);
    }

    /// Puts a firewall rule there that is not the caller's.
    pub fn put_firewall(&self, name: &str, description: &str) {
        let place = Place::global(self.project(), name);
        let allowed = json!([{"IPProtocol": "tcp", "ports": ["22"]}]);
        let body = json!({
            "name": name, "description": description, "allowed": allowed, "sourceRanges": ["192.0.2.0/24"],
        });
        self.shared.state().put_firewall(&place, &body);
    }

    /// Puts a bucket there; in a project that the caller does not have, the caller may not see it.
    pub fn put_bucket(&self, project: &str, name: &str) {
        self.shared.state().put_bucket(project, &json!({ "name": name }));
    }

    /// Puts an object into a bucket that there is.
    pub fn put_object(&self, bucket: &str, name: &str, content: &[u8]) {
        let upload = Upload { content: content.to_vec(), ..Upload::default() };
        self.shared.state().store(bucket, name, upload);
    }

    /// The region of a zone.
    pub fn region_of<'a>(&self, zone: &'a str) -> &'a str {
        region_of(zone)
    }
}
