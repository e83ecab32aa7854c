//! The name of a user in a request: an object ID (GUID), a user principal name (UPN), or `me`.
//!
//! Text is parsed once, where it is read; all other code passes a [`UserId`]. IDs are compared as Entra does it: all
//! spellings of a GUID are the same user, and UPNs are compared without case.

mod rule;
mod spelling;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

pub(crate) use rule::is_invisible;
pub use spelling::explain;
pub(crate) use spelling::{AddressCandidate, clean, find_addresses, to_ascii, trim, unwrap_address};

/// The maximum length of an ID, in characters. Entra allows 64 before the `@` and 48 after it, and a guest's name
/// includes a second address. A longer text is a mistake in the file.
const MAX_CHARS: usize = 1024;

/// Characters that are escaped in a path segment: all but RFC 3986's unreserved ones and `@`, which Graph accepts
/// unescaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The same for the key in `users('…')`, which also has an unescaped `$`, as on Graph's page.
const QUOTED: &AsciiSet = &SEGMENT.remove(b'$').remove(b'\'');

/// One user, as in Graph's `users/{id | userPrincipalName}`.
#[derive(Clone, Debug)]
pub enum UserId {
    /// An object ID.
    Object(Uuid),
    /// A user principal name, in the spelling in which it was given.
    Principal(Box<str>),
    /// The signed-in user: `/me`. Graph accepts it only with a delegated token.
    Me,
}

/// Why a text is not a user ID. The message is a fragment that fits after "not a user ID: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserId {
    /// Nothing but white space.
    #[error("the cell is empty")]
    Empty,
    /// Longer than any ID.
    #[error("it has too many characters ({0})")]
    TooLong(usize),
    /// Neither a GUID nor something with an `@`.
    #[error("it is not an object ID (GUID) or a user principal name (name@domain)")]
    NeitherGuidNorName,
    /// The nil GUID, which exports write if there is no ID.
    #[error("the all-zero GUID is not a user")]
    Nil,
    /// More than one `@`: usually two addresses in one cell.
    #[error("it has more than one '@'")]
    SeveralAt,
    /// Nothing before or after the `@`.
    #[error("the name before the '@' or the domain after it is missing")]
    MissingPart,
    /// White space, a control character or an invisible character inside.
    #[error("it has white space or an invisible character (U+{0:04X})")]
    Invisible(u32),
    /// Punctuation that a UPN can't contain.
    #[error("a user principal name can't contain '{0}'")]
    Punctuation(char),
    /// A letter outside ASCII, or a typographic quote or dash from a word processor.
    #[error("a user principal name can't contain {0} (U+{code:04X})", code = u32::from(*.0))]
    NonAscii(char),
    /// Dots where a UPN can't have them.
    #[error("the name before the '@' can't begin or end with a dot, or have two in a row")]
    Dots,
    /// The apostrophe by which Excel marks a cell as text.
    #[error("it begins with an apostrophe")]
    Apostrophe,
    /// A character that a domain can't contain.
    #[error("a domain can't contain '{0}'")]
    InDomain(char),
    /// Any other reason why the domain is not valid.
    #[error("its domain {0}")]
    Domain(&'static str),
}

impl UserId {
    /// Reads an ID as people write it: white space and quotes around it are removed.
    ///
    /// # Errors
    /// If it does not have the form of an ID. [`Self::check`] says whether Entra can have such a user.
    pub fn parse_lenient(text: &str) -> Result<UserId, InvalidUserId> {
        clean(text).parse()
    }

    /// Checks whether Entra can have a user with this ID. If not, no request is sent for it, unless the directory knows
    /// it. An ID from a run folder or a plan is not checked again.
    ///
    /// # Errors
    /// The part that a user principal name can't contain.
    pub fn check(&self) -> Result<(), InvalidUserId> {
        match self {
            UserId::Principal(name) => rule::check(name),
            UserId::Object(_) | UserId::Me => Ok(()),
        }
    }

    /// The path below the version root that names this user: `users/{guid}`, `users/{encoded}`,
    /// `users('{encoded}')` for a UPN that begins with `$`, or `me`.
    ///
    /// `#` becomes `%23` and an apostrophe is doubled in the quoted form, as the page "Get a user" requires
    /// (learn.microsoft.com/graph/api/user-get).
    pub fn request_path(&self) -> String {
        match self {
            UserId::Object(id) => format!("users/{}", id.hyphenated()),
            UserId::Principal(name) if name.starts_with('$') => {
                format!("users('{}')", utf8_percent_encode(&name.replace('\'', "''"), QUOTED))
            }
            UserId::Principal(name) => format!("users/{}", utf8_percent_encode(name, SEGMENT)),
            UserId::Me => "me".to_owned(),
        }
    }

    /// Whether the name says that the user's home is another tenant: Entra puts `#EXT#` into the UPN of a guest. `None`
    /// if the ID does not show it.
    pub fn is_external(&self) -> Option<bool> {
        match self {
            UserId::Principal(name) => Some(names_external(name)),
            UserId::Object(_) | UserId::Me => None,
        }
    }
}

/// Whether a name has the mark of an external user, in upper or lower case.
pub(crate) fn names_external(name: &str) -> bool {
    name.as_bytes().windows(5).any(|part| part.eq_ignore_ascii_case(b"#EXT#"))
}

