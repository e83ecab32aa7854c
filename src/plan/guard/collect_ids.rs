//! Collects the accounts that a record of a list names: all IDs in all of its cells.

use uuid::Uuid;

use crate::directory::Selector;
use crate::intake::ListColumns;
use crate::plan::ListEntry;
use crate::user_id::{AddressCandidate, UserId, clean, find_addresses, is_invisible, to_ascii};

/// The IDs and selectors in a record.
#[derive(Debug, Default)]
pub(super) struct CollectedIds {
    /// For each ID, the index of its cell and its possible spellings (usually one).
    pub(super) ids: Vec<(usize, Vec<UserId>)>,
    pub(super) selectors: Vec<Selector>,
    /// Whether a cell says `me`.
    pub(super) is_me: bool,
}

/// Words that exports write into cells without a value.
const EMPTY_WORDS: [&str; 8] = ["-", "--", "n/a", "#n/a", "na", "null", "none", "nil"];

/// Collects the IDs in all cells of a record. Without a header, there are no `columns`.
///
/// # Errors
/// When a cell may name an account, but it is not clear which one. The error says why, in words.
pub(super) fn collect_ids(cells: &[String], columns: Option<&ListColumns>) -> Result<CollectedIds, String> {
    let mut harvest = CollectedIds::default();
    // If there are more cells than columns, the cells have shifted and the column names can't be trusted.
    let columns = columns.filter(|columns| cells.iter().skip(columns.width).all(|cell| is_blank(cell)));
    for (at, cell) in cells.iter().enumerate() {
        let text = clean(cell);
        let is_tenant = columns.is_some_and(|columns| columns.tenants.contains(&at));
        if is_blank(text) || (is_tenant && !text.contains('@')) {
            continue;
        }
        harvest.add_cell(at, text)?;
    }
    Ok(harvest)
}

/// Whether a cell is empty, or has a word that means "empty".
pub(super) fn is_blank(cell: &str) -> bool {
    let text = clean(cell);
    text.is_empty()
        || EMPTY_WORDS.iter().any(|nothing| text.eq_ignore_ascii_case(nothing))
        || Uuid::try_parse(text).is_ok_and(|id| id.is_nil())
}

impl CollectedIds {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.selectors.is_empty()
    }

    fn add_cell(&mut self, at: usize, text: &str) -> Result<(), String> {
        self.is_me |= text.eq_ignore_ascii_case("me");
        if let ListEntry::Selector(selector) = ListEntry::parse(text, false) {
            return self.add_selector(selector, text);
        }
        if let Ok(id @ UserId::Object(_)) = text.parse::<UserId>() {
            self.ids.push((at, vec![id]));
            return Ok(());
        }
        let mut rest = text.to_owned();
        for AddressCandidate { text: address, is_whole } in find_addresses(text) {
            if !is_whole {
                return Err(invalid_entry_reason(text));
            }
            let spellings = spellings(address);
            if spellings.is_empty() {
                return Err(invalid_entry_reason(text));
            }
            rest = rest.replace(address, " ");
            self.ids.push((at, spellings));
        }
        for guid in find_guids(&rest)? {
            self.ids.push((at, vec![UserId::Object(guid)]));
        }
        // An ID that appears only after lookalike characters are replaced can't be compared with others.
        let plain = to_ascii(&rest);
        match plain.contains('@')
            || !find_guids(&plain).is_ok_and(|found| found.len() == find_guids(&rest).map_or(0, |f| f.len()))
        {
            true => Err(invalid_entry_reason(text)),
            false => Ok(()),
        }
    }

    fn add_selector(&mut self, selector: Selector, text: &str) -> Result<(), String> {
        let name = text.split_once(':').map_or("", |(_, name)| name.trim());
        let lower = text.to_lowercase();
        let several = text.contains(['\n', '\r', ';', '|'])
            || lower.matches("group:").count() + lower.matches("role:").count() > 1;
        if name.is_empty() || several || text.chars().any(is_invisible) {
            return Err("it does not name exactly one group or role".to_owned());
        }
        self.selectors.push(selector);
        Ok(())
    }
}

