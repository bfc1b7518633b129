//! The network of the cloud: a bridge in a namespace of its own, to which the coordinator and the VMs are attached.
//!
//! All addresses are of 10.99.0.0/24, and exist in these namespaces only.

use std::net::TcpListener;

use super::namespace::Namespace;

/// Where the API is.
pub const API_ADDRESS: &str = "10.99.0.1";
/// Where the coordinator is.
pub const COORDINATOR_ADDRESS: &str = "10.99.0.2";
const BRIDGE_MAC: &str = "02:00:0a:63:00:01";
/// The last number of the first VM's address.
const FIRST_VM: usize = 11;

/// The bridge and who is attached to it.
pub struct Network {
    core: Namespace,
    coordinator: Namespace,
}

impl Network {
    /// The bridge, the API's address on it, and the coordinator's namespace.
    pub fn new() -> Self {
        let core = Namespace::new("core");
        // Without one of its own it takes its ports' lowest, and loses whoever remembers it when that port goes.
        core.ip(&["link", "add", "bridge0", "address", BRIDGE_MAC, "type", "bridge"]);
        core.ip(&["address", "add", &format!("{API_ADDRESS}/24"), "dev", "bridge0"]);
        core.ip(&["link", "set", "bridge0", "up"]);
        let network = Self { core, coordinator: Namespace::new("coordinator") };
        network.attach(&network.coordinator, COORDINATOR_ADDRESS);
        network
    }

    /// The address of a VM, counted from 0.
    pub fn address(number: usize) -> String {
        format!("10.99.0.{}", FIRST_VM + number)
    }

    /// A listener at the API's address.
    pub fn listen(&self) -> TcpListener {
        self.core.within(|| TcpListener::bind((API_ADDRESS, 0)).unwrap())
    }

    /// The namespace of the bridge and the API.
    pub fn core(&self) -> &Namespace {
        &self.core
    }

    /// The coordinator's namespace.
    pub fn coordinator(&self) -> &Namespace {
        &self.coordinator
    }

    /// Gives a namespace this address, and a cable to the bridge.
    pub fn attach(&self, namespace: &Namespace, address: &str) {
        let cable = cable(address);
        let to = ["netns", namespace.name()];
        self.core.ip(&[&["link", "add", &cable, "type", "veth", "peer", "name", "eth0"], &to[..]].concat());
        self.core.ip(&["link", "set", &cable, "master", "bridge0", "up"]);
        namespace.ip(&["address", "add", &format!("{address}/24"), "dev", "eth0"]);
        namespace.ip(&["link", "set", "eth0", "up"]);
    }

    /// Plugs the cable of an address in or out.
    pub fn set_link(&self, address: &str, up: bool) {
        self.core.ip(&["link", "set", &cable(address), if up { "up" } else { "down" }]);
    }

    /// Ends it, whoever holds it still.
    pub fn end(&self) {
        self.coordinator.remove();
        self.core.remove();
    }

    /// Takes the cable of an address away.
    pub fn detach(&self, address: &str) {
        self.core.ip(&["link", "delete", &cable(address)]);
    }
}

fn cable(address: &str) -> String {
    format!("vm{}", address.rsplit('.').next().unwrap())
}
