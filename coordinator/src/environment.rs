//! Facts about the coordinator's machine, for the report.

use std::fs;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

const UNKNOWN: &str = "unknown";

/// Where a run was coordinated from. What cannot be found out is `unknown`, or 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Environment {
    /// As the processor names itself.
    pub cpu_model: String,
    /// Logical cores that this process may use.
    pub cores: u32,
    /// Such as `Linux 6.18.5`.
    pub kernel: String,
    /// Such as `Debian GNU/Linux 12 (bookworm)`.
    pub operating_system: String,
    /// Physical memory.
    pub memory_bytes: u64,
}

impl Environment {
    /// Asks the system; never fails.
    pub fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let system = rustix::system::uname();
        let kernel = format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy());
        Self {
            cpu_model: known(cpu_model(&file("/proc/cpuinfo"))),
            cores: std::thread::available_parallelism().map_or(0, NonZeroUsize::get) as u32,
            kernel,
            operating_system: known(operating_system(&file("/etc/os-release"))),
            memory_bytes: memory_bytes(&file("/proc/meminfo")).unwrap_or(0),
        }
    }
}

fn known(fact: Option<String>) -> String {
    fact.filter(|fact| !fact.is_empty()).unwrap_or_else(|| UNKNOWN.into())
}

/// x86 calls it `model name`; some ARM kernels `Model` or `Hardware`.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    ["model name", "Model", "Hardware"].into_iter().find_map(|name| value_of(cpuinfo, ':', name))
}

fn operating_system(os_release: &str) -> Option<String> {
    value_of(os_release, '=', "PRETTY_NAME").map(|name| name.trim_matches('"').to_owned())
}

/// `MemTotal:  16384 kB`, where a kB has 1024 bytes.
fn memory_bytes(meminfo: &str) -> Option<u64> {
    let total = value_of(meminfo, ':', "MemTotal")?;
    let kibibytes: u64 = total.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn value_of(text: &str, separator: char, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_where_the_kernel_puts_them() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: AMD EPYC 7B13\nprocessor\t: 1\nmodel name\t: AMD EPYC 7B13\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("AMD EPYC 7B13"));
        assert_eq!(cpu_model("processor\t: 0\nHardware\t: BCM2835\n").as_deref(), Some("BCM2835"));
        assert_eq!(memory_bytes("MemTotal:       16384000 kB\nMemFree: 1 kB\n"), Some(16_384_000 * 1024));
        let os_release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(operating_system(os_release).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    }

    #[test]
    fn missing_facts_are_unknown_and_never_an_error() {
        assert_eq!(known(cpu_model("")), UNKNOWN);
        assert_eq!(known(operating_system("PRETTY_NAME=\"\"")), UNKNOWN);
        assert_eq!(memory_bytes("MemTotal: much"), None);
    }

    #[test]
    fn this_machine_can_be_described_and_the_description_survives_json() {
        let environment = Environment::read();
        assert!(environment.cores >= 1);
        assert!(environment.kernel.contains(' '), "{}", environment.kernel);
        let json = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), environment);
    }
}
