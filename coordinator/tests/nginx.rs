//! nginx as a target that nobody here wrote: it serves what the run says it sent, and its access log agrees to the request.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::clock::wait_until;
use support::process::{Bench, Finished, Running};
use support::results::Results;

const A_WHILE: Duration = Duration::from_secs(20);
/// 200,000 requests of a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(400);

const SCENARIO: &str = r#"
    method = "POST"
    path = "/static.json"
    body = { question = "Are you there?" }
    [expect]
    status = 200
    equals = { "/answer" = "yes" }
"#;

/// nginx in the folder of its bench.
struct Nginx {
    bench: Bench,
    /// Ends it with the test.
    _process: Running,
    http_port: u16,
    https_port: u16,
    http2_port: u16,
    /// Where clients must show a certificate.
    strict_port: u16,
}

impl Nginx {
    /// `None`, with a note, where nginx is not installed.
    fn start() -> Option<Self> {
        let bench = Bench::new();
        // Debian keeps it where only root looks for programs.
        let find = "PATH=$PATH:/usr/sbin:/sbin; command -v nginx";
        let program = bench.start_program("sh", &["-c", find]).wait(A_WHILE).stdout.trim().to_owned();
        if program.is_empty() {
            // Past the test runner, which keeps to itself what a test that passes prints.
            let note = b"skipped: nginx is not installed (apt-get install nginx-light)\n";
            std::io::stderr().write_all(note).unwrap();
            return None;
        }

        let [http_port, https_port, http2_port, strict_port] = [(); 4].map(|()| free_port());
        write_certificates(&bench);
        bench.file("scenario.toml", SCENARIO);
        bench.file(
            "nginx.conf",
            &configuration(
                [http_port, https_port, http2_port, strict_port],
                &bench.folder().display().to_string(),
            ),
        );
        let prefix = format!("{}/", bench.folder().display());
        let process = bench.start_program(&program, &["-p", &prefix, "-e", "error.log", "-c", "nginx.conf"]);
        let serves = || {
            [http_port, https_port, http2_port]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        };
        assert!(wait_until(A_WHILE, serves), "nginx does not serve: {}", process.stderr());
        Some(Self { bench, _process: process, http_port, https_port, http2_port, strict_port })
    }

    /// Runs the scenario against it to the end.
    fn load(&self, scheme: &str, flags: &[&str]) -> Finished {
        let port = if scheme == "https" { self.https_port } else { self.http_port };
        let url = format!("{scheme}://127.0.0.1:{port}");
        let arguments = ["run", "--scenario", "scenario.toml", "--quiet", "--target", &url];
        self.bench.start(&[&arguments[..], flags].concat()).wait(LONG)
    }

    /// How often each kind of line stands in the access log once there are `lines` in all.
    fn logged(&self, lines: usize) -> BTreeMap<String, usize> {
        let log = || fs::read_to_string(self.bench.folder().join("access.log")).unwrap();
        wait_until(A_WHILE, || log().lines().count() >= lines);
        let mut counts = BTreeMap::new();
        for line in log().lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    }
}

/// A single process: a master would replace a worker that is killed before it. The access log's lines are a status, a
/// purpose and a scheme.
fn configuration([http_port, https_port, http2_port, strict_port]: [u16; 4], folder: &str) -> String {
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    map $http_user_agent $purpose {{
        default other;
        "~^archestra-bench/[0-9.]+ \((?<named>.*)\)$" $named;
    }}
    log_format purposes '$status $purpose $scheme';
    log_format protocols '$server_protocol $status $purpose';
    log_format reached '$status $purpose $host $ssl_client_verify $ssl_server_name $ssl_session_reused';
    access_log access.log purposes;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{http_port};
        listen 127.0.0.1:{https_port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        location = /static.json {{
            default_type application/json;
            return 200 '{{"answer":"yes"}}';
        }}
    }}
    server {{
        listen 127.0.0.1:{http2_port} ssl http2;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        keepalive_requests 1000000;
        access_log http2.log protocols;
        location = /static.json {{
            default_type application/json;
            return 200 '{{"answer":"yes"}}';
        }}
    }}
    server {{
        listen unix:{folder}/nginx.sock;
        listen 127.0.0.1:{strict_port} ssl;
        server_name gateway.example localhost;
        access_log access.log reached;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        ssl_protocols TLSv1.2;
        ssl_verify_client optional;
        ssl_client_certificate authority.pem;
        ssl_session_cache shared:sessions:1m;
        location = /static.json {{
            default_type application/json;
            if ($ssl_client_verify = NONE) {{ return 403; }}
            return 200 '{{"answer":"yes"}}';
        }}
    }}
}}
"#
    )
}

