//! Compute Engine: machines, firewall rules, operations.

use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use url::Url;

use super::error::{ApiError, Refusal};
use super::resources::{
    AggregatedPage, Firewall, GuestAttribute, GuestAttributes, Instance, Instances, MachineType, Operation,
    Page, Project, Quota, Region, SerialOutput,
};
use super::{Call, Client};

/// How long an operation may take.
const OPERATION_LIMIT: Duration = Duration::from_secs(300);
/// A wait may return early.
const BETWEEN_WAITS: Duration = Duration::from_millis(250);

impl Client {
    /// Has a machine made; it is being made when this returns.
    ///
    /// # Errors
    /// When Google refuses at once.
    pub async fn insert_instance(&self, zone: &str, name: &str, body: Value) -> Result<Operation, ApiError> {
        let url = self.compute(&["zones", zone, "instances"]);
        self.call(Call::new(format!("create {name} in {zone}"), Method::POST, url).json(body).once()).await
    }

    /// Has a machine deleted, and waits until it is gone. One that is not there is gone.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete_instance(&self, zone: &str, name: &str) -> Result<(), ApiError> {
        let what = format!("delete {name} in {zone}");
        let call = Call::new(&what, Method::DELETE, self.compute(&["zones", zone, "instances", name])).once();
        gone(async { self.finish(self.call(call).await?, &what).await }.await)
    }

    /// One machine.
    ///
    /// # Errors
    /// When there is none of that name there.
    pub async fn instance(&self, zone: &str, name: &str) -> Result<Instance, ApiError> {
        self.call(Call::get(format!("look at {name}"), self.compute(&["zones", zone, "instances", name])))
            .await
    }

    /// The machines with all of these labels, in all zones that Google can look into.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn instances(&self, labels: &[(&str, &str)]) -> Result<Instances, ApiError> {
        let terms: Vec<_> = labels.iter().map(|(key, value)| format!("(labels.{key} = {value})")).collect();
        let (mut instances, mut token) = (Instances::default(), None::<String>);
        loop {
            let url = self.compute(&["aggregated", "instances"]);
            let mut call = Call::get("list the VMs", url)
                .query("filter", &terms.join(" AND "))
                .query("returnPartialSuccess", "true");
            if let Some(token) = &token {
                call = call.query("pageToken", token);
            }
            let mut page: AggregatedPage = self.call(call).await?;
            token = page.next_page_token.take();
            instances.add(page);
            if token.is_none() {
                instances.found.sort_by(|one, other| one.name.cmp(&other.name));
                return Ok(instances);
            }
        }
    }

    /// What a machine says of itself in one namespace; nothing as long as it has said nothing.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn guest_attributes(
        &self,
        zone: &str,
        name: &str,
        namespace: &str,
    ) -> Result<Vec<GuestAttribute>, ApiError> {
        let url = self.compute(&["zones", zone, "instances", name, "getGuestAttributes"]);
        let call =
            Call::get(format!("read what {name} says"), url).query("queryPath", &format!("{namespace}/"));
        match self.call::<GuestAttributes>(call).await {
            Ok(attributes) => Ok(attributes.query_value.items),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What came out of a machine's serial port.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn serial_output(&self, zone: &str, name: &str) -> Result<String, ApiError> {
        let url = self.compute(&["zones", zone, "instances", name, "serialPort"]);
        let call = Call::get(format!("read the serial log of {name}"), url).query("port", "1");
        Ok(self.call::<SerialOutput>(call).await?.contents)
    }

    /// Has a firewall rule made, and waits until it is in force.
    ///
    /// # Errors
    /// When it cannot be made, or one of its name is there already.
    pub async fn insert_firewall(&self, name: &str, body: Value) -> Result<(), ApiError> {
        let what = format!("create the firewall rule {name}");
        let call = Call::new(&what, Method::POST, self.compute(&["global", "firewalls"])).json(body).once();
        self.finish(self.call(call).await?, &what).await
    }

    /// Changes a firewall rule, and waits until that is in force.
    ///
    /// # Errors
    /// When it cannot be changed.
    pub async fn patch_firewall(&self, name: &str, body: Value) -> Result<(), ApiError> {
        let what = format!("change the firewall rule {name}");
        let call =
            Call::new(&what, Method::PATCH, self.compute(&["global", "firewalls", name])).json(body).once();
        self.finish(self.call(call).await?, &what).await
    }

    /// Has a firewall rule deleted, and waits until it is gone. One that is not there is gone.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete_firewall(&self, name: &str) -> Result<(), ApiError> {
        let what = format!("delete the firewall rule {name}");
        let call = Call::new(&what, Method::DELETE, self.compute(&["global", "firewalls", name])).once();
        gone(async { self.finish(self.call(call).await?, &what).await }.await)
    }

    /// A firewall rule, if there is one of that name.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub async fn firewall(&self, name: &str) -> Result<Option<Firewall>, ApiError> {
        let url = self.compute(&["global", "firewalls", name]);
        match self.call(Call::get(format!("look at the firewall rule {name}"), url)).await {
            Ok(rule) => Ok(Some(rule)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All firewall rules of the project.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn firewalls(&self) -> Result<Vec<Firewall>, ApiError> {
        self.list("list the firewall rules", self.compute(&["global", "firewalls"]), &[]).await
    }

    /// What is being done in a zone.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub async fn operations(&self, zone: &str) -> Result<Vec<Operation>, ApiError> {
        let url = self.compute(&["zones", zone, "operations"]);
        self.list("list the operations", url, &[]).await
    }

    /// The quotas that hold in a region: its own, and the project's.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn quotas(&self, region: &str) -> Result<Vec<Quota>, ApiError> {
        let url = self.compute(&["regions", region]);
        let of_region = Call::get(format!("read the quotas of {region}"), url);
        let of_project = Call::get("read the project's quotas", self.compute(&[]));
        let mut quotas = self.call::<Region>(of_region).await?.quotas;
        quotas.extend(self.call::<Project>(of_project).await?.quotas);
        Ok(quotas)
    }

    /// A kind of machine.
    ///
    /// # Errors
    /// When there is none of that name in the zone.
    pub async fn machine_type(&self, zone: &str, name: &str) -> Result<MachineType, ApiError> {
        let url = self.compute(&["zones", zone, "machineTypes", name]);
        self.call(Call::get(format!("look at the machine type {name}"), url)).await
    }

    /// The account of machines that name none.
    ///
    /// # Errors
    /// When the project cannot be looked at.
    pub async fn default_service_account(&self) -> Result<Option<String>, ApiError> {
        let call = Call::get("look at the project", self.compute(&[]));
        Ok(self.call::<Project>(call).await?.default_service_account)
    }

    /// Waits until an operation is over. `what` is what it does.
    ///
    /// # Errors
    /// When it failed, or takes too long.
    pub async fn finish(&self, operation: Operation, what: &str) -> Result<(), ApiError> {
        match timeout(OPERATION_LIMIT, self.wait_for(operation, what)).await {
            Ok(ended) => ended,
            Err(_) => {
                Err(ApiError::Unfinished { what: what.to_owned(), minutes: OPERATION_LIMIT.as_secs() / 60 })
            }
        }
    }

    async fn wait_for(&self, mut operation: Operation, what: &str) -> Result<(), ApiError> {
        while !operation.is_done() {
            // The path is made of names: a link in an answer is never followed.
            let url = match operation.zone_name() {
                Some(zone) => self.compute(&["zones", zone, "operations", &operation.name, "wait"]),
                None => self.compute(&["global", "operations", &operation.name, "wait"]),
            };
            operation = self.call(Call::new(what, Method::POST, url)).await?;
            if !operation.is_done() {
                sleep(BETWEEN_WAITS).await;
            }
        }
        match operation.error.filter(|error| !error.errors.is_empty()) {
            None => Ok(()),
            Some(error) => {
                let code = operation.http_error_status_code.unwrap_or_default();
                let refusal = Box::new(Refusal::of_operation(code, &error.errors));
                Err(ApiError::Refused { what: what.to_owned(), refusal })
            }
        }
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        url: Url,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, ApiError> {
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut call = Call::get(what, url.clone());
            for (name, value) in query {
                call = call.query(name, value);
            }
            if let Some(token) = &token {
                call = call.query("pageToken", token);
            }
            let page: Page<T> = self.call(call).await?;
            found.extend(page.items);
            token = page.next_page_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Below the project; a name is never more than one part of a path.
    fn compute(&self, parts: &[&str]) -> Url {
        let mut url = self.endpoints.compute.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["projects", &self.project]).extend(parts);
        }
        url
    }
}

/// What is not there needs no deletion.
fn gone(deleted: Result<(), ApiError>) -> Result<(), ApiError> {
    match deleted {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted,
    }
}
