//! How people and programs write user IDs: in quotes, in angle brackets, after `mailto:`, with a typographic apostrophe
//! from a word processor. Clear decoration around the whole text is removed; any other correction is only a suggestion.

use super::rule::{is_in_names, is_invisible};
use super::{InvalidUserId, UserId};

/// Pairs of quotes that may surround a whole cell.
const QUOTES: [(char, char); 17] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('`', '\''),
    ('´', '´'),
    ('“', '”'),
    ('”', '”'),
    ('„', '“'),
    ('„', '”'),
    ('‘', '’'),
    ('’', '’'),
    ('‚', '‘'),
    ('‚', '’'),
    ('«', '»'),
    ('»', '«'),
    ('‹', '›'),
    ('›', '‹'),
];

/// The text without surrounding white space, invisible characters and quotes.
pub(crate) fn clean(text: &str) -> &str {
    let mut text = trim(text);
    while let Some(within) = unquote(text) {
        text = within;
    }
    text
}

/// The text without white space and invisible characters at its ends. Control characters stay, because a NUL or the end
/// mark of DOS is a sign of damage.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || (is_invisible(c) && !c.is_control()))
}

/// The text without the quotes around it; none if it has none.
fn unquote(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let (open, close) = (chars.next()?, chars.next_back()?);
    QUOTES.contains(&(open, close)).then(|| trim(chars.as_str()))
}

/// A part of a text that may be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressCandidate<'a> {
    /// The characters around the `@` that a principal name can have, without quotes around them.
    pub(crate) text: &'a str,
    /// Whether it is complete: a possible principal name, and the characters next to it do not belong to it.
    pub(crate) is_whole: bool,
}

/// The possible address around each `@` of a text.
pub(crate) fn find_addresses(text: &str) -> impl Iterator<Item = AddressCandidate<'_>> {
    text.match_indices('@').map(|(at, _)| {
        let before = &text[..at];
        let after = &text[at + 1..];
        let start = before.trim_end_matches(is_in_names).len();
        let end = at + 1 + (after.len() - after.trim_start_matches(is_in_names).len());
        let found = &text[start..end];
        let whole = is_border(text[..start].chars().rev(), true) && is_border(text[end..].chars(), false);
        let found = match found.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(within) if !found.is_empty() => within,
            _ => found,
        };
        // SharePoint's claims of guests: urn:spo:guest#ann@fabrikam.com.
        let claim = text[..start].ends_with("spo:") || text[..start].to_ascii_lowercase().ends_with("spo%3a");
        let (found, whole) = match found.strip_prefix("guest#").filter(|_| claim) {
            Some(address) => (address, is_border(text[end..].chars(), false)),
            None => (found, whole),
        };
        AddressCandidate { text: found, is_whole: whole && super::rule::check(found).is_ok() }
    })
}

/// Whether an address ends before these characters. A quote with a letter after it is not an end, as in
/// `O’Brien@contoso.com`.
fn is_border(mut further: impl Iterator<Item = char>, before: bool) -> bool {
    let Some(next) = further.next() else { return true };
    let is_quote = QUOTES.iter().any(|(open, close)| next == *open || next == *close);
    if is_quote {
        return further.next().is_none_or(|c| !c.is_alphanumeric());
    }
    next.is_whitespace() || ",;|:".contains(next) || (if before { "([{<\\" } else { ")]}>" }).contains(next)
}

/// The only address in a text that says nothing else: `mailto:ann@contoso.com`, `Ann Lee <ann@contoso.com>`,
/// `i:0#.f|membership|ann@contoso.com`, `AzureAD\ann@contoso.com`, `ann@contoso.com;`. None if it may say more.
pub(crate) fn unwrap_address(text: &str) -> Option<&str> {
    let text = clean(text);
    let mut found = find_addresses(text);
    let (Some(AddressCandidate { text: address, is_whole: true }), None) = (found.next(), found.next())
    else {
        return None;
    };
    let start = address.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (text[..start].trim(), &text[start + address.len()..]);
    let is_end = after.chars().all(|c| c.is_whitespace() || ",;>)\"'”’".contains(c));
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    let scheme = before.strip_suffix(':').is_some_and(is_word);
    let logon = before.strip_suffix('\\').is_some_and(is_word);
    let claim = before.starts_with("i:0") && before.contains('|');
    let named = before.ends_with('<') && after.starts_with('>');
    let bare = before.chars().all(|c| ",;<(\"'“‘".contains(c));
    (is_end && (scheme || logon || claim || named || bare)).then_some(address)
}

/// Why a text is not a user ID, in words, with a suggestion if there is an obvious one.
pub fn explain(text: &str, why: &InvalidUserId) -> String {
    match suggest(text) {
        Some(Suggestion::One(address)) => format!("{why}; did you mean {address}?"),
        Some(Suggestion::Several(count)) => {
            format!("{why}; it has {count} addresses: use one row for each")
        }
        None => why.to_string(),
    }
}

enum Suggestion {
    One(String),
    Several(usize),
}

