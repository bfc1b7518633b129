use std::path::Path;

use super::*;
use crate::cli::OnPartial;
use crate::config::gcp::Source;

fn config() -> GcpConfig {
    let url = |text: &str| text.parse().unwrap();
    GcpConfig {
        project: "p".into(),
        zones: vec!["europe-west1-b".into()],
        machine_type: "e2-standard-4".into(),
        image: "projects/debian-cloud/global/images/family/debian-12".into(),
        network: "default".into(),
        subnet: None,
        spot: false,
        max_run_duration: std::time::Duration::from_secs(3600),
        source: Source::Ranges(Vec::new()),
        reach: Reach::External,
        service_account: None,
        labels: BTreeMap::new(),
        binary: BinarySource::Bucket(None),
        boot_timeout: std::time::Duration::from_secs(300),
        keep: false,
        yes: false,
        on_partial: OnPartial::Fail,
        fleet_name: "default".into(),
        owner: "tester".into(),
        state_dir: Path::new("/nowhere").into(),
        compute_endpoint: url("https://compute.example/"),
        storage_endpoint: url("https://storage.example/"),
    }
}

fn body_of(config: &GcpConfig, account: Option<&str>) -> Value {
    let machine = Machine {
        name: "loadtest-vm-1",
        role: Role::Load,
        run: "run",
        disk_gb: 10,
        script: "#!/bin/bash",
        more: Vec::new(),
    };
    let delivery =
        Delivery { url: "https://x/w".into(), sha256: "abc".into(), account: account.map(str::to_owned) };
    instance(config, &Names::of("default"), "europe-west1-b", &machine, "CA", &delivery)
}

#[test]
fn a_disk_is_of_a_kind_that_the_machine_can_boot_from() {
    for (kind, types) in [
        (
            "pd-standard",
            &[
                "e2-standard-4",
                "n1-standard-1",
                "n2d-highcpu-8",
                "t2a-standard-4",
                "c2-standard-4",
                "custom-4-8192",
            ][..],
        ),
        (
            "pd-balanced",
            &["c3-standard-4", "c3d-standard-8", "h3-standard-88", "m3-ultramem-32", "g2-standard-4"],
        ),
        (
            "hyperdisk-balanced",
            &["c4-standard-4", "c4a-standard-4", "c4d-standard-8", "n4-standard-2", "n4a-standard-4"],
        ),
    ] {
        for machine_type in types {
            let body = body_of(&GcpConfig { machine_type: (*machine_type).into(), ..config() }, None);
            let wanted = format!("projects/p/zones/europe-west1-b/diskTypes/{kind}");
            assert_eq!(body["disks"][0]["initializeParams"]["diskType"], wanted, "{machine_type}");
        }
    }
}

#[test]
fn a_machine_has_what_was_asked_for_and_no_more() {
    let body = body_of(&config(), None);
    assert_eq!(body["serviceAccounts"], Value::Null);
    assert_eq!(body["scheduling"]["maxRunDuration"]["seconds"], "3600");
    assert_eq!(body["scheduling"]["instanceTerminationAction"], "DELETE");
    assert_eq!(body["scheduling"]["provisioningModel"], Value::Null);
    let interface = &body["networkInterfaces"][0];
    assert_eq!(interface["network"], "projects/p/global/networks/default");
    assert_eq!((&interface["subnetwork"], interface["accessConfigs"].is_array()), (&Value::Null, true));

    let other = GcpConfig {
        network: "projects/host/global/networks/shared".into(),
        subnet: Some("benchmarks".into()),
        spot: true,
        reach: Reach::Iap,
        labels: [("team".to_owned(), "blue".to_owned()), (OWNER_LABEL.to_owned(), "nobody".to_owned())]
            .into(),
        ..config()
    };
    let body = body_of(&other, Some("reader@p"));
    assert_eq!(
        body["serviceAccounts"],
        json!([{ "email": "reader@p", "scopes": ["https://www.googleapis.com/auth/devstorage.read_only"] }])
    );
    assert_eq!((&body["labels"]["team"], &body["labels"][OWNER_LABEL]), (&json!("blue"), &json!("tester")));
    let scheduling = &body["scheduling"];
    assert_eq!(
        (&scheduling["provisioningModel"], &scheduling["preemptible"], &scheduling["onHostMaintenance"]),
        (&json!("SPOT"), &json!(true), &json!("TERMINATE"))
    );
    let interface = &body["networkInterfaces"][0];
    assert_eq!(interface["network"], "projects/host/global/networks/shared");
    assert_eq!(interface["subnetwork"], "projects/p/regions/europe-west1/subnetworks/benchmarks");
    assert_eq!(interface["accessConfigs"], Value::Null, "an external address that nobody asked for");
}

#[test]
fn port_22_is_opened_only_where_the_binary_is_carried() {
    assert_eq!(workers_ports(&config()), ["7000"]);
    let carried = GcpConfig { binary: BinarySource::Ssh(None), ..config() };
    assert_eq!(workers_ports(&carried), ["7000", "22"]);
}
