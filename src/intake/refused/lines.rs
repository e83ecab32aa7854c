//! Formats of one thing a line, and of a name and a value a line.

use std::sync::LazyLock;

use regex::Regex;

use super::super::cell::{is_id_like, trim, unquote};
use super::super::columns::is_known_id;
use super::super::delimiter::KNOWN;
use super::powershell::is_selector;
use super::{Format, mostly};

const CARDS: Format =
    Format::new("a file of contacts or dates (vCard, iCalendar)", "export the contacts as CSV UTF-8");

const LDIF: Format = Format::new(
    "an LDIF file of a directory on premises",
    "export the attribute userPrincipalName as CSV, as `csvde` and `Get-ADUser … | Export-Csv` do",
);

const MAIL: Format = Format::new(
    "a mail or a saved web page (.eml, .mht)",
    "save its attachment, or the list in it with one user id on each line",
);

const VALUES: Format = Format::new(
    "a list as Python or JavaScript writes it, not JSON",
    "write it as JSON, as `json.dumps` and `JSON.stringify` do",
);

const QUOTED: Format = Format::new(
    "a CSV whose rows are whole in quotes (\"), so that each is one cell",
    "take the quotes off, as `sed -E 's/^\"(.*)\"$/\\1/; s/\"\"/\"/g'` does, or save it again as CSV from where it comes",
);

const NAMES: Format = Format::new(
    "a list of distinguished names (CN=…) of a directory on premises",
    "export userPrincipalName instead, as `Get-ADUser … | Select-Object UserPrincipalName | Export-Csv` does",
);

const SETTINGS: Format = Format::new(
    "a file of settings (`name = value`)",
    "give one user id on each line, a CSV with a header, or JSON",
);

const YAML: Format = Format::new(
    "YAML, or lines of `name: value`",
    "give JSON (`az … -o json`), a CSV with a header, or one user id on each line",
);

const BULLETS: Format = Format::new(
    "a list with a bullet before each user",
    "take the bullets off, so that each line is one user id",
);

const BLANKS: Format = Format::new(
    "a table with blanks between its columns",
    "put tabs or commas there, save it as CSV, or give one user id on each line",
);

fn matches(regex: &LazyLock<Option<Regex>>, line: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Formats that are told by their first lines.
pub(super) fn find_by_first(lines: &[&str]) -> Option<Format> {
    static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^(from|to|cc|bcc|sent|date|subject|received|return-path|reply-to|delivered-to|mime-version|message-id|content-[a-z-]+|authentication-results|dkim-signature|arc-[a-z-]+|thread-[a-z]+|x-[a-z0-9-]+):(\s|$)",
        )
        .ok()
    });
    let first = trim(lines.first()?);
    if ["BEGIN:VCARD", "BEGIN:VCALENDAR"].iter().any(|begin| first.eq_ignore_ascii_case(begin)) {
        return Some(CARDS);
    }
    let content: Vec<&str> =
        lines.iter().map(|line| trim(line)).filter(|line| !line.starts_with('#')).take(12).collect();
    let is_dn = |line: &&str| {
        let value =
            line.get(..3).filter(|start| start.eq_ignore_ascii_case("dn:")).and_then(|_| line.get(3..));
        value.is_some_and(|value| value.starts_with(':') || value.contains('='))
    };
    if content.iter().take(3).any(is_dn) {
        return Some(LDIF);
    }
    let headers = content.iter().filter(|line| matches(&HEADER, line)).count();
    let mbox = first.starts_with("From ") && first.contains('@');
    if headers >= 3 && (mbox || matches(&HEADER, first)) {
        return Some(MAIL);
    }
    // `['ann@contoso.com', …`, `{'id': …`
    let mut opening = first.chars().filter(|c| !c.is_whitespace());
    let second = match opening.next() {
        Some('[' | '{' | '(') => opening.next().or_else(|| trim(lines.get(1)?).chars().next()),
        _ => None,
    };
    (second == Some('\'') || first.starts_with("[{'")).then_some(VALUES)
}

