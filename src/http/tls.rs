//! The TLS configuration that all connections share. The platform's trusted roots are read once, because on
//! Linux they are a file of some hundred certificates, and reading it takes longer than everything else
//! before the first request.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::client::ClientBuildError;

/// The protocols to offer in the handshake, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Builds the configuration that trusts the platform's roots and `further` ones. Clones share the roots and
/// the resumable sessions.
pub(super) fn client_config(further: Vec<CertificateDer<'static>>) -> Result<ClientConfig, ClientBuildError> {
    with_roots(further).map_err(|error| ClientBuildError::Client(error.to_string()))
}

/// Starts gathering entropy in the background, while other work is done before the first handshake.
/// `.cargo/config.toml` of this repository turns the slow entropy source off; a build from elsewhere measures
/// the processor's jitter once per process, which takes tens of milliseconds. If no thread can be started,
/// the first handshake does it.
pub(super) fn gather_entropy() {
    let gather = || aws_lc_rs::rand::fill(&mut [0]).unwrap_or(());
    drop(std::thread::Builder::new().name("entropy".to_owned()).spawn(gather));
}

fn with_roots(further: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let verifier = match further.is_empty() {
        true => Verifier::new(Arc::clone(&provider))?,
        false => Verifier::new_with_extra_roots(further, Arc::clone(&provider))?,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
