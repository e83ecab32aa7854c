//! Standard input can be read only once, so only one input or secret may come from it.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::identity::CredentialSources;

/// Refuses a command line that reads standard input (`-`) twice: the second reader would get nothing, or a part of the
/// first one's data.
pub(super) fn check_single_use(files: &[PathBuf], sources: &CredentialSources) -> Result<(), Error> {
    let users = files.iter().map(|path| ("the input", Some(path)));
    let secrets = [
        ("--token-file", sources.token_file.as_ref()),
        ("--client-secret-file", sources.client_secret_file.as_ref()),
        ("--certificate-password-file", sources.certificate_password_file.as_ref()),
    ];
    let mut readers = users
        .chain(secrets)
        .filter(|(_, path)| path.is_some_and(|path| path == Path::new("-")))
        .map(|(what, _)| what);
    match (readers.next(), readers.next()) {
        (Some(one), Some(other)) => Err(Error::Usage(format!(
            "{one} and {other} both come from standard input (-), which can be read only once: use a file for \
             one of them"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_cannot_be_read_twice() {
        let here = |wanted: bool| wanted.then(|| PathBuf::from("-"));
        for bits in 0..16_u32 {
            let from = |bit: u32| here(bits & (1 << bit) != 0);
            let files: Vec<PathBuf> = [PathBuf::from("a.csv")].into_iter().chain(from(0)).collect();
            let sources = CredentialSources {
                token_file: from(1),
                client_secret_file: from(2),
                certificate_password_file: from(3),
                certificate_file: Some("a.pem".into()),
                ..CredentialSources::default()
            };
            assert_eq!(check_single_use(&files, &sources).is_ok(), bits.count_ones() < 2, "{bits:04b}");
        }
        let twice = ["-".into(), "-".into()];
        assert!(check_single_use(&twice, &CredentialSources::default()).is_err());
    }
}
