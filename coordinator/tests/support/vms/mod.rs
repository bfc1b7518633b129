//! VMs that really boot, behind a fake Compute Engine: Debian with systemd, a startup script run as Google's images do, a
//! metadata server, serial output, and firewalls that let in what the API's rules say and drop the rest.
//!
//! ```ignore
//! let Some(cloud) = Cloud::start() else { return };   // a note says why it cannot be had here
//! cloud.gce();                                        // the fake, at 10.99.0.1; see `super::gce`
//! // Everything that talks to the API or to a VM has to be where the coordinator is, at 10.99.0.2:
//! let running = cloud.as_coordinator(|| bench.start(&["run", …]));
//! ```
//!
//! | To … | use |
//! | --- | --- |
//! | give VMs a name for an address | [`Cloud::add_host`] before they boot |
//! | have VMs that never boot | [`Cloud::boot_only`] |
//! | pull a VM's cable, and plug it in again | [`Cloud::set_link`] |
//! | end a VM while the API says that it runs | [`Cloud::kill`] |
//! | have serial output without an end | [`Cloud::flood_serial`] |
//!
//! Each instance is a systemd-nspawn machine with a network namespace, control groups and a process namespace of its own.
//! Its internal and its external address are the same. When the [`Cloud`] is dropped, everything ends; what a crashed test
//! left is removed when the next one starts. A lock lets only one of them be there at a time.

mod firewall;
mod machine;
mod metadata;
mod namespace;
mod network;
mod rootfs;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::gce::server::Server;
use super::gce::{Addresses, FakeGce, Handle, InstanceView, Machines, Options};
use firewall::Peer;
use machine::Machine;
use namespace::Namespace;
use network::Network;
pub use network::{API_ADDRESS, COORDINATOR_ADDRESS};

/// Held by the cloud that is there.
const LOCK: &str = "/run/lock/bench-vm.lock";
/// What the name of the folder of the VMs' /etc/hosts begins with.
const HOSTS_PREFIX: &str = "vm-hosts-";
/// What it takes, and Debian's package for it.
const PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("systemd-nspawn", "systemd-container"),
    ("unshare", "util-linux"),
];

/// Says which instances boot.
type Boots = dyn Fn(&InstanceView) -> bool + Send;

/// A cloud of VMs that boot.
pub struct Cloud {
    gce: Option<FakeGce>,
    vms: Arc<Vms>,
    /// The last to go.
    _lock: File,
}

/// All VMs, and what they have in common.
struct Vms {
    network: Network,
    root: PathBuf,
    folder: TempDir,
    /// How many addresses were given.
    given: AtomicUsize,
    running: Mutex<BTreeMap<String, Vm>>,
    rules: Mutex<Vec<Value>>,
    hosts: Mutex<String>,
    boots: Mutex<Box<Boots>>,
    /// Whether serial output without an end may go on.
    floods: AtomicBool,
}

/// One VM. The machine ends first.
struct Vm {
    machine: Machine,
    _metadata: Server,
    namespace: Namespace,
    instance: InstanceView,
}

impl Cloud {
    /// A cloud without VMs. `None`, with a note, where it cannot be had; that is a failure where `CI` is `true`.
    pub fn start() -> Option<Self> {
        if let Some(missing) = missing() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "VMs cannot boot here: {missing}");
            // Past the test runner, which keeps to itself what a test that passes prints.
            let note = format!("skipped: no VM can boot here: {missing}\n");
            std::io::stderr().write_all(note.as_bytes()).unwrap();
            return None;
        }
        let lock = File::create(LOCK).unwrap();
        lock.lock().unwrap();
        remove_leftovers();
        let vms = Arc::new(Vms {
            network: Network::new(),
            root: rootfs::path(),
            folder: tempfile::Builder::new()
                .prefix(HOSTS_PREFIX)
                .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
                .unwrap(),
            given: AtomicUsize::new(0),
            running: Mutex::default(),
            rules: Mutex::default(),
            hosts: Mutex::default(),
            boots: Mutex::new(Box::new(|_| true)),
            floods: AtomicBool::new(true),
        });
        let listener = vms.network.listen();
        let machines = Box::new(Booting(Arc::clone(&vms)));
        let gce = FakeGce::start(Options { listener, machines, ..Options::default() });
        Some(Self { gce: Some(gce), vms, _lock: lock })
    }

    /// The API.
    pub fn gce(&self) -> &FakeGce {
        self.gce.as_ref().unwrap()
    }

    /// Does something where the coordinator is: sockets that it opens and processes that it starts are there too.
    pub fn as_coordinator<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.vms.network.coordinator().within(work)
    }

    /// Gives an address a name within VMs that boot from now on.
    pub fn add_host(&self, address: &str, name: &str) {
        lock(&self.vms.hosts).push_str(&format!("{address} {name}\n"));
    }

    /// From now on only these boot; the others run as far as the API knows.
    pub fn boot_only(&self, boots: impl Fn(&InstanceView) -> bool + Send + 'static) {
        *lock(&self.vms.boots) = Box::new(boots);
    }

    /// Pulls the cable of a running VM, or plugs it in again.
    pub fn set_link(&self, instance: &str, up: bool) {
        let running = lock(&self.vms.running);
        self.vms.network.set_link(&running[instance].instance.network_ip, up);
    }

    /// Ends a VM as if the power were gone. The API says still that it runs.
    pub fn kill(&self, instance: &str) {
        lock(&self.vms.running).get_mut(instance).unwrap().machine.kill();
    }

    /// Whether a VM runs in truth.
    pub fn is_running(&self, instance: &str) -> bool {
        lock(&self.vms.running).get_mut(instance).is_some_and(|vm| vm.machine.is_running())
    }

    /// Ends it; what is left of it, which should be nothing. Another cloud cannot begin meanwhile.
    pub fn end(mut self) -> Vec<String> {
        self.wind_up();
        leftovers()
    }

    fn wind_up(&mut self) {
        self.vms.floods.store(false, Ordering::SeqCst);
        // Whatever the API has to say at its end.
        let _ends_last = Ending(Arc::clone(&self.vms));
        drop(self.gce.take());
    }

    /// Has an instance write to its serial port until everything ends.
    pub fn flood_serial(&self, instance: &str) {
        let (gce, vms, instance) = (self.gce().handle(), Arc::clone(&self.vms), instance.to_owned());
        thread::spawn(move || {
            let mut line = 0;
            while vms.floods.load(Ordering::SeqCst) {
                let text: String = (line..line + 100).map(|line| format!("line {line} and on\n")).collect();
                gce.append_serial(&instance, &text);
                line += 100;
                thread::sleep(Duration::from_millis(10));
            }
        });
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.wind_up();
    }
}