/// An authority, and what it signed: a server's certificate for 127.0.0.1 and gateway.example, and a client's.
fn write_certificates(bench: &Bench) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    bench.file("authority.pem", &authority.self_signed(&authority_key).unwrap().pem());

    let issuer = Issuer::new(authority, authority_key);
    for (who, names) in
        [("server", vec!["127.0.0.1".to_owned(), "gateway.example".to_owned()]), ("client", vec![])]
    {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        // One that has the authority's own name is taken for self-signed.
        params.distinguished_name.push(DnType::CommonName, who);
        let signed = params.signed_by(&key, &issuer).unwrap();
        bench.file(&format!("{who}.pem"), &signed.pem());
        let path = bench.file(&format!("{who}.key"), &key.serialize_pem());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Nobody listens on it now, and the system hands it out to nobody else for a while.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn two_hundred_thousand_requests_are_as_many_lines_in_the_log_of_nginx() {
    let Some(nginx) = Nginx::start() else { return };
    let finished = nginx.load("http", &["--requests", "200000", "--concurrency", "64", "--warmup", "640"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&nginx.bench);
    let counts = ["offered", "started", "successes"].map(|name| results.count(0, name));
    assert_eq!(counts, [200_000; 3]);
    assert_eq!(results.block(0)["figures"]["failed"], 0);
    let expected = [("200 load http", 200_000), ("200 preflight http", 2), ("200 warm-up http", 640)];
    assert_eq!(nginx.logged(200_642), expected.map(|(line, count)| (line.to_owned(), count)).into());
    results.assert_verified(&nginx.bench);
}

#[test]
fn http_2_is_what_nginx_says_it_was_asked_in() {
    let Some(nginx) = Nginx::start() else { return };
    let url = format!("https://127.0.0.1:{}", nginx.http2_port);
    let flags = [
        "--http-version",
        "auto",
        "--streams",
        "25",
        "--concurrency",
        "100",
        "--warmup",
        "200",
        "--workers",
        "2",
    ];
    let target = ["--scenario", "scenario.toml", "--quiet", "--target", &url, "--target-ca", "authority.pem"];
    let arguments = [&["run", "--requests", "20000"], &target[..], &flags].concat();
    let finished = nginx.bench.start(&arguments).wait(LONG);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&nginx.bench);
    assert!(results.summary.contains("2 (auto asked for), at most 25 streams"), "{}", results.summary);
    assert_eq!((results.count(0, "successes"), &results.block(0)["figures"]["failed"]), (20_000, &0.into()));
    let log = || fs::read_to_string(nginx.bench.folder().join("http2.log")).unwrap();
    wait_until(A_WHILE, || log().lines().count() >= 20_202);
    let count = |wanted: &str| log().lines().filter(|line| *line == wanted).count();
    let lines = ["load", "warm-up", "preflight"].map(|purpose| count(&format!("HTTP/2.0 200 {purpose}")));
    assert_eq!(lines, [20_000, 200, 2]);
}

#[test]
fn over_tls_the_certificate_counts_unless_it_is_said_not_to() {
    let Some(nginx) = Nginx::start() else { return };
    let few = ["--requests", "500", "--warmup", "none"];
    let refused = nginx.load("https", &few);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("--target-ca"), "{}", refused.stderr);
    assert_eq!(nginx.logged(0), BTreeMap::new());

    let trusting = nginx.load("https", &[&few[..], &["--target-ca", "authority.pem"]].concat());
    assert_eq!(trusting.code, Some(0), "{}", trusting.stderr);
    assert!(trusting.stdout.contains("extra root certificates trusted"), "{}", trusting.stdout);
    let lines =
        |count| [("200 load https".to_owned(), count), ("200 preflight https".to_owned(), count / 250)];
    assert_eq!(nginx.logged(502), lines(500).into());

    // Each request with a handshake of its own.
    let insecure = nginx.load("https", &[&few[..], &["--insecure-target", "--no-keepalive"]].concat());
    assert_eq!(insecure.code, Some(0), "{}", insecure.stderr);
    assert!(insecure.stdout.contains("any certificate accepted"), "{}", insecure.stdout);
    assert_eq!(nginx.logged(1004), lines(1000).into());
}

