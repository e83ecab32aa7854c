//! Secrets have no place in a config file: it is copied, committed and shown. They are known by the key or by what
//! the value looks like, refused with the right way to give them, and never shown.

const SECRET: &str = "set AZURE_CLIENT_SECRET, or name a file that holds it: client_secret_file";
const PASSWORD: &str =
    "set AZURE_CLIENT_CERTIFICATE_PASSWORD, or name a file that holds it: certificate_password_file";
const FEDERATED: &str = "name the file that holds it: federated_token_file, or AZURE_FEDERATED_TOKEN_FILE";
const TOKEN: &str = "set ENTRA_REVOKE_TOKEN, or name a file that holds it: token_file";
const KEY: &str = "name the file that holds it: certificate_file, or certificate_key_file";

/// Words in a key's name that mean a secret, and how that is given instead. The first that fits counts.
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

/// What to do instead, where a key (in small letters, with underscores) is one for a secret.
pub(super) fn by_key(key: &str) -> Option<&'static str> {
    let names_a_place = ["_file", "_path"].iter().any(|end| key.ends_with(end));
    let bare = key.replace('_', "");
    let found = WORDS.iter().find(|(word, _)| bare.contains(word));
    found.filter(|_| !names_a_place).map(|(_, instead)| *instead)
}

/// The same where the environment is no help: a further app has files alone.
pub(super) fn for_app(instead: &'static str) -> &'static str {
    let file = instead.strip_prefix("set ").and_then(|rest| rest.split_once(", or "));
    file.map_or(instead, |(_, file)| file)
}

/// What a value looks like and what to do instead, where it looks like a secret.
pub(super) fn by_value(text: &str) -> Option<(&'static str, &'static str)> {
    if text.contains("-----BEGIN") {
        return Some(("a key or a certificate", KEY));
    }
    let bare = text.trim();
    if bare.split_whitespace().any(is_token) {
        return Some(("a token", TOKEN));
    }
    is_client_secret(bare).then_some(("an app's secret", SECRET))
}

/// A JSON web token: `eyJ` is how the Base64 of `{"` begins (RFC 7519, section 3.1).
fn is_token(word: &str) -> bool {
    word.len() > 20 && word.starts_with("eyJ") && word.contains('.')
}

/// Secrets that Entra makes have a digit and `Q~` behind three characters, and are 37 to 40 characters long: by that,
/// secret scanners know them (github.com/microsoft/security-utilities, SEC101/156).
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
            assert_eq!(by_key(key), Some(instead), "{key}");
        }
        for key in ["tenant", "tokn_file", "azure_client_certificate_path", "certificate"] {
            assert_eq!(by_key(key), None, "{key}");
        }
    }

    #[test]
    fn an_app_is_told_of_files_alone() {
        for instead in [SECRET, PASSWORD, TOKEN] {
            assert!(for_app(instead).starts_with("name a file that holds it: "), "{instead}");
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
            assert_eq!(by_value(value).map(|(looks_like, _)| looks_like), Some(what));
        }
        for value in ["contoso.onmicrosoft.com", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "eyJ.pem", ""] {
            assert_eq!(by_value(value), None, "{value}");
        }
    }
}
