//! The built binary as a process: in a folder and an environment of its own, bounded in time and output, and killed with
//! all its descendants when its test ends.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::clock::wait_until;

/// How long a run may take unless a test says otherwise.
pub const BOUND: Duration = Duration::from_secs(60);
/// The built binary.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_archestra-bench");
/// How much of an output is kept; the rest is read and dropped, so that nobody is held up.
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// An empty folder to run `archestra-bench` in, with nothing in the environment but what a test puts there.
pub struct Bench {
    folder: TempDir,
    variables: HashMap<String, String>,
}

/// What a process left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// At most a mebibyte.
    pub stdout: String,
    /// At most a mebibyte.
    pub stderr: String,
}

/// A process that is running, in a process group of its own.
pub struct Running {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// A process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// In clock ticks since the machine started.
    started: u64,
}

impl Bench {
    /// A new folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: HashMap::new() }
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The environment variables that are set beside the usual ones.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Writes a file into the folder; its path.
    pub fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// Where it runs, and its home.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts `archestra-bench` into the folder `bin` there, for shells.
    pub fn program_on_path(&self) {
        let bin = self.folder().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(PROGRAM, bin.join("archestra-bench")).unwrap();
    }

    /// Runs `archestra-bench` to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).wait(BOUND)
    }

    /// Starts `archestra-bench`.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_program(PROGRAM, arguments)
    }

    /// Starts any program in the same way.
    pub fn start_program(&self, program: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder());
        command.envs(&self.variables);
        Running::start(command)
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&self) -> bool {
        Stat::read(self.pid().as_raw_nonzero().get()).is_some_and(|stat| stat.state != 'Z')
    }

    /// Kills this process alone.
    pub fn kill(&self) {
        let _ = kill_process(self.pid(), Signal::KILL);
    }

    /// Sends a signal to its process group, as a terminal does at Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until either output holds `text`; the test fails when it does not within `bound`.
    pub fn wait_for(&self, text: &str, bound: Duration) {
        let found = wait_until(bound, || self.stdout().contains(text) || self.stderr().contains(text));
        assert!(found, "no `{text}` within {bound:?} in:\n{}\n{}", self.stdout(), self.stderr());
    }

    /// All processes that descend from it now. Take them before it ends: then its children get another parent.
    pub fn descendants(&self) -> Vec<ProcessId> {
        descendants(self.pid().as_raw_nonzero().get())
    }

    /// Waits for its end; the test fails when that does not come within `bound`. What descendants still hold an output
    /// open write is not waited for.
    pub fn wait(mut self, bound: Duration) -> Finished {
        let mut status = None;
        wait_until(bound, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let Some(status) = status else {
            panic!("still running after {bound:?}:\n{}\n{}", self.stdout(), self.stderr());
        };
        self.finished(status)
    }

    fn finished(&self, status: ExitStatus) -> Finished {
        wait_until(Duration::from_secs(1), || self.stdout.ended() && self.stderr.ended());
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    /// Descendants first: without their parent they could not be found.
    fn drop(&mut self) {
        for descendant in self.descendants() {
            descendant.kill();
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl ProcessId {
    /// Whether it runs. A process that has ended, and that only its parent has not noticed yet, does not.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != 'Z')
    }

    /// Kills it, if it is still there.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Sends it a signal, if it is still there.
    pub fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Its command line, of which the first word is the program.
    pub fn command_line(self) -> Vec<String> {
        let line = fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split_terminator('\0').map(str::to_owned).collect()
    }
}

/// Those of `processes` that still run after `bound`; killed, so that they do not outlive the test. Empty is good.
pub fn orphans(processes: &[ProcessId], bound: Duration) -> Vec<ProcessId> {
    wait_until(bound, || !processes.iter().any(|process| process.is_alive()));
    let orphans: Vec<_> = processes.iter().copied().filter(|process| process.is_alive()).collect();
    orphans.iter().for_each(|orphan| orphan.kill());
    orphans
}

/// An output as it comes.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn collect(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let reader = thread::spawn({
            let bytes = Arc::clone(&bytes);
            move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = from.read(&mut buffer) {
                    let mut bytes = bytes.lock().unwrap();
                    let room = MAX_OUTPUT_BYTES - bytes.len();
                    bytes.extend_from_slice(&buffer[..length.min(room)]);
                }
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn ended(&self) -> bool {
        self.reader.is_finished()
    }
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

impl Stat {
    /// `None` when there is no such process.
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, brackets and spaces too.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// All processes that descend from `ancestor` now.
pub fn descendants(ancestor: i32) -> Vec<ProcessId> {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let all: Vec<(i32, Stat)> = numbers.filter_map(|pid| Some((pid, Stat::read(pid)?))).collect();
    let mut family = vec![ancestor];
    let mut found = Vec::new();
    while let Some(parent) = family.pop() {
        for (pid, stat) in all.iter().filter(|(_, stat)| stat.parent == parent) {
            family.push(*pid);
            found.push(ProcessId { pid: *pid, started: stat.started });
        }
    }
    found
}
