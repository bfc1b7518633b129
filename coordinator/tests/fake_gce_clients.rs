//! The fake of Compute Engine and Cloud Storage, held against real clients: what was recorded of them, and where it is
//! installed `gcloud` itself.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::gce::client::Client;
use support::gce::{FakeGce, Options};
use support::process::{Bench, Finished};

const A_WHILE: Duration = Duration::from_secs(10);
const ZONE: &str = "europe-west1-b";

/// What gcloud sent another fake once, in order, and what it was content with.
#[test]
fn recorded_calls_get_answers_of_the_recorded_shape() {
    let gce = FakeGce::start(Options { project: "lt-proj".to_owned(), ..Options::default() });
    let client = Client::of(&gce);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gce/gcloud");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut operation = Value::Null;
    for file in &files {
        let recorded: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let request = &recorded["request"];
        let mut path = request["path"].as_str().unwrap().to_owned();
        if path.contains("/operations/") {
            let name = operation["name"].as_str().unwrap();
            path = format!("/compute/v1/projects/lt-proj/zones/{ZONE}/operations/{name}/wait");
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, values) in request["query"].as_object().unwrap() {
            query.append_pair(name, values[0].as_str().unwrap());
        }
        let answer = client.call(
            request["method"].as_str().unwrap(),
            &format!("{path}?{}", query.finish()),
            &request["body"],
        );
        assert_eq!(recorded["response"]["status"], answer.status, "{}: {}", file.display(), answer.json);
        let mut differences = Vec::new();
        compare(&recorded["response"]["body"], &answer.json, "", &mut differences);
        assert!(differences.is_empty(), "{}: {differences:?}", file.display());
        if answer.json["kind"] == "compute#operation" {
            operation = client.done(&answer);
        }
    }
    assert_eq!(files.len(), 12);
}

/// Google says more of these than the other fake did.
const MORE: [&str; 4] = ["priority", "disabled", "logConfig", "zones/"];

fn compare(recorded: &Value, answer: &Value, at: &str, differences: &mut Vec<String>) {
    match (recorded, answer) {
        (Value::Object(recorded), Value::Object(answer)) => {
            for (name, value) in recorded {
                let at = format!("{at}.{name}");
                match answer.get(name) {
                    Some(answer) => compare(value, answer, &at, differences),
                    None => differences.push(format!("{at} is missing")),
                }
            }
            let mut more = answer.keys().filter(|name| !recorded.contains_key(*name));
            if let Some(name) = more.find(|name| !MORE.iter().any(|more| name.starts_with(more))) {
                differences.push(format!("{at}.{name} is too much"));
            }
        }
        (Value::Array(recorded), Value::Array(answer)) if recorded.len() == answer.len() => {
            for (number, (recorded, answer)) in recorded.iter().zip(answer).enumerate() {
                compare(recorded, answer, &format!("{at}[{number}]"), differences);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => differences.push(format!("{at} is {answer} in place of {recorded}")),
    }
}

/// `gcloud` in a folder of its own, which knows nothing but the fake.
struct Gcloud {
    bench: Bench,
}

impl Gcloud {
    /// `None`, with a note, where gcloud is not installed.
    fn of(gce: &FakeGce) -> Option<Self> {
        let bench = Bench::new();
        let found = bench.start_program("sh", &["-c", "command -v gcloud"]).wait(A_WHILE);
        if found.code != Some(0) {
            // Past the test runner, which keeps to itself what a test that passes prints.
            let note = b"skipped: gcloud is not installed, and the fake is not tried with it\n";
            std::io::stderr().write_all(note).unwrap();
            return None;
        }
        let token = bench.file("token", gce.token()).display().to_string();
        let settings = bench.folder().join("gcloud").display().to_string();
        let storage = gce.storage_url();
        let bench = bench
            .variable("CLOUDSDK_CONFIG", &settings)
            .variable("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &token)
            .variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", &gce.compute_url())
            .variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", &storage)
            .variable("CLOUDSDK_CORE_PROJECT", gce.project())
            .variable("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
            .variable("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true")
            .variable("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true");
        Some(Self { bench })
    }

    /// Runs it to its end, which must be a good one.
    fn run(&self, arguments: &[&str]) -> Finished {
        let finished = self.bench.start_program("gcloud", arguments).wait(Duration::from_secs(120));
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}{}", finished.stdout, finished.stderr);
        finished
    }
}

#[test]
fn gcloud_takes_it_for_google() {
    let gce = FakeGce::start(Options::default());
    let Some(gcloud) = Gcloud::of(&gce) else { return };
    let create = [
        "compute",
        "instances",
        "create",
        "vm-1",
        "--zone",
        ZONE,
        "--machine-type",
        "e2-small",
        "--image-family",
        "debian-12",
        "--image-project",
        "debian-cloud",
        "--labels",
        "run=a7",
        "--tags",
        "load",
        "--no-service-account",
        "--no-scopes",
        "--provisioning-model",
        "SPOT",
        "--instance-termination-action",
        "DELETE",
    ];
    gcloud.run(&create);
    let list =
        gcloud.run(&["compute", "instances", "list", "--filter", "labels.run=a7", "--format", "value(name)"]);
    assert_eq!(list.stdout.trim(), "vm-1");
    let describe =
        gcloud.run(&["compute", "instances", "describe", "vm-1", "--zone", ZONE, "--format", "json"]);
    let described: Value = serde_json::from_str(&describe.stdout).unwrap();
    assert_eq!(described["scheduling"]["provisioningModel"], "SPOT");
    gcloud.run(&["compute", "instances", "delete", "vm-1", "--zone", ZONE]);

    let rule =
        ["compute", "firewall-rules", "create", "fw-1", "--allow", "tcp:9000", "--source-tags", "load"];
    gcloud.run(&rule);
    let list = gcloud.run(&["compute", "firewall-rules", "list", "--format", "value(name)"]);
    assert_eq!(list.stdout.trim(), "fw-1");
    gcloud.run(&["compute", "firewall-rules", "delete", "fw-1"]);
    assert!(gce.resources().is_empty());
}

#[test]
fn gcloud_takes_it_for_cloud_storage() {
    let gce = FakeGce::start(Options::default());
    let Some(gcloud) = Gcloud::of(&gce) else { return };
    gcloud.run(&["storage", "buckets", "create", "gs://bench-bucket", "--location", "europe-west1"]);
    let file = gcloud.bench.file("binary", "what a worker is made of").display().to_string();
    gcloud.run(&["storage", "cp", &file, "gs://bench-bucket/a/binary"]);
    assert_eq!(gce.object("bench-bucket", "a/binary").unwrap(), b"what a worker is made of");
    let read = gcloud.run(&["storage", "cat", "gs://bench-bucket/a/binary"]);
    assert_eq!(read.stdout, "what a worker is made of");
    gcloud.run(&["storage", "rm", "--recursive", "gs://bench-bucket"]);
    assert!(gce.resources().is_empty());
}
