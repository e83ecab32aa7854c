//! TLS as all connections share it. Whom the platform trusts is read once: on Linux that is a file of some hundred
//! certificates, and reading it takes longer than all else before the first request.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::client::ConnectError;

/// What is offered in the handshake, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The configuration that trusts the platform's roots and `further` ones. Clones of it share the roots and the sessions
/// that can be taken up again.
pub(super) fn shared(further: Vec<CertificateDer<'static>>) -> Result<ClientConfig, ConnectError> {
    with_roots(further).map_err(|error| ConnectError::Client(error.to_string()))
}

/// Has the library gather its entropy now, beside what else there is to do before the first handshake. Built elsewhere
/// than in this repository, whose `.cargo/config.toml` switches that off, it measures the processor's jitter for it,
/// once in a process, and takes tens of milliseconds. Where no thread can be had, the first handshake does it.
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
