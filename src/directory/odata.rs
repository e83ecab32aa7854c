//! Text in the URL of a query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters to encode: all except RFC 3986's unreserved ones. An unencoded `#` would end the URL, and a `+` would
/// be read as a space.
const QUERY_ENCODE_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes any text as a value of the query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY_ENCODE_SET).to_string()
}

/// A text as an OData literal: in apostrophes, with apostrophes in it doubled. Not yet encoded.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    /// Reads a literal as OData does, from its first apostrophe to the one that is not doubled.
    fn read(filter: &str) -> (String, &str) {
        let mut rest = filter.strip_prefix('\'').unwrap();
        let mut text = String::new();
        loop {
            let (before, after) = rest.split_once('\'').unwrap();
            text.push_str(before);
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => return (text, after),
            }
        }
    }

    #[test]
    fn quotes_and_reserved_characters_are_escaped() {
        assert_eq!(quote("O'Brien's"), "'O''Brien''s'");
        assert_eq!(encode("a eq 'x#y&z+1/ü'"), "a%20eq%20%27x%23y%26z%2B1%2F%C3%BC%27");
    }

    proptest! {
        #[test]
        fn any_name_survives_a_round_trip(name in ".{0,40}", rest in "[ -~]{0,10}") {
            let rest = rest.trim_start_matches('\'');
            let sent = encode(&format!("{}{rest}", quote(&name)));
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            let arrived = percent_decode_str(&sent).decode_utf8().unwrap();
            prop_assert_eq!(read(&arrived), (name, rest));
        }
    }
}
