//! A small network of namespaces: one where the coordinator and its target are, and hosts with real OpenSSH servers.
//!
//! Its addresses exist in the namespaces only, and so do the names of its links; a network is taken down with its test.
//! This needs root, `ip` and `sshd`. Where there is none of them the test is skipped, but never where `CI` is `true`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use super::clock::wait_until;
use super::process::{Bench, PROGRAM, Running};
use super::request::Request;
use super::target::Target;

/// The addresses of a network, and who logs in on its hosts.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// What all addresses begin with; the coordinator and its target are at 1.
    prefix: &'static str,
    first_host: usize,
    /// Of any name, with the rights of root.
    user: &'static str,
    /// Where each host's sshd listens.
    ports: &'static [u16],
}

const OWN: Layout = Layout { prefix: "10.98.0", first_host: 11, user: "root", ports: &[22] };
/// As pages for readers name machines of theirs.
const OF_PAGES: Layout = Layout { prefix: "10.0.0", first_host: 2, user: "me", ports: &[22, 2222] };
const SSHD: &str = "/usr/sbin/sshd";

static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// The namespaces, and what is in them.
pub struct Network {
    hub: String,
    layout: Layout,
    hosts: Vec<Host>,
    folder: TempDir,
}

/// A machine that ssh reaches.
pub struct Host {
    namespace: String,
    user: &'static str,
    /// Its address.
    pub address: String,
    /// Where workers' programs are kept on it.
    pub cache: PathBuf,
    /// The home folder of its only user.
    pub home: PathBuf,
}

impl Network {
    /// A network with so many hosts; `None`, with the reason on standard error, where there can be none.
    pub fn new(test: &str, hosts: usize) -> Option<Self> {
        Self::with_cache(test, hosts, None)
    }

    /// The two hosts that pages for readers name.
    pub fn of_pages(test: &str) -> Option<Self> {
        Self::laid_out(test, OF_PAGES, 2, None)
    }

    /// The same, where the workers' programs are kept on disks mounted with these options, such as `size=1m`.
    pub fn with_cache(test: &str, hosts: usize, cache_options: Option<&str>) -> Option<Self> {
        Self::laid_out(test, OWN, hosts, cache_options)
    }

