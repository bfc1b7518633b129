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
//! | have a server that VMs can reach, such as a target | [`Cloud::beside_the_api`] |
//! | give VMs a name for an address | [`Cloud::add_host`] before they boot |
//! | have VMs that never boot | [`Cloud::boot_only`] |
//! | pull a VM's cable, and plug it in again | [`Cloud::set_link`] |
//! | end a VM while the API says that it runs | [`Cloud::kill`] |
//! | have serial output without an end | [`Cloud::flood_serial`] |
//!
//! Each instance is a systemd-nspawn machine with a network namespace, control groups and a process namespace of its own.
//! Its internal and its external address are the same. When the [`Cloud`] is dropped, everything ends; what a crashed test
//! left is removed when the next one starts. A lock lets only one of them be there at a time.

pub mod firewall;
mod machine;
mod machine_room;
mod metadata;
mod namespace;
mod network;
mod rootfs;
mod running;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::clock::wait_until;
use super::gce::{FakeGce, InstanceView, Options};
pub use machine_room::leftovers;
pub use network::{API_ADDRESS, COORDINATOR_ADDRESS};
use running::{Booting, Vms};

/// Held by the cloud that is there.
const LOCK: &str = "/run/bench-vm.lock";
/// How long a VM may take to find its neighbours again.
const A_WHILE: Duration = Duration::from_secs(20);

/// A cloud of VMs that boot.
pub struct Cloud {
    gce: Option<FakeGce>,
    vms: Arc<Vms>,
    /// The last to go.
    _lock: File,
}

impl Cloud {
    /// A cloud without VMs. `None`, with a note, where it cannot be had; that is a failure where `CI` is `true`.
    pub fn start() -> Option<Self> {
        if let Some(missing) = machine_room::missing() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "VMs cannot boot here: {missing}");
            // Past the test runner, which keeps to itself what a test that passes prints.
            let note = format!("skipped: no VM can boot here: {missing}\n");
            std::io::stderr().write_all(note.as_bytes()).unwrap();
            return None;
        }
        let lock = File::create(LOCK).unwrap();
        lock.lock().unwrap();
        machine_room::remove_leftovers();
        let vms = Arc::new(Vms::new());
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

    /// Does something where the API is, at 10.99.0.1: for servers that the coordinator and the VMs are to reach. Who wakes
    /// its server with a connection when it is dropped, as a scripted target does, must be dropped there too.
    pub fn beside_the_api<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.vms.network.core().within(work)
    }

    /// Gives an address a name within VMs that boot from now on.
    pub fn add_host(&self, address: &str, name: &str) {
        lock(&self.vms.hosts).push_str(&format!("{address} {name}\n"));
    }

    /// From now on only these boot; the others run as far as the API knows.
    pub fn boot_only(&self, boots: impl Fn(&InstanceView) -> bool + Send + 'static) {
        *lock(&self.vms.boots) = Box::new(boots);
    }

    /// Pulls the cable of a running VM, or plugs it in again. Then the VM reaches the API's address when this returns: it may
    /// have looked for its neighbours meanwhile, and the kernel tells that none answers for a second more.
    pub fn set_link(&self, instance: &str, up: bool) {
        let running = lock(&self.vms.running);
        let vm = &running[instance];
        self.vms.network.set_link(&vm.instance.network_ip, up);
        if up {
            let greeter = self.vms.network.listen();
            let address = greeter.local_addr().unwrap();
            assert!(wait_until(A_WHILE, || vm.reaches(address)), "{instance} stays cut off");
        }
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
        // Last, and whatever the API has to say at its end.
        let _vms = EndLast(&self.vms);
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

/// Ends the VMs when it is dropped.
struct EndLast<'a>(&'a Vms);

impl Drop for EndLast<'_> {
    fn drop(&mut self) {
        self.0.end_all();
    }
}

/// A thread that panicked while it held the lock has failed its test already.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
