//! What a worker proves itself with, and whom it obeys: the bundle that `archestra-bench pki` makes, or a key and a
//! certificate that the worker makes itself.
//!
//! A bundle is one text of three PEM blocks, in this order: the worker's `CERTIFICATE`, its `PRIVATE KEY`, and the
//! `CERTIFICATE` of the fleet's authority. What stands between the blocks is ignored.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use proto::WORKER_NAME;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
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
    /// The file with the authority's certificate holds none.
    #[error(
        "{} is not one certificate in PEM: give --coordinator-ca the certificate of the coordinator's authority",
        .path.display()
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// No key could be made.
    #[error("this worker cannot make itself a key ({0}); run it again")]
    NoKey(rcgen::Error),
    /// The worker's own certificate cannot be shown.
    #[error("failed to write this worker's certificate to {} (check --certificate-out)", .path.display())]
    Unwritable {
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

    /// Makes a key, which never leaves this process, and a certificate of its own that a coordinator can pin: it signs
    /// nothing else, is only a server's, and has no end, because the key ends with the process. Coordinators of the
    /// authority whose certificate is in `authority` are obeyed.
    ///
    /// # Errors
    /// When the file holds no certificate.
    pub fn make(authority: &Path) -> Result<Self, CredentialsError> {
        let authority_pem = std::fs::read_to_string(authority)
            .map_err(|source| CredentialsError::Unreadable { path: authority.to_owned(), source })?;
        let no_authority = || CredentialsError::NoAuthority { path: authority.to_owned() };
        let [(CERTIFICATE, block)] = pem_blocks(&authority_pem)[..] else { return Err(no_authority()) };
        CertificateDer::from_pem_slice(block.as_bytes()).map_err(|_| no_authority())?;

        let mut params = CertificateParams::new([WORKER_NAME.to_owned()]).map_err(CredentialsError::NoKey)?;
        params.distinguished_name.push(DnType::CommonName, WORKER_NAME);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(CredentialsError::NoKey)?;
        let certificate = params.self_signed(&key).map_err(CredentialsError::NoKey)?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), authority_pem })
    }

    /// Writes the certificate, and nothing else, for whoever is to pin it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show_certificate(&self, path: &Path) -> Result<(), CredentialsError> {
        let failed = |source| CredentialsError::Unwritable { path: path.to_owned(), source };
        // Whoever waits for the file is to see it whole.
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, &self.certificate_pem).map_err(failed)?;
        std::fs::rename(&temporary, path).map_err(failed)
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
mod tests;
