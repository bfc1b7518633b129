//! TLS towards the target: whom to trust, and what a failed handshake means.

use std::sync::Arc;

use proto::target::{HttpVersion, Target};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
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
    #[error("`{0}` can be no TLS server name")]
    Name(String),
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
        let (host, _) = target.address();
        let name = ServerName::try_from(host.clone()).map_err(|_| TlsError::Name(host))?;
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if target.insecure {
            Arc::new(AcceptAny(provider.signature_verification_algorithms))
        } else {
            let roots = extra_roots(target)?;
            Arc::new(Verifier::new_with_extra_roots(roots, provider.clone()).map_err(TlsError::SystemRoots)?)
        };
        let mut config = client_config(provider, verifier)?;
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
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.map_err(TlsError::SystemRoots)?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(builder.with_no_client_auth())
}

fn extra_roots(target: &Target) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let Some(pem) = &target.extra_roots else { return Ok(Vec::new()) };
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    roots.ok().filter(|roots| !roots.is_empty()).ok_or(TlsError::ExtraRoots)
}

/// What a failed handshake or session means.
pub(crate) fn fault(error: &rustls::Error) -> TlsFault {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            TlsFault::Certificate
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | rustls::Error::NoApplicationProtocol => TlsFault::NoHttp2,
        rustls::Error::AlertReceived(_) => TlsFault::Alert,
        _ => TlsFault::Handshake,
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
