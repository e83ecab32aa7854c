//! What a single cell looks like: whether it is an object ID or an address.

pub(super) use crate::user_id::{is_invisible, trim};

/// Whether the trimmed cell is a GUID, with or without hyphens, with or without braces.
pub(super) fn is_guid(text: &str) -> bool {
    let text = unquote(text);
    let text = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    match text.len() {
        32 => text.bytes().all(|b| b.is_ascii_hexdigit()),
        36 => text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

/// Whether the trimmed cell looks like an address: one `@`, a dot after it, no white space.
pub(super) fn is_address(text: &str) -> bool {
    let text = unquote(text);
    let Some((local, domain)) = text.split_once('@') else { return false };
    let dot = domain.trim_end_matches('.').find('.').is_some_and(|at| at > 0);
    !local.is_empty() && dot && !domain.contains('@') && !text.chars().any(char::is_whitespace)
}

/// Whether the cell could name a user: a GUID, or something that looks like an address.
pub(super) fn is_id_like(text: &str) -> bool {
    is_guid(text) || is_address(text)
}

/// The text without surrounding white space and quotes of any kind.
pub(super) fn unquote(text: &str) -> &str {
    crate::user_id::clean(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_what_nobody_sees() {
        assert_eq!(trim("\u{feff}\u{a0} ann@contoso.com\u{200b}\t"), "ann@contoso.com");
    }

    #[test]
    fn tells_ids_from_other_text() {
        assert!(is_guid("{8A0F3C1E-1111-2222-3333-444455556666}"));
        assert!(is_guid("8a0f3c1e111122223333444455556666"));
        assert!(!is_guid("8a0f3c1e-1111-2222-3333-44445555666"));
        assert!(is_address("jane_fabrikam.com#EXT#@contoso.onmicrosoft.com"));
        assert!(is_address("“ann@contoso.com”") && is_guid("'8a0f3c1e111122223333444455556666'"));
        assert!(!is_address("by admin@contoso.com"));
        assert!(!is_address("@contoso.com"));
        assert!(!is_address("ann@contoso"));
        assert!(!is_address("a@b.c, d@e.f"));
    }
}
