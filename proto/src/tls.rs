//! TLS between a worker and its target: what is shown, and what was spoken.

use std::fmt;

use crate::{InvalidMessage, wire};

/// A certificate and its key, in PEM, for a target that wants to know who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The client's certificate, and perhaps those that it hangs from.
    pub certificate_pem: String,
    /// Secret: it goes to the workers and nowhere else.
    pub key_pem: String,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity([redacted])")
    }
}

/// What two sides of a connection agreed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsSession {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// An earlier connection's session was resumed.
    pub resumed: bool,
}

impl From<&ClientIdentity> for wire::ClientIdentity {
    fn from(identity: &ClientIdentity) -> Self {
        wire::ClientIdentity {
            certificate_pem: identity.certificate_pem.clone(),
            key_pem: identity.key_pem.clone(),
        }
    }
}

impl TryFrom<wire::ClientIdentity> for ClientIdentity {
    type Error = InvalidMessage;

    fn try_from(identity: wire::ClientIdentity) -> Result<Self, InvalidMessage> {
        if identity.certificate_pem.is_empty() || identity.key_pem.is_empty() {
            return Err(InvalidMessage::new("target.client_identity", "lacks its certificate or its key"));
        }
        Ok(Self { certificate_pem: identity.certificate_pem, key_pem: identity.key_pem })
    }
}

impl From<&TlsSession> for wire::TlsSession {
    fn from(session: &TlsSession) -> Self {
        wire::TlsSession {
            version: session.version.clone(),
            cipher_suite: session.cipher_suite.clone(),
            resumed: session.resumed,
        }
    }
}

impl From<wire::TlsSession> for TlsSession {
    fn from(session: wire::TlsSession) -> Self {
        Self { version: session.version, cipher_suite: session.cipher_suite, resumed: session.resumed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let identity = ClientIdentity { certificate_pem: "PEM".into(), key_pem: "SECRET".into() };
        assert!(!format!("{identity:?}").contains("SECRET"));
    }
}
