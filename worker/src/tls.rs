//! TLS towards the target: whom to trust, and what a failed handshake means.

use std::sync::Arc;

use proto::target::{HttpVersion, Target};
use proto::tls::{ClientIdentity, TlsSession};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct,
    HandshakeKind, ProtocolVersion, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::outcome::TlsFault;

/// What a connection needs to speak TLS with the target.
#[derive(Debug, Clone)]
pub struct TargetTls {
    /// Trust and session cache, shared by all connections.
    pub config: Arc<ClientConfig>,
    /// The name that the target's certificate must be for.
    pub name: ServerName<'static>,
}

/// Why TLS cannot be used with a target.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The extra root certificates are not PEM or hold none.
    #[error("the target's extra root certificates are not PEM certificates: check --target-ca")]
    ExtraRoots,
    /// The system's trust store cannot be used.
    #[error(
        "the system's root certificates cannot be used ({0}): install ca-certificates or give --target-ca"
    )]
    SystemRoots(rustls::Error),
    /// The host can be no TLS server name.
    #[error("`{0}` can be no TLS server name: give one with --tls-server-name")]
    Name(String),
    /// The certificate and the key that are to be shown cannot be used.
    #[error(
        "the certificate and key for the target cannot be used: check --tls-client-certificate and --tls-client-key"
    )]
    ClientIdentity,
}

/// What a connection agreed on with the target; small, and put into words only when it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    version: ProtocolVersion,
    cipher_suite: CipherSuite,
    resumed: bool,
}

impl Spoken {
    /// `None` before the handshake is over.
    pub fn of(session: &ClientConnection) -> Option<Self> {
        Some(Self {
            version: session.protocol_version()?,
            cipher_suite: session.negotiated_cipher_suite()?.suite(),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// In words.
    pub fn describe(self) -> TlsSession {
        let version = match self.version {
            ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
            ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        };
        TlsSession { version, cipher_suite: format!("{:?}", self.cipher_suite), resumed: self.resumed }
    }
}

impl TargetTls {
    /// For an `https` target; `None` for an `http` one.
    ///
    /// # Errors
    /// When the trust material or the target's name cannot be used.
    pub fn for_target(target: &Target) -> Result<Option<Self>, TlsError> {
        if !target.is_tls() {
            return Ok(None);
        }
        let name = target.tls_name();
        let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))?;
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if target.insecure {
            Arc::new(AcceptAny(provider.signature_verification_algorithms))
        } else {
            let roots = extra_roots(target)?;
            Arc::new(Verifier::new_with_extra_roots(roots, provider.clone()).map_err(TlsError::SystemRoots)?)
        };
        let mut config = client_config(provider, verifier, target.client_identity.as_ref())?;
        // A connection stands for a client of its own, and strangers share no sessions.
        if !target.session_resumption {
            config.resumption = Resumption::disabled();
        }
        config.alpn_protocols = offered(target.http_version);
        Ok(Some(Self { config: Arc::new(config), name }))
    }
}

/// What is offered by ALPN, the dearest first.
fn offered(version: HttpVersion) -> Vec<Vec<u8>> {
    let names: &[&[u8]] = match version {
        HttpVersion::Http11 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
        HttpVersion::Auto => &[b"h2", b"http/1.1"],
    };
    names.iter().map(|name| name.to_vec()).collect()
}

fn client_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.map_err(TlsError::SystemRoots)?.dangerous().with_custom_certificate_verifier(verifier);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes());
    // What exactly is wrong with a key is not for anybody to read.
    let (Ok(chain), Ok(key)) = (chain, key) else { return Err(TlsError::ClientIdentity) };
    builder.with_client_auth_cert(chain, key).map_err(|_| TlsError::ClientIdentity)
}

fn extra_roots(target: &Target) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let Some(pem) = &target.extra_roots else { return Ok(Vec::new()) };
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    roots.ok().filter(|roots| !roots.is_empty()).ok_or(TlsError::ExtraRoots)
}

/// What a failed handshake or session means.
pub(crate) fn fault(error: &rustls::Error) -> TlsFault {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => TlsFault::Certificate,
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | rustls::Error::NoApplicationProtocol => TlsFault::NoHttp2,
        rustls::Error::AlertReceived(_) => TlsFault::Alert,
        _ => TlsFault::Handshake,
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotValidYet,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::OtherName
        }
        _ => TlsFault::Certificate,
    }
}

/// Accepts every certificate, as `--insecure-target` asks; signatures are still checked.
#[derive(Debug)]
struct AcceptAny(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
