//! The worker's machine: what it is, and how hard it is working.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use proto::SOFTWARE_VERSION;
use proto::description::WorkerDescription;
use proto::interval::HostReading;
use rustix::process::{Resource, Rlimit};
use rustix::time::ClockId;

use crate::clock::{Nanos, wall_lead};

/// Cores that this process may use.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
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

/// How hard one thread works, or several together, as shares of some span.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ThreadReading {
    /// On a core: the busiest of them.
    pub busy: f64,
    /// Ready, but waiting for a core: all of them together.
    pub waiting: f64,
    /// Times that they gave their core up, and times that it was taken from them.
    pub switches: Switches,
    /// Spent on ending the span and handing over what was measured.
    pub reporting: Nanos,
}

/// Times that a thread left its core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// Because it had nothing to do.
    pub voluntary: u64,
    /// Because others were to run.
    pub involuntary: u64,
}

impl ThreadReading {
    /// Together with other threads.
    pub fn and(self, other: Self) -> Self {
        Self {
            busy: self.busy.max(other.busy),
            waiting: self.waiting + other.waiting,
            switches: Switches {
                voluntary: self.switches.voluntary + other.switches.voluntary,
                involuntary: self.switches.involuntary + other.switches.involuntary,
            },
            reporting: self.reporting + other.reporting,
        }
    }
}

/// Reads how hard the thread that made it works. Only a thread that lives can be asked, so it does that itself.
#[derive(Debug, Default)]
pub struct ThreadMeter {
    /// Stays open: a reading is one system call.
    schedstat: Option<File>,
    /// So does this.
    status: Option<File>,
    at: Nanos,
    ran: u64,
    waited: Option<u64>,
    switches: Option<Switches>,
    reading: ThreadReading,
}

impl ThreadMeter {
    /// For the current thread.
    pub fn new() -> Self {
        let schedstat = File::open("/proc/thread-self/schedstat");
        if let Err(error) = &schedstat {
            tracing::warn!(%error, "how long threads wait for a core cannot be read and is not watched");
        }
        let status = File::open("/proc/thread-self/status");
        if let Err(error) = &status {
            tracing::warn!(%error, "how often threads leave their core cannot be read and is not watched");
        }
        Self { schedstat: schedstat.ok(), status: status.ok(), ..Self::default() }
    }

    /// Counts from `now`.
    pub fn restart(&mut self, now: Nanos) {
        (self.at, self.ran) = (now, nanos_of(ClockId::ThreadCPUTime));
        (self.waited, self.switches) = (self.waited(), self.switches());
    }

    /// The time since the last reading, for a span of this length. What cannot be read is as it was the last time.
    pub fn read(&mut self, now: Nanos, span: Nanos) -> ThreadReading {
        let taken = now.since(self.at);
        if is_enough(taken, span) {
            let (ran, waited, switches) = (self.ran, self.waited, self.switches);
            self.restart(now);
            self.reading.busy = share(self.ran, ran, taken);
            if let (Some(now), Some(before)) = (self.waited, waited) {
                self.reading.waiting = share(now, before, taken);
            }
            if let (Some(now), Some(before)) = (self.switches, switches) {
                self.reading.switches = Switches {
                    voluntary: now.voluntary.saturating_sub(before.voluntary),
                    involuntary: now.involuntary.saturating_sub(before.involuntary),
                };
            }
        }
        self.reading
    }

    /// Nanoseconds for which the thread has waited for a core: the second of the numbers there.
    fn waited(&self) -> Option<u64> {
        let mut text = [0; 64];
        let bytes = self.schedstat.as_ref()?.read_at(&mut text, 0).ok()?;
        str::from_utf8(&text[..bytes]).ok()?.split_whitespace().nth(1)?.parse().ok()
    }

    fn switches(&self) -> Option<Switches> {
        let mut text = [0; 4096];
        let bytes = self.status.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = str::from_utf8(&text[..bytes]).ok()?;
        let number = |name| field(text, name)?.parse().ok();
        Some(Switches {
            voluntary: number("voluntary_ctxt_switches")?,
            involuntary: number("nonvoluntary_ctxt_switches")?,
        })
    }
}

/// Reads how hard the worker's process and its machine worked since the last reading.
#[derive(Debug)]
pub struct Meter {
    at: Nanos,
    process_cpu: u64,
    /// Ticks that the hypervisor gave to others, and all ticks.
    ticks: Option<(u64, u64)>,
    wall: WallWatch,
    reading: HostReading,
}

/// Watches whether the wall clock and the monotonic one go alike.
#[derive(Debug, Clone, Copy)]
struct WallWatch {
    /// How far the wall clock was ahead, where that could be read.
    lead: Option<i64>,
}

impl WallWatch {
    /// How much further the wall clock went since it was last read, given how far it is ahead now. What cannot be read now is
    /// in the next reading; less than a millisecond is how well both are known.
    fn step(&mut self, lead: Option<i64>) -> i64 {
        const LEAST: u64 = 1_000_000;
        let Some(now) = lead else { return 0 };
        let before = self.lead.unwrap_or(now);
        let step = now.saturating_sub(before);
        let is_seen = step.unsigned_abs() >= LEAST;
        self.lead = Some(if is_seen { now } else { before });
        if is_seen { step } else { 0 }
    }
}

impl Meter {
    /// Counts from `now`.
    pub fn new(now: Nanos) -> Self {
        let process_cpu = nanos_of(ClockId::ProcessCPUTime);
        let (ticks, wall) = (machine_ticks(), WallWatch { lead: wall_lead() });
        Self { at: now, process_cpu, ticks, wall, reading: HostReading::default() }
    }

