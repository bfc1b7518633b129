use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use jiff::ZonedDateTime;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

fn now() -> ZonedDateTime {
    crate::clock::local_now()
}

fn fleet() -> FleetName {
    FleetName::new("blue").unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_coordinator_and_a_worker_of_one_authority_trust_each_other() {
    let authority = Authority::ephemeral(&now()).unwrap();
    let (coordinator, worker) = both(&authority);
    assert_eq!(shake_hands(&coordinator, &worker, WORKER_NAME), Ok(()));
}

#[test]
fn nobody_else_may_command_a_worker() {
    let (ours, theirs) = (Authority::ephemeral(&now()).unwrap(), Authority::ephemeral(&now()).unwrap());
    let (coordinator, worker) = both(&ours);
    let stranger = Leaf {
        authority_pem: coordinator.authority_pem.clone(),
        ..theirs.issue(Role::Coordinator, &now()).unwrap()
    };
    assert!(shake_hands(&stranger, &worker, WORKER_NAME).is_err(), "another authority's coordinator");
    assert!(shake_hands(&worker, &worker, WORKER_NAME).is_err(), "a worker");
    assert!(
        shake_hands(&coordinator, &coordinator, COORDINATOR_NAME).is_err(),
        "a coordinator posing as a worker"
    );
    assert!(shake_hands(&coordinator, &worker, "elsewhere.example").is_err(), "another name");

    let impostor =
        Leaf { authority_pem: worker.authority_pem.clone(), ..theirs.issue(Role::Worker, &now()).unwrap() };
    assert!(shake_hands(&coordinator, &impostor, WORKER_NAME).is_err(), "another authority's worker");
}

#[test]
fn certificates_hold_from_yesterday_and_not_for_ever() {
    let long_ago = now().saturating_sub(jiff::Span::new().days(30));
    let tomorrow = now().saturating_add(jiff::Span::new().hours(23));
    let next_week = now().saturating_add(jiff::Span::new().days(7));
    for (made, holds) in [(long_ago, false), (tomorrow, true), (next_week, false)] {
        let authority = Authority::ephemeral(&made).unwrap();
        let coordinator = authority.issue(Role::Coordinator, &made).unwrap();
        let worker = authority.issue(Role::Worker, &made).unwrap();
        assert_eq!(shake_hands(&coordinator, &worker, WORKER_NAME).is_ok(), holds, "made on {made}");
    }
}

#[test]
fn an_authority_is_kept_privately_and_found_again() {
    let state = tempfile::tempdir().unwrap();
    let made = Authority::load_or_create(state.path(), &fleet(), &now()).unwrap();
    let again = Authority::load_or_create(state.path(), &fleet(), &now()).unwrap();
    let loaded = Authority::load(state.path(), &fleet()).unwrap();
    assert_eq!(made.certificate_pem(), again.certificate_pem());

    let coordinator = loaded.issue(Role::Coordinator, &now()).unwrap();
    assert_eq!(shake_hands(&coordinator, &made.issue(Role::Worker, &now()).unwrap(), WORKER_NAME), Ok(()));

    let folder = state.path().join("fleets/blue");
    assert_eq!((mode(&folder), mode(&state.path().join("fleets"))), (0o700, 0o700));
    assert_eq!((mode(&folder.join("ca.key")), mode(&folder.join("ca.pem"))), (0o600, 0o600));
    assert_eq!(fs::read_dir(state.path().join("fleets")).unwrap().count(), 1, "no temporary folder stays");
}

#[test]
fn many_who_make_an_authority_at_once_get_the_same() {
    let state = tempfile::tempdir().unwrap();
    let make =
        || Authority::load_or_create(state.path(), &fleet(), &now()).unwrap().certificate_pem().to_owned();
    let certificates: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(certificates.iter().all(|certificate| *certificate == certificates[0]));
    assert_eq!(fs::read_dir(state.path().join("fleets")).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_used_is_told_with_the_cure() {
    let state = tempfile::tempdir().unwrap();
    let load = || {
        let error = Authority::load(state.path(), &fleet()).unwrap_err().to_string();
        error.replace(state.path().to_str().unwrap(), "STATE")
    };
    assert_eq!(
        load(),
        "there is no certificate authority for the fleet `blue` in STATE/fleets; make one with `archestra-bench pki \
         --fleet-name blue`, or name another with --fleet-name or --state-dir"
    );

    Authority::load_or_create(state.path(), &fleet(), &now()).unwrap();
    let key = state.path().join("fleets/blue/ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        load(),
        "STATE/fleets/blue/ca.key can be read by other users; run `chmod 600` on it, or remove its folder to make a new \
         authority"
    );

    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let other = Authority::ephemeral(&now()).unwrap().issue(Role::Worker, &now()).unwrap();
    fs::write(&key, other.key_pem).unwrap();
    assert_eq!(
        load(),
        "STATE/fleets/blue holds no usable certificate authority; remove it and run `archestra-bench pki` again"
    );

    let blocked = state.path().join("file");
    fs::write(&blocked, "").unwrap();
    let error = Authority::load_or_create(&blocked, &fleet(), &now()).unwrap_err();
    assert!(error.to_string().ends_with("(choose a folder that this user may write to)"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn pki_writes_a_private_bundle_and_replaces_none_unasked() {
    let (state, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = out.path().join("new");
    let make = |force| make_worker_bundle(state.path(), &fleet(), &out, force, &now());

    let path = make(false).unwrap();
    let first = fs::read_to_string(&path).unwrap();
    let blocks: Vec<_> = first.lines().filter(|line| line.starts_with("-----BEGIN")).collect();
    assert_eq!(
        blocks,
        ["-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"]
    );
    assert_eq!(mode(&path), 0o600);

    let refused = make(false).unwrap_err().to_string();
    assert!(refused.ends_with(
        "is already there, and a worker may be using it; give --force to replace it, or another --out"
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), first);

    make(true).unwrap();
    assert_ne!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!((mode(&path), fs::read_dir(&out).unwrap().count()), (0o600, 1));

    let mut said = Vec::new();
    describe_worker_bundle(&path, &fleet(), " --state-dir mine", &mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.lines().count(), 3);
    assert!(
        said.contains("--credentials worker.pem")
            && said.contains("--fleet-name blue --state-dir mine --worker-address"),
        "{said}"
    );
}

#[test]
fn a_bundle_put_without_replacing_leaves_what_is_there() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("worker.pem");
    assert!(private_files::put_file(&path, "first", false).unwrap());
    assert!(!private_files::put_file(&path, "second", false).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn keys_are_not_shown() {
    let authority = Authority::ephemeral(&now()).unwrap();
    let leaf = authority.issue(Role::Worker, &now()).unwrap();
    assert!(!format!("{authority:?} {leaf:?}").contains("PRIVATE"));
}

#[test]
fn names_of_fleets_stay_within_their_folder() {
    assert!(FleetName::new("eu-west_1").is_ok());
    for bad in ["", ".", "..", "a/b", "a b", "ü", &"x".repeat(65)] {
        assert!(FleetName::new(bad).unwrap_err().starts_with("must be 1 to 64 letters"), "{bad}");
    }
}

#[test]
fn certificates_are_recognised() {
    let leaf = Authority::ephemeral(&now()).unwrap().issue(Role::Worker, &now()).unwrap();
    assert!(holds_certificates(&leaf.bundle()));
    assert!(!holds_certificates(&leaf.key_pem));
    assert!(!holds_certificates(""));
    assert!(!holds_certificates(&leaf.certificate_pem.replace("-----END", "")));
}

fn both(authority: &Authority) -> (Leaf, Leaf) {
    let issue = |role| authority.issue(role, &now()).unwrap();
    (issue(Role::Coordinator), issue(Role::Worker))
}

/// A whole TLS handshake in memory, with certificates asked of both sides.
fn shake_hands(client: &Leaf, server: &Leaf, server_name: &'static str) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = |leaf: &Leaf| vec![CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes()).unwrap()];
    let key = |leaf: &Leaf| PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
    let roots = |leaf: &Leaf| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(leaf.authority_pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    };

    let clients =
        WebPkiClientVerifier::builder_with_provider(roots(server), provider.clone()).build().unwrap();
    let servers =
        WebPkiServerVerifier::builder_with_provider(roots(client), provider.clone()).build().unwrap();
    let server_config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain(server), key(server))
        .unwrap();
    let client_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_webpki_verifier(servers)
        .with_client_auth_cert(chain(client), key(client))
        .unwrap();

    let mut client =
        ClientConnection::new(Arc::new(client_config), ServerName::try_from(server_name).unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server_config)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| error.to_string())?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| error.to_string())?;
    }
    Ok(())
}
