//! Warns about files with secrets that other accounts can read. On Windows nothing is checked, because access there
//! does not depend on a few mode bits.

use std::path::{Path, PathBuf};

use crate::console;
use crate::identity::{Auth, CredentialSources, EnvLookup};

/// Warns about each file with a secret that the group or everyone can read. Token files of a cluster are not checked:
/// they are readable by design, and valid for minutes.
pub(super) fn warn_readable_files(sources: &CredentialSources, vars: EnvLookup<'_>) {
    let mut warned: Vec<PathBuf> = Vec::new();
    for (by, path) in secret_file_list(sources, vars) {
        let public = CERTIFICATE_SETTINGS.contains(&by) && is_certificate_without_key(&path);
        if !public && others_can_read(&path) && !warned.contains(&path) {
            let (name, word) = (path.display(), crate::shell::path(&path));
            console::print_status(&format!(
                "warning: other accounts can read {name} ({by}): chmod 600 {word}"
            ));
            warned.push(path);
        }
    }
}

/// The settings that name a certificate file, which usually has the key in it.
const CERTIFICATE_SETTINGS: [&str; 2] = ["--certificate-file", "AZURE_CLIENT_CERTIFICATE_PATH"];

/// Whether a file is PEM without a key, so that nothing in it is secret.
fn is_certificate_without_key(path: &Path) -> bool {
    let holds = |text: &[u8], words: &[u8]| text.windows(words.len()).any(|part| part == words);
    let is_file = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= 1 << 20);
    let text = if is_file { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    holds(&text, b"-----BEGIN CERTIFICATE-----") && !holds(&text, b"PRIVATE KEY")
}

/// The files with secrets, each with the setting that names it.
fn secret_file_list(sources: &CredentialSources, vars: EnvLookup<'_>) -> Vec<(&'static str, PathBuf)> {
    // If the key has its own file, the certificate's file is not secret.
    let certificate = sources.certificate_file.as_ref().filter(|_| sources.certificate_key_file.is_none());
    let named = [
        ("--token-file", sources.token_file.as_ref()),
        ("--client-secret-file", sources.client_secret_file.as_ref()),
        ("--certificate-file", certificate),
        ("--certificate-key-file", sources.certificate_key_file.as_ref()),
        ("--certificate-password-file", sources.certificate_password_file.as_ref()),
    ];
    let mut files: Vec<_> = named.into_iter().filter_map(|(by, path)| Some((by, path?.to_owned()))).collect();
    if uses_environment_certificate(sources) {
        let path = vars("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from);
        files.extend(path.map(|path| ("AZURE_CLIENT_CERTIFICATE_PATH", path)));
    }
    files
}

/// Whether a certificate that only the environment names may be used.
fn uses_environment_certificate(sources: &CredentialSources) -> bool {
    let others = sources.certificate_file.is_some()
        || sources.token_file.is_some()
        || sources.client_secret_file.is_some();
    match sources.auth {
        Some(Auth::Certificate) => sources.certificate_file.is_none(),
        None | Some(Auth::Auto) => !others,
        Some(_) => false,
    }
}

#[cfg(unix)]
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // The mode bits of pipes and devices mean something else.
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sources: &CredentialSources) -> Vec<&'static str> {
        let vars = |name: &str| (name == "AZURE_CLIENT_CERTIFICATE_PATH").then(|| "env.pem".to_owned());
        secret_file_list(sources, &vars).into_iter().map(|(by, _)| by).collect()
    }

    #[test]
    fn certificate_without_key_is_not_secret() {
        let dir = tempfile::tempdir().unwrap();
        let alone = |text: &str| {
            let path = dir.path().join("a");
            std::fs::write(&path, text).unwrap();
            is_certificate_without_key(&path)
        };
        let certificate = "-----BEGIN CERTIFICATE-----\nfake\n-----END CERTIFICATE-----\n";
        assert!(alone(certificate));
        assert!(!alone(&format!(
            "{certificate}-----BEGIN PRIVATE KEY-----\nfake\n-----END PRIVATE KEY-----\n"
        )));
        assert!(!alone("binary, such as PFX"));
        assert!(!is_certificate_without_key(dir.path()));
    }

    #[test]
    fn only_used_secret_files_are_checked() {
        let path = || Some(PathBuf::from("a"));
        let environment = "AZURE_CLIENT_CERTIFICATE_PATH";
        assert_eq!(names(&CredentialSources::default()), [environment]);
        assert_eq!(
            names(&CredentialSources { token_file: path(), ..CredentialSources::default() }),
            ["--token-file"]
        );
        let both = CredentialSources {
            certificate_file: path(),
            certificate_key_file: path(),
            certificate_password_file: path(),
            ..CredentialSources::default()
        };
        assert_eq!(names(&both), ["--certificate-key-file", "--certificate-password-file"]);
        let other = CredentialSources { auth: Some(Auth::AzureCli), ..CredentialSources::default() };
        assert!(names(&other).is_empty());
        let federated = CredentialSources {
            auth: Some(Auth::WorkloadIdentity),
            federated_token_file: path(),
            ..CredentialSources::default()
        };
        assert!(names(&federated).is_empty());
    }
}
