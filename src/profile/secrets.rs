//! Detection of secrets in a config file. They are not allowed there, because config files are copied, committed and
//! shown. A secret is recognized by its key or its value. It is refused with advice on where to put it, and never
//! shown.

const SECRET: &str = "set AZURE_CLIENT_SECRET, or put it in a file and set client_secret_file";
const PASSWORD: &str =
    "set AZURE_CLIENT_CERTIFICATE_PASSWORD, or put it in a file and set certificate_password_file";
const FEDERATED: &str = "put it in a file and set federated_token_file, or AZURE_FEDERATED_TOKEN_FILE";
const TOKEN: &str = "set ENTRA_REVOKE_TOKEN, or put it in a file and set token_file";
const KEY: &str = "put it in a file and set certificate_file or certificate_key_file";

/// Words in a key's name that mean a secret, and what to do instead. The first match counts.
const WORDS: [(&str, &str); 12] = [
    ("password", PASSWORD),
    ("passphrase", PASSWORD),
    ("passwd", PASSWORD),
    ("pwd", PASSWORD),
    ("federated", FEDERATED),
    ("assertion", FEDERATED),
    ("secret", SECRET),
    ("credential", SECRET),
    ("apikey", SECRET),
    ("token", TOKEN),
    ("bearer", TOKEN),
    ("key", KEY),
];

/// What to do instead, if a key (in lower case, with underscores) is for a secret.
pub(super) fn advice_for_key(key: &str) -> Option<&'static str> {
    let names_a_place = ["_file", "_path"].iter().any(|end| key.ends_with(end));
    let bare = key.replace('_', "");
    let found = WORDS.iter().find(|(word, _)| bare.contains(word));
    found.filter(|_| !names_a_place).map(|(_, instead)| *instead)
}

/// The same advice for a further app, which can only use files and not the environment.
pub(super) fn for_app(instead: &'static str) -> &'static str {
    let file = instead.strip_prefix("set ").and_then(|rest| rest.split_once(", or "));
    file.map_or(instead, |(_, file)| file)
}

/// The kind of secret that a value looks like, and what to do instead; `None` if it does not look like a secret.
pub(super) fn detect_secret(text: &str) -> Option<(&'static str, &'static str)> {
    if text.contains("-----BEGIN") {
        return Some(("a key or a certificate", KEY));
    }
    let bare = text.trim();
    if bare.split_whitespace().any(is_token) {
        return Some(("a token", TOKEN));
    }
    is_client_secret(bare).then_some(("an app's secret", SECRET))
}

/// Whether a word is a JSON web token. `eyJ` is the start of `{"` in base64 (RFC 7519, section 3.1).
fn is_token(word: &str) -> bool {
    word.len() > 20 && word.starts_with("eyJ") && word.contains('.')
}

/// Whether a text is a client secret of Entra. These have a digit and `Q~` after three characters and are 37 to 40
/// characters long, by which secret scanners find them (github.com/microsoft/security-utilities, SEC101/156).
fn is_client_secret(text: &str) -> bool {
    let of_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"~._-".contains(byte);
    let bytes = text.as_bytes();
    (37..=40).contains(&bytes.len())
        && bytes.iter().all(of_alphabet)
        && bytes[3].is_ascii_digit()
        && &bytes[4..6] == b"Q~"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_in_all_their_names() {
        for (key, instead) in [
            ("client_secret", SECRET),
            ("azure_client_secret", SECRET),
            ("clientsecret", SECRET),
            ("password", PASSWORD),
            ("azure_client_certificate_password", PASSWORD),
            ("access_token", TOKEN),
            ("refresh_token", TOKEN),
            ("federated_token", FEDERATED),
            ("client_assertion", FEDERATED),
            ("private_key", KEY),
            ("certificate_key", KEY),
        ] {
            assert_eq!(advice_for_key(key), Some(instead), "{key}");
        }
        for key in ["tenant", "tokn_file", "azure_client_certificate_path", "certificate"] {
            assert_eq!(advice_for_key(key), None, "{key}");
        }
    }

    #[test]
    fn advice_for_apps_names_only_files() {
        for instead in [SECRET, PASSWORD, TOKEN] {
            assert!(for_app(instead).starts_with("put it in a file and set "), "{instead}");
        }
        assert_eq!(for_app(FEDERATED), FEDERATED);
        assert_eq!(for_app(KEY), KEY);
    }

    #[test]
    fn values_that_look_like_secrets_are_known() {
        let made_up = format!("abc8Q~{}", "x".repeat(32));
        for (value, what) in [
            ("-----BEGIN PRIVATE KEY-----\nMII", "a key or a certificate"),
            ("Bearer eyJhbGciOiJub25lIn0.eyJmYWtlIjoxfQ.", "a token"),
            (made_up.as_str(), "an app's secret"),
        ] {
            assert_eq!(detect_secret(value).map(|(looks_like, _)| looks_like), Some(what));
        }
        for value in ["contoso.onmicrosoft.com", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "eyJ.pem", ""] {
            assert_eq!(detect_secret(value), None, "{value}");
        }
    }
}
