//! Whom TLS trusts: the platform's roots, `SSL_CERT_FILE`, and `--ca-cert`.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::client::ConnectError;
use crate::files::{self, PipePolicy};

/// The variable, as OpenSSL and most tools know it.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// The same for a folder of roots.
const SSL_CERT_DIR: &str = "SSL_CERT_DIR";

/// The most that is read of such a file, in bytes: the roots of a whole system have some 250,000.
const LONGEST: u64 = 16 << 20;

/// Roots to trust beside those that the platform's own verifier finds.
pub(super) fn further(ca_cert: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let mut roots = Vec::new();
    if let Some(path) = ca_cert {
        let all = read("--ca-cert", path)?;
        // One that was given for this very program must be of use, all of it.
        if let Some(odd) = all.iter().find_map(refused) {
            return Err(fail("--ca-cert", path, odd));
        }
        roots.extend(all);
    }
    // The platform's verifier reads this folder itself: whoever may put a root there reads the token.
    let folders = std::env::var_os(SSL_CERT_DIR).filter(|_| cfg!(target_os = "linux")).unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|folder| folder.is_dir()) {
        files::check(&folder).map_err(|error| fail(SSL_CERT_DIR, &folder, error.to_string()))?;
    }
    if let Some(path) = std::env::var_os(SSL_CERT_FILE).map(PathBuf::from) {
        let all = read(SSL_CERT_FILE, &path)?;
        let good: Vec<_> = all.into_iter().filter(|root| refused(root).is_none()).collect();
        if good.is_empty() {
            return Err(fail(SSL_CERT_FILE, &path, "none of its certificates can be a root".to_owned()));
        }
        // Elsewhere than on Windows and Apple's systems the verifier reads the variable itself, in place of the
        // system's store. There it was only to be seen whether it can.
        if cfg!(any(windows, target_vendor = "apple")) {
            roots.extend(good);
        }
    }
    Ok(roots)
}

fn fail(given_by: &'static str, path: &Path, reason: String) -> ConnectError {
    ConnectError::Roots { given_by, path: path.to_owned(), reason }
}

fn read(given_by: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    if path.as_os_str().is_empty() {
        return Err(fail(given_by, path, "it is empty: name a PEM file, or unset it".to_owned()));
    }
    // Whoever may change it reads what is sent, the token first of all.
    let read = files::read_secret(path, LONGEST, PipePolicy::Open);
    let pem = read.map_err(|error| fail(given_by, path, error.to_string()))?;
    // Editors on Windows put a byte order mark before it.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&pem[..]);
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        // Not the parser's own words: they show the line.
        .map_err(|_| fail(given_by, path, "its PEM is damaged".to_owned()))?;
    if roots.is_empty() {
        return Err(fail(given_by, path, "it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

/// Why this can't be a root, if so.
fn refused(root: &CertificateDer<'static>) -> Option<String> {
    RootCertStore::empty().add(root.clone()).err().map(|error| error.to_string())
}
