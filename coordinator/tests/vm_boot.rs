//! The VMs that end-to-end tests of the Compute Engine fleet stand on: they boot, are walled off, and leave nothing behind.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use support::clock::{now, wait_until};
use support::gce::client::{Client, instance_body};
use support::vms::firewall::{Peer, ruleset};
use support::vms::{API_ADDRESS, COORDINATOR_ADDRESS, Cloud, leftovers};

const A_WHILE: Duration = Duration::from_secs(60);
const ZONE: &str = "europe-west1-b";
const INSTANCES: &str = "projects/bench-project/zones/europe-west1-b/instances";
const FIREWALLS: &str = "projects/bench-project/global/firewalls";

/// Serves on port 9000 under the locks of a worker, publishes that it does, and whether its peer can be reached.
const SCRIPT: &str = r#"

    #!/bin/bash
set -eu
readonly metadata=http://metadata.google.internal/computeMetadata/v1/instance
readonly flavor='Metadata-Flavor: Google'
ask() { curl --silent --fail --header "$flavor" "$@"; }
status() { curl --silent --output /dev/null --write-out '%{http_code}' "$@"; }
publish() { ask --request PUT --data "$2" "$metadata/guest-attributes/bench/$1"; }
cat >/etc/systemd/system/echo.service <<EOF
[Service]
Type=exec
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
ExecStart=systemd-socket-activate --listen=9000 --accept --inetd cat
EOF
systemctl start echo.service
server=$(systemctl show --property=MainPID --value echo.service)
[ "$(stat --format=%u "/proc/$server")" -gt 60000 ]
publish serves "$(id -u) $(hostname)"
echo "serving on $(ask "$metadata/network-interfaces/0/ip")"
echo 'to standard error' >&2
peer=$(ask "$metadata/attributes/peer")
for _ in 1 2 3 4; do
  reached=no
  if timeout 1 bash -c "</dev/tcp/$peer/9000"; then reached=yes; break; fi
  sleep 0.5
