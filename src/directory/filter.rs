//! Names inside of OData filters, and filters inside of addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Kept as they are: RFC 3986's unreserved characters. A raw `#` would end the address, a raw `+` become a space, a raw
/// `&` begin the next option.
const OPTION: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text in a filter: `'o''brien@contoso.com'`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A filter, or another option's value, as it stands in an address.
pub(super) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, OPTION).to_string()
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
    fn guests_and_apostrophes() {
        assert_eq!(encoded(&literal("a_b.com#EXT#@c.com")), "%27a_b.com%23EXT%23%40c.com%27");
        assert_eq!(literal("o'brien@c.com"), "'o''brien@c.com'");
    }

    proptest! {
        #[test]
        fn any_name_comes_back_as_it_went(name in ".{0,40}", rest in "[ -~]{0,10}") {
            let rest = rest.trim_start_matches('\'');
            let sent = encoded(&format!("{}{rest}", literal(&name)));
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            let arrived = percent_decode_str(&sent).decode_utf8().unwrap();
            prop_assert_eq!(read(&arrived), (name, rest));
        }
    }
}