fn suggest(text: &str) -> Option<Suggestion> {
    let plain = to_ascii(text);
    let as_guid = clean(&plain);
    if let Ok(id @ UserId::Object(_)) = as_guid.parse::<UserId>() {
        return Some(Suggestion::One(id.to_string()));
    }
    // Dots and colons at the end belong to a sentence, or are a mistake after the domain.
    let ends = |c: char| c.is_whitespace() || ".,;:!>)]}\"".contains(c);
    let plain = plain
        .split_whitespace()
        .map(|word| word.trim_end_matches(ends).trim_start_matches('\''))
        .collect::<Vec<_>>()
        .join(" ");
    let found: Vec<AddressCandidate<'_>> = find_addresses(&plain).collect();
    if found.is_empty() || found.iter().any(|mention| !mention.is_whole) {
        return None;
    }
    match &found[..] {
        [one] => (one.text != text).then(|| Suggestion::One(one.text.to_owned())),
        several => Some(Suggestion::Several(several.len())),
    }
}

/// UTF-8 that was read as Windows-1252, and the escapes of web pages and URLs, each with the character of the ID.
const SPELLINGS: [(&str, &str); 10] = [
    ("â€™", "'"),
    ("â€˜", "'"),
    ("â€“", "-"),
    ("&#39;", "'"),
    ("&#x27;", "'"),
    ("&apos;", "'"),
    ("&#64;", "@"),
    ("%40", "@"),
    ("%23", "#"),
    ("%27", "'"),
];

/// The text with the characters that editors and spreadsheets put in changed back to ASCII.
pub(crate) fn to_ascii(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .filter(|c| !is_invisible(*c) || c.is_whitespace())
        .map(|c| match c {
            '‘' | '’' | '‚' | '‛' | '´' | '`' | 'ʼ' | '′' => '\'',
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
            '“' | '”' | '„' | '«' | '»' | '‹' | '›' => '"',
            '﹫' => '@',
            '。' | '．' | '․' => '.',
            // Full-width forms of ASCII.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect();
    for (from, to) in SPELLINGS {
        if plain.contains(from) {
            plain = plain.replace(from, to);
        }
    }
    for (from, to) in [(" @", "@"), ("@ ", "@")] {
        while plain.contains(from) {
            plain = plain.replace(from, to);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_a_whole_text_are_taken_off() {
        let around = [
            "\"ann@contoso.com\"",
            "'ann@contoso.com'",
            "“ann@contoso.com”",
            "„ann@contoso.com“",
            "‘ann@contoso.com’",
            "«\u{a0}ann@contoso.com\u{a0}»",
            "\u{feff} '“ann@contoso.com”' \u{3164}",
            "`ann@contoso.com´",
        ];
        for text in &around[..7] {
            assert_eq!(clean(text), "ann@contoso.com", "{text}");
        }
        assert_eq!(clean("'t.hooft@contoso.nl"), "'t.hooft@contoso.nl");
        assert_eq!(clean("\"\""), "");
        assert_eq!(clean("\""), "\"");
    }

    #[test]
    fn a_wrapping_is_known_and_a_sentence_is_none() {
        let wrapped = [
            "mailto:ann@contoso.com",
            "SMTP:ann@contoso.com",
            "Ann Lee <ann@contoso.com>",
            "\"Lee, Ann\" <ann@contoso.com>;",
            "<ann@contoso.com>",
            "i:0#.f|membership|ann@contoso.com",
            "i:0#.f|membership|urn:spo:guest#ann@contoso.com",
            "AzureAD\\ann@contoso.com",
            "ann@contoso.com;",
            "ann@contoso.com",
        ];
        for text in wrapped {
            assert_eq!(unwrap_address(text), Some("ann@contoso.com"), "{text}");
        }
        let no = [
            "manager of ann@contoso.com",
            "O’Brien@contoso.com",
            "jo+ann@contoso.com",
            "ann@contoso.com; bob@contoso.com",
            "ann@contoso.com (left)",
            "jörg@contoso.com",
            "AzureAD\\AnnLee",
        ];
        for text in no {
            assert_eq!(unwrap_address(text), None, "{text}");
        }
    }

    #[test]
    fn one_obvious_reading_is_suggested() {
        let told = |text: &str| explain(text, &InvalidUserId::Dots);
        let suggested = [
            ("o’brien@contoso.com", "o'brien@contoso.com"),
            ("oâ€™brien@contoso.com", "o'brien@contoso.com"),
            ("ann–lee@contoso.com", "ann-lee@contoso.com"),
            ("ann@contoso.com.", "ann@contoso.com"),
            ("ａｎｎ＠contoso.com", "ann@contoso.com"),
            ("an\u{200b}n@contoso.com", "ann@contoso.com"),
            ("an\u{3164}n@contoso.com", "ann@contoso.com"),
            ("ann @contoso.com", "ann@contoso.com"),
            ("ann%40contoso.com", "ann@contoso.com"),
            ("Ann Lee <ann@contoso.com>", "ann@contoso.com"),
            ("“ann@contoso.com", "ann@contoso.com"),
            ("0785ef7c–1c1b–4ff4–9ab1–1a2b3c4d5e6f", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"),
        ];
        for (text, meant) in suggested {
            assert!(told(text).ends_with(&format!("; did you mean {meant}?")), "{text}: {}", told(text));
        }
        for text in [
            "jörg@contoso.com",
            "j\u{fffd}rg@contoso.com",
            "ann…@contoso.com",
            "a+b@contoso.com",
            "a..b@x.com",
        ] {
            assert_eq!(told(text), InvalidUserId::Dots.to_string(), "{text}");
        }
        assert!(told("ann@contoso.com; bob@contoso.com").contains("2 addresses"));
    }
}
