//! A machine that boots: systemd-nspawn in a network namespace, a control group and a process namespace of its own.

use std::fs;
use std::io::{PipeReader, Read, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::namespace::{Namespace, PREFIX};
use crate::support::clock::wait_until;

/// How long a killed machine may take to be gone.
const BOUND: Duration = Duration::from_secs(20);
/// Where control groups are: of systemd's hierarchies, old and new.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
/// Run in the machine's namespaces: it joins its control groups, and leaves nothing in the host's /run.
const START: &str = r#"
for group in $GROUPS_TO_JOIN; do echo 0 >"$group/cgroup.procs"; done
mount -t tmpfs tmpfs /run
exec systemd-nspawn --quiet --directory="$ROOT" --boot --register=no --keep-unit --console=read-only \
  --machine="$NAME" --volatile=overlay --bind-ro="$HOSTS:/etc/hosts"
"#;

/// A machine; it is killed when it is dropped.
pub struct Machine {
    /// `unshare`, which waits for the machine's first process.
    process: Child,
    groups: Vec<PathBuf>,
    console: Option<JoinHandle<()>>,
}

impl Machine {
    /// Boots it. What it writes to its console goes to `written`.
    pub fn boot(
        name: &str,
        root: &Path,
        hosts: &Path,
        namespace: &Namespace,
        written: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let groups = make_groups(name);
        let (reader, writer) = pipe().unwrap();
        let joined: Vec<_> = groups.iter().map(|group| group.display().to_string()).collect();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", namespace.path().display()));
        command.args([
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-euc",
            START,
        ]);
        command
            .env("GROUPS_TO_JOIN", joined.join(" "))
            .env("ROOT", root)
            .env("NAME", name)
            .env("HOSTS", hosts);
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let process = command.spawn().unwrap();
        // It holds the pipe's other end, so that reading would never end.
        drop(command);
        let console = Some(thread::spawn(move || read(reader, written)));
        Self { process, groups, console }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Ends all of its processes at once, as if the power were gone.
    pub fn kill(&mut self) {
        // With the first process of a process namespace the kernel ends all others.
        if self.is_running() {
            let killed = wait_until(BOUND, || {
                first_process(&self.process).is_some_and(|first| kill_process(first, Signal::KILL).is_ok())
                    || !matches!(self.process.try_wait(), Ok(None))
            });
            if !killed {
                drop(self.process.kill());
            }
        }
        drop(self.process.wait());
        if let Some(console) = self.console.take() {
            drop(console.join());
        }
        self.groups.drain(..).for_each(|group| remove_group(&group));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The only child of `unshare`.
fn first_process(unshare: &Child) -> Option<Pid> {
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

fn read(mut console: PipeReader, written: impl Fn(&str)) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = console.read(&mut buffer) {
        written(&String::from_utf8_lossy(&buffer[..length]));
    }
}

/// Without groups of its own a machine would share them with the other machines, and their services.
fn make_groups(name: &str) -> Vec<PathBuf> {
    let parents = hierarchies();
    let groups = parents.map(|parent| parent.join(format!("{PREFIX}{}-{name}", std::process::id())));
    groups.inspect(|group| fs::create_dir(group).unwrap()).collect()
}

fn hierarchies() -> impl Iterator<Item = PathBuf> {
    HIERARCHIES.iter().map(PathBuf::from).filter(|parent| parent.join("cgroup.procs").exists())
}

/// The control groups of such machines that are still there.
pub fn existing_groups() -> Vec<PathBuf> {
    let entries = hierarchies().flat_map(|parent| fs::read_dir(parent).unwrap());
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(PREFIX)).collect()
}

/// Removes a control group and those below, in which nothing runs any more.
pub fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().filter_map(Result::ok) {
        if entry.path().is_dir() {
            remove_group(&entry.path());
        }
    }
    // The kernel may still be at it with the last process.
    wait_until(Duration::from_secs(2), || fs::remove_dir(group).is_ok() || !group.exists());
}