/// A name that only this run knows how to reach, TLS with certificates on both sides, and a key that stays where it is.
#[test]
fn a_target_is_reached_elsewhere_and_shown_a_certificate() {
    let Some(nginx) = Nginx::start() else { return };
    let there = format!("127.0.0.1:{}", nginx.strict_port);
    let reach =
        ["--scenario", "scenario.toml", "--target", "https://gateway.example", "--connect-to", &there];
    let few = ["--requests", "100", "--warmup", "none", "--target-ca", "authority.pem", "--no-keepalive"];
    let run = ["run", "--quiet", "--workers", "1"];
    let common = [&run[..], &reach, &few].concat();

    let nobody = nginx.bench.run(&common);
    assert_eq!(nobody.code, Some(1), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("403"), "{}", nobody.stderr);

    let identity = ["--tls-client-certificate", "client.pem", "--tls-client-key", "client.key"];
    let known = nginx.bench.run(&[&common[..], &identity, &["--tls-session-resumption"]].concat());
    assert_eq!(known.code, Some(0), "{}", known.stderr);
    let results = Results::of(&nginx.bench);
    assert_eq!(results.count(0, "successes"), 100);
    let logged = nginx.logged(102);
    let count = |resumed: &str| {
        logged
            .get(&format!("200 load gateway.example SUCCESS gateway.example {resumed}"))
            .copied()
            .unwrap_or(0)
    };
    assert_eq!(count(".") + count("r"), 100, "{logged:?}");
    let connections = results.block(0)["totals"]["connections_by_address"].as_array().unwrap().clone();
    let resumed = connections.iter().filter(|made| made["tls"]["resumed"] == true);
    let resumed: u64 = resumed.map(|made| made["count"].as_u64().unwrap()).sum();
    assert_eq!(resumed, count("r") as u64, "{connections:?}");
    assert!(
        resumed > 0 && connections.iter().all(|made| made["address"] == there.as_str()),
        "{connections:?}"
    );
    for said in ["a client certificate shown, TLS sessions resumed", "## Connections", "TLSv1.2 TLS_ECDHE_"] {
        assert!(results.summary.contains(said), "{said}: {}", results.summary);
    }
    results.assert_verified(&nginx.bench);

    let key = fs::read_to_string(nginx.bench.folder().join("client.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    for file in fs::read_dir(results.report_path.parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains(secret), "{}", path.display());
    }
    assert!(![known.stdout, known.stderr, results.summary].join("").contains(secret));
}

#[test]
fn a_target_behind_a_socket_is_loaded_as_localhost() {
    let Some(nginx) = Nginx::start() else { return };
    let socket = format!("unix:{}/nginx.sock", nginx.bench.folder().display());
    let run = ["run", "--quiet", "--scenario", "scenario.toml", "--requests", "500", "--warmup", "none"];
    let finished = nginx.bench.run(&[&run[..], &["--target", &socket]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&nginx.bench);
    assert_eq!(
        (results.count(0, "successes"), results.report["run"]["target"]["url"].as_str()),
        (500, Some(&*socket))
    );
    assert!(results.summary.contains(&format!("| {socket} | – | 10 | 0 |")), "{}", results.summary);
    assert_eq!(nginx.logged(502)["200 load localhost - - -"], 500);
}
