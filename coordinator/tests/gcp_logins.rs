//! Who asks Google, and by which way the workers are reached: credentials, gcloud's login, gcloud's tunnels.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use support::cloud::{Cloud, user_of};
use support::gce::accounts::Account;
use support::process::Bench;
use support::results::Results;

/// Gives tokens, and opens tunnels to a VM's internal address, which it asks the API for, as gcloud does.
const GCLOUD: &str = r#"#!/usr/bin/env python3
import json, os, socket, sys, threading, urllib.request

def flag(name):
    return sys.argv[sys.argv.index(name) + 1]

if sys.argv[1:3] == ["auth", "print-access-token"]:
    if "TOKEN" not in os.environ:
        sys.exit("ERROR: (gcloud.auth.print-access-token) You do not currently have an active account selected.")
    print(os.environ["TOKEN"])
elif sys.argv[1:3] == ["compute", "start-iap-tunnel"]:
    # A firewall rule that was just made may not be in force yet.
    once = os.path.join(os.environ["HOME"], sys.argv[3] + ".failed")
    if not os.path.exists(once):
        open(once, "w").close()
        sys.exit("ERROR: (gcloud.compute.start-iap-tunnel) Error while connecting [4003: 'failed to connect to backend'].")
    path = "projects/%s/zones/%s/instances/%s" % (flag("--project"), flag("--zone"), sys.argv[3])
    request = urllib.request.Request(os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] + path)
    request.add_header("Authorization", "Bearer " + os.environ["TOKEN"])
    interface = json.load(urllib.request.urlopen(request))["networkInterfaces"][0]
    assert "accessConfigs" not in interface
    listener = socket.create_server(("127.0.0.1", 0))
    print("Picking local unused port [%d]." % listener.getsockname()[1], file=sys.stderr)
    print("Listening on port [%d]." % listener.getsockname()[1], file=sys.stderr, flush=True)

    def pump(source, sink):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    while True:
        near, _ = listener.accept()
        far = socket.create_connection((interface["networkIP"], int(sys.argv[4])))
        for pair in (near, far), (far, near):
            threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

/// Somebody without credentials of their own, who has this gcloud.
fn user_of_gcloud(cloud: &Cloud) -> Bench {
    let bench = user_of(&cloud.gce).variable("GOOGLE_APPLICATION_CREDENTIALS", "");
    let gcloud = bench.file("bin/gcloud", GCLOUD);
    std::fs::set_permissions(&gcloud, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", gcloud.parent().unwrap().display(), std::env::var("PATH").unwrap());
    bench.variable("PATH", &path)
}

#[test]
fn without_a_login_or_a_project_nothing_is_asked() {
    let cloud = Cloud::new();
    let nobody =
        user_of(&cloud.gce).variable("GOOGLE_APPLICATION_CREDENTIALS", "").variable("PATH", "/nowhere");
    let ended = nobody.run(&["status"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("gcloud auth login") && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
    let nowhere = user_of(&cloud.gce).variable("GCP_PROJECT_ID", "");
    for command in ["setup", "status", "cleanup"] {
        let ended = nowhere.run(&[command]);
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 1), "{}", ended.stderr);
        assert!(ended.stderr.contains("GCP_PROJECT_ID"), "{}", ended.stderr);
    }
    assert_eq!(cloud.gce.log().len(), 0);
}

#[test]
fn gclouds_login_serves_where_there_are_no_credentials() {
    let cloud = Cloud::new();
    let nobody = user_of_gcloud(&cloud);
    let ended = nobody.run(&["status"]);
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("active account") && ended.stderr.contains("gcloud auth login"),
        "{}",
        ended.stderr
    );
    let user = user_of_gcloud(&cloud).variable("TOKEN", cloud.gce.token());
    let ended = user.run(&["status"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(cloud.gce.log().iter().all(|call| call.path != "/token"));
}

#[test]
fn a_key_file_that_cannot_be_used_is_named_and_not_shown() {
    let cloud = Cloud::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    let bench = user_of(&cloud.gce);
    let account = serde_json::json!({
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": key,
        "client_email": "me@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": cloud.gce.token_url(),
    });
    let path = bench.file("account.json", &account.to_string());
    let ended = bench.variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()).run(&["status"]);
    // Google's accounts have RSA keys, and no other is taken.
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("GOOGLE_APPLICATION_CREDENTIALS") && !ended.stderr.contains("PRIVATE"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_service_accounts_key_file_serves_as_google_makes_it() {
    let cloud = Cloud::new();
    let bench = user_of(&cloud.gce);
    let (private_key, public_key) = rsa_key(&bench);
    let email = "loadtest@bench-project.iam.gserviceaccount.com";
    let account = serde_json::json!({
        "type": "service_account", "project_id": cloud.gce.project(), "private_key_id": "2d1f", "private_key": private_key,
        "client_email": email, "client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": cloud.gce.token_url(), "universe_domain": "googleapis.com",
    });
    let path = bench.file("account.json", &account.to_string());
    let bench = bench.variable("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    // Google knows nothing of it, or no more.
    let ended = bench.run(&["status"]);
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{}", ended.stderr);

    cloud.gce.accept_account(Account::new(email, "2d1f", &public_key));
    let url = cloud.upstream();
    let results = bench.folder().join("results");
    for command in [
        &["run", "--fleet", "gcp", "--workers", "2", "--target", &url, "--requests", "40"][..],
        &["status"],
        &["cleanup"],
    ] {
        let ended = bench.run(command);
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("PRIVATE"), "{}", ended.stderr);
    }
    assert!(results.is_dir() && cloud.gce.resources().is_empty());
}

/// As Google makes them: RSA with 2,048 bits. The private key in PKCS #8, the public one in PKCS #1.
fn rsa_key(bench: &Bench) -> (String, String) {
    let path = bench.folder().join("key");
    let keygen = |arguments: &[&str]| {
        let made = Command::new("ssh-keygen").args(arguments).arg("-f").arg(&path).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap()
    };
    keygen(&["-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""]);
    (std::fs::read_to_string(&path).unwrap(), keygen(&["-e", "-m", "PEM"]))
}

#[test]
fn workers_without_external_addresses_are_reached_by_tunnels() {
    let cloud = Cloud::new();
    let url = cloud.upstream();
    let user = user_of_gcloud(&cloud).variable("TOKEN", cloud.gce.token());
    let flags =
        ["run", "--fleet", "gcp", "--reach", "iap", "--workers", "2", "--target", &url, "--requests", "40"];
    let running = user.start(&flags);
    running.wait_for("VMs are ready", std::time::Duration::from_secs(30));
    let children = running.descendants();
    let ended = running.wait(support::process::BOUND);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(Results::of(&user).count(0, "successes"), 40);
    assert_eq!(support::process::orphans(&children, std::time::Duration::from_secs(5)), []);
    let rules = cloud.gce.firewalls();
    assert_eq!(rules[0]["sourceRanges"], serde_json::json!(["35.235.240.0/20"]), "{rules:?}");

    // A coordinator that is killed leaves no tunnel open.
    let running = user.start(&[&flags[..7], &["--target", &url, "--duration", "60s"]].concat());
    running.wait_for("VMs are ready", std::time::Duration::from_secs(30));
    let children = running.descendants();
    assert!(children.len() >= 4, "{children:?}");
    running.kill();
    drop(running);
    assert_eq!(support::process::orphans(&children, std::time::Duration::from_secs(10)), []);
    assert_eq!(user.run(&["cleanup"]).code, Some(0));
}
