//! The fake of Compute Engine and Cloud Storage, checked: everything that clients rely on, and everything that can go wrong.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

#[path = "fake_gce/calls.rs"]
mod calls;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::clock::wait_until;
use support::gce::client::{Client, instance_body};
use support::gce::{
    Access, BootWith, FakeGce, Fault, Handle, InstanceView, Moment, Options, Pace, Rule, errors,
};

const A_WHILE: Duration = Duration::from_secs(10);
const ZONE: &str = "europe-west1-b";
const INSTANCES: &str = "projects/bench-project/zones/europe-west1-b/instances";
const FIREWALLS: &str = "projects/bench-project/global/firewalls";

fn fake() -> (FakeGce, Client) {
    let gce = FakeGce::start(Options::default());
    let client = Client::of(&gce);
    (gce, client)
}

fn body(name: &str) -> Value {
    instance_body(ZONE, name, &json!({"run": "a7"}))
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().into_iter().flatten().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn an_instance_is_made_and_deleted() {
    let (gce, client) = fake();
    let inserted = client.post(INSTANCES, &body("vm-1"));
    assert_eq!((inserted.status, &inserted.json["status"]), (200, &json!("RUNNING")));
    assert_eq!(client.get(&format!("{INSTANCES}/vm-1")).json["status"], "PROVISIONING");
    let operation = client.done(&inserted);
    assert_eq!((&operation["progress"], &operation["error"]), (&json!(100), &Value::Null));

    let instance = client.get(&format!("{INSTANCES}/vm-1")).json;
    assert_eq!(instance["status"], "RUNNING");
    assert!(instance["networkInterfaces"][0]["networkIP"].is_string());
    assert_eq!(instance["networkInterfaces"][0]["accessConfigs"], Value::Null);
    assert!(instance["zone"].as_str().unwrap().ends_with("/zones/europe-west1-b"));
    assert_eq!(gce.resources(), ["instance projects/bench-project/zones/europe-west1-b/instances/vm-1"]);

    let deleted = client.delete(&format!("{INSTANCES}/vm-1"));
    assert_eq!(client.get(&format!("{INSTANCES}/vm-1")).json["status"], "STOPPING");
    client.done(&deleted);
    let gone = client.get(&format!("{INSTANCES}/vm-1"));
    assert_eq!((gone.status, &gone.json["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
    assert_eq!(client.delete(&format!("{INSTANCES}/vm-1")).status, 404);
    assert!(gce.resources().is_empty());
}

#[test]
fn an_external_address_is_only_there_when_it_is_asked_for() {
    let (_gce, client) = fake();
    let mut body = body("vm-1");
    body["networkInterfaces"][0]["accessConfigs"] =
        json!([{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]);
    client.done(&client.post(INSTANCES, &body));
    let instance = client.get(&format!("{INSTANCES}/vm-1")).json;
    assert!(instance["networkInterfaces"][0]["accessConfigs"][0]["natIP"].is_string());
}

#[test]
fn what_is_there_already_is_refused() {
    let (_gce, client) = fake();
    client.done(&client.post(INSTANCES, &body("vm-1")));
    let again = client.post(INSTANCES, &body("vm-1"));
    assert_eq!((again.status, &again.json["error"]["errors"][0]["reason"]), (409, &json!("alreadyExists")));
}

#[test]
fn a_request_id_repeats_the_operation() {
    let (gce, client) = fake();
    let path = |id: &str| format!("{INSTANCES}?requestId={id}");
    let id = "5b3d4b9e-6f2c-4d6e-9d1b-8c7a6f5e4d3c";
    let first = client.post(&path(id), &body("vm-1"));
    let second = client.post(&path(id), &body("vm-1"));
    let other_body = client.post(&path(&id.to_uppercase()), &body("vm-2"));
    assert_eq!(first.json["name"], second.json["name"]);
    assert_eq!(first.json["name"], other_body.json["name"]);
    assert_eq!(gce.instances().len(), 1);
    // The same ID of another method is another request.
    let deleted = client.delete(&format!("{INSTANCES}/vm-1?requestId={id}"));
    assert_ne!(first.json["name"], deleted.json["name"]);
    assert_eq!(client.post(&path("00000000-0000-0000-0000-000000000000"), &body("vm-3")).status, 400);
    assert_eq!(client.post(&path("vm-3"), &body("vm-3")).status, 400);
}

#[test]
fn an_operation_that_fails_is_answered_with_200() {
    let (gce, client) = fake();
    let failure = errors::pool_exhausted(ZONE, "e2-small", Some("europe-west1-c"));
    let at = "*/zones/europe-west1-b/instances";
    gce.script(Rule::next("POST", at, Fault::FailOperation(failure)).of_name("vm-2"));
    client.done(&client.post(INSTANCES, &body("vm-1")));
    let operation = client.done(&client.post(INSTANCES, &body("vm-2")));
    assert_eq!(operation["httpErrorStatusCode"], 503);
    let error = &operation["error"]["errors"][0];
    assert_eq!(error["code"], "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS");
    assert_eq!(error["errorDetails"][2]["errorInfo"]["metadatas"]["zonesAvailable"], "europe-west1-c");
    assert_eq!(gce.instances().len(), 1);
}

#[test]
fn a_quota_ends_an_operation() {
    let (gce, client) = fake();
    gce.set_quota("europe-west1", "CPUS", 2.0);
    client.done(&client.post(INSTANCES, &body("vm-1")));
    let region = client.get("projects/bench-project/regions/europe-west1").json;
    let quota = region["quotas"].as_array().unwrap().iter().find(|quota| quota["metric"] == "CPUS").unwrap();
    assert_eq!((&quota["limit"], &quota["usage"]), (&json!(2.0), &json!(2.0)));
    let operation = client.done(&client.post(INSTANCES, &body("vm-2")));
    assert_eq!(operation["error"]["errors"][0]["code"], "QUOTA_EXCEEDED");
    assert_eq!(gce.instances().len(), 1);
}

#[test]
fn waiting_can_end_early_and_operations_can_take_steps() {
    let (gce, client) = fake();
    gce.set_pace(Pace::Looks(3));
    let operation = client.post(INSTANCES, &body("vm-1")).json;
    let path =
        format!("projects/bench-project/zones/{ZONE}/operations/{}", operation["name"].as_str().unwrap());
    assert_eq!(client.get(&path).json["status"], "RUNNING");
    assert_eq!(client.post(&format!("{path}/wait"), &Value::Null).json["status"], "RUNNING");
    assert_eq!(client.post(&format!("{path}/wait"), &Value::Null).json["status"], "DONE");

    gce.set_pace(Pace::Takes(Duration::from_secs(3600)));
    gce.set_wait_limit(Duration::from_millis(10));
    let deleted = client.delete(&format!("{INSTANCES}/vm-1")).json;
    let path =
        format!("projects/bench-project/zones/{ZONE}/operations/{}", deleted["name"].as_str().unwrap());
    assert_eq!(client.post(&format!("{path}/wait"), &Value::Null).json["status"], "RUNNING");
    gce.advance(Duration::from_secs(3600));
    assert_eq!(client.get(&path).json["status"], "DONE");
}

#[test]
fn an_instance_ends_when_its_time_is_over() {
    let (gce, client) = fake();
    client.done(&client.post(INSTANCES, &body("vm-1")));
    gce.advance(Duration::from_secs(3500));
    assert_eq!(gce.instance("vm-1").unwrap()["status"], "RUNNING");
    gce.advance(Duration::from_secs(101));
    assert!(wait_until(A_WHILE, || gce.resources().is_empty()));
}

#[test]
fn a_preempted_instance_goes_and_leaves_an_operation() {
    let (gce, client) = fake();
    client.done(&client.post(INSTANCES, &body("vm-1")));
    gce.preempt("vm-1");
    assert_eq!(gce.instance("vm-1").unwrap()["status"], "STOPPING");
    assert!(wait_until(A_WHILE, || gce.resources().is_empty()));
    let list = client.get(&format!(
        "projects/bench-project/zones/{ZONE}/operations?filter=operationType%3D%22compute.instances.preempted%22"
    ));
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_protected_instance_stays() {
    let (gce, client) = fake();
    let mut body = body("vm-1");
    body["deletionProtection"] = json!(true);
    client.done(&client.post(INSTANCES, &body));
    assert_eq!(client.delete(&format!("{INSTANCES}/vm-1")).status, 400);
    assert_eq!(gce.instances().len(), 1);
}

#[test]
fn lists_are_filtered_and_come_in_pages() {
    let (gce, client) = fake();
    gce.put_instance(ZONE, "foreign", &json!({"run": "other"}));
    for name in ["vm-1", "vm-2", "vm-3"] {
        client.done(&client.post(INSTANCES, &body(name)));
    }
    let list = |query: &str| client.get(&format!("{INSTANCES}?{query}")).json;
    assert_eq!(names(&list("filter=labels.run%3Da7")), ["vm-1", "vm-2", "vm-3"]);
    assert_eq!(names(&list("filter=(labels.run%3Da7)(name%3Dvm-2)")), ["vm-2"]);
    assert_eq!(names(&list("filter=labels.run%3Da7%20AND%20name!%3D%22vm-2%22")), ["vm-1", "vm-3"]);
    assert_eq!(names(&list("filter=labels.absent:*")), Vec::<&str>::new());
    assert_eq!(client.get(&format!("{INSTANCES}?filter=labels.run")).status, 400);

    gce.set_page_limit(1);
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&format!("filter=labels.run%3Da7&maxResults=500&pageToken={token}"));
        pages.push(names(&page).len());
        match page["nextPageToken"].as_str() {
            Some(next) => token = url::form_urlencoded::byte_serialize(next.as_bytes()).collect(),
            None => break,
        }
    }
    // The first page goes through what is foreign, and shows nothing.
    assert_eq!(pages, [0, 1, 1, 1]);

    let all = client.get("projects/bench-project/aggregated/instances?filter=labels.run%3Da7").json;
    assert!(all["nextPageToken"].is_string());
    gce.set_page_limit(500);
    let all = client.get("projects/bench-project/aggregated/instances").json;
    assert_eq!(all["items"]["zones/europe-west1-b"]["instances"].as_array().unwrap().len(), 4);
    assert_eq!(all["items"]["zones/us-west1-a"]["warning"]["code"], "NO_RESULTS_ON_PAGE");
}

#[test]
fn a_booted_instance_publishes_and_writes() {
    let boot = |fake: &Handle, instance: &InstanceView| {
        fake.set_guest_attribute(&instance.name, "bench", "certificate", &instance.network_ip);
        fake.append_serial(&instance.name, "first line\n");
    };
    let gce = FakeGce::start(Options { machines: Box::new(BootWith(boot)), ..Options::default() });
    let client = Client::of(&gce);
    let attributes =
        |path: &str| client.get(&format!("{INSTANCES}/vm-1/getGuestAttributes?queryPath={path}"));
    client.done(&client.post(INSTANCES, &body("vm-1")));
    assert!(wait_until(A_WHILE, || attributes("bench/").status == 200));
    let found = attributes("bench/certificate").json;
    assert_eq!(found["queryValue"]["items"][0]["namespace"], "bench");
    assert_eq!(attributes("bench/other").status, 404);
    let serial = |start: u64| client.get(&format!("{INSTANCES}/vm-1/serialPort?port=1&start={start}")).json;
    assert_eq!(serial(0)["contents"], "first line\n");
    assert_eq!((&serial(6)["contents"], &serial(6)["next"]), (&json!("line\n"), &json!("11")));
    for _ in 0..40 {
        gce.append_serial("vm-1", &"x".repeat(100_000));
    }
    let last = serial(0);
    assert_eq!((&last["start"], &last["next"]), (&json!("2951435"), &json!("4000011")));
    assert_eq!(last["contents"].as_str().unwrap().len(), 1024 * 1024);
}

#[test]
fn labels_are_set_by_who_has_seen_them() {
    let (_gce, client) = fake();
    client.done(&client.post(INSTANCES, &body("vm-1")));
    let fingerprint = client.get(&format!("{INSTANCES}/vm-1")).json["labelFingerprint"].clone();
    let path = format!("{INSTANCES}/vm-1/setLabels");
    let labels = json!({"run": "b8"});
    let set =
        |fingerprint: &Value| client.post(&path, &json!({"labels": labels, "labelFingerprint": fingerprint}));
    client.done(&set(&fingerprint));
    assert_eq!(client.get(&format!("{INSTANCES}/vm-1")).json["labels"], labels);
    assert_eq!(set(&fingerprint).status, 412);
}

#[test]
fn firewall_rules_are_made_changed_listed_and_deleted() {
    let (gce, client) = fake();
    gce.put_firewall("foreign", "by hand");
    let rule = json!({
        "name": "fw-1", "description": "bench a7", "network": "global/networks/default", "direction": "INGRESS",
        "allowed": [{"IPProtocol": "tcp", "ports": ["9000"]}], "sourceTags": ["load"], "targetTags": ["target"],
    });
    client.done(&client.post(FIREWALLS, &rule));
    assert_eq!(client.post(FIREWALLS, &rule).status, 409);
    let list = client.get(&format!("{FIREWALLS}?filter=description%3D%22bench%20a7%22")).json;
    assert_eq!(names(&list), ["fw-1"]);
    client.done(&client.call("PATCH", &format!("{FIREWALLS}/fw-1"), &json!({"sourceTags": ["other"]})));
    assert_eq!(client.get(&format!("{FIREWALLS}/fw-1")).json["sourceTags"], json!(["other"]));
    client.done(&client.delete(&format!("{FIREWALLS}/fw-1")));
    assert_eq!(gce.resources(), ["firewall projects/bench-project/global/firewalls/foreign"]);
}

#[test]
fn the_catalogue_knows_what_there_is() {
    let (gce, client) = fake();
    let good = [
        "projects/bench-project",
        "projects/bench-project/zones",
        "projects/bench-project/zones/europe-west1-c",
        "projects/bench-project/zones/europe-west1-c/machineTypes/e2-standard-4",
        "projects/bench-project/global/networks/default",
        "projects/debian-cloud/global/images/family/debian-12",
        "projects/debian-cloud/zones/-/imageFamilyViews/debian-12",
    ];
    for path in good {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let missing = [
        "projects/another-project",
        "projects/bench-project/zones/europe-west1-b/machineTypes/e2-huge",
        "projects/bench-project/global/networks/other",
        "projects/debian-cloud/global/images/family/debian-9",
    ];
    for path in missing {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    gce.remove_image_family("debian-12");
    let refused = client.post(INSTANCES, &body("vm-1"));
    assert_eq!(refused.status, 404);
    assert!(refused.json["error"]["message"].as_str().unwrap().contains("family/debian-12"));
}

#[test]
fn objects_are_kept_in_buckets() {
    let (gce, client) = fake();
    gce.put_bucket("somebody-else", "their-bucket");
    let insert = |name: &str| {
        client.post("/storage/v1/b?project=bench-project", &json!({"name": name, "location": "europe-west1"}))
    };
    let bucket = insert("bench-bucket").json;
    assert_eq!((&bucket["location"], &bucket["locationType"]), (&json!("EUROPE-WEST1"), &json!("region")));
    assert_eq!((insert("bench-bucket").status, insert("their-bucket").status), (409, 409));
    assert_eq!(client.get("/storage/v1/b/their-bucket").status, 403);
    assert_eq!(client.get("/storage/v1/b/no-bucket").status, 404);

    let upload = "/upload/storage/v1/b/bench-bucket/o?uploadType=media&name=a%2Fb&ifGenerationMatch=0";
    let stored = client.send("POST", upload, "application/octet-stream", b"123456789").unwrap().json;
    assert_eq!((&stored["size"], &stored["crc32c"]), (&json!("9"), &json!("4waSgw==")));
    assert_eq!(stored["md5Hash"], "JfnnlDI7RTiF9RgfG2JNCw==");
    assert_eq!(client.send("POST", upload, "application/octet-stream", b"x").unwrap().status, 412);
    assert_eq!(client.get("/storage/v1/b/bench-bucket/o/a%2Fb?alt=media").bytes, b"123456789");
    assert_eq!(names(&client.get("/storage/v1/b/bench-bucket/o?prefix=a/").json), ["a/b"]);
    assert_eq!(names(&client.get("/storage/v1/b?project=bench-project&prefix=be").json), ["bench-bucket"]);

    let iam = "/storage/v1/b/bench-bucket/iam";
    let mut policy = client.get(iam).json;
    let before = policy["etag"].clone();
    let reader = json!({"role": "roles/storage.objectViewer", "members": ["serviceAccount:a@b.example"]});
    policy["bindings"].as_array_mut().unwrap().push(reader.clone());
    assert_eq!(client.call("PUT", iam, &policy).status, 200);
    assert_eq!(client.call("PUT", iam, &policy).status, 412);
    assert_ne!(client.get(iam).json["etag"], before);
    let labels = json!({"labels": {"run": "a7"}});
    assert_eq!(client.call("PATCH", "/storage/v1/b/bench-bucket", &labels).json["labels"], labels["labels"]);

    gce.accept_token("ya29.of-a-vm", Access::ReadObjects);
    let vm = Client { token: "ya29.of-a-vm".to_owned(), ..Client::of(&gce) };
    assert_eq!(vm.get("/storage/v1/b/bench-bucket/o/a%2Fb?alt=media").status, 200);
    assert_eq!(vm.delete("/storage/v1/b/bench-bucket/o/a%2Fb").status, 403);

    assert_eq!(client.delete("/storage/v1/b/bench-bucket").status, 409);
    assert_eq!(client.delete("/storage/v1/b/bench-bucket/o/a%2Fb").status, 204);
    assert_eq!(client.delete("/storage/v1/b/bench-bucket").status, 204);
    assert_eq!(gce.resources(), ["bucket their-bucket"]);
}

#[test]
fn an_upload_may_come_in_chunks() {
    let (gce, client) = fake();
    gce.put_bucket("bench-project", "bench-bucket");
    let token = &client.token;
    let head = format!(
        "POST /upload/storage/v1/b/bench-bucket/o?uploadType=media&name=a HTTP/1.1\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut stream = TcpStream::connect(&client.address).unwrap();
    stream.write_all(format!("{head}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(gce.object("bench-bucket", "a").unwrap(), b"abc0123456789");
}
