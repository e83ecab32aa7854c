//! The roots that TLS trusts: the platform's, those in `SSL_CERT_FILE`, and those in `--ca-cert`.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::client::ClientBuildError;
use crate::files::{self, PipePolicy};

/// The variable for a file of roots, as OpenSSL and most tools know it.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// The variable for folders of roots.
const SSL_CERT_DIR: &str = "SSL_CERT_DIR";

/// The maximum size of a file of roots, in bytes. A whole system's roots are some 250,000 bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Reads the roots to trust in addition to those that the platform's own verifier finds.
pub(super) fn additional_roots(
    ca_cert: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, ClientBuildError> {
    let mut roots = Vec::new();
    if let Some(path) = ca_cert {
        let all = read("--ca-cert", path)?;
        // This file was passed to this program, so all of its certificates must be usable.
        if let Some(odd) = all.iter().find_map(rejection_reason) {
            return Err(fail("--ca-cert", path, odd));
        }
        roots.extend(all);
    }
    // The platform's verifier reads this folder itself. Anyone who may add a root there can read the token.
    let folders = std::env::var_os(SSL_CERT_DIR).filter(|_| cfg!(target_os = "linux")).unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|folder| folder.is_dir()) {
        files::check_path(&folder).map_err(|error| fail(SSL_CERT_DIR, &folder, error.to_string()))?;
    }
    if let Some(path) = std::env::var_os(SSL_CERT_FILE).map(PathBuf::from) {
        let all = read(SSL_CERT_FILE, &path)?;
        let good: Vec<_> = all.into_iter().filter(|root| rejection_reason(root).is_none()).collect();
        if good.is_empty() {
            return Err(fail(
                SSL_CERT_FILE,
                &path,
                "none of its certificates can be used as a root".to_owned(),
            ));
        }
        // On other systems, the verifier itself reads the variable, and uses it instead of the system's
        // store. There, the code above only checks that the file is usable.
        if cfg!(any(windows, target_vendor = "apple")) {
            roots.extend(good);
        }
    }
    Ok(roots)
}

fn fail(given_by: &'static str, path: &Path, reason: String) -> ClientBuildError {
    ClientBuildError::Roots { given_by, path: path.to_owned(), reason }
}

fn read(given_by: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientBuildError> {
    if path.as_os_str().is_empty() {
        return Err(fail(given_by, path, "it is empty: name a PEM file, or unset it".to_owned()));
    }
    // Anyone who may change this file can read what is sent, including the token.
    let read = files::read_secret(path, MAX_FILE_BYTES, PipePolicy::Open);
    let pem = read.map_err(|error| fail(given_by, path, error.to_string()))?;
    // Editors on Windows add a byte order mark.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&pem[..]);
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        // The parser's own message is left out, because it quotes the line.
        .map_err(|_| fail(given_by, path, "its PEM is damaged".to_owned()))?;
    if roots.is_empty() {
        return Err(fail(given_by, path, "it has no certificate in PEM format".to_owned()));
    }
    Ok(roots)
}

/// Why this certificate can't be a root, if it can't.
fn rejection_reason(root: &CertificateDer<'static>) -> Option<String> {
    RootCertStore::empty().add(root.clone()).err().map(|error| error.to_string())
}
