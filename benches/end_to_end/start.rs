//! From exec to the first POST: a server of our own sees it come in.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::numbers::Spread;
use crate::ours::Desk;

/// Prints how long it takes from before exec until a server has read the first POST's head, with a ready token.
pub(crate) fn measure(starts: u32) {
    println!("\nfrom exec to the first POST, with a ready token; median of {starts} starts (least to most)");
    let folder = tempfile::tempdir().unwrap();
    let (tls, ca) = authority(folder.path().join("ca.pem"));
    for tls in [None, Some(tls)] {
        let desk = Desk::with(1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (name, scheme, ca) = match tls {
            None => ("HTTP/1.1", "http", None),
            Some(_) => ("HTTPS", "https", Some(ca.as_path())),
        };
        let (tell, seen) = channel();
        std::thread::spawn(move || serve(&listener, tls, &tell));
        let url = format!("{scheme}://127.0.0.1:{port}");
        let times = (0..=starts).map(|_| {
            let from = Instant::now();
            let status = desk.command(&url, ca, &[]).status().unwrap();
            assert!(status.success(), "the run ended with {status}");
            desk.clear();
            let at: Instant = seen.recv().unwrap();
            (at - from).as_secs_f64() * 1e3
        });
        println!("{name:9} {:.1} ms", Spread::of(times.skip(1).collect()));
    }
}

/// A certificate for loopback, and the file with the authority that signed it.
fn authority(ca: PathBuf) -> (Arc<ServerConfig>, PathBuf) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    std::fs::write(&ca, authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (Arc::new(config), ca)
}

/// Answers one connection after the other.
fn serve(listener: &TcpListener, tls: Option<Arc<ServerConfig>>, tell: &Sender<Instant>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let _ = match &tls {
            None => answer(stream, tell),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                answer(StreamOwned::new(connection, stream), tell)
            }
        };
    }
}

/// Reads the POST's head, tells when it was there, and says that the sessions are revoked.
fn answer(mut stream: impl Read + Write, tell: &Sender<Instant>) -> io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&part[..read]),
        }
    }
    if head.starts_with(b"POST ") {
        let _ = tell.send(Instant::now());
    }
    let body = r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    stream.flush()
}
