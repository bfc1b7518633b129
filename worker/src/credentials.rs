//! What a worker proves itself with, and whom it obeys: the bundle that `archestra-bench pki` makes.
//!
//! A bundle is one text of three PEM blocks, in this order: the worker's `CERTIFICATE`, its `PRIVATE KEY`, and the
//! `CERTIFICATE` of the fleet's authority. What stands between the blocks is ignored.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// A worker's certificate and key, and the authority whose coordinators it obeys. All are PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    certificate_pem: String,
    key_pem: String,
    authority_pem: String,
}

/// A bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error(
        "failed to read the credentials {} (check the path and that this user may read it)",
        .path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no bundle.
    #[error(
        "the credentials {} {problem}; make them with `archestra-bench pki` where the coordinator runs",
        .path.display()
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Reads on from the file.
        problem: InvalidBundle,
    },
}

/// What is wrong with a bundle; reads on from where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBundle {
    /// Other blocks, or in another order.
    #[error("are not a certificate, a private key and the authority's certificate, in this order")]
    Blocks,
    /// A certificate that cannot be read.
    #[error("hold a broken certificate")]
    Certificate,
    /// A key that cannot be read, or is another certificate's.
    #[error("hold a private key that is broken or belongs to another certificate")]
    Key,
}

impl Credentials {
    /// Reads a bundle from its file.
    ///
    /// # Errors
    /// When it cannot be read, or is no bundle.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text)
                .map_err(|problem| CredentialsError::Invalid { path: path.to_owned(), problem }),
            Err(source) => Err(CredentialsError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// What keeps it from being one.
    pub fn parse(text: &str) -> Result<Self, InvalidBundle> {
        let [(CERTIFICATE, certificate_pem), (PRIVATE_KEY, key_pem), (CERTIFICATE, authority_pem)] =
            pem_blocks(text)[..]
        else {
            return Err(InvalidBundle::Blocks);
        };

        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
        certificate(authority_pem).map_err(|_| InvalidBundle::Certificate)?;
        let own = certificate(certificate_pem).map_err(|_| InvalidBundle::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| InvalidBundle::Key)?;
        CertifiedKey::from_der(vec![own], key, &rustls::crypto::ring::default_provider())
            .map_err(|_| InvalidBundle::Key)?;

        let [certificate_pem, key_pem, authority_pem] =
            [certificate_pem, key_pem, authority_pem].map(|pem| format!("{pem}\n"));
        Ok(Self { certificate_pem, key_pem, authority_pem })
    }

    /// TLS for the worker's gRPC server: whoever shows no certificate of the authority is turned away.
    pub fn server_tls(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.certificate_pem, &self.key_pem))
            .client_ca_root(Certificate::from_pem(&self.authority_pem))
            .client_auth_optional(false)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// The label and the text of each block, up to the first that does not end.
fn pem_blocks(text: &str) -> Vec<(&str, &str)> {
    let (mut blocks, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find("-----BEGIN ") {
        rest = &rest[start..];
        let Some((label, _)) = rest["-----BEGIN ".len()..].split_once("-----") else { break };
        let end_mark = format!("-----END {label}-----");
        let Some(end) = rest.find(&end_mark) else { break };
        let (block, after) = rest.split_at(end + end_mark.len());
        blocks.push((label, block));
        rest = after;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::wire::load_worker_client::LoadWorkerClient;
    use proto::wire::load_worker_server::{LoadWorker, LoadWorkerServer};
    use proto::wire::{Command, DescribeRequest, Event, ProbeReply, ProbeRequest, WorkerDescription};
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::{ClientTlsConfig, Endpoint, Server};
    use tonic::{Request, Response, Status, Streaming};

    const NAME: &str = "worker.archestra-bench.internal";

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
            let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server::builder().tls_config(ours.worker().server_tls()).unwrap();
        let incoming = TcpListenerStream::new(listener);
        let serving = tokio::spawn(server.serve_with_incoming(LoadWorkerServer::new(Describer), incoming));

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

    async fn describe(port: u16, authority: &str, identity: Option<&[String; 3]>) -> Result<String, String> {
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).domain_name(NAME);
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
}
