//! What a user principal name can contain in Entra.
//!
//! ```text
//! name    A-Z a-z 0-9 ' . - _ ! # ^ ~ $    no dot at its start, at its end, or next to another; no ' at its start
//! domain  labels of A-Z a-z 0-9 and -      two or more, with dots between them
//! ```
//!
//! These are the characters that Entra accepts when a user is created ("Property userPrincipalName is invalid"
//! otherwise; learn.microsoft.com/office/troubleshoot/office-suite-issues/username-contains-special-character), and
//! `$`, which Graph's page "Get a user" mentions at the start of names. Anything else was put in by a spreadsheet or an
//! editor. For such a name Graph may return another user, or 404 although the user exists under a name that looks the
//! same.

use super::InvalidUserId;

/// Whether a user principal name can have the character before its `@`.
pub(crate) fn is_in_names(c: char) -> bool {
    c.is_ascii_alphanumeric() || "'.-_!#^~$".contains(c)
}

/// Checks whether Entra can have a user with this principal name.
///
/// # Errors
/// The part that a principal name can't contain.
pub(super) fn check(principal: &str) -> Result<(), InvalidUserId> {
    let (name, domain) = principal.split_once('@').ok_or(InvalidUserId::NeitherGuidNorName)?;
    if let Some(odd) = principal.chars().find(|c| *c != '@' && !is_in_names(*c)) {
        return Err(match odd {
            odd if odd.is_whitespace() || is_invisible(odd) => InvalidUserId::Invisible(u32::from(odd)),
            odd if odd.is_ascii() => InvalidUserId::Punctuation(odd),
            odd => InvalidUserId::NonAscii(odd),
        });
    }
    // Entra allows such a name, but in a list the apostrophe comes from a spreadsheet, which marks text with it.
    if name.starts_with('\'') {
        return Err(InvalidUserId::Apostrophe);
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(InvalidUserId::Dots);
    }
    check_domain(domain)
}

fn check_domain(domain: &str) -> Result<(), InvalidUserId> {
    let no = |what| Err(InvalidUserId::Domain(what));
    if domain.ends_with('.') {
        return no("ends with a dot");
    }
    if !domain.contains('.') {
        return no("has no dot");
    }
    if let Some(odd) = domain.chars().find(|c| !c.is_ascii_alphanumeric() && !"-.".contains(*c)) {
        return Err(InvalidUserId::InDomain(odd));
    }
    for label in domain.split('.') {
        match label {
            "" => return no("has an empty part between two dots"),
            label if label.starts_with('-') || label.ends_with('-') => {
                return no("has a part that begins or ends with '-'");
            }
            _ => {}
        }
    }
    match domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        true => no("ends with a number, as an IP address does"),
        false => Ok(()),
    }
}

/// Whether the character is invisible, even if it takes up space: joiners, marks, blanks of Braille and Hangul,
/// variation selectors, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    crate::text::sanitize::needs_escape(c)
        || matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{1d173}'..='\u{1d17a}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_entra_pass() {
        let good = [
            "ann@contoso.com",
            "o'brien@contoso.com",
            "jane_fabrikam.com#EXT#@contoso.onmicrosoft.com",
            "$dollar@contoso.com",
            "a.b-c_d!e^f~g@xn--mller-kva.example",
            "-x@contoso.com",
            "t'hooft@contoso.nl",
            "1@1and1.com",
        ];
        for good in good {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_no_name_holds_is_told() {
        use InvalidUserId::{Domain, Dots, InDomain, Invisible, NonAscii, Punctuation};
        let no = [
            ("o’brien@contoso.com", NonAscii('’')),
            ("ann–lee@contoso.com", NonAscii('–')),
            ("ann…@contoso.com", NonAscii('…')),
            ("j\u{fffd}rg@contoso.com", NonAscii('\u{fffd}')),
            ("jörg@contoso.com", NonAscii('ö')),
            ("ann@müller.example", NonAscii('ü')),
            ("аnn@contoso.com", NonAscii('а')),
            ("an\u{2800}n@contoso.com", Invisible(0x2800)),
            ("ann\u{3164}@contoso.com", Invisible(0x3164)),
            ("ann@con\u{ad}toso.com", Invisible(0xad)),
            ("a\u{200d}nn@contoso.com", Invisible(0x200d)),
            ("ann+tag@contoso.com", Punctuation('+')),
            ("*@contoso.com", Punctuation('*')),
            ("a?b@contoso.com", Punctuation('?')),
            ("a/b@contoso.com", Punctuation('/')),
            ("a%41@contoso.com", Punctuation('%')),
            ("`ann@contoso.com", Punctuation('`')),
            ("'ann@contoso.com", InvalidUserId::Apostrophe),
            (".ann@contoso.com", Dots),
            ("ann.@contoso.com", Dots),
            ("ann..lee@contoso.com", Dots),
            ("ann@contoso.com.", Domain("ends with a dot")),
            ("ann@contoso", Domain("has no dot")),
            ("ann@contoso..com", Domain("has an empty part between two dots")),
            ("ann@-contoso.com", Domain("has a part that begins or ends with '-'")),
            ("ann@10.0.0.1", Domain("ends with a number, as an IP address does")),
            ("ann@con_toso.com", InDomain('_')),
            ("ann@contoso.com'", InDomain('\'')),
        ];
        for (text, why) in no {
            assert_eq!(check(text), Err(why), "{text}");
        }
    }
}
