//! Redaction of a secret in a server's text, in every escaped form.
//!
//! Servers and proxies echo what they received: in JSON (`\/`, `\u002B`), in a URL or a form (`%2B`, `+` for a blank),
//! or in HTML (`&#43;`, `&amp;`). A search for the secret's own bytes misses these forms.

/// The text with each occurrence of `secret` replaced by `mark`. The text need not be UTF-8.
pub(crate) fn redact(text: Vec<u8>, secret: &str, mark: &str) -> Vec<u8> {
    let Some(&first) = secret.as_bytes().first() else { return text };
    let mut clean = Vec::new();
    let (mut kept, mut at) = (0, 0);
    while at < text.len() {
        // A cheap check first, because the secret does not begin at most positions.
        let begins = text[at] == first || matches!(text[at], b'\\' | b'%' | b'&' | b'+');
        match begins.then(|| match_length(&text[at..], secret.as_bytes())).flatten() {
            Some(length) => {
                clean.extend_from_slice(&text[kept..at]);
                clean.extend_from_slice(mark.as_bytes());
                at += length;
                kept = at;
            }
            None => at += 1,
        }
    }
    if kept == 0 {
        return text;
    }
    clean.extend_from_slice(&text[kept..]);
    clean
}

/// The same for text that is UTF-8.
pub(crate) fn redact_str(text: String, secret: &str, mark: &str) -> String {
    let clean = redact(text.into_bytes(), secret, mark);
    String::from_utf8(clean).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Maximum number of readings that are tried at one position of a text.
const MAX_READINGS: usize = 100_000;

/// The number of bytes that spell the secret, if the text begins with it.
///
/// The secret may contain something that looks like an escape (`%25`), so a byte can have two readings. Both are tried.
fn match_length(text: &[u8], secret: &[u8]) -> Option<usize> {
    // The open readings: how many bytes of the text are read, and how many bytes of the secret they spell.
    let mut open = vec![(0, 0)];
    for _ in 0..MAX_READINGS {
        let (at, found) = open.pop()?;
        let Some(wanted) = secret.get(found..).filter(|rest| !rest.is_empty()) else { return Some(at) };
        let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else { continue };
        if rest[0] == wanted[0] {
            open.push((at + 1, found + 1));
        }
        if let Some((spelled, length)) = unescape(rest) {
            let mut room = [0; 4];
            let spelled = spelled.encode_utf8(&mut room).as_bytes();
            if wanted.starts_with(spelled) {
                open.push((at + length, found + spelled.len()));
            }
        }
    }
    None
}

/// The escaped character at the start of the text, and the length of its escaped form in bytes.
fn unescape(text: &[u8]) -> Option<(char, usize)> {
    match text {
        [b'\\', b'u', digits @ ..] => Some((hex(digits.get(..4)?)?, 6)),
        [b'\\', mark @ (b'/' | b'\\' | b'"' | b'\''), ..] => Some((char::from(*mark), 2)),
        [b'%', digits @ ..] => Some((hex(digits.get(..2)?)?, 3)).filter(|(spelled, _)| spelled.is_ascii()),
        [b'+', ..] => Some((' ', 1)),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(8).position(|byte| *byte == b';')?;
            let spelled = match &rest[..end] {
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
                [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
                _ => return None,
            };
            Some((spelled, end + 2))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<char> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "fake+secret/1&2 %25";

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        for spelled in [
            SECRET,
            r"fake\u002Bsecret\/1\u00262 %25",
            r"\u0066\u0061ke\u002bsecret/1&2 %25",
            "fake%2Bsecret%2F1%262+%2525",
            "fake%2bsecret%2f1%262%20%2525",
            "fake&#43;secret&#x2F;1&amp;2 %25",
        ] {
            assert_eq!(
                redact_str(format!("got '{spelled}'!"), SECRET, "[token]"),
                "got '[token]'!",
                "{spelled}"
            );
        }
    }

    #[test]
    fn other_text_stays() {
        for text in ["", "fake+secret/1&2 %2", r"\u00", "%", "&#", "&#99999999;", "été 日本 \\", "%zz &amp"]
        {
            assert_eq!(redact_str(text.to_owned(), SECRET, "[token]"), text);
        }
        assert_eq!(redact_str("anything".to_owned(), "", "[token]"), "anything");
        assert_eq!(redact_str("naïvenaïve".to_owned(), "naïve", "*"), "**");
    }

    proptest::proptest! {
        #[test]
        fn a_secret_never_stays(before in ".{0,20}", secret in "[ -~]{4,30}", after in ".{0,20}") {
            let json = serde_json::to_string(&secret).unwrap();
            let url = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC);
            for spelled in [secret.clone(), json[1..json.len() - 1].to_owned(), url.to_string()] {
                let clean = redact_str(format!("{before}{spelled}{after}"), &secret, "\u{1}");
                proptest::prop_assert!(clean.contains('\u{1}'), "{spelled}");
            }
        }
    }
}