/// The possible spellings of an address: Excel puts an apostrophe before text, and lists have bullets.
fn spellings(address: &str) -> Vec<UserId> {
    let bare = address.trim_start_matches(['\'', '#', '-', '!', '~', '^']);
    let both = [address, bare].into_iter().filter_map(|text| text.parse().ok());
    let mut spellings: Vec<UserId> = both.filter(|id: &UserId| id.check().is_ok()).collect();
    spellings.dedup();
    spellings
}

fn invalid_entry_reason(text: &str) -> String {
    let id = UserId::parse_lenient(text);
    let why = match id {
        Ok(id) => id.check().err(),
        Err(why) => Some(why),
    };
    // The message neither quotes the text nor suggests a correction: any file can be named as a list.
    let why = why.map_or_else(|| "it is not clear which account it names".to_owned(), |why| why.to_string());
    format!("an entry is not a user ID: {why}")
}

/// Finds the object IDs in a text, with or without hyphens.
///
/// # Errors
/// When a part of the text is almost an object ID.
fn find_guids(text: &str) -> Result<Vec<Uuid>, String> {
    const NOT_QUITE_A_GUID: &str = "an entry looks like an object ID but is not valid";
    let mut found = Vec::new();
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    // The text without the IDs found. It is searched below for an ID that is split into pieces.
    let mut rest = String::new();
    for word in text.split_inclusive(|c: char| !is_part(c)) {
        let end = word.trim_start_matches(is_part);
        let word = &word[..word.len() - end.len()];
        let digits = word.chars().filter(char::is_ascii_hexdigit).count();
        let dashes = word.chars().filter(|c| *c == '-').count();
        match Uuid::try_parse(word) {
            Ok(id) => {
                found.push(id);
                rest.push(SEPARATOR);
            }
            Err(_) if dashes >= 4 && digits >= 26 => return Err(NOT_QUITE_A_GUID.to_owned()),
            Err(_) => rest.push_str(word),
        }
        rest.push_str(end);
    }
    // A hyphen may join an ID without hyphens to a word: `oid-…`.
    for word in rest.split(|c: char| !c.is_alphanumeric()) {
        found.extend(Uuid::try_parse(word));
    }
    found.retain(|id| !id.is_nil());
    if contains_split_guid(&rest) { Err(NOT_QUITE_A_GUID.to_owned()) } else { Ok(found) }
}

/// Replaces each object ID found, so that the pieces of a split ID can't reach across it.
const SEPARATOR: char = '|';

/// The number of hexadecimal digits in an object ID, and in each of its groups.
const GUID_DIGITS: usize = 32;
const GUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Whether the text has an object ID whose groups, or other pieces, are not joined by single hyphens but by
/// blanks, ` - `, `_` or dots. Plain numbers, such as phone numbers, count only in groups of the right
/// length.
fn contains_split_guid(text: &str) -> bool {
    let mut pieces: Vec<&str> = Vec::new();
    let joins = |c: char| c.is_whitespace() || is_invisible(c) || "-_./\\–—‐‑‒−".contains(c);
    for run in text.split(|c: char| !c.is_alphanumeric() && !joins(c)) {
        pieces.clear();
        for piece in run.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty()) {
            if !piece.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                pieces.clear();
                continue;
            }
            pieces.push(piece);
            if ends_with_split_guid(&pieces) {
                return true;
            }
        }
    }
    false
}

/// Whether the last two or more pieces together are an object ID.
fn ends_with_split_guid(pieces: &[&str]) -> bool {
    let mut digits = 0;
    for (count, at) in (1_usize..).zip((0..pieces.len()).rev()) {
        digits += pieces[at].len();
        if digits >= GUID_DIGITS || count == MAX_PIECES {
            let found = &pieces[at..];
            let is_shaped = found.iter().map(|piece| piece.len()).eq(GUID_GROUPS);
            let has = |is: fn(&u8) -> bool| found.iter().any(|piece| piece.as_bytes().iter().any(is));
            let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
            return digits == GUID_DIGITS && count > 1 && (is_shaped || is_mixed);
        }
    }
    false
}

