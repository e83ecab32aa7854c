//! The text of a secret in a file or variable. PowerShell's `>` writes UTF-16, some editors write a byte order mark,
//! and many pipelines leave a line end.

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::chain::EnvLookup;

/// UTF-8's byte order mark, and those of UTF-16 in both orders.
const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const UTF16_LE_BOM: &[u8] = b"\xff\xfe";
const UTF16_BE_BOM: &[u8] = b"\xfe\xff";

/// Reads a file's bytes as text: UTF-8, or UTF-16 with a byte order mark. Plain ASCII in UTF-16 needs no mark.
///
/// # Errors
/// What is wrong with the text, without any of its content.
pub(super) fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, String> {
    if let Some(text) = decode_utf16(bytes) {
        return text;
    }
    let text =
        std::str::from_utf8(bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes)).map_err(|_| not_text_message())?;
    if text.contains('\0') { Err(not_text_message()) } else { Ok(Zeroizing::new(text.to_owned())) }
}

/// Reads a file's bytes as UTF-16; `None` if they are in another encoding.
pub(super) fn decode_utf16(bytes: &[u8]) -> Option<Result<Zeroizing<String>, String>> {
    let unit: fn([u8; 2]) -> u16;
    let content = if let Some(content) = bytes.strip_prefix(UTF16_LE_BOM) {
        unit = u16::from_le_bytes;
        content
    } else if let Some(content) = bytes.strip_prefix(UTF16_BE_BOM) {
        unit = u16::from_be_bytes;
        content
    } else if is_ascii_in_pairs(bytes, 0) {
        unit = u16::from_le_bytes;
        bytes
    } else if is_ascii_in_pairs(bytes, 1) {
        unit = u16::from_be_bytes;
        bytes
    } else {
        return None;
    };
    let (pairs, odd) = content.as_chunks::<2>();
    // Allocated in full at the start, because a growing string leaves copies of the secret in memory.
    let mut text = Zeroizing::new(String::with_capacity(content.len() * 3 / 2));
    for read in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match read {
            Ok(c) if c != '\0' => text.push(c),
            _ => return Some(Err(not_text_message())),
        }
    }
    Some(if odd.is_empty() { Ok(text) } else { Err(not_text_message()) })
}

/// Whether these are pairs of an ASCII character, at the index `character`, and a zero.
fn is_ascii_in_pairs(bytes: &[u8], character: usize) -> bool {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let ascii =
        |pair: &[u8; 2]| pair[character].is_ascii() && pair[character] != 0 && pair[1 - character] == 0;
    odd.is_empty() && !pairs.is_empty() && pairs.iter().all(ascii)
}

fn not_text_message() -> String {
    "it is not UTF-8 or UTF-16 text: save it as UTF-8".to_owned()
}

/// The secret in a variable, without a line end. `$(cat file)` removes the line end, but other ways to set a variable
/// keep it.
pub(super) fn from_variable(vars: EnvLookup<'_>, name: &str) -> Option<SecretString> {
    let value = Zeroizing::new(vars(name)?);
    Some(SecretString::from(trim_line_end(&value)))
}

/// A text without trailing line ends. Blanks stay, because they may belong to the secret.
pub(super) fn trim_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn bytes(text: &str, mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
    }

    fn read(bytes: &[u8]) -> Option<String> {
        decode(bytes).ok().map(|text| text.to_string())
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_in_every_encoding(text in "[^\\x00\u{feff}]{0,40}") {
            let expected = Some(text.clone());
            prop_assert_eq!(&read(text.as_bytes()), &expected);
            prop_assert_eq!(&read(&[UTF8_BOM, text.as_bytes()].concat()), &expected);
            prop_assert_eq!(&read(&bytes(&text, UTF16_LE_BOM, u16::to_le_bytes)), &expected);
            prop_assert_eq!(&read(&bytes(&text, UTF16_BE_BOM, u16::to_be_bytes)), &expected);
        }

        #[test]
        fn plain_text_needs_no_mark(text in "[ -~]{1,40}") {
            let expected = Some(text.clone());
            prop_assert_eq!(&read(&bytes(&text, b"", u16::to_le_bytes)), &expected);
            prop_assert_eq!(&read(&bytes(&text, b"", u16::to_be_bytes)), &expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = decode(&bytes);
            prop_assert!(text.is_err() || !text.unwrap().contains('\0'));
        }
    }

    #[test]
    fn binary_secret_error_hides_content() {
        let half = b"\xff\xfef\0a\0k";
        let lone =
            bytes("fake", UTF16_LE_BOM, u16::to_le_bytes).into_iter().chain([0x00, 0xd8]).collect::<Vec<_>>();
        let wide = b"\xff\xfe\0\0f\0\0\0";
        for odd in [&half[..], &lone, wide, b"fa\xe4ke", b"fake\0"] {
            let said = decode(odd).unwrap_err();
            assert!(said.contains("save it as UTF-8") && !said.contains("fake"), "{odd:?}: {said}");
        }
    }

    #[test]
    fn variables_lose_their_line_end_and_nothing_else() {
        for (value, secret) in [
            ("fake\n", "fake"),
            ("fake\r\n", "fake"),
            ("fake\r", "fake"),
            (" fa ke ", " fa ke "),
            ("fake", "fake"),
        ] {
            let vars = |name: &str| (name == "SECRET").then(|| value.to_owned());
            assert_eq!(from_variable(&vars, "SECRET").unwrap().expose_secret(), secret, "{value:?}");
        }
        assert!(from_variable(&|_: &str| None, "SECRET").is_none());
    }
}
