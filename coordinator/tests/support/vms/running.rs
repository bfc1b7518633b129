//! The VMs that run, and what the fake tells about them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::firewall::{self, Peer};
use super::lock;
use super::machine::Machine;
use super::machine_room::HOSTS_PREFIX;
use super::metadata;
use super::namespace::Namespace;
use super::network::Network;
use super::rootfs;
use crate::support::gce::server::Server;
use crate::support::gce::{Addresses, Handle, InstanceView, Machines};

/// Says which instances boot.
type Boots = dyn Fn(&InstanceView) -> bool + Send;

/// All VMs, and what they have in common.
pub struct Vms {
    /// What they are attached to.
    pub network: Network,
    /// Those that run or did so until they were killed, by name.
    pub running: Mutex<BTreeMap<String, Vm>>,
    /// More lines of their /etc/hosts.
    pub hosts: Mutex<String>,
    /// Which of them boot.
    pub boots: Mutex<Box<Boots>>,
    /// Whether serial output without an end may go on.
    pub floods: AtomicBool,
    root: PathBuf,
    folder: TempDir,
    /// How many addresses were given.
    given: AtomicUsize,
    rules: Mutex<Vec<Value>>,
}

/// One VM. The machine ends first.
pub struct Vm {
    /// What runs.
    pub machine: Machine,
    /// As the API made it.
    pub instance: InstanceView,
    _metadata: Server,
    namespace: Namespace,
}

/// What the fake tells.
pub struct Booting(
    /// The VMs that do.
    pub Arc<Vms>,
);

impl Machines for Booting {
    fn addresses(&self, _instance: &InstanceView) -> Addresses {
        let address = Network::address(self.0.given.fetch_add(1, Ordering::SeqCst));
        Addresses { network_ip: Some(address.clone()), nat_ip: Some(address) }
    }

    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        if lock(&self.0.boots)(instance) {
            self.0.start(fake, instance);
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

impl Vm {
    /// Whether something in it could connect to this address.
    pub fn reaches(&self, address: SocketAddr) -> bool {
        self.namespace.within(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
    }
}

impl Vms {
    /// A network, and no VM yet.
    pub fn new() -> Self {
        let hosts = tempfile::Builder::new().prefix(HOSTS_PREFIX).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self {
            network: Network::new(),
            running: Mutex::default(),
            hosts: Mutex::default(),
            boots: Mutex::new(Box::new(|_| true)),
            floods: AtomicBool::new(true),
            root: rootfs::path(),
            folder: hosts.unwrap(),
            given: AtomicUsize::new(0),
            rules: Mutex::default(),
        }
    }

    /// Ends all VMs and the network.
    pub fn end_all(&self) {
        let running = std::mem::take(&mut *lock(&self.running));
        running.into_values().for_each(|vm| self.end(vm));
        self.network.end();
    }

    fn start(&self, fake: &Handle, instance: &InstanceView) {
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
