use super::*;
use proptest::prelude::*;
use proto::wire::load_worker_client::LoadWorkerClient;
use proto::wire::load_worker_server::{LoadWorker, LoadWorkerServer};
use proto::wire::{Command, DescribeRequest, Event, ProbeReply, ProbeRequest, WorkerDescription};
use rcgen::{BasicConstraints, Issuer};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{ClientTlsConfig, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// What nothing takes unless something is stuck.
const BOUND: Duration = Duration::from_secs(60);

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, purpose: ExtendedKeyUsagePurpose) -> [String; 3] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([WORKER_NAME.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        [certificate.pem(), key.serialize_pem(), self.pem.clone()]
    }

    fn worker(&self) -> Credentials {
        Credentials::parse(&self.issue(ExtendedKeyUsagePurpose::ServerAuth).concat()).unwrap()
    }
}

#[test]
fn a_bundle_is_read_with_whatever_stands_between_its_blocks() {
    let [certificate, key, authority] = Authority::new().issue(ExtendedKeyUsagePurpose::ServerAuth);
    let plain = Credentials::parse(&format!("{certificate}{key}{authority}")).unwrap();
    let noted = format!("of blue\r\n{certificate}\n# the key\n{key}authority:\n{}", authority.trim_end());
    assert_eq!(Credentials::parse(&noted).unwrap(), plain);
    assert!(!format!("{plain:?}").contains("PRIVATE"));
}

#[test]
fn what_is_no_bundle_is_refused_with_the_reason() {
    let [certificate, key, authority] = Authority::new().issue(ExtendedKeyUsagePurpose::ServerAuth);
    let [_, other_key, _] = Authority::new().issue(ExtendedKeyUsagePurpose::ServerAuth);
    let broken = certificate.replace("-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!");
    for (text, problem) in [
        (String::new(), InvalidBundle::Blocks),
        (format!("{certificate}{key}"), InvalidBundle::Blocks),
        (format!("{key}{certificate}{authority}"), InvalidBundle::Blocks),
        (format!("{certificate}{key}{authority}{authority}"), InvalidBundle::Blocks),
        (format!("{certificate}{key}{}", &authority[..authority.len() / 2]), InvalidBundle::Blocks),
        (format!("{broken}{key}{authority}"), InvalidBundle::Certificate),
        (format!("{certificate}{other_key}{authority}"), InvalidBundle::Key),
    ] {
        assert_eq!(Credentials::parse(&text), Err(problem), "{text}");
    }
}

#[tokio::test]
async fn a_worker_that_made_its_own_certificate_is_pinned_by_it_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [authority, shown] = ["ca.pem", "certificate.pem"].map(|name| folder.path().join(name));
    let ours = Authority::new();
    std::fs::write(&authority, &ours.pem).unwrap();
    let [own, other] = [(); 2].map(|()| Credentials::make(&authority).unwrap());
    own.show_certificate(&shown).unwrap();
    let pin = std::fs::read_to_string(&shown).unwrap();
    assert!(pin.starts_with("-----BEGIN CERTIFICATE-----") && !pin.contains("PRIVATE"));

    let (port, serving) = serve(&own).await;
    let coordinator = ours.issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(describe(port, &pin, Some(&coordinator)).await, Ok("this worker".into()));
    assert!(describe(port, &pin, None).await.is_err(), "nobody");
    let stranger = Authority::new().issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(describe(port, &pin, Some(&stranger)).await.is_err(), "another authority's coordinator");
    assert!(describe(port, &other.certificate_pem, Some(&coordinator)).await.is_err(), "another pin");
    assert!(describe(port, &ours.pem, Some(&coordinator)).await.is_err(), "the authority is no pin");
    serving.abort();
}

#[test]
fn an_authority_that_is_none_is_named() {
    let made = Credentials::make(Path::new("Cargo.toml")).unwrap_err().to_string();
    assert!(made.starts_with("Cargo.toml is not one certificate in PEM"), "{made}");
}

