//! A cloud on loopback: the fake of Google's APIs, with a process for each VM in place of a machine.
//!
//! A VM that carries load is a real worker that obeys the certificate in its metadata and publishes its own. The
//! platform's VM has a worker too, and the mock upstream in the platform's place.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::clock::wait_until;
use super::gce::{Addresses, FakeGce, Handle, InstanceView, Machines, Options};
use super::process::{Bench, Finished};

/// Where workers listen on VMs.
pub const WORKER_PORT: u16 = 7000;
/// How long a worker may take to show its certificate.
const START_LIMIT: Duration = Duration::from_secs(20);

/// One of these for each cloud of this test process, and the process's own number: no two share an address.
static CLOUDS: AtomicU8 = AtomicU8::new(0);

/// A cloud with a project, and a user of it.
pub struct Cloud {
    /// The APIs.
    pub gce: FakeGce,
    /// Where the user types commands.
    pub bench: Bench,
    machines: Arc<Processes>,
}

/// What a VM does instead of starting a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It runs and says nothing.
    Silent,
    /// Its startup script says that it failed.
    Failed(String),
}

/// The processes behind the VMs.
pub struct Processes {
    folder: TempDir,
    network: [u8; 2],
    last_host: AtomicU8,
    running: Mutex<HashMap<String, Vec<Child>>>,
    fates: Mutex<HashMap<String, Fate>>,
}

impl Cloud {
    /// A cloud that nobody has used.
    pub fn new() -> Self {
        let network = [std::process::id() as u8 | 1, CLOUDS.fetch_add(1, Ordering::SeqCst)];
        let machines = Arc::new(Processes {
            folder: tempfile::tempdir().unwrap(),
            network,
            last_host: AtomicU8::new(0),
            running: Mutex::default(),
            fates: Mutex::default(),
        });
        let gce = FakeGce::start(Options {
            machines: Box::new(Shared(Arc::clone(&machines))),
            ..Options::default()
        });
        let bench = user_of(&gce);
        Self { gce, bench, machines }
    }

    /// Loads a target from VMs with a few requests, with more flags.
    pub fn load(&self, url: &str, flags: &[&str]) -> Finished {
        let run = ["run", "--fleet", "gcp", "--target", url, "--scenario", "simple_chat", "--requests", "30"];
        self.bench.run(&[&run[..], flags].concat())
    }

    /// What a VM of this name does from its next start on.
    pub fn doom(&self, name: &str, fate: Fate) {
        self.machines.fates.lock().unwrap().insert(name.to_owned(), fate);
    }

    /// Starts VMs of this name as they should be again.
    pub fn spare(&self, name: &str) {
        self.machines.fates.lock().unwrap().remove(name);
    }

    /// Kills what runs on a VM, as a crash would.
    pub fn kill(&self, name: &str) {
        self.machines.end(name);
    }

    /// How many VMs there are.
    pub fn vms(&self) -> usize {
        self.gce.instances().len()
    }

    /// The URL of a mock upstream at an address of this cloud that is no VM's; it ends with the cloud.
    pub fn upstream(&self) -> String {
        let address = format!("{}:9000", self.machines.address());
        let mock = start(&["mock", "--listen", &address]);
        self.machines.running.lock().unwrap().insert(address.clone(), vec![mock]);
        assert!(wait_until(START_LIMIT, || std::net::TcpStream::connect(&address).is_ok()));
        format!("http://{address}")
    }
}

/// Somebody who is logged in, in a folder of their own.
pub fn user_of(gce: &FakeGce) -> Bench {
    let bench = Bench::new();
    let credentials = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "of-a-test", "refresh_token": "refresh",
        "token_uri": gce.token_url(),
    });
    let credentials = bench.file("credentials.json", &credentials.to_string());
    bench
        .variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", &gce.compute_url())
        .variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", &gce.storage_url())
        .variable("GOOGLE_APPLICATION_CREDENTIALS", credentials.to_str().unwrap())
        .variable("ARCHESTRA_BENCH_OWN_ADDRESS_URL", &gce.ip_url())
        // Any program for Linux does: the processes behind the VMs are this test's own.
        .variable("ARCHESTRA_BENCH_WORKER_BINARY", "/bin/true")
        .variable("GCP_PROJECT_ID", gce.project())
        .variable("GCP_ZONE", "europe-west1-b")
        .variable("USER", "Tester")
}

/// Of the machines that a fake owns and the test sees.
struct Shared(Arc<Processes>);

impl Machines for Shared {
    fn addresses(&self, _: &InstanceView) -> Addresses {
        let address = self.0.address();
        Addresses { network_ip: Some(address.clone()), nat_ip: Some(address) }
    }

    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        let fate = self.0.fates.lock().unwrap().get(&instance.name).cloned();
        fake.append_serial(&instance.name, "Debian GNU/Linux 12\nstartup-script: hello\n");
        match fate {
            Some(Fate::Silent) => {}
            Some(Fate::Failed(why)) => {
                fake.set_guest_attribute(
                    &instance.name,
                    "archestra-bench",
                    "stage",
                    &format!("failed: {why}"),
                );
            }
            None => {
                let (processes, fake, instance) = (Arc::clone(&self.0), fake.clone(), instance.clone());
                // Others boot meanwhile.
                thread::spawn(move || processes.boot(&fake, &instance));
            }
        }
    }

    fn stop(&self, _: &Handle, instance: &InstanceView) {
        self.0.end(&instance.name);
    }
}

impl Processes {
    fn address(&self) -> String {
        let [one, two] = self.network;
        format!("127.{one}.{two}.{}", 1 + self.last_host.fetch_add(1, Ordering::SeqCst))
    }

    fn boot(&self, fake: &Handle, instance: &InstanceView) {
        let of_vm = |name: &str| self.folder.path().join(format!("{}-{name}", instance.network_ip));
        let (authority, certificate) = (of_vm("ca.pem"), of_vm("certificate.pem"));
        fs::write(&authority, &instance.metadata["archestra-coordinator-ca"]).unwrap();
        let listen = format!("{}:{WORKER_PORT}", instance.network_ip);
        let mut children = vec![start(&[
            "worker",
            "--listen",
            &listen,
            "--coordinator-ca",
            authority.to_str().unwrap(),
            "--certificate-out",
            certificate.to_str().unwrap(),
        ])];
        if instance.labels.get("archestra-bench-role").is_some_and(|role| role == "platform") {
            // The second is where another gateway than the platform may listen.
            for port in [9000, 8080] {
                children.push(start(&["mock", "--listen", &format!("{}:{port}", instance.network_ip)]));
            }
        }
        self.running.lock().unwrap().insert(instance.name.clone(), children);
        if wait_until(START_LIMIT, || certificate.exists()) {
            let shown = fs::read_to_string(&certificate).unwrap();
            fake.set_guest_attribute(&instance.name, "archestra-bench", "certificate", &shown);
        }
    }

    fn end(&self, name: &str) {
        for mut child in self.running.lock().unwrap().remove(name).into_iter().flatten() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let names: Vec<_> = self.running.lock().unwrap().keys().cloned().collect();
        names.iter().for_each(|name| self.end(name));
    }
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archestra-bench"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
