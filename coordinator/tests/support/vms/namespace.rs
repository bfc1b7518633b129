//! Network namespaces with names, which end with their owner, and what a crashed test left of them.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What the names of namespaces and control groups of all such tests begin with.
pub const PREFIX: &str = "bench-vm-";

/// A network namespace; it is deleted when it is dropped, with what runs in it.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, with its loopback up.
    pub fn new(name: &str) -> Self {
        let name = format!("{PREFIX}{}-{name}", std::process::id());
        run("ip", &["netns", "add", &name]);
        run("ip", &["-n", &name, "link", "set", "lo", "up"]);
        Self { name }
    }

    /// Its name for `ip`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it can be opened.
    pub fn path(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// Does something within: sockets that it opens and processes and threads that it starts belong to the namespace.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).unwrap();
        let done = thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            worker.join()
        });
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Deletes it before its time.
    pub fn remove(&self) {
        remove(&self.name);
    }

    /// Runs `ip` on it, which must go well.
    pub fn ip(&self, arguments: &[&str]) {
        run("ip", &[&["-n", self.name.as_str()], arguments].concat());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The namespaces that tests of this kind have made and that are still there.
pub fn existing() -> Vec<String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(PREFIX)).collect()
}

/// The processes in a namespace.
pub fn processes(name: &str) -> Vec<i32> {
    let listed = Command::new("ip").args(["netns", "pids", name]).stderr(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Deletes a namespace and kills what runs in it.
pub fn remove(name: &str) {
    for process in processes(name).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(process, Signal::KILL);
    }
    drop(Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status());
}

/// Runs a program, which must go well.
pub fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {}: {complaint}", arguments.join(" "));
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}