done
publish reached "$reached"
token=$(status --header "$flavor" "$metadata/service-accounts/default/token")
publish metadata "$(status "$metadata/name") $(status --header "$flavor" "$metadata/attributes/none") $token"
if [ "$token" = 200 ]; then
  token=$(ask "$metadata/service-accounts/default/token" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  publish object "$(curl --silent --fail --header "Authorization: Bearer $token" "$(ask "$metadata/attributes/object")")"
fi
"#;

/// The URL of its object is for who has a service account.
fn body(name: &str, tag: &str, peer: &str, object: &str) -> Value {
    let mut body = instance_body(ZONE, name, &json!({"run": "a7"}));
    body["tags"] = json!({"items": [tag]});
    body["metadata"] = json!({"items": [
        {"key": "startup-script", "value": SCRIPT},
        {"key": "enable-guest-attributes", "value": "TRUE"},
        {"key": "peer", "value": peer},
        {"key": "object", "value": object},
    ]});
    body
}

fn attribute(client: &Client, instance: &str, key: &str) -> Option<String> {
    let found = client.get(&format!("{INSTANCES}/{instance}/getGuestAttributes?queryPath=bench/{key}"));
    found.json["queryValue"]["items"][0]["value"].as_str().map(str::to_owned)
}

fn serial(client: &Client, instance: &str) -> String {
    client.get(&format!("{INSTANCES}/{instance}/serialPort?port=1")).json["contents"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn reaches(address: &str) -> bool {
    let address: SocketAddr = format!("{address}:9000").parse().unwrap();
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}

fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn vms_boot_are_walled_off_and_leave_nothing_behind() {
    let Some(cloud) = Cloud::start() else { return };
    let client = Client::of(cloud.gce());
    cloud.as_coordinator(|| {
        let rule = json!({
            "name": "load-to-target", "sourceTags": ["load"], "targetTags": ["target"],
            "allowed": [{"IPProtocol": "tcp", "ports": ["9000"]}],
        });
        client.done(&client.post(FIREWALLS, &rule));
        cloud.gce().put_bucket(cloud.gce().project(), "bench-bucket");
        cloud.gce().put_object("bench-bucket", "binary", b"what a worker is made of");
        cloud.add_host(API_ADDRESS, "storage.test");
        let storage = cloud.gce().storage_url().replace(API_ADDRESS, "storage.test");
        let object = format!("{storage}b/bench-bucket/o/binary?alt=media");
        let target = body("vm-target", "target", "10.99.0.12", "");
        let mut load = body("vm-load", "load", "10.99.0.11", &object);
        let scope = "https://www.googleapis.com/auth/devstorage.read_only";
        load["serviceAccounts"] = json!([{"email": "default", "scopes": [scope]}]);
        let inserted = now();
        let operations = [client.post(INSTANCES, &target), client.post(INSTANCES, &load)];
        operations.iter().for_each(|operation| drop(client.done(operation)));

        for name in ["vm-target", "vm-load"] {
            let serves = wait_until(A_WHILE, || attribute(&client, name, "serves").is_some());
            assert!(serves, "{}", serial(&client, name));
            say(&format!("{name}: {:.1} s from insert to guest attribute", (now() - inserted).as_secs_f64()));
            assert_eq!(attribute(&client, name, "serves").unwrap(), format!("0 {name}"));
        }
        let published = |name: &str, key: &str| {
            wait_until(A_WHILE, || attribute(&client, name, key).is_some());
            attribute(&client, name, key).unwrap_or_else(|| serial(&client, name))
        };
        assert_eq!(published("vm-load", "reached"), "yes");
        assert_eq!(published("vm-load", "metadata"), "403 404 200");
        assert_eq!(published("vm-load", "object"), "what a worker is made of");
        assert_eq!(published("vm-target", "reached"), "no");
        assert_eq!(published("vm-target", "metadata"), "403 404 404");
        let written = serial(&client, "vm-target");
        assert!(
            written.contains("serving on 10.99.0.11") && written.contains("to standard error"),
            "{written}"
        );

        // A target stands beside the API.
        let greeter = cloud.beside_the_api(|| TcpListener::bind((API_ADDRESS, 0)).unwrap());
        assert!(TcpStream::connect(greeter.local_addr().unwrap()).is_ok());

        // Nothing lets the coordinator in, until something does.
        assert!(!reaches("10.99.0.11") && !reaches("10.99.0.12"));
        let rule = json!({
            "name": "coordinator-in", "sourceRanges": [format!("{COORDINATOR_ADDRESS}/32")],
            "allowed": [{"IPProtocol": "tcp", "ports": ["9000"]}],
        });
        client.done(&client.post(FIREWALLS, &rule));
        assert!(wait_until(A_WHILE, || reaches("10.99.0.11") && reaches("10.99.0.12")));
        cloud.set_link("vm-load", false);
        assert!(!reaches("10.99.0.12") && reaches("10.99.0.11"));
        cloud.set_link("vm-load", true);
        assert!(wait_until(A_WHILE, || reaches("10.99.0.12")));
        client.done(&client.delete(&format!("{FIREWALLS}/coordinator-in")));
        assert!(wait_until(A_WHILE, || !reaches("10.99.0.11")));

        cloud.kill("vm-load");
        assert!(!cloud.is_running("vm-load") && cloud.is_running("vm-target"));
        assert_eq!(cloud.gce().instance("vm-load").unwrap()["status"], "RUNNING");
        cloud.flood_serial("vm-load");
        let deleted = now();
        client.done(&client.delete(&format!("{INSTANCES}/vm-target")));
        let of_the_target = |left: &String| left.contains("vm-target");
        assert!(wait_until(A_WHILE, || !leftovers().iter().any(of_the_target)), "{:?}", leftovers());
        say(&format!("vm-target: {:.1} s from delete to nothing left", (now() - deleted).as_secs_f64()));
    });
    assert!(leftovers().iter().any(|left| left.contains("vm-load")));
    assert_eq!(cloud.end(), Vec::<String>::new());
}

#[test]
fn a_vm_may_never_boot() {
    let Some(cloud) = Cloud::start() else { return };
    let client = Client::of(cloud.gce());
    cloud.boot_only(|instance| instance.name != "vm-dead");
    cloud.as_coordinator(|| {
        client.done(&client.post(INSTANCES, &body("vm-dead", "load", "10.99.0.12", "")));
        client.done(&client.post(INSTANCES, &body("vm-live", "load", "10.99.0.11", "")));
        assert!(wait_until(A_WHILE, || cloud.is_running("vm-live")));
    });
    assert!(!cloud.is_running("vm-dead"));
    let statuses = ["vm-dead", "vm-live"].map(|name| cloud.gce().instance(name).unwrap()["status"].clone());
    assert_eq!(statuses, ["RUNNING", "RUNNING"]);
}

#[test]
fn rules_are_read_as_google_reads_them() {
    let tags = ["target".to_owned()];
    let load = ["load".to_owned()];
    let peers = [Peer { address: "10.99.0.11", tags: &load }, Peer { address: "10.99.0.12", tags: &tags }];
    let lines = |rules: Value| -> Vec<String> {
        let text = ruleset(&tags, rules.as_array().unwrap(), &peers);
        text.lines().filter(|line| line.contains("saddr")).map(|line| line.trim().to_owned()).collect()
    };
    let web = json!([{"IPProtocol": "tcp", "ports": ["80", "9000-9010"]}]);
    let all = json!([{"IPProtocol": "all"}]);
    let from_everywhere = lines(json!([{"allowed": web}]));
    assert_eq!(from_everywhere, ["ip saddr 0.0.0.0/0 tcp dport { 80, 9000-9010 } accept"]);
    let from_both =
        lines(json!([{"allowed": all, "sourceTags": ["load"], "sourceRanges": ["10.0.0.0/8", "::/0"]}]));
    assert_eq!(from_both, ["ip saddr 10.0.0.0/8 accept", "ip saddr 10.99.0.11 accept"]);
    let without_effect = json!([
        {"allowed": all, "targetTags": ["other"]},
        {"allowed": all, "sourceTags": ["other"]},
        {"allowed": all, "disabled": true},
        {"allowed": all, "direction": "EGRESS"},
    ]);
    assert_eq!(lines(without_effect), Vec::<String>::new());
    let icmp = json!([{"IPProtocol": "icmp"}]);
    let in_order = lines(json!([{"allowed": all, "priority": 1000}, {"denied": icmp, "priority": 1000}]));
    assert_eq!(in_order, ["ip saddr 0.0.0.0/0 meta l4proto icmp drop", "ip saddr 0.0.0.0/0 accept"]);
}
