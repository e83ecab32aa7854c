//! How people and programs write user ids: in quotes, in angle brackets, behind `mailto:`, with what a word processor made of
//! an apostrophe. What is surely decoration around a whole text is taken off; anything else is only a suggestion.

use super::rule::{is_in_names, is_unseen};
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

/// The text without white space, unseen characters, and quotes that surround all of it.
pub(crate) fn clean(text: &str) -> &str {
    let mut text = trim(text);
    while let Some(within) = unquote(text) {
        text = within;
    }
    text
}

/// The text without white space and unseen characters at its ends. Control characters stay: a NUL or the end mark of DOS tells of
/// damage.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || (is_unseen(c) && !c.is_control()))
}

/// What stands between quotes that surround the whole text.
fn unquote(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let (open, close) = (chars.next()?, chars.next_back()?);
    QUOTES.contains(&(open, close)).then(|| trim(chars.as_str()))
}

/// Something in a text that may be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenId<'a> {
    /// As much around the `@` as a principal name can hold, quotes around it taken off.
    pub(crate) text: &'a str,
    /// Whether it is a whole one: a possible principal name, and what stands beside it surely does not belong to it.
    pub(crate) is_whole: bool,
}

/// What stands around each `@` of a text.
pub(crate) fn mentions(text: &str) -> impl Iterator<Item = WrittenId<'_>> {
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
        WrittenId { text: found, is_whole: whole && super::rule::check(found).is_ok() }
    })
}

/// Whether an address ends where these characters go on from it. A quote is no end where a letter follows it, as in
/// `O’Brien@contoso.com`.
fn is_border(mut further: impl Iterator<Item = char>, before: bool) -> bool {
    let Some(next) = further.next() else { return true };
    let is_quote = QUOTES.iter().any(|(open, close)| next == *open || next == *close);
    if is_quote {
        return further.next().is_none_or(|c| !c.is_alphanumeric());
    }
    next.is_whitespace() || ",;|:".contains(next) || (if before { "([{<\\" } else { ")]}>" }).contains(next)
}

/// The one address that a text is a wrapping of: `mailto:ann@contoso.com`, `Ann Lee <ann@contoso.com>`,
/// `i:0#.f|membership|ann@contoso.com`, `AzureAD\ann@contoso.com`, `ann@contoso.com;`. None where it may say more.
pub(crate) fn unwrap_address(text: &str) -> Option<&str> {
    let text = clean(text);
    let mut found = mentions(text);
    let (Some(WrittenId { text: address, is_whole: true }), None) = (found.next(), found.next()) else {
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

/// Why a text is no user id, in words, with the one reading that suggests itself.
pub fn explain(text: &str, why: &InvalidUserId) -> String {
    match suggest(text) {
        Some(Suggestion::One(address)) => format!("{why}; did you mean {address}?"),
        Some(Suggestion::Several(count)) => {
            format!("{why}; it holds {count} addresses: give each a row of its own")
        }
        None => why.to_string(),
    }
}

enum Suggestion {
    One(String),
    Several(usize),
}

fn suggest(text: &str) -> Option<Suggestion> {
    let plain = plain(text);
    let as_guid = clean(&plain);
    if let Ok(id @ UserId::Object(_)) = as_guid.parse::<UserId>() {
        return Some(Suggestion::One(id.to_string()));
    }
    // Dots and colons at the end are a sentence's, and those of the domain a slip.
    let ends = |c: char| c.is_whitespace() || ".,;:!>)]}\"".contains(c);
    let plain = plain
        .split_whitespace()
        .map(|word| word.trim_end_matches(ends).trim_start_matches('\''))
        .collect::<Vec<_>>()
        .join(" ");
    let found: Vec<WrittenId<'_>> = mentions(&plain).collect();
    if found.is_empty() || found.iter().any(|mention| !mention.is_whole) {
        return None;
    }
    match &found[..] {
        [one] => (one.text != text).then(|| Suggestion::One(one.text.to_owned())),
        several => Some(Suggestion::Several(several.len())),
    }
}

/// What UTF-8 becomes that was read as Windows-1252, and how web pages and addresses write what an id holds.
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

/// The text with what editors and spreadsheets put in place of ASCII turned back.
pub(crate) fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .filter(|c| !is_unseen(*c) || c.is_whitespace())
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
