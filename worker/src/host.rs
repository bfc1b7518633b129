//! The worker's machine: what it is, and how hard it is working.

use std::fs;

use proto::SOFTWARE_VERSION;
use proto::description::WorkerDescription;
use proto::interval::HostReading;
use rustix::process::{Resource, Rlimit};
use rustix::time::ClockId;

use crate::clock::Nanos;

/// Cores that this process may use.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// The system's number of the current thread.
pub fn thread_id() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// How many files this process may hold open.
pub fn open_files_limit() -> u64 {
    rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the limit on open files as far as the system lets this user.
pub fn raise_open_files_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit { current: limit.maximum, maximum: limit.maximum },
    );
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files stays at {}", open_files_limit());
    }
}

/// This worker, for its coordinator.
pub fn describe() -> WorkerDescription {
    let system = rustix::system::uname();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes =
        field(&memory, "MemTotal").and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok());
    WorkerDescription {
        software_version: SOFTWARE_VERSION.into(),
        commit: proto::COMMIT.into(),
        hostname: system.nodename().to_string_lossy().into_owned(),
        cpu_model: field(&cpu, "model name").unwrap_or("unknown").to_owned(),
        architecture: std::env::consts::ARCH.into(),
        kernel: system.release().to_string_lossy().into_owned(),
        cores: cores(),
        memory_bytes: kibibytes.unwrap_or(0) * 1024,
        open_files_limit: open_files_limit(),
    }
}

/// The value after `name` and a colon, in the style of /proc.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

/// Reads how hard the worker and its machine worked since the last reading.
#[derive(Debug)]
pub struct Meter {
    threads: Vec<i32>,
    last: Reading,
}

/// Counters of the system, in nanoseconds but for the machine's ticks.
#[derive(Debug, Clone, Default)]
struct Reading {
    at: Nanos,
    process_cpu: u64,
    /// On a core, and ready but waiting for one, of each engine thread.
    threads: Vec<(u64, u64)>,
    stolen_ticks: u64,
    all_ticks: u64,
}

impl Meter {
    /// For an engine with these threads, counting from `now`.
    pub fn new(threads: Vec<i32>, now: Nanos) -> Self {
        let last = Reading::take(&threads, now);
        Self { threads, last }
    }

    /// The time since the last reading.
    pub fn read(&mut self, now: Nanos) -> HostReading {
        let reading = Reading::take(&self.threads, now);
        let last = std::mem::replace(&mut self.last, reading);
        let reading = &self.last;

        let span = reading.at.since(last.at).0.max(1) as f64;
        let share = |now: u64, before: u64| now.saturating_sub(before) as f64 / span;
        let threads = || reading.threads.iter().zip(&last.threads);
        let ticks = reading.all_ticks.saturating_sub(last.all_ticks).max(1) as f64;
        HostReading {
            process_cores: share(reading.process_cpu, last.process_cpu),
            busiest_thread: threads().map(|(now, before)| share(now.0, before.0)).fold(0.0, f64::max),
            scheduler_lag: threads().map(|(now, before)| share(now.1, before.1)).sum(),
            steal: reading.stolen_ticks.saturating_sub(last.stolen_ticks) as f64 / ticks,
            resident_bytes: resident_bytes(),
        }
    }
}

impl Reading {
    fn take(threads: &[i32], at: Nanos) -> Self {
        let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
        let (stolen_ticks, all_ticks) = machine_ticks().unwrap_or_default();
        Self {
            at,
            process_cpu: cpu.tv_sec as u64 * 1_000_000_000 + cpu.tv_nsec as u64,
            threads: threads.iter().map(|thread| thread_times(*thread).unwrap_or_default()).collect(),
            stolen_ticks,
            all_ticks,
        }
    }
}

/// Nanoseconds on a core and nanoseconds ready but waiting for one, of a thread of this process.
fn thread_times(thread: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Ticks that the hypervisor gave to others, and all ticks, of the whole machine.
fn machine_ticks() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is already in user.
    Some((*ticks.get(7)?, ticks.iter().take(8).sum()))
}

fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_busy_thread_is_seen() {
        let clock = Clock::new();
        let mut meter = Meter::new(vec![thread_id()], clock.now());
        let end = clock.now() + Nanos(50_000_000);
        while clock.now() < end {}
        let reading = meter.read(clock.now());
        assert!(reading.busiest_thread > 0.01 && reading.busiest_thread < 1.5, "{reading:?}");
        assert!(reading.process_cores > 0.01 && reading.resident_bytes > 1 << 20, "{reading:?}");
    }

    #[test]
    fn this_machine_can_be_described() {
        let description = describe();
        assert!(description.cores > 0 && description.memory_bytes > 0 && description.open_files_limit > 0);
        assert!(!description.kernel.is_empty());
    }
}
