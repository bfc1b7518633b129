//! Everything that a fleet has in Google Cloud: listed, or deleted.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp, Unit};
use tokio::task::JoinSet;

use super::api::{ApiError, Bucket, Client, Firewall, Instance, Kind};
use super::error::GcpError;
use super::names::{Names, OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Role};
use super::scale::end_of_life;
use super::workshop::Workshop;

/// How often is looked again for what came into being meanwhile.
const ROUNDS: u32 = 5;

/// Everything that a fleet has.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Its machines.
    pub instances: Vec<Instance>,
    /// Its firewall rules.
    pub rules: Vec<Firewall>,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// Zones that Google could not look into; `None` when it has seen everything.
    pub blind_spots: Option<String>,
    taken_at: Timestamp,
}

impl Inventory {
    /// Of the fleet of these names.
    ///
    /// # Errors
    /// When something cannot be listed.
    pub async fn of(client: &Client, names: &Names) -> Result<Self, ApiError> {
        let labels = names.labels();
        let bucket = names.bucket(client.project());
        let (instances, rules, buckets) =
            tokio::join!(client.instances(&labels), client.firewalls(), client.buckets(&bucket));
        let instances = instances?;
        let mut inventory = Self {
            blind_spots: instances.blind_spots(),
            instances: instances.found,
            rules: rules?,
            buckets: no_storage_no_buckets(buckets)?,
            taken_at: client.now(),
        };
        inventory.rules.retain(|rule| names.own_rule(rule));
        inventory.buckets.retain(|bucket| names.own(&bucket.labels));
        Ok(inventory)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.rules.is_empty() && self.buckets.is_empty()
    }

    /// What it all is.
    fn names(&self) -> Vec<String> {
        let vms = self.instances.iter().map(|vm| format!("VM {}", vm.name));
        let rules = self.rules.iter().map(|rule| format!("firewall rule {}", rule.name));
        let buckets = self.buckets.iter().map(|bucket| format!("bucket {}", bucket.name));
        vms.chain(rules).chain(buckets).collect()
    }

