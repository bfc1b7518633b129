//! Which VMs are used as they are, which are replaced and which are made. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api::Instance;
use super::bodies::metadata;
use super::names::Names;

/// What a VM must be like to be used.
#[derive(Debug, Clone)]
pub struct Wish {
    /// As [`super::bodies::kind`] puts it.
    pub kind: String,
    /// Where it may be.
    pub zones: Vec<String>,
    /// Of the worker's binary.
    pub sha256: String,
    /// What is left of its life at least.
    pub life: Duration,
    /// When that is counted from.
    pub now: Timestamp,
}

/// One VM of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// It is there.
    Use(Box<Instance>),
    /// It is made, after what stands in its way is deleted.
    Make {
        /// Its name.
        name: String,
        /// Of the same name.
        replaces: Option<Box<Instance>>,
    },
}

/// The VMs of a run with so many workers: those that can be used first, then the lowest names that are free.
pub fn slots(wanted: u32, existing: &[Instance], wish: &Wish, names: &Names) -> Vec<Slot> {
    let number = |instance: &Instance| names.load_vm_number(&instance.name);
    let mut usable: Vec<_> =
        existing.iter().filter(|instance| number(instance).is_some() && wish.fits(instance)).collect();
    usable.sort_by_key(|instance| number(instance));
    usable.truncate(wanted as usize);

    let mut slots: Vec<_> = usable.iter().map(|instance| Slot::Use(Box::new((*instance).clone()))).collect();
    let taken: Vec<_> = usable.iter().map(|instance| instance.name.clone()).collect();
    let free = (1..).map(|number| names.load_vm(number)).filter(|name| !taken.contains(name));
    for name in free.take(wanted as usize - usable.len()) {
        let replaces = existing.iter().find(|instance| instance.name == name).cloned().map(Box::new);
        slots.push(Slot::Make { name, replaces });
    }
    slots
}

impl Wish {
    /// Whether a machine is used as it is.
    pub fn fits(&self, instance: &Instance) -> bool {
        instance.status == "RUNNING"
            && instance.metadata(metadata::KIND) == Some(&self.kind)
            && self.zones.iter().any(|zone| zone == instance.zone_name())
            && instance.metadata(metadata::WORKER_SHA256) == Some(&self.sha256)
            && life_left(instance, self.now).is_none_or(|left| left >= self.life)
    }
}

/// When Google deletes a VM; `None` for one that lives on.
pub fn end_of_life(instance: &Instance) -> Option<Timestamp> {
    let seconds: i64 = instance.scheduling.max_run_duration.as_ref()?.seconds.parse().ok()?;
    let start = instance.last_start_timestamp.as_deref().unwrap_or(&instance.creation_timestamp);
    let start: Timestamp = start.parse().ok()?;
    start.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// What is left of a VM's life; `None` for one that lives on.
pub fn life_left(instance: &Instance, now: Timestamp) -> Option<Duration> {
    let left = end_of_life(instance)?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wish() -> Wish {
        Wish {
            kind: "small".into(),
            zones: vec!["europe-west1-b".into(), "europe-west1-c".into()],
            sha256: "abc".into(),
            life: Duration::from_secs(900),
            now: "2026-10-01T12:00:00Z".parse().unwrap(),
        }
    }

    fn vm(number: u32, change: serde_json::Value) -> Instance {
        let mut vm = json!({
            "name": format!("loadtest-vm-{number}"),
            "status": "RUNNING",
            "zone": "https://compute/v1/projects/p/zones/europe-west1-c",
            "creationTimestamp": "2026-10-01T13:50:00.000+02:00",
            "scheduling": { "maxRunDuration": { "seconds": "3600" } },
            "metadata": metadata("small", "abc"),
        });
        vm.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(vm).unwrap()
    }

    fn metadata(kind: &str, sha256: &str) -> serde_json::Value {
        json!({ "items": [
            { "key": "archestra-worker-sha256", "value": sha256 },
            { "key": "archestra-bench-kind", "value": kind },
        ] })
    }

    fn in_words(slots: &[Slot]) -> Vec<String> {
        let word = |slot: &Slot| match slot {
            Slot::Use(instance) => format!("use {}", instance.name),
            Slot::Make { name, replaces: None } => format!("make {name}"),
            Slot::Make { name, replaces: Some(_) } => format!("replace {name}"),
        };
        slots.iter().map(word).collect()
    }

    fn planned(wanted: u32, existing: &[Instance]) -> Vec<String> {
        in_words(&slots(wanted, existing, &wish(), &Names::of("default")))
    }

    #[test]
    fn what_is_there_is_used_and_the_rest_is_made() {
        assert_eq!(planned(2, &[]), ["make loadtest-vm-1", "make loadtest-vm-2"]);
        let there = [2, 1, 4].map(|number| vm(number, json!({})));
        assert_eq!(
            planned(5, &there),
            [
                "use loadtest-vm-1",
                "use loadtest-vm-2",
                "use loadtest-vm-4",
                "make loadtest-vm-3",
                "make loadtest-vm-5"
            ]
        );
        assert_eq!(planned(2, &there), ["use loadtest-vm-1", "use loadtest-vm-2"]);
    }

    #[test]
    fn what_cannot_be_used_is_replaced_where_its_name_is_needed() {
        for change in [
            json!({ "status": "STOPPING" }),
            json!({ "zone": "x/us-central1-a" }),
            json!({ "metadata": { "items": [] } }),
            json!({ "metadata": metadata("large", "abc") }),
            json!({ "metadata": metadata("small", "abcd") }),
            json!({ "creationTimestamp": "2026-10-01T11:14:00Z" }),
        ] {
            let there = [vm(1, change.clone()), vm(2, json!({}))];
            assert_eq!(planned(1, &there), ["use loadtest-vm-2"], "{change}");
            assert_eq!(planned(2, &there), ["use loadtest-vm-2", "replace loadtest-vm-1"], "{change}");
        }
    }

    #[test]
    fn life_counts_from_the_last_start() {
        let now = wish().now;
        assert_eq!(life_left(&vm(1, json!({})), now), Some(Duration::from_secs(3000)));
        let restarted = vm(1, json!({ "lastStartTimestamp": "2026-10-01T11:59:00Z" }));
        assert_eq!(life_left(&restarted, now), Some(Duration::from_secs(3540)));
        assert_eq!(
            life_left(&vm(1, json!({ "creationTimestamp": "2026-10-01T01:00:00Z" })), now),
            Some(Duration::ZERO)
        );
        assert_eq!(life_left(&vm(1, json!({ "scheduling": {} })), now), None);
    }
}