    #[allow(clippy::print_stderr)]
    fn laid_out(test: &str, layout: Layout, hosts: usize, cache_options: Option<&str>) -> Option<Self> {
        if let Some(missing) = missing() {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{test} cannot be skipped in CI: {missing}"
            );
            eprintln!("skipped: {test}: {missing}");
            return None;
        }
        let name = format!("bench-ssh-{}-{}", std::process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed));
        let (hub, folder) = (format!("{name}-hub"), tempfile::tempdir().unwrap());
        let mut network = Self { hub, layout, hosts: Vec::new(), folder };
        ip(&["netns", "add", &network.hub]);
        ip(&["-n", &network.hub, "link", "set", "lo", "up"]);
        keygen(&network.folder.path().join("key"));
        network.allow(Some("pty"));
        for number in 0..hosts {
            network.add_host(&format!("{name}-{number}"), number, cache_options);
        }
        let known: Vec<_> = (0..hosts).map(|host| network.known_host(host)).collect();
        network.know(&known);
        network.write_client("");
        network.hosts.iter().for_each(|host| network.wait_for_sshd(host));
        Some(network)
    }

    /// The hosts, in order.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// A target that the hosts reach.
    pub fn target(
        &self,
        script: impl Fn(u64, &Request) -> super::request::Reply + Send + Sync + 'static,
    ) -> Target {
        self.target_at(0, script)
    }

    /// The same at a port of its own; 0 for any.
    pub fn target_at(
        &self,
        port: u16,
        script: impl Fn(u64, &Request) -> super::request::Reply + Send + Sync + 'static,
    ) -> Target {
        let address = format!("{}:{port}", self.layout.hub());
        let namespace = File::open(format!("/run/netns/{}", self.hub)).unwrap();
        let listening = thread::spawn(move || {
            use std::os::fd::AsFd;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            Target::scripted_on(&address, script)
        });
        listening.join().unwrap()
    }

    /// A bench whose ssh knows this network's keys.
    pub fn bench(&self) -> Bench {
        let client = self.folder.path().join("ssh");
        Bench::new().variable("ARCHESTRA_BENCH_SSH", client.to_str().unwrap())
    }

    /// Starts `archestra-bench run --fleet ssh` beside the target, with these hosts.
    pub fn start(&self, bench: &Bench, hosts: &[&str], target: &str, flags: &[&str]) -> Running {
        let hosts = hosts.join(",");
        let fleet =
            ["run", "--fleet", "ssh", "--host", &hosts, "--target", target, "--scenario", "simple_chat"];
        self.inside(bench, PROGRAM, &[&fleet, flags].concat())
    }

    /// Starts any program beside the target.
    pub fn inside(&self, bench: &Bench, program: &str, arguments: &[&str]) -> Running {
        bench.start_program("ip", &[&["netns", "exec", &self.hub, program], arguments].concat())
    }

    /// All hosts, as they are named on the command line.
    pub fn names(&self) -> Vec<String> {
        self.hosts.iter().map(Host::name).collect()
    }

    /// What `ssh-keyscan` would say of a host.
    pub fn known_host(&self, host: usize) -> String {
        let key = fs::read_to_string(self.folder.path().join(format!("{host}/host_key.pub"))).unwrap();
        let address = &self.hosts[host].address;
        let named = self.layout.ports.iter().map(|port| match port {
            22 => format!("{address} {key}"),
            port => format!("[{address}]:{port} {key}"),
        });
        named.collect()
    }

    /// Makes these lines the known hosts.
    pub fn know(&self, lines: &[String]) {
        fs::write(self.folder.path().join("known_hosts"), lines.concat()).unwrap();
    }

    /// What hosts allow the client's key from now on: options of authorized_keys before it, or nothing at all.
    pub fn allow(&self, options: Option<&str>) {
        self.write_keys(&self.folder.path().join("authorized_keys"), options);
    }

    /// What one host allows that key from now on.
    pub fn allow_at(&self, host: usize, options: &str) {
        self.write_keys(&self.folder.path().join(format!("{host}/authorized_keys")), Some(options));
    }

    fn write_keys(&self, path: &Path, options: Option<&str>) {
        let key = fs::read_to_string(self.folder.path().join("key.pub")).unwrap();
        fs::write(path, options.map_or_else(String::new, |options| format!("{options} {key}"))).unwrap();
    }

    /// Starts a host's sshd anew, with these lines in its configuration.
    pub fn configure(&self, number: usize, lines: &str) {
        let host = self.host(number);
        host.kill();
        self.start_sshd(host, &self.folder.path().join(number.to_string()), None, lines);
        self.wait_for_sshd(host);
    }

    /// Has the client's configuration begin with these lines.
    pub fn configure_client(&self, lines: &str) {
        self.write_client(lines);
    }

    /// The processes beside the target: coordinators, and their ssh clients.
    pub fn processes(&self) -> Vec<i32> {
        processes_in(&self.hub)
    }

    fn add_host(&mut self, namespace: &str, number: usize, cache_options: Option<&str>) {
        let (hub, address) = (self.hub.clone(), self.layout.host(number));
        let folder = self.folder.path().join(number.to_string());
        let [cache, home] = ["cache", "home"].map(|name| folder.join(name));
        fs::create_dir_all(&cache).unwrap();
        fs::create_dir_all(home.join(".ssh")).unwrap();
        keygen(&folder.join("host_key"));
        ip(&["netns", "add", namespace]);
        let user = self.layout.user;
        self.hosts.push(Host {
            namespace: namespace.to_owned(),
            user,
            address: address.clone(),
            cache,
            home,
        });

        let link = format!("v{number}");
        ip(&["-n", &hub, "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
        let own_address = self.layout.hub();
        for (at, device, own, other) in [
            (hub.as_str(), link.as_str(), own_address.as_str(), address.as_str()),
            (namespace, "eth0", &address, &own_address),
        ] {
            ip(&["-n", at, "link", "set", "lo", "up"]);
            ip(&["-n", at, "address", "add", &format!("{own}/32"), "dev", device]);
            ip(&["-n", at, "link", "set", device, "up"]);
            ip(&["-n", at, "route", "add", other, "dev", device]);
        }
        self.start_sshd(&self.hosts[number], &folder, cache_options, "");
    }

    fn start_sshd(&self, host: &Host, folder: &Path, cache_options: Option<&str>, lines: &str) {
        let listen = |port: &u16| format!("ListenAddress {}:{port}\n", host.address);
        let listen: String = self.layout.ports.iter().map(listen).collect();
        let users = fs::read_to_string("/etc/passwd").unwrap();
        fs::write(folder.join("passwd"), format!("{users}{}:x:0:0::/root:/bin/sh\n", host.user)).unwrap();
        let config = format!(
            "{lines}\n{listen}HostKey {0}/host_key\nPidFile none\n\
             AuthorizedKeysFile {0}/authorized_keys {1}/authorized_keys\nPermitUserEnvironment yes\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             UsePAM no\nStrictModes no\nPrintLastLog no\nSetEnv XDG_CACHE_HOME={0}/cache\n",
            folder.display(),
            self.folder.path().display(),
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        // `ip netns exec` gives the host a mount namespace of its own, which ends with its last process.
        let cache = cache_options.map_or_else(String::new, |options| {
            format!("mount -t tmpfs -o {options} tmpfs {}/cache && ", folder.display())
        });
        let script = format!(
            "mount --bind {0}/home ~root && mount --bind {0}/passwd /etc/passwd && {cache}exec {SSHD} -D -e -f {0}/sshd_config 2>{0}/log",
            folder.display()
        );
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &host.namespace, "sh", "-c", &script]).stdin(Stdio::null());
        let mut sshd = command.spawn().unwrap();
        // Whoever waits for it keeps no zombie.
        thread::spawn(move || sshd.wait());
    }

    /// A client that takes its configuration from this network's folder alone.
    fn write_client(&self, lines: &str) {
        let folder = self.folder.path().display();
        let config = format!(
            "{lines}\nHost *\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n  \
             GlobalKnownHostsFile /dev/null\n"
        );
        fs::write(self.folder.path().join("config"), config).unwrap();
        let client = self.folder.path().join("ssh");
        fs::write(&client, format!("#!/bin/sh\nexec ssh -F {folder}/config \"$@\"\n")).unwrap();
        fs::set_permissions(&client, Permissions::from_mode(0o755)).unwrap();
    }

    fn wait_for_sshd(&self, host: &Host) {
        let accepted = wait_until(Duration::from_secs(10), || self.accepts(host));
        assert!(accepted, "no sshd on {}", host.address);
    }

    fn accepts(&self, host: &Host) -> bool {
        let client = self.folder.path().join("ssh");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hub]).arg(client);
        command.args(["-oBatchMode=yes", &host.name(), "true"]);
        command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Layout {
    fn hub(self) -> String {
        format!("{}.1", self.prefix)
    }

    fn host(self, number: usize) -> String {
        format!("{}.{}", self.prefix, self.first_host + number)
    }
}

