//! What can be found out about the route to a server: its proxy, and the certificate that the server
//! presents.

use std::sync::{Arc, Mutex, PoisonError};

use hyper_util::client::proxy::matcher::Matcher;
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, SignatureScheme};

use super::HttpOptions;
use super::client::with_tls;
use super::proxy::Proxy;

/// The proxy for requests to this address, without user and password, or `None` if they go directly. Plain
/// HTTP always goes directly.
pub fn proxy_for(url: &str) -> Option<String> {
    let url: hyper::Uri = url.parse().ok()?;
    if url.scheme_str() != Some("https") {
        return None;
    }
    if let Ok(Some(proxy)) = Proxy::from_environment() {
        return proxy.applies_to(&url.to_string()).then(|| proxy.describe());
    }
    let proxy = Matcher::from_system().intercept(&url)?;
    let (scheme, place) = (proxy.uri().scheme_str().unwrap_or("http"), proxy.uri().authority()?);
    let place = place.as_str().rsplit('@').next().unwrap_or_default();
    Some(format!("{scheme}://{place}"))
}

/// The certificate that a server presents, in DER, whether it is trusted or not. The handshake is aborted as
/// soon as the certificate is there, so no request is sent.
pub async fn certificate_of(options: &HttpOptions, url: &str) -> Option<Vec<u8>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let looker = Arc::new(CertCapturingVerifier { provider: Arc::clone(&provider), seen: Mutex::default() });
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&looker) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    // This always fails, because the verifier rejects every certificate.
    let _ = with_tls(options, tls, |builder| builder.pool_max_idle_per_host(0)).ok()?.get(url).send().await;
    looker.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Keeps the certificate that it is shown, and rejects it.
#[derive(Debug)]
struct CertCapturingVerifier {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for CertCapturingVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
        Err(only_looked())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_looked())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_looked())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn only_looked() -> rustls::Error {
    rustls::Error::General("the certificate was only inspected".to_owned())
}