/// Ends all VMs and the network when it is dropped.
struct Ending(Arc<Vms>);

impl Drop for Ending {
    fn drop(&mut self) {
        let running = std::mem::take(&mut *lock(&self.0.running));
        running.into_values().for_each(|vm| self.0.end(vm));
        self.0.network.end();
    }
}

/// What the fake tells.
struct Booting(Arc<Vms>);

impl Machines for Booting {
    fn addresses(&self, _instance: &InstanceView) -> Addresses {
        let address = Network::address(self.0.given.fetch_add(1, Ordering::SeqCst));
        Addresses { network_ip: Some(address.clone()), nat_ip: Some(address) }
    }

    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        if lock(&self.0.boots)(instance) {
            self.0.boot(fake, instance);
            self.0.apply_rules();
        }
    }

    fn stop(&self, fake: &Handle, instance: &InstanceView) {
        fake.refuse_token(&metadata::token(instance));
        let vm = lock(&self.0.running).remove(&instance.name);
        if let Some(vm) = vm {
            self.0.end(vm);
            self.0.apply_rules();
        }
    }

    fn firewalls(&self, _fake: &Handle, rules: &[Value]) {
        *lock(&self.0.rules) = rules.to_vec();
        self.0.apply_rules();
    }
}

impl Vms {
    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        let name = &instance.name;
        let namespace = Namespace::new(name);
        // Closed to everybody before the cable is in.
        firewall::apply(&namespace, &[], &[], &[]);
        self.network.attach(&namespace, &instance.network_ip);
        let metadata = metadata::start(&namespace, fake, instance);
        let hosts = self.folder.path().join(name);
        let more = lock(&self.hosts).clone();
        let own = format!("127.0.0.1 localhost metadata.google.internal metadata\n127.0.1.1 {name}\n{more}");
        fs::write(&hosts, own).unwrap();
        let machine = Machine::boot(name, &self.root, &hosts, &namespace, {
            let (fake, name) = (fake.clone(), name.clone());
            move |text| fake.append_serial(&name, text)
        });
        let vm = Vm { machine, _metadata: metadata, namespace, instance: instance.clone() };
        lock(&self.running).insert(name.clone(), vm);
    }

    fn end(&self, mut vm: Vm) {
        vm.machine.kill();
        self.network.detach(&vm.instance.network_ip);
    }

    /// Lets every VM have what the rules say now, of the VMs that there are now.
    fn apply_rules(&self) {
        let (running, rules) = (lock(&self.running), lock(&self.rules).clone());
        let peer = |vm: &Vm| (vm.instance.network_ip.clone(), vm.instance.tags.clone());
        let known: Vec<_> = running.values().map(peer).collect();
        let peers: Vec<_> = known.iter().map(|(address, tags)| Peer { address, tags }).collect();
        for vm in running.values() {
            firewall::apply(&vm.namespace, &vm.instance.tags, &rules, &peers);
        }
    }
}

/// Why VMs cannot boot here, if so.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it takes root".to_owned());
    }
    for (program, package) in PROGRAMS {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        if !found.is_ok_and(|found| found.success()) {
            return Some(format!("{program} is not installed (apt-get install {package})"));
        }
    }
    let isolated =
        Command::new("unshare").args(["--mount", "--net", "--pid", "--fork", "true"]).output().unwrap();
    let why = || format!("namespaces are not allowed: {}", String::from_utf8_lossy(&isolated.stderr).trim());
    (!isolated.status.success()).then(why)
}

/// What is there of VMs, in words: namespaces, control groups and mounts. Nothing when all is well and no cloud is there.
pub fn leftovers() -> Vec<String> {
    let namespaces = namespace::existing().into_iter();
    let groups = machine::existing_groups().into_iter().map(|group| group.display().to_string());
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mounts: Vec<String> =
        mounts.lines().filter(|line| line.contains(rootfs::PREFIX)).map(str::to_owned).collect();
    namespaces.chain(groups).chain(mounts).collect()
}

/// The lock is held, so that these are of a test that crashed.
fn remove_leftovers() {
    namespace::existing().iter().for_each(|name| namespace::remove(name));
    machine::existing_groups().iter().for_each(|group| machine::remove_group(group));
    rootfs::remove_folders(HOSTS_PREFIX);
}

/// A thread that panicked while it held the lock has failed its test already.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
