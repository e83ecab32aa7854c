//! Text formats that have one item, or a name and a value, on each line.

use super::super::cell::{is_id_like, trim, unquote};
use super::super::column_roles::is_known_id;
use super::super::delimiter::DELIMITERS;
use super::powershell::is_selector;
use super::{UnsupportedFormat, are_mostly};

const CARDS: UnsupportedFormat = UnsupportedFormat::new(
    "a file of contacts or appointments (vCard, iCalendar)",
    "export the contacts as CSV UTF-8",
);

const LDIF: UnsupportedFormat = UnsupportedFormat::new(
    "an LDIF file of an on-premises directory",
    "export the attribute userPrincipalName as CSV, as `csvde` and `Get-ADUser … | Export-Csv` do",
);

const MAIL: UnsupportedFormat = UnsupportedFormat::new(
    "an email or a saved web page (.eml, .mht)",
    "save its attachment, or the list in it with one user ID per line",
);

const VALUES: UnsupportedFormat = UnsupportedFormat::new(
    "a list as Python or JavaScript writes it, not JSON",
    "write it as JSON, as `json.dumps` and `JSON.stringify` do",
);

const QUOTED: UnsupportedFormat = UnsupportedFormat::new(
    "a CSV whose rows are entirely in quotes (\"), so each is one cell",
    "remove the quotes, as `sed -E 's/^\"(.*)\"$/\\1/; s/\"\"/\"/g'` does, or export it as CSV again",
);

const NAMES: UnsupportedFormat = UnsupportedFormat::new(
    "a list of distinguished names (CN=…) of an on-premises directory",
    "export userPrincipalName instead, as `Get-ADUser … | Select-Object UserPrincipalName | Export-Csv` does",
);

const SETTINGS: UnsupportedFormat = UnsupportedFormat::new(
    "a settings file (`name = value`)",
    "write one user ID per line, a CSV with a header, or JSON",
);

const YAML: UnsupportedFormat = UnsupportedFormat::new(
    "YAML, or lines of `name: value`",
    "use JSON (`az … -o json`), a CSV with a header, or one user ID per line",
);

const BULLETS: UnsupportedFormat = UnsupportedFormat::new(
    "a list with a bullet before each user",
    "remove the bullets, so that each line is one user ID",
);

const BLANKS: UnsupportedFormat = UnsupportedFormat::new(
    "a table with blanks between its columns",
    "use tabs or commas, save it as CSV, or write one user ID per line",
);

/// The name before the first such sign, and the value after it.
fn split(line: &str, sign: char) -> Option<(&str, &str)> {
    line.split_once(sign).map(|(name, value)| (name.trim_start(), value))
}

/// Whether a value has a blank before it, or is empty.
fn is_after_blank(value: &str) -> bool {
    value.is_empty() || value.starts_with(char::is_whitespace)
}

/// Whether it is a name of a property or setting: at most 64 letters, digits and these `signs`, beginning with a letter
/// or one of the `first` signs. There is no regular expression, because building one takes longer than reading most
/// inputs.
pub(super) fn is_word(name: &str, first: &str, signs: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || first.contains(c))
        && name.chars().count() <= 64
        && chars.all(|c| c.is_alphanumeric() || signs.contains(c))
}

/// Whether the line is a header of an email.
fn is_mail_header(line: &str) -> bool {
    const NAMES: [&str; 16] = [
        "from",
        "to",
        "cc",
        "bcc",
        "sent",
        "date",
        "subject",
        "received",
        "return-path",
        "reply-to",
        "delivered-to",
        "mime-version",
        "message-id",
        "authentication-results",
        "dkim-signature",
        "arc-seal",
    ];
    const FAMILIES: [&str; 4] = ["content-", "arc-", "thread-", "x-"];
    let Some((name, value)) = line.split_once(':') else { return false };
    let name = name.to_ascii_lowercase();
    let rest = FAMILIES.iter().find_map(|family| name.strip_prefix(family));
    let of_family = rest.is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    });
    is_after_blank(value) && (NAMES.contains(&name.as_str()) || of_family)
}

/// Whether the line is a distinguished name: `CN=Ann,OU=Staff,…`
fn is_distinguished_name(line: &str) -> bool {
    let is_one = |key: &str, keys: &[&str]| keys.iter().any(|known| key.eq_ignore_ascii_case(known));
    let Some((key, rest)) = line.split_once('=') else { return false };
    let next = rest.split_once('=').and_then(|(value, _)| value.rsplit_once(','));
    is_one(key, &["cn", "ou", "uid"])
        && next.is_some_and(|(value, key)| !value.is_empty() && is_one(key.trim_start(), &["cn", "ou", "dc"]))
}

