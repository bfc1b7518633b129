//! What a fleet's resources are called, and how they are known as its own.
//!
//! Machines and buckets carry labels. Firewall rules cannot, so their description begins with a marker. A thing that has
//! one of our names and not our labels is somebody else's.

use std::collections::BTreeMap;

use super::api::{Firewall, Instance};

/// The label of everything that this program makes.
pub const MANAGED_BY: (&str, &str) = ("managed-by", "archestra-bench");
/// Whose label it is.
pub const FLEET_LABEL: &str = "archestra-bench-fleet";
/// Which command made it.
pub const RUN_LABEL: &str = "archestra-bench-run";
/// What it is for.
pub const ROLE_LABEL: &str = "archestra-bench-role";
/// Who had it made.
pub const OWNER_LABEL: &str = "archestra-bench-owner";

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It carries load.
    Load,
    /// It is loaded.
    Platform,
}

impl Role {
    /// As its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Platform => "platform",
        }
    }
}

/// The names of one fleet's resources.
#[derive(Debug, Clone)]
pub struct Names {
    fleet: String,
}

impl Names {
    /// Of the fleet of this name.
    pub fn of(fleet: &str) -> Self {
        Self { fleet: fleet.to_owned() }
    }

    /// The fleet's own name.
    pub fn fleet(&self) -> &str {
        &self.fleet
    }

    /// A machine that carries load; `number` counts from 1.
    pub fn load_vm(&self, number: u32) -> String {
        format!("loadtest-vm-{}{number}", self.infix())
    }

    /// The machine with the platform.
    pub fn platform_vm(&self) -> String {
        match self.infix().trim_end_matches('-') {
            "" => "archestra-platform-vm".to_owned(),
            fleet => format!("archestra-platform-vm-{fleet}"),
        }
    }

    /// The number in the name of a machine that carries load.
    pub fn load_vm_number(&self, name: &str) -> Option<u32> {
        let number = name.strip_prefix("loadtest-vm-")?.strip_prefix(self.infix().as_str())?.parse().ok()?;
        (self.load_vm(number) == name).then_some(number)
    }

    /// What firewall rules know a machine by.
    pub fn tag(&self, role: Role) -> String {
        format!("archestra-bench-{}-{}", self.fleet, role.as_str())
    }

    /// The rule that lets the coordinator reach its workers.
    pub fn workers_rule(&self) -> String {
        format!("archestra-bench-{}-workers", self.fleet)
    }

    /// The rule that lets workers reach the platform.
    pub fn platform_rule(&self) -> String {
        format!("archestra-bench-{}-platform", self.fleet)
    }

    /// Buckets have one namespace in all the world, in which a project's id is nobody else's.
    pub fn bucket(&self, project: &str) -> String {
        // At most 63 characters; dots and colons (old projects of a domain) are not for bucket names.
        let name: String = format!("{project}-{}-archestra-bench", self.fleet)
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        match name.char_indices().rev().nth(62) {
            Some((cut, _)) => name[cut..].trim_start_matches('-').to_owned(),
            None => name,
        }
    }

    /// The labels that all of the fleet's machines and buckets have.
    pub fn labels(&self) -> [(&str, &str); 2] {
        [MANAGED_BY, (FLEET_LABEL, &self.fleet)]
    }

    /// Whether labels say that something is the fleet's.
    pub fn own(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels().iter().all(|(key, value)| labels.get(*key).is_some_and(|found| found == value))
    }

    /// How a firewall rule's description begins.
    pub fn marker(&self) -> String {
        format!("archestra-bench fleet={};", self.fleet)
    }

    /// Whether a firewall rule is the fleet's.
    pub fn own_rule(&self, rule: &Firewall) -> bool {
        rule.description.starts_with(&self.marker())
    }

    /// The default fleet's names are those of the old scripts.
    fn infix(&self) -> String {
        if self.fleet == "default" { String::new() } else { format!("{}-", self.fleet) }
    }
}

/// What a machine is for, as its label says.
pub fn role_of(instance: &Instance) -> Option<Role> {
    let label = instance.labels.get(ROLE_LABEL)?;
    [Role::Load, Role::Platform].into_iter().find(|role| role.as_str() == label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_fleet_has_the_names_of_the_old_scripts_and_no_other_has() {
        let (default, other) = (Names::of("default"), Names::of("blue"));
        assert_eq!(
            (default.load_vm(1), default.platform_vm()),
            ("loadtest-vm-1".into(), "archestra-platform-vm".into())
        );
        assert_eq!(
            (other.load_vm(1), other.platform_vm()),
            ("loadtest-vm-blue-1".into(), "archestra-platform-vm-blue".into())
        );
        assert_ne!(default.workers_rule(), other.workers_rule());
        assert_eq!(default.load_vm_number("loadtest-vm-12"), Some(12));
        for foreign in [
            "loadtest-vm-blue-1",
            "loadtest-vm-",
            "loadtest-vm-01",
            "loadtest-vm--1",
            "archestra-platform-vm",
        ] {
            assert_eq!(default.load_vm_number(foreign), None, "{foreign}");
        }
        assert_eq!(other.load_vm_number("loadtest-vm-blue-3"), Some(3));
    }

    #[test]
    fn what_is_not_labelled_as_ours_is_not_ours() {
        let names = Names::of("blue");
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        assert!(names.own(&labels(&[MANAGED_BY, (FLEET_LABEL, "blue"), ("more", "x")])));
        for foreign in
            [&[][..], &[MANAGED_BY], &[(FLEET_LABEL, "blue")], &[MANAGED_BY, (FLEET_LABEL, "green")]]
        {
            assert!(!names.own(&labels(foreign)), "{foreign:?}");
        }
        let rule = |description: &str| Firewall { description: description.into(), ..Firewall::default() };
        assert!(names.own_rule(&rule("archestra-bench fleet=blue; workers")));
        for foreign in ["", "archestra-bench fleet=blue-2; x", "not archestra-bench fleet=blue;"] {
            assert!(!names.own_rule(&rule(foreign)), "{foreign}");
        }
    }

    #[test]
    fn every_project_gets_a_name_for_a_bucket() {
        assert_eq!(Names::of("default").bucket("my-project"), "my-project-default-archestra-bench");
        let long =
            Names::of("a-fleet-with-thirty-characters").bucket("example.com:a-project-of-thirty-chars");
        assert!(long.len() <= 63 && !long.starts_with('-') && long.ends_with("archestra-bench"), "{long}");
    }
}