impl FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, InvalidUserId> {
        let text = text.trim();
        let chars = text.chars().count();
        if text.is_empty() {
            return Err(InvalidUserId::Empty);
        }
        if chars > MAX_CHARS {
            return Err(InvalidUserId::TooLong(chars));
        }
        if text.eq_ignore_ascii_case("me") {
            return Ok(UserId::Me);
        }
        match Uuid::try_parse(text) {
            Ok(id) if id.is_nil() => Err(InvalidUserId::Nil),
            Ok(id) => Ok(UserId::Object(id)),
            Err(_) => principal(text),
        }
    }
}

fn principal(text: &str) -> Result<UserId, InvalidUserId> {
    let Some((name, domain)) = text.split_once('@') else {
        return Err(InvalidUserId::NeitherGuidNorName);
    };
    if let Some(odd) = text.chars().find(|c| is_blank_or_control(*c)) {
        return Err(InvalidUserId::Invisible(u32::from(odd)));
    }
    if domain.contains('@') {
        return Err(InvalidUserId::SeveralAt);
    }
    if name.is_empty() || domain.is_empty() {
        return Err(InvalidUserId::MissingPart);
    }
    match text.chars().find(|c| r#"",;:<>()[]|\"#.contains(*c)) {
        Some(mark) => Err(InvalidUserId::Punctuation(mark)),
        None => Ok(UserId::Principal(text.into())),
    }
}

fn is_blank_or_control(c: char) -> bool {
    c.is_whitespace() || crate::text::sanitize::needs_escape(c)
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserId::Object(id) => id.hyphenated().fmt(f),
            UserId::Principal(name) => f.write_str(name),
            UserId::Me => f.write_str("me"),
        }
    }
}

/// The characters of a name in lower case, so that UPNs compare without case.
fn lower_case_chars(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

/// Hashes the UTF-8 bytes of the name in lower case. Most names are ASCII, which needs no allocation.
fn fold_into<H: Hasher>(name: &str, state: &mut H) {
    if name.is_ascii() {
        let mut part = [0; 64];
        for bytes in name.as_bytes().chunks(part.len()) {
            let folded = &mut part[..bytes.len()];
            folded.copy_from_slice(bytes);
            folded.make_ascii_lowercase();
            state.write(folded);
        }
    } else {
        lower_case_chars(name).collect::<String>().as_bytes().chunks(64).for_each(|part| state.write(part));
    }
    state.write_u8(0xff);
}

impl PartialEq for UserId {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (UserId::Object(a), UserId::Object(b)) => a == b,
            (UserId::Principal(a), UserId::Principal(b)) => {
                a == b || lower_case_chars(a).eq(lower_case_chars(b))
            }
            (UserId::Me, UserId::Me) => true,
            _ => false,
        }
    }
}

impl Eq for UserId {}

impl Hash for UserId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            UserId::Object(id) => id.hash(state),
            UserId::Principal(name) => fold_into(name, state),
            UserId::Me => 0u8.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UserId {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_of_one_guid_are_one_user() {
        let plain = id("0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f");
        assert_eq!(plain, id("{0785EF7C-1C1B-4FF4-9AB1-1A2B3C4D5E6F}"));
        assert_eq!(plain, id("0785ef7c1c1b4ff49ab11a2b3c4d5e6f"));
        assert_eq!(plain.to_string(), "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f");
    }

    #[test]
    fn names_compare_without_case_and_keep_their_spelling() {
        assert_eq!(id("Åsa@Contoso.com"), id("åsa@contoso.COM"));
        assert_eq!(id(" Jo@contoso.com\u{a0}").to_string(), "Jo@contoso.com");
        assert_ne!(id("jo@contoso.com"), id("joe@contoso.com"));
    }

    #[test]
    fn paths_follow_graphs_page() {
        let guest = "AdeleVance_adatum.com#EXT#@contoso.com";
        assert_eq!(id(guest).request_path(), "users/AdeleVance_adatum.com%23EXT%23@contoso.com");
        assert_eq!(id("$x'y@contoso.com").request_path(), "users('$x''y@contoso.com')");
        assert_eq!(id("o'brien+a/b%@contoso.com").request_path(), "users/o%27brien%2Ba%2Fb%25@contoso.com");
        assert_eq!(id("ME").request_path(), "me");
    }

    #[test]
    fn what_is_no_id_says_why() {
        let why = |text: &str| text.parse::<UserId>().unwrap_err();
        assert_eq!(why("  "), InvalidUserId::Empty);
        assert_eq!(why("Total: 37"), InvalidUserId::NeitherGuidNorName);
        assert_eq!(why("a@b@c"), InvalidUserId::SeveralAt);
        assert_eq!(why("@contoso.com"), InvalidUserId::MissingPart);
        assert_eq!(why("jo e@contoso.com"), InvalidUserId::Invisible(0x20));
        assert_eq!(why("jo\u{202e}e@contoso.com"), InvalidUserId::Invisible(0x202e));
        assert_eq!(why("jo@contoso.com,"), InvalidUserId::Punctuation(','));
        assert_eq!(why("00000000-0000-0000-0000-000000000000"), InvalidUserId::Nil);
        assert_eq!(why(&"x".repeat(2000)), InvalidUserId::TooLong(2000));
    }

    #[test]
    fn guests_are_known_by_their_name() {
        assert_eq!(id("a_b.com#ext#@contoso.com").is_external(), Some(true));
        assert_eq!(id("a@contoso.com").is_external(), Some(false));
        assert_eq!(id("0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f").is_external(), None);
    }
}
