//! Makes machines, remembers which, and unmakes them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::api::{ApiError, Client, Instance, Kind, Operation};
use super::bodies::{self, Delivery, Machine, region_of};
use super::delivery::unless_interrupted;
use super::error::{GcpError, NOTHING_MADE};
use super::iap::Tunnels;
use super::journal::{Intent, Journal};
use super::names::{Names, RUN_LABEL};
use crate::config::gcp::GcpConfig;
use crate::fleet::news::{MachineState, News};
use crate::interrupt::Interrupt;

/// How long unmaking may take: beyond it Google deletes the machines itself, when their life ends.
const UNDO_LIMIT: Duration = Duration::from_secs(240);

/// Something beside the machines.
#[derive(Debug, Clone)]
pub enum Thing {
    /// A firewall rule.
    Rule(String),
    /// A bucket.
    Bucket(String),
}

/// A machine that this command has asked for.
#[derive(Debug, Clone)]
struct Made {
    zone: String,
    name: String,
    /// What Google does to make it, where it has said that it does.
    operation: Option<Operation>,
}

/// Everything that it takes to make machines of one fleet, for one command.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// Asks Google.
    pub client: Client,
    /// What is to be made.
    pub config: GcpConfig,
    /// What it is called.
    pub names: Names,
    /// Where it is written down before.
    pub journal: Journal,
    /// Which command makes it.
    pub run: String,
    /// Hears of it.
    pub news: News,
    /// Ends it.
    pub interrupt: Interrupt,
    /// Held as long as the workers are needed.
    pub tunnels: Tunnels,
    /// What this command has asked for.
    made: Arc<Mutex<Vec<Made>>>,
    /// What else this command has made.
    things: Arc<Mutex<Vec<Thing>>>,
    /// Zones that have no machine left.
    exhausted: Arc<Mutex<BTreeSet<String>>>,
}

impl Made {
    fn is(&self, zone: &str, name: &str) -> bool {
        (self.zone.as_str(), self.name.as_str()) == (zone, name)
    }
}

impl Workshop {
    /// For one command.
    ///
    /// # Errors
    /// When nobody is logged in, no journal can be kept, or another command has it.
    pub fn new(config: &GcpConfig, run: String, news: News, interrupt: Interrupt) -> Result<Self, GcpError> {
        let at_work = || GcpError::AtWork { fleet: config.fleet_name.clone() };
        Ok(Self {
            client: super::client(config)?,
            config: config.clone(),
            names: Names::of(&config.fleet_name),
            journal: Journal::take(&config.state_dir, &config.fleet_name).ok_or_else(at_work)?,
            run,
            news,
            interrupt,
            tunnels: Tunnels::default(),
            made: Arc::default(),
            things: Arc::default(),
            exhausted: Arc::default(),
        })
    }

    /// The fleet's machines.
    ///
    /// # Errors
    /// When they cannot be listed, or Google cannot look into a zone that is to be used.
    pub async fn instances(&self) -> Result<Vec<Instance>, GcpError> {
        let mut instances = unless_interrupted(self, self.client.instances(&self.names.labels())).await?;
        instances.unseen.retain(|zone| self.config.zones.contains(zone));
        match instances.blind_spots() {
            Some(zones) => Err(GcpError::Unseen { zones }),
            None => Ok(instances.found),
        }
    }

