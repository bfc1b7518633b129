//! How a target is reached, what it is shown, and the flags that exclude each other there.

use std::os::unix::fs::PermissionsExt;

use proto::route::Route;
use proto::target::Target;
use rcgen::{CertificateParams, KeyPair};

use crate::config::TargetChoice;
use crate::config::tests::{configure, refused, run};

fn target(flags: &[&str]) -> Target {
    match run(flags).target {
        TargetChoice::Url(target) => target,
        TargetChoice::BuiltInMock => panic!("the mock"),
    }
}

#[test]
fn a_socket_is_a_target_whose_host_is_localhost() {
    for text in ["unix:/run/gateway.sock", "unix:///run/gateway.sock"] {
        let target = target(&["--target", text]);
        assert_eq!(target.route, Route::UnixSocket("/run/gateway.sock".into()));
        assert_eq!((target.authority().as_str(), target.is_tls()), ("localhost", false));
        assert_eq!(target.shown(), "unix:/run/gateway.sock");
    }
    assert_eq!(
        refused(&["--target", "unix:gateway.sock"]),
        "--target is `unix:gateway.sock`, whose path is no absolute path of a socket; write it like \
         unix:/run/gateway.sock"
    );
    let long = format!("unix:/{}", "a".repeat(107));
    assert!(refused(&["--target", &long]).contains("is longer than the 107 bytes"));
}

#[test]
fn another_host_and_port_leave_the_url_as_it_is() {
    let target = target(&["--target", "http://gateway.example:8080", "--connect-to", "[::1]:9000"]);
    assert_eq!(target.route, Route::ConnectTo { host: "::1".into(), port: 9000 });
    assert_eq!(target.authority(), "gateway.example:8080");
    assert!(
        refused(&["--target", "http://gateway.example", "--connect-to", "api.openai.com:443"])
            .starts_with("--connect-to names api.openai.com, which belongs to a model provider")
    );
}

#[test]
fn local_addresses_come_from_flags_and_from_the_variable() {
    let addresses =
        |target: &Target| target.local_addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    let by_flag =
        target(&["--target", "http://h", "--local-address", "127.0.0.2", "--local-address", "[::1]"]);
    assert_eq!(addresses(&by_flag), ["127.0.0.2", "::1"]);
    let variable = [("ARCHESTRA_BENCH_LOCAL_ADDRESSES", "127.0.0.2,127.0.0.3")];
    let config = configure(&["--target", "http://h"], &variable, ["", ""]).unwrap();
    let TargetChoice::Url(by_variable) = config.target else { panic!("the mock") };
    assert_eq!(addresses(&by_variable), ["127.0.0.2", "127.0.0.3"]);
    // It may be set for another run.
    assert!(configure(&[], &variable, ["", ""]).is_ok());
}

#[test]
fn each_contradiction_is_one_sentence() {
    let socket = ["--target", "unix:/run/gateway.sock"];
    for (flags, sentence) in [
        (
            &[&socket[..], &["--connect-to", "h:1"]].concat(),
            "--connect-to is about addresses, and a unix: target has none; leave one of them out",
        ),
        (
            &[&socket[..], &["--local-address", "127.0.0.2"]].concat(),
            "--local-address is about addresses, and a unix: target has none; leave one of them out",
        ),
        (
            &[&socket[..], &["--tls-server-name", "a"]].concat(),
            "--tls-server-name is for https targets only; leave it out, or give an https --target",
        ),
        (
            &["--target", "http://h", "--tls-session-resumption"].to_vec(),
            "--tls-session-resumption is for https targets only; leave it out, or give an https --target",
        ),
        (
            &["--connect-to", "h:1"].to_vec(),
            "--connect-to is about a target of your own, and the built-in mock is none; give --target, or leave it out",
        ),
        (
            &["--target", "https://h", "--tls-server-name", "a b"].to_vec(),
            "--tls-server-name is `a b`, which can be no server's name; write it like gateway.example",
        ),
    ] {
        assert_eq!(refused(flags), sentence);
    }
}

#[test]
fn a_certificate_and_its_key_are_checked_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let certificate = file("client.pem", &certificate.pem(), 0o644);
    let private = file("client.key", &key.serialize_pem(), 0o600);
    let exposed = file("exposed.key", &key.serialize_pem(), 0o640);
    let strange = file("strange.key", &KeyPair::generate().unwrap().serialize_pem(), 0o600);
    let nothing = file("nothing.pem", "nothing", 0o600);
    let https = ["--target", "https://gateway.example"];
    let with = |certificate: &str, key: &str| {
        let identity = ["--tls-client-certificate", certificate, "--tls-client-key", key];
        refused(&[&https[..], &identity].concat())
    };

    let identity = ["--tls-client-certificate", &certificate, "--tls-client-key", &private];
    let config = run(&[&https[..], &identity].concat());
    let TargetChoice::Url(target) = &config.target else { panic!("the mock") };
    assert_eq!(target.client_identity.as_ref().unwrap().key_pem, key.serialize_pem());
    let secret = key.serialize_pem().lines().nth(1).unwrap().to_owned();
    assert!(!format!("{config:?}").contains(&secret));

    assert_eq!(
        with(&certificate, &exposed),
        format!(
            "{exposed}, named by --tls-client-key, can be read by others; take that from them: chmod 600 {exposed}"
        )
    );
    assert!(with(&certificate, &strange).ends_with("give two files that belong together"));
    assert!(with(&certificate, &nothing).contains("holds no private key"));
    assert!(with(&nothing, &private).contains("holds no certificate"));
    let half = refused(&[&https[..], &["--tls-client-key", &private]].concat());
    assert!(half.starts_with("--tls-client-key needs --tls-client-certificate beside it"), "{half}");

    let worker = ["--fleet", "addresses", "--worker-address", "127.0.0.1:7700", "--plaintext"];
    let unprotected = refused(&[&https[..], &identity, &worker].concat());
    assert!(
        unprotected
            .starts_with("--plaintext would send the key of --tls-client-key to the workers unprotected")
    );
}