impl Host {
    /// As it is named on the command line.
    pub fn name(&self) -> String {
        format!("{}@{}", self.user, self.address)
    }

    /// Its processes, but for the one that waits for connections.
    pub fn processes(&self) -> Vec<i32> {
        let waits = |pid: &i32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains("[listener]")
        };
        processes_in(&self.namespace).into_iter().filter(|pid| !waits(pid)).collect()
    }

    /// Kills everything on it at once, as a power cut does, but for the network.
    pub fn kill(&self) {
        kill_all(&self.namespace);
    }

    /// Takes it off the network: nobody is told.
    pub fn unplug(&self) {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "down"]);
    }

    /// The programs that were copied to it, and when.
    pub fn programs(&self) -> Vec<(PathBuf, std::time::SystemTime)> {
        let kept = fs::read_dir(self.cache.join("archestra-bench")).into_iter().flatten();
        let files = kept.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        files
            .map(|file| file.unwrap())
            .map(|file| (file.path(), file.metadata().unwrap().modified().unwrap()))
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let namespaces = self.hosts.iter().map(|host| &host.namespace).chain([&self.hub]);
        for namespace in namespaces {
            kill_all(namespace);
            drop(Command::new("ip").args(["netns", "del", namespace]).status());
        }
    }
}

/// What this machine lacks.
fn missing() -> Option<&'static str> {
    let runs = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).stdin(Stdio::null()).output();
        output.is_ok()
    };
    if !rustix::process::geteuid().is_root() {
        return Some("it needs root");
    }
    if !Path::new(SSHD).exists() || !runs("ssh", "-V") {
        return Some("it needs OpenSSH's server and client");
    }
    let trial = format!("bench-ssh-{}-trial", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &trial]).output();
    drop(Command::new("ip").args(["netns", "del", &trial]).output());
    let may = made
        .is_ok_and(|made| made.status.success() || String::from_utf8_lossy(&made.stderr).contains("exists"));
    (!may).then_some("it needs `ip netns`")
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn keygen(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    assert!(command.status().unwrap().success());
}

fn processes_in(namespace: &str) -> Vec<i32> {
    let output = Command::new("ip").args(["netns", "pids", namespace]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|pid| pid.trim().parse().ok()).collect()
}

fn kill_all(namespace: &str) {
    wait_until(Duration::from_secs(5), || {
        let left = processes_in(namespace);
        for pid in &left {
            // One that has ended in the meantime needs no signal.
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
        }
        left.is_empty()
    });
}