    /// Makes a machine in the first zone that has one; returns which.
    ///
    /// # Errors
    /// When no zone has one, or Google refuses.
    pub async fn make(
        &self,
        machine: &Machine<'_>,
        coordinator_ca: &str,
        delivery: &Delivery,
    ) -> Result<String, GcpError> {
        let mut last = None;
        for zone in &self.config.zones {
            if lock(&self.exhausted).contains(zone) {
                continue;
            }
            match self.make_in(zone, machine, coordinator_ca, delivery).await {
                Err(GcpError::Api(error)) if is_exhausted(&error) => {
                    lock(&self.exhausted).insert(zone.clone());
                    self.forget(zone, machine.name);
                    last = Some(error);
                }
                Err(GcpError::Api(error)) => return Err(self.explained(zone, error).await),
                made => return made.map(|()| zone.clone()),
            }
        }
        // Another machine's attempt may have found all of them exhausted before.
        match last {
            Some(error) => Err(error.into()),
            None => Err(GcpError::Boot {
                name: machine.name.to_owned(),
                problem: format!(
                    "no zone of {} has a machine left: name more with --zone, or try later",
                    self.config.zones.join(", ")
                ),
            }),
        }
    }

    async fn make_in(
        &self,
        zone: &str,
        machine: &Machine<'_>,
        coordinator_ca: &str,
        delivery: &Delivery,
    ) -> Result<(), GcpError> {
        let name = machine.name;
        if self.interrupt.is_asked() {
            return Err(GcpError::Interrupted(format!("{name} was not asked for")));
        }
        let body = bodies::instance(&self.config, &self.names, zone, machine, coordinator_ca, delivery);
        self.journal.intend(&Intent {
            project: self.config.project.clone(),
            zone: zone.to_owned(),
            instance: name.to_owned(),
        })?;
        lock(&self.made).push(Made { zone: zone.to_owned(), name: name.to_owned(), operation: None });
        self.news.tell(name, MachineState::Creating { place: zone.to_owned() });
        // Never left in the middle: what was asked for must be known, to be unmade.
        match self.client.insert_instance(zone, name, body).await {
            Ok(operation) => {
                self.is_being_made(zone, name, &operation);
                let mut interrupt = self.interrupt.clone();
                let what = format!("create {name} in {zone}");
                match interrupt.or(self.client.finish(operation, &what)).await {
                    Some(finished) => {
                        finished?;
                        self.news.tell(name, MachineState::Booting);
                        Ok(())
                    }
                    None => Err(GcpError::Interrupted(format!("{name} was being made"))),
                }
            }
            Err(error) if error.is_already_there() => {
                // Not made here, so not unmade here either.
                self.forget(zone, name);
                let there = self.client.instance(zone, name).await?;
                if self.names.own(&there.labels) {
                    return Ok(());
                }
                let fleet = self.names.fleet().to_owned();
                Err(GcpError::NameTaken { kind: "the VM", name: format!("{name} in {zone}"), fleet })
            }
            Err(error) => {
                // What Google has refused for good is not there, and what has its name is somebody else's.
                if error.is_final_refusal() {
                    self.forget(zone, name);
                }
                Err(error.into())
            }
        }
    }

    /// Deletes everything that this command has made. Returns what became of it, in words.
    pub async fn undo(&self) -> String {
        let fate = self.undo_all_but(&[]).await;
        if self.config.keep {
            return fate;
        }
        let things = std::mem::take(&mut *lock(&self.things));
        for thing in things {
            let deleted = match &thing {
                Thing::Rule(name) => self.client.delete_firewall(name).await,
                Thing::Bucket(name) => self.client.delete_bucket_with_all(name).await,
            };
            if let Err(error) = deleted {
                return format!("{fate}, but not all else ({error}): run `archestra-bench cleanup`");
            }
        }
        fate
    }

    /// Remembers something that this command has made beside machines.
    pub fn has_made(&self, thing: Thing) {
        lock(&self.things).push(thing);
    }