/// Whether the line is a setting: `USER=ann@contoso.com`
fn is_setting(line: &str) -> bool {
    let Some((name, value)) = split(line, '=') else { return false };
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && is_word(name.trim_end(), "_$", "_.$-")
        && !value.trim().is_empty()
        && !line.trim_start().starts_with("sep=")
}

/// Whether the line is a name and a value, as in YAML: `user: ann@contoso.com`
fn is_pair(line: &str) -> bool {
    let Some((name, value)) = split(line, ':') else { return false };
    let name = name.strip_prefix("- ").unwrap_or(name);
    let name = name.strip_prefix(['\'', '"']).unwrap_or(name);
    let name = name.strip_suffix(['\'', '"']).unwrap_or(name);
    is_after_blank(value) && is_word(name, "_@", "_.@ -") && !is_selector(trim(name))
}

/// Formats that are recognized by their first lines.
pub(super) fn find_by_first(lines: &[&str]) -> Option<UnsupportedFormat> {
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
    let headers = content.iter().filter(|line| is_mail_header(line)).count();
    let mbox = first.starts_with("From ") && first.contains('@');
    if headers >= 3 && (mbox || is_mail_header(first)) {
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

/// Formats that are recognized by nearly all of their lines.
pub(super) fn find(lines: &[&str]) -> Option<UnsupportedFormat> {
    let lines: Vec<&str> = lines.iter().copied().filter(|line| !trim(line).starts_with('#')).collect();
    let lines = &lines[..];
    let is_name = |line: &str| is_distinguished_name(unquote(trim(line)));
    let is_section = |line: &str| trim(line).starts_with('[') && trim(line).ends_with(']');
    let is_item = |line: &str| bullet(line).is_some();
    let any = |is_like: &dyn Fn(&str) -> bool| lines.iter().any(|line| is_like(line));
    if are_quoted_rows(lines) {
        Some(QUOTED)
    } else if are_mostly(lines, is_name) {
        Some(NAMES)
    } else if are_mostly(lines, |line| is_setting(line) || is_section(line)) && any(&is_setting) {
        Some(SETTINGS)
    } else if are_mostly(lines, |line| is_pair(line) || trim(line) == "---" || is_item(line)) && any(&is_pair)
    {
        Some(YAML)
    } else if are_mostly(lines, is_item)
        && any(&|line| bullet(line).is_some_and(|item| is_id_like(unquote(item))))
    {
        Some(BULLETS)
    } else if are_columns_split_by_blanks(lines) {
        Some(BLANKS)
    } else {
        None
    }
}

/// The text after a bullet.
fn bullet(line: &str) -> Option<&str> {
    let line = trim(line);
    ["- ", "* ", "• ", "+ ", "– "].iter().find_map(|mark| line.strip_prefix(mark))
}

/// Whether every row is one quoted cell that has cells in it. The header may be unquoted.
fn are_quoted_rows(lines: &[&str]) -> bool {
    let Some((first, rest)) = lines.split_first() else { return false };
    let rows = if rest.is_empty() || unquoted_row(first).is_some() { lines } else { rest };
    let holds_id = |inner: &str| {
        let mut cells = inner.split(|c: char| u8::try_from(c).is_ok_and(|byte| DELIMITERS.contains(&byte)));
        cells.any(|cell| is_id_like(&cell.replace("\"\"", "")) || is_known_id(cell))
    };
    let inner: Vec<&str> = rows.iter().filter_map(|row| unquoted_row(row)).collect();
    inner.len() == rows.len() && inner.into_iter().any(holds_id)
}

/// The text in the quotes around a line, if it is one cell with a delimiter in it.
fn unquoted_row(line: &str) -> Option<&str> {
    let inner = trim(line).strip_prefix('"')?.strip_suffix('"')?;
    let is_one_cell = !inner.replace("\"\"", "").contains('"');
    (is_one_cell && inner.bytes().any(|byte| DELIMITERS.contains(&byte))).then_some(inner)
}

/// Whether every line has several columns with two or more blanks between them, and one is a user ID. (A comment after
/// an ID is not a column.)
fn are_columns_split_by_blanks(lines: &[&str]) -> bool {
    let is_row = |line: &&str| {
        let mut cells = trim(line).split("  ").map(trim).filter(|cell| !cell.is_empty());
        let cells: Vec<&str> = cells.by_ref().collect();
        let plain = cells.iter().all(|cell| !cell.starts_with('#'))
            && !line.bytes().any(|byte| DELIMITERS.contains(&byte));
        plain && cells.len() > 1 && cells.iter().any(|cell| is_id_like(unquote(cell)))
    };
    let rows = if lines.first().is_some_and(|line| !is_row(line)) { &lines[1..] } else { lines };
    rows.len() > 1 && rows.iter().all(is_row)
}