/// Formats that are told by what nearly all lines look like.
pub(super) fn find(lines: &[&str]) -> Option<Format> {
    static NAME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)^(cn|ou|uid)=[^=]+,\s*(cn|ou|dc)=").ok());
    static SETTING: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^\s*[A-Za-z_$][\w.$-]{0,63}\s*=\s*\S").ok());
    static PAIR: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"^\s*(- )?['"]?[\p{L}_@][\p{L}\p{N}_.@ -]{0,63}['"]?:(\s|$)"#).ok());
    let lines: Vec<&str> = lines.iter().copied().filter(|line| !trim(line).starts_with('#')).collect();
    let lines = &lines[..];
    let is_name = |line: &str| matches(&NAME, unquote(trim(line)));
    let is_setting = |line: &str| matches(&SETTING, line) && !line.trim_start().starts_with("sep=");
    let is_section = |line: &str| trim(line).starts_with('[') && trim(line).ends_with(']');
    let is_pair = |line: &str| {
        let name = line.split(':').next().map(trim).unwrap_or_default();
        matches(&PAIR, line) && !is_selector(name)
    };
    let is_item = |line: &str| bullet(line).is_some();
    let some = |is_like: &dyn Fn(&str) -> bool| lines.iter().any(|line| is_like(line));
    if are_quoted_rows(lines) {
        Some(QUOTED)
    } else if mostly(lines, is_name) {
        Some(NAMES)
    } else if mostly(lines, |line| is_setting(line) || is_section(line)) && some(&is_setting) {
        Some(SETTINGS)
    } else if mostly(lines, |line| is_pair(line) || trim(line) == "---" || is_item(line)) && some(&is_pair) {
        Some(YAML)
    } else if mostly(lines, is_item)
        && some(&|line| bullet(line).is_some_and(|item| is_id_like(unquote(item))))
    {
        Some(BULLETS)
    } else if are_columns_of_blanks(lines) {
        Some(BLANKS)
    } else {
        None
    }
}

/// What follows a bullet.
fn bullet(line: &str) -> Option<&str> {
    let line = trim(line);
    ["- ", "* ", "• ", "+ ", "– "].iter().find_map(|mark| line.strip_prefix(mark))
}

/// Whether every row is one cell in quotes in which there are cells. The header may stand without quotes.
fn are_quoted_rows(lines: &[&str]) -> bool {
    let Some((first, rest)) = lines.split_first() else { return false };
    let rows = if rest.is_empty() || within_quotes(first).is_some() { lines } else { rest };
    let holds_id = |inner: &str| {
        let mut cells = inner.split(|c: char| u8::try_from(c).is_ok_and(|byte| KNOWN.contains(&byte)));
        cells.any(|cell| is_id_like(&cell.replace("\"\"", "")) || is_known_id(cell))
    };
    let inner: Vec<&str> = rows.iter().filter_map(|row| within_quotes(row)).collect();
    inner.len() == rows.len() && inner.into_iter().any(holds_id)
}

/// What stands within the quotes around a line, if it is one cell that holds a delimiter.
fn within_quotes(line: &str) -> Option<&str> {
    let inner = trim(line).strip_prefix('"')?.strip_suffix('"')?;
    let is_one_cell = !inner.replace("\"\"", "").contains('"');
    (is_one_cell && inner.bytes().any(|byte| KNOWN.contains(&byte))).then_some(inner)
}

/// Whether every line falls into several columns by two blanks or more, and one of them is a user id. (A comment after
/// an id is no column.)
fn are_columns_of_blanks(lines: &[&str]) -> bool {
    let is_row = |line: &&str| {
        let mut cells = trim(line).split("  ").map(trim).filter(|cell| !cell.is_empty());
        let cells: Vec<&str> = cells.by_ref().collect();
        let plain = cells.iter().all(|cell| !cell.starts_with('#'))
            && !line.bytes().any(|byte| KNOWN.contains(&byte));
        plain && cells.len() > 1 && cells.iter().any(|cell| is_id_like(unquote(cell)))
    };
    let rows = if lines.first().is_some_and(|line| !is_row(line)) { &lines[1..] } else { lines };
    rows.len() > 1 && rows.iter().all(is_row)
}