/// The maximum number of pieces of a split ID.
const MAX_PIECES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

    fn ids(cells: &[&str]) -> Result<Vec<String>, String> {
        let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let harvest = collect_ids(&cells, None)?;
        Ok(harvest.ids.iter().flat_map(|(_, ids)| ids.iter().map(ToString::to_string)).collect())
    }

    #[test]
    fn ids_are_found_in_any_cell_text() {
        assert_eq!(
            ids(&["“ann@contoso.com”", "Bob <bob@contoso.com>; carl@contoso.com"]).unwrap(),
            ["ann@contoso.com", "bob@contoso.com", "carl@contoso.com"]
        );
        assert_eq!(ids(&["Ann Lee (ann@contoso.com)"]).unwrap(), ["ann@contoso.com"]);
        assert_eq!(ids(&["mailto:ann@contoso.com", "AzureAD\\bob@contoso.com"]).unwrap().len(), 2);
        assert_eq!(
            ids(&[&format!("see {{{GUID}}}"), &GUID.replace('-', "").to_uppercase()]).unwrap(),
            [GUID, GUID]
        );
        assert_eq!(ids(&[&format!("{GUID}@contoso.com")]).unwrap(), [format!("{GUID}@contoso.com")]);
        let bare = GUID.replace('-', "");
        for text in
            [format!("oid {bare}"), format!("oid-{bare}; x"), format!("oid_{bare}"), format!("({bare})")]
        {
            assert_eq!(ids(&[&text]).unwrap(), [GUID], "{text}");
        }
        let other = GUID.replace('0', "1");
        assert_eq!(ids(&[&format!("{other} {bare}")]).unwrap(), [other.as_str(), GUID]);
        assert_eq!(ids(&[&format!("{other} {GUID} {other}")]).unwrap(), [other.as_str(), GUID, &other]);
        for text in
            ["tel. 0049 89 1234567 890 / 0049 89 7654321 89", "2026-11-20 added 2026-11-21", "fee: 12 cafe"]
        {
            assert_eq!(ids(&[text]).unwrap(), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            ids(&["#N/A", "Ann Lee", "00000000-0000-0000-0000-000000000000"]).unwrap(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn near_ids_are_refused() {
        let nearly = [
            "ann@contoso.com.",
            "'ann@contoso.com",
            "O’Brien@contoso.com",
            "jo+ann@contoso.com",
            "jörg@contoso.com",
            "ann@cöntoso.com",
            "ann@contoso",
            "ann@@contoso.com",
            "ann＠contoso.com",
            "ann%40contoso.com",
            "ann @ contoso.com",
            "ann @contoso.com",
            "ann\u{a0}@contoso.com",
            "an\u{200b}n@contoso.com",
            "0785ef7c–1c1b–4ff4–9ab1–1a2b3c4d5e6f",
            "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6",
            "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6O",
            "0785ef7c-1c1b-4ff4-\u{200b}9ab1-1a2b3c4d5e6f",
            "0785ef7c 1c1b 4ff4 9ab1 1a2b3c4d5e6f",
            "0785ef7c - 1c1b - 4ff4 - 9ab1 - 1a2b3c4d5e6f",
            "see 0785ef7c-1c1b-4ff4-9ab1 -1a2b3c4d5e6f.",
            "0785ef7c_1c1b_4ff4_9ab1_1a2b3c4d5e6f",
            "2 0785ef7c1c1b4ff4 9ab11a2b3c4d5e6f",
            "group:Board; group:IT",
            "group:",
        ];
        for text in nearly {
            assert!(ids(&[text]).is_err(), "{text}: {:?}", ids(&[text]));
            assert!(ids(&["bob@contoso.com", text]).is_err(), "{text}");
        }
    }
}
