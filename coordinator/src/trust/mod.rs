//! Who may command a worker: only holders of certificates that the fleet's own authority signed.
//!
//! Every fleet has an authority. The coordinator issues itself a leaf for each run, which may only act as a client; a
//! worker's leaf may only act as a server, so that no worker can command another. Workers can have any address, so
//! all their leaves carry one fixed name, [`WORKER_NAME`], and that is the name which the coordinator asks for.
//!
//! A worker takes its credentials as a *bundle*: one file of three PEM blocks, in this order: `CERTIFICATE` (its leaf),
//! `PRIVATE KEY` (the leaf's, PKCS#8) and `CERTIFICATE` (the authority's). The worker crate's `credentials` reads it.

mod authority;
mod error;
mod pki;
mod private_files;
#[cfg(test)]
mod tests;

use std::fmt;

use proto::tls::ClientIdentity;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;

pub use authority::{Authority, Role};
pub use error::TrustError;
pub use pki::{describe_worker_bundle, make_worker_bundle};
pub use proto::WORKER_NAME;

/// The name in every coordinator's certificate.
pub const COORDINATOR_NAME: &str = "coordinator.archestra-bench.internal";

/// A certificate with its key, and the authority that signed it. All are PEM.
#[derive(Clone)]
pub struct Leaf {
    /// To be shown to the other side.
    pub certificate_pem: String,
    /// Never leaves this machine, but for a worker's bundle, which its owner carries to the worker.
    pub key_pem: String,
    /// Signs both sides' certificates.
    pub authority_pem: String,
}

impl Leaf {
    /// As a worker takes it: see the module's description.
    pub fn bundle(&self) -> String {
        format!("{}{}{}", self.certificate_pem, self.key_pem, self.authority_pem)
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

/// A fleet's name, which is also the name of a folder: letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetName(String);

impl FleetName {
    /// The name when none is given.
    pub const DEFAULT: &str = "default";

    /// Checks a name.
    ///
    /// # Errors
    /// What a name must be, to be read after where it was given.
    pub fn new(name: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "must be 1 to 64 letters, digits, dashes and underscores, not `{}`",
                name.escape_debug()
            ))
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text holds PEM certificates, at least one, and none that is broken.
pub fn holds_certificates(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.is_ok_and(|certificates| !certificates.is_empty())
}

/// Whether TLS can ask a server for this name.
pub fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

/// What is wrong with a certificate and a key that are to be shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityProblem {
    /// There is no certificate, or one that is broken.
    NoCertificate,
    /// There is no key that can be used.
    NoKey,
    /// The key is not the certificate's.
    Strangers,
}

/// Checks that a certificate and a key can be shown to a target.
///
/// # Errors
/// What is wrong with them; never what they hold.
pub fn check_identity(identity: &ClientIdentity) -> Result<(), IdentityProblem> {
    if !holds_certificates(&identity.certificate_pem) {
        return Err(IdentityProblem::NoCertificate);
    }
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes()).collect();
    let chain = chain.map_err(|_| IdentityProblem::NoCertificate)?;
    let key =
        PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|_| IdentityProblem::NoKey)?;
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityProblem::Strangers),
        Err(rustls::Error::InvalidCertificate(_)) => Err(IdentityProblem::NoCertificate),
        Err(_) => Err(IdentityProblem::NoKey),
    }
}