#[test]
fn a_file_that_is_none_is_named() {
    let path = Path::new("Cargo.toml");
    assert_eq!(
        Credentials::read(path).unwrap_err().to_string(),
        "the credentials Cargo.toml are not a certificate, a private key and the authority's certificate, in this \
         order; make them with `archestra-bench pki` where the coordinator runs"
    );
    assert_eq!(
        Credentials::read(Path::new("/nowhere/worker.pem")).unwrap_err().to_string(),
        "failed to read the credentials /nowhere/worker.pem (check the path and that this user may read it)"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(-----BEGIN |-----END |CERTIFICATE|PRIVATE KEY|-----|-|\n|é|QUJD){0,30}") {
        prop_assert!(Credentials::parse(&text).is_err());
    }
}

#[tokio::test]
async fn only_coordinators_of_the_authority_get_through() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (port, serving) = serve(&ours.worker()).await;

    let coordinator = ours.issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(describe(port, &ours.pem, Some(&coordinator)).await, Ok("this worker".into()));
    assert!(describe(port, &ours.pem, None).await.is_err(), "nobody");
    let stranger = theirs.issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(describe(port, &ours.pem, Some(&stranger)).await.is_err(), "another authority's coordinator");
    let worker = ours.issue(ExtendedKeyUsagePurpose::ServerAuth);
    assert!(describe(port, &ours.pem, Some(&worker)).await.is_err(), "a worker");
    assert!(describe(port, &theirs.pem, Some(&coordinator)).await.is_err(), "another fleet's authority");
    serving.abort();
}

#[tokio::test]
async fn strangers_that_say_nothing_are_let_go_and_keep_no_coordinator_out() {
    crate::host::raise_open_files_limit();
    let ours = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let worker = ours.worker();
    let serving =
        tokio::spawn(
            async move { crate::service::run(listener, Some(&worker), std::future::pending()).await },
        );
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(TcpStream::connect(address).await.unwrap());
    }
    let coordinator = ours.issue(ExtendedKeyUsagePurpose::ClientAuth);
    let described = describe(address.port(), &ours.pem, Some(&coordinator));
    assert!(timeout(BOUND, described).await.unwrap().is_ok());
    for mut stranger in strangers {
        let read = timeout(BOUND, stranger.read(&mut [0])).await.expect("it is still connected");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    serving.abort();
}

async fn serve(credentials: &Credentials) -> (u16, JoinHandle<Result<(), tonic::transport::Error>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::builder().tls_config(credentials.server_tls()).unwrap();
    let incoming = TcpListenerStream::new(listener);
    let service = LoadWorkerServer::new(Describer);
    (port, tokio::spawn(async move { server.serve_with_incoming(service, incoming).await }))
}

async fn describe(port: u16, authority: &str, identity: Option<&[String; 3]>) -> Result<String, String> {
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).domain_name(WORKER_NAME);
    if let Some([certificate, key, _]) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint =
        Endpoint::from_shared(format!("https://127.0.0.1:{port}")).unwrap().tls_config(tls).unwrap();
    let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
    let answer = LoadWorkerClient::new(channel).describe(DescribeRequest::default()).await;
    answer.map(|answer| answer.into_inner().software_version).map_err(|status| status.to_string())
}

/// A service that does no more than show that it was reached.
struct Describer;

#[tonic::async_trait]
impl LoadWorker for Describer {
    type RunStream = tokio_stream::Empty<Result<Event, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<WorkerDescription>, Status> {
        let software_version = "this worker".into();
        Ok(Response::new(WorkerDescription { software_version, ..WorkerDescription::default() }))
    }

    async fn probe(&self, _: Request<ProbeRequest>) -> Result<Response<ProbeReply>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn run(&self, _: Request<Streaming<Command>>) -> Result<Response<Self::RunStream>, Status> {
        Err(Status::unimplemented(""))
    }
}