    /// The time since the last reading, for a span of this length, in which the engine's threads worked like that. What
    /// cannot be read is as it was the last time.
    pub fn read(&mut self, now: Nanos, span: Nanos, threads: ThreadReading) -> HostReading {
        let taken = now.since(self.at);
        if is_enough(taken, span) {
            let kept = Self { reading: self.reading, wall: self.wall, ..Self::new(now) };
            let before = std::mem::replace(self, kept);
            let reading = &mut self.reading;
            reading.process_cores = share(self.process_cpu, before.process_cpu, taken);
            if let (Some(now), Some(before)) = (self.ticks, before.ticks) {
                reading.steal =
                    now.0.saturating_sub(before.0) as f64 / now.1.saturating_sub(before.1).max(1) as f64;
            }
            reading.resident_bytes = resident_bytes().unwrap_or(reading.resident_bytes);
        }
        HostReading {
            busiest_thread: threads.busy,
            scheduler_lag: threads.waiting,
            voluntary_switches: threads.switches.voluntary,
            involuntary_switches: threads.switches.involuntary,
            reporting: threads.reporting.into(),
            wall_step_ns: self.wall.step(wall_lead()),
            ..self.reading
        }
    }
}

/// Whether a reading over the time `taken` says something about a span of this length. Spans that end together, after a
/// stall, are read one right after another; the first reading is about all of them.
fn is_enough(taken: Nanos, span: Nanos) -> bool {
    taken.0 > 0 && taken.0 >= span.0 / 2
}

fn share(now: u64, before: u64, taken: Nanos) -> f64 {
    now.saturating_sub(before) as f64 / taken.0 as f64
}

fn nanos_of(clock: ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Ticks that the hypervisor gave to others, and all ticks, of the whole machine.
fn machine_ticks() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is already in user.
    Some((*ticks.get(7)?, ticks.iter().take(8).sum()))
}

fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const BUSY: Nanos = Nanos(50_000_000);

    /// Busy for a while; when that ended.
    fn work(clock: Clock) -> Nanos {
        let end = clock.now() + BUSY;
        while clock.now() < end {}
        clock.now()
    }

    #[test]
    fn a_busy_thread_is_seen() {
        let clock = Clock::new();
        let (mut thread, mut meter) = (ThreadMeter::new(), Meter::new(clock.now()));
        thread.restart(clock.now());
        let now = work(clock);
        let reading = meter.read(now, BUSY, thread.read(now, BUSY));
        assert!(reading.busiest_thread > 0.01 && reading.busiest_thread < 1.1, "{reading:?}");
        assert!(reading.process_cores > 0.01 && reading.resident_bytes > 1 << 20, "{reading:?}");
    }

    #[test]
    fn a_thread_that_waits_gives_its_core_up() {
        let clock = Clock::new();
        let mut thread = ThreadMeter::new();
        thread.restart(clock.now());
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let reading = thread.read(clock.now(), Nanos(20_000_000));
        assert!(reading.switches.voluntary >= 20 && reading.switches.voluntary < 1_000, "{reading:?}");
        let both = reading.and(reading).switches;
        assert_eq!(both.voluntary, 2 * reading.switches.voluntary);
        assert_eq!(both.involuntary, 2 * reading.switches.involuntary);
    }

    #[test]
    fn spans_that_end_together_share_one_reading() {
        let clock = Clock::new();
        let (mut thread, mut meter) = (ThreadMeter::new(), Meter::new(clock.now()));
        thread.restart(clock.now());
        let now = work(clock);
        let first = meter.read(now, BUSY, thread.read(now, BUSY));
        // Idle or busy, too little to tell a span by.
        let now = now + Nanos(1000);
        assert_eq!(meter.read(now, BUSY, thread.read(now, BUSY)), first);
    }

    #[test]
    fn a_wall_clock_that_is_set_is_seen_once_and_both_ways() {
        const MS: i64 = 1_000_000;
        let mut watch = WallWatch { lead: Some(5_000 * MS) };
        let leads = [5_000 * MS + 900_000, 8_000 * MS, 8_000 * MS - 400_000, 7_500 * MS];
        assert_eq!(leads.map(|lead| watch.step(Some(lead))), [0, 3_000 * MS, 0, -500 * MS]);
        assert_eq!(watch.step(None), 0, "not read");
        assert_eq!(watch.step(Some(9_500 * MS)), 2_000 * MS, "told of with the next reading");
        let mut unknown = WallWatch { lead: None };
        assert_eq!([Some(9), Some(2 * MS)].map(|lead| unknown.step(lead)), [0, 2 * MS - 9]);
        // The machine's own go alike.
        let mut watch = WallWatch { lead: wall_lead() };
        assert!(watch.lead.is_some() && watch.step(wall_lead()).abs() < 50 * MS);
    }

    #[test]
    fn a_reading_that_fails_is_not_one_of_zero() {
        let mut thread = ThreadMeter::new();
        thread.reading.waiting = 0.5;
        thread.schedstat = None;
        thread.restart(Nanos(1));
        assert_eq!(thread.read(Nanos(2), Nanos(1)).waiting, 0.5);
    }

    #[test]
    fn this_machine_can_be_described() {
        let description = describe();
        assert!(description.cores > 0 && description.memory_bytes > 0 && description.open_files_limit > 0);
        assert!(!description.kernel.is_empty());
    }
}
