//! A proxy with an `https://` URL, so that the connection to it uses TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::proxies::Proxy;
use crate::support::site::Site;

/// A front of TLS, for `localhost`, before this address; gives its port and the certificate to trust.
async fn front(of: SocketAddr) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us goes away, and that is its business.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut proxy = TcpStream::connect(of).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut proxy).await;
            });
        }
    });
    (port, made.cert.pem())
}

#[test]
fn a_proxy_over_tls_needs_a_trusted_certificate() {
    let site = Site::global(2);
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let (port, pem) = site.ctx.runtime.block_on(front(proxy.addr));
    let url = format!("https://responder:CANARY@localhost:{port}");
    let done = site.ctx.finish(site.run().env("HTTPS_PROXY", &url));
    site.assert_sign_in_refused(
        &done,
        &["TLS", "the certificate of the proxy https://localhost", "--ca-cert"],
    );
    assert_eq!(proxy.requests(), [], "the proxy's password was shown to a stranger");

    let both = site.ctx.input("both.pem", format!("{}{pem}", site.ctx.simulator.ca_pem().unwrap()));
    let mut command = site.bare_run();
    site.ctx.finish(command.arg("--ca-cert").arg(both).env("HTTPS_PROXY", &url)).exits(0);
    site.assert_all_revoked(2);
    assert!(proxy.requests().iter().all(|asked| asked.credentials == "responder:CANARY"));
}
