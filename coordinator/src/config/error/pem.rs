//! What can be wrong with files of certificates and keys.

use std::path::PathBuf;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// A file of certificates or keys cannot be read.
    #[error("failed to read {}, named by {place} (give a PEM file that this user can read)", .path.display())]
    UnreadablePem {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of certificates holds none.
    #[error(
        "{}, named by {place}, holds no certificate; give a PEM file with -----BEGIN CERTIFICATE----- \
         in it",
        .path.display()
    )]
    NoCertificate {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// A file of a key holds none.
    #[error(
        "{}, named by {place}, holds no private key; give a PEM file with -----BEGIN PRIVATE KEY----- in it, which no \
         passphrase protects",
        .path.display()
    )]
    NoKey {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// A key that others can read.
    #[error("{}, named by {place}, can be read by others; take that from them: chmod 600 {}", .path.display(), .path.display())]
    ExposedKey {
        /// Where the file was named.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// A key that is not the certificate's.
    #[error(
        "{}, named by {place}, is not the key of the certificate in {}; give two files that belong together",
        .path.display(),
        .certificate.display()
    )]
    StrangeKey {
        /// Where the key's file was named.
        place: String,
        /// The key's file.
        path: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// A certificate without a key, or a key without a certificate.
    #[error(
        "{place} needs {other} beside it: a target is shown a certificate, and proof that it is one's own"
    )]
    HalfAnIdentity {
        /// What was given.
        place: String,
        /// What was not.
        other: &'static str,
    },
}