    fn rows(&self) -> Vec<[String; 8]> {
        let none = || "–".to_owned();
        let label = |vm: &Instance, key| vm.labels.get(key).cloned().unwrap_or_else(none);
        let age = |since: &str| {
            let since: Option<Timestamp> = since.parse().ok();
            since.map_or_else(none, |since| span(self.taken_at.duration_since(since)))
        };
        let instances = self.instances.iter().map(|vm| {
            let end = end_of_life(vm).map_or_else(none, |end| span(end.duration_since(self.taken_at)));
            let [name, zone, state] = [&vm.name, vm.zone_name(), &vm.status].map(str::to_owned);
            let state = state.to_lowercase();
            [
                "VM".into(),
                name,
                zone,
                state,
                age(&vm.creation_timestamp),
                end,
                label(vm, OWNER_LABEL),
                label(vm, RUN_LABEL),
            ]
        });
        let rules = self.rules.iter().map(|rule| {
            let age = age(&rule.creation_timestamp);
            [
                "firewall rule".into(),
                rule.name.clone(),
                "all".into(),
                "in force".into(),
                age,
                none(),
                none(),
                none(),
            ]
        });
        let buckets = self.buckets.iter().map(|bucket| {
            let owner = bucket.labels.get(OWNER_LABEL).cloned().unwrap_or_else(none);
            let age = age(&bucket.time_created);
            ["bucket".into(), bucket.name.clone(), none(), "there".into(), age, none(), owner, none()]
        });
        instances.chain(rules).chain(buckets).collect()
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["KIND", "NAME", "ZONE", "STATE", "AGE", "DELETED IN", "OWNER", "RUN"].map(str::to_owned);
        let rows: Vec<_> = [head].into_iter().chain(self.rows()).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<_> = (0..8).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A project that has Cloud Storage switched off has no bucket, and its machines must be found all the same.
fn no_storage_no_buckets(buckets: Result<Vec<Bucket>, ApiError>) -> Result<Vec<Bucket>, ApiError> {
    match buckets {
        Err(error) if error.refusal().is_some_and(|refusal| refusal.kind == Kind::ApiDisabled) => {
            Ok(Vec::new())
        }
        buckets => buckets,
    }
}

fn span(span: SignedDuration) -> String {
    let rounded = span.round(Unit::Second).unwrap_or(span);
    match u64::try_from(rounded.as_secs()) {
        Ok(seconds) => humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string(),
        Err(_) => "now".into(),
    }
}

/// Deletes everything that the fleet has, and tells what that was.
///
/// # Errors
/// When something cannot be listed or deleted, or may be where Google cannot look.
pub async fn cleanup(workshop: &Workshop) -> Result<Vec<String>, GcpError> {
    let mut deleted = BTreeSet::new();
    for _ in 0..ROUNDS {
        let unfinished = in_the_making(workshop).await?;
        let inventory = Inventory::of(&workshop.client, &workshop.names).await?;
        delete_all(workshop, &inventory, &mut deleted).await?;
        if let Some(zones) = inventory.blind_spots {
            return Err(GcpError::Unseen { zones });
        }
        if inventory.is_empty() && unfinished == 0 {
            workshop.journal.forget(&workshop.config.project)?;
            return Ok(deleted.into_iter().collect());
        }
    }
    let left = Inventory::of(&workshop.client, &workshop.names).await?.names();
    if left.is_empty() {
        workshop.journal.forget(&workshop.config.project)?;
        return Ok(deleted.into_iter().collect());
    }
    Err(GcpError::Undying { left: left.join(", ") })
}

/// Deletes machines that carry load; and everything else with them, where no machine is left.
///
/// # Errors
/// When something cannot be listed or deleted.
pub async fn cleanup_load(workshop: &Workshop, names: &[String]) -> Result<(), GcpError> {
    let [one, other] = workshop.names.labels();
    let instances = workshop.client.instances(&[one, other, (ROLE_LABEL, Role::Load.as_str())]).await?;
    let blind_spots = instances.blind_spots();
    let mut inventory = Inventory { instances: instances.found, ..Inventory::default() };
    inventory.instances.retain(|vm| names.contains(&vm.name));
    delete_all(workshop, &inventory, &mut BTreeSet::new()).await?;
    if let Some(zones) = blind_spots {
        return Err(GcpError::Unseen { zones });
    }
    if workshop.client.instances(&workshop.names.labels()).await?.found.is_empty() {
        cleanup(workshop).await?;
    }
    Ok(())
}

/// Waits for what a coordinator that was killed had asked for; returns how much of it there was.
async fn in_the_making(workshop: &Workshop) -> Result<usize, GcpError> {
    let intents = workshop.journal.intents();
    let of_project = intents.iter().filter(|intent| intent.project == workshop.config.project);
    let intended: BTreeSet<_> = of_project.clone().map(|intent| intent.instance.clone()).collect();
    let zones: BTreeSet<_> = of_project.map(|intent| intent.zone.clone()).collect();
    let mut unfinished = 0;
    for zone in zones {
        for operation in workshop.client.operations(&zone).await? {
            let is_ours = operation.operation_type == "insert" && intended.contains(operation.target_name());
            if is_ours && !operation.is_done() {
                unfinished += 1;
                let what = format!("create {}", operation.target_name());
                // How it ends does not matter, only that it has.
                let _ = workshop.client.finish(operation, &what).await;
            }
        }
    }
    Ok(unfinished)
}

async fn delete_all(
    workshop: &Workshop,
    inventory: &Inventory,
    deleted: &mut BTreeSet<String>,
) -> Result<(), GcpError> {
    let mut deleting = JoinSet::new();
    for vm in &inventory.instances {
        let (workshop, zone, name) = (workshop.clone(), vm.zone_name().to_owned(), vm.name.clone());
        deleting.spawn(async move { (format!("VM {name}"), workshop.delete(&zone, &name).await) });
    }
    for rule in &inventory.rules {
        let (client, name) = (workshop.client.clone(), rule.name.clone());
        deleting.spawn(async move { (format!("firewall rule {name}"), client.delete_firewall(&name).await) });
    }
    for bucket in &inventory.buckets {
        let (client, name) = (workshop.client.clone(), bucket.name.clone());
        deleting.spawn(async move { (format!("bucket {name}"), client.delete_bucket_with_all(&name).await) });
    }
    let mut left = Vec::new();
    while let Some(ended) = deleting.join_next().await {
        match ended {
            Ok((name, Ok(()))) => {
                deleted.insert(name);
            }
            Ok((name, Err(error))) => left.push((name, error)),
            Err(_) => {}
        }
    }
    left.sort_by(|one, other| one.0.cmp(&other.0));
    let names: Vec<_> = left.iter().map(|(name, _)| name.clone()).collect();
    match left.into_iter().next() {
        None => Ok(()),
        Some((_, first)) => Err(GcpError::Left { left: names.join(", "), first }),
    }
}