    /// Deletes what this command has made, but for machines of these names. Returns what became of it, in words.
    pub async fn undo_all_but(&self, kept: &[String]) -> String {
        let made: Vec<_> =
            lock(&self.made).iter().filter(|made| !kept.contains(&made.name)).cloned().collect();
        if made.is_empty() {
            return NOTHING_MADE.into();
        }
        if self.config.keep {
            return format!("{} VMs are kept as asked; `archestra-bench cleanup` deletes them", made.len());
        }
        let mut deleting = JoinSet::new();
        for made in made {
            let workshop = self.clone();
            deleting.spawn(async move { workshop.unmake(made).await });
        }
        let all = async {
            let (mut deleted, mut failed) = (0, 0);
            while let Some(ended) = deleting.join_next().await {
                match ended {
                    Ok(Ok(was_there)) => deleted += usize::from(was_there),
                    Ok(Err(_)) | Err(_) => failed += 1,
                }
            }
            (deleted, failed)
        };
        match timeout(UNDO_LIMIT, all).await {
            Ok((0, 0)) => NOTHING_MADE.into(),
            Ok((1, 0)) => "the VM that was being made is deleted".into(),
            Ok((deleted, 0)) => format!("the {deleted} VMs that were being made are deleted"),
            _ => "not all VMs that were being made could be deleted: run `archestra-bench cleanup`".into(),
        }
    }

    /// Deletes a machine that this command has asked for, where it came about; whether it did. One of that name that
    /// somebody else has made is left alone.
    async fn unmake(&self, made: Made) -> Result<bool, ApiError> {
        let Made { zone, name, operation } = made;
        let mut found = self.client.instance(&zone, &name).await;
        if let (Err(error), Some(operation)) = (&found, operation)
            && error.is_not_found()
        {
            // How it ends does not matter, only that it has.
            let _ = self.client.finish(operation, &format!("create {name} in {zone}")).await;
            found = self.client.instance(&zone, &name).await;
        }
        match found {
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
            Ok(vm) if !self.has_made_it(&vm) => Ok(false),
            Ok(_) => self.delete(&zone, &name).await.map(|()| true),
        }
    }

    fn has_made_it(&self, vm: &Instance) -> bool {
        self.names.own(&vm.labels) && vm.labels.get(RUN_LABEL) == Some(&self.run)
    }

    fn is_being_made(&self, zone: &str, name: &str, operation: &Operation) {
        for made in lock(&self.made).iter_mut().filter(|made| made.is(zone, name)) {
            made.operation = Some(operation.clone());
        }
    }

    /// Deletes one machine.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, zone: &str, name: &str) -> Result<(), ApiError> {
        self.news.tell(name, MachineState::Deleting);
        self.client.delete_instance(zone, name).await?;
        self.forget(zone, name);
        self.news.tell(name, MachineState::Deleted);
        Ok(())
    }

    fn forget(&self, zone: &str, name: &str) {
        lock(&self.made).retain(|made| !made.is(zone, name));
    }

    /// Adds to a used-up quota how many more machines it would take. What cannot be found out is left out.
    async fn explained(&self, zone: &str, error: ApiError) -> GcpError {
        let Some(Kind::Quota { name, .. }) = error.refusal().map(|refusal| refusal.kind.clone()) else {
            return error.into();
        };
        let each = match name.as_str() {
            quota if quota.contains("CPUS") => {
                let kind = self.client.machine_type(zone, &self.config.machine_type).await;
                kind.ok().map(|kind| f64::from(kind.guest_cpus.max(1)))
            }
            "INSTANCES" | "IN_USE_ADDRESSES" => Some(1.0),
            _ => None,
        };
        let quotas = self.client.quotas(region_of(zone)).await.unwrap_or_default();
        let quota = quotas.iter().find(|quota| quota.metric == name);
        let fitting = match (each, quota) {
            (Some(each), Some(quota)) => {
                let fits = ((quota.limit - quota.usage) / each).floor().max(0.0);
                format!(
                    "; {fits} more VMs of type {} would fit ({} of {} used)",
                    self.config.machine_type, quota.usage, quota.limit
                )
            }
            _ => String::new(),
        };
        GcpError::Quota { problem: error, fitting }
    }
}

fn is_exhausted(error: &ApiError) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.kind, Kind::ZoneExhausted { .. }))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
