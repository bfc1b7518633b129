//! What a target is shown over TLS: a certificate, and a key that nobody else may read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proto::tls::ClientIdentity;

use super::error::PemError;
use crate::cli::{Given, RunArgs};
use crate::trust::{self, IdentityProblem};

const CERTIFICATE: &str = "tls_client_certificate";
const KEY: &str = "tls_client_key";

/// The certificate and the key that were given, which belong together.
pub(super) fn read(args: &RunArgs, given: &Given) -> Result<Option<ClientIdentity>, PemError> {
    let half = |id: &str, other| PemError::HalfAnIdentity { place: given.place(id).into(), other };
    let (certificate, key) = match (&args.reach.tls_client_certificate, &args.reach.tls_client_key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(half(CERTIFICATE, "--tls-client-key")),
        (None, Some(_)) => return Err(half(KEY, "--tls-client-certificate")),
        (Some(certificate), Some(key)) => (certificate, key),
    };
    let identity = ClientIdentity {
        certificate_pem: pem(certificate, CERTIFICATE, given)?,
        key_pem: private(key, given)?,
    };
    let named = |id: &str, path: &Path| (given.place(id).to_owned(), path.to_owned());
    match trust::check_identity(&identity) {
        Ok(()) => Ok(Some(identity)),
        Err(IdentityProblem::NoCertificate) => {
            let (place, path) = named(CERTIFICATE, certificate);
            Err(PemError::NoCertificate { place, path })
        }
        Err(IdentityProblem::NoKey) => {
            let (place, path) = named(KEY, key);
            Err(PemError::NoKey { place, path })
        }
        Err(IdentityProblem::Strangers) => {
            let (place, path) = named(KEY, key);
            Err(PemError::StrangeKey { place, path, certificate: certificate.clone() })
        }
    }
}

/// The text of a file that an argument names.
pub(super) fn pem(path: &Path, id: &str, given: &Given) -> Result<String, PemError> {
    std::fs::read_to_string(path).map_err(|source| PemError::UnreadablePem {
        place: given.place(id).to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn private(path: &Path, given: &Given) -> Result<String, PemError> {
    let text = pem(path, KEY, given)?;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(PemError::ExposedKey { place: given.place(KEY).into(), path: path.to_owned() });
    }
    Ok(text)
}
