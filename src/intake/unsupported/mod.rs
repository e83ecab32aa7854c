//! Formats that are recognized but not read. Each is refused by its name and with advice, because a report full of
//! invalid rows does not help.
//!
//! A format is recognized by nearly all of its lines or by its beginning, never by a single odd line.

mod binary;
mod powershell;
#[cfg(test)]
mod tests;
mod text_formats;

use super::cell::{is_id_like, is_invisible, trim, unquote};
use super::column_roles::is_known_id;
use super::error::IntakeError;
use super::{IntakeOptions, json};

pub(super) use self::binary::find_binary;

/// A format that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnsupportedFormat {
    /// The name of the format, with its article.
    pub(super) what: &'static str,
    /// What to do instead.
    pub(super) remedy: &'static str,
}

impl UnsupportedFormat {
    const fn new(what: &'static str, remedy: &'static str) -> Self {
        Self { what, remedy }
    }

    pub(super) fn into_error(self, name: String) -> IntakeError {
        IntakeError::NotText { name, what: self.what.to_owned(), remedy: self.remedy }
    }
}

/// How many lines are checked.
const MAX_LINES: usize = 60;

/// The format of the decoded text that begins with `bytes`, if it is one that is not read. If `is_complete`, the bytes
/// are the whole text.
pub(super) fn find(bytes: &[u8], is_complete: bool, options: &IntakeOptions) -> Option<UnsupportedFormat> {
    let text = String::from_utf8_lossy(bytes);
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let text = text.trim_start_matches('\u{feff}');
    let mut lines: Vec<&str> = text.split(['\n', '\r']).filter(|line| !trim(line).is_empty()).collect();
    if !is_complete && lines.len() > 1 {
        lines.pop();
    }
    lines.truncate(MAX_LINES);
    let begins =
        find_markup(start).or_else(|| find_document(start)).or_else(|| powershell::find_by_first(start));
    let begins = begins.or_else(|| text_formats::find_by_first(&lines)).or_else(|| find_json_below(&lines));
    // If the delimiter was chosen, the text is read as CSV, whatever the lines look like.
    if begins.is_some() || options.delimiter.is_some() {
        return begins;
    }
    powershell::find(&lines).or_else(|| text_formats::find(&lines))
}

const HTML: UnsupportedFormat = UnsupportedFormat::new(
    "an HTML page (many programs save tables this way, even as .xls)",
    "open it in Excel and save it as .xlsx, or export the table as CSV UTF-8",
);

/// HTML and XML, which begin with a tag. An address in angle brackets is not a tag.
fn find_markup(start: &str) -> Option<UnsupportedFormat> {
    let inner = start.strip_prefix('<')?;
    let name_length =
        inner.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"!?/:._-[".contains(b)).count();
    let (name, rest) = inner.split_at(name_length);
    let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic() || "!?/".contains(c))
        && rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
        && !is_id_like(name);
    if !is_tag {
        return None;
    }
    let head: String = start.chars().take(4_096).flat_map(char::to_lowercase).collect();
    let name = name.to_ascii_lowercase();
    const TAGS: [&str; 17] = [
        "html", "head", "body", "table", "meta", "div", "script", "style", "title", "p", "span", "center",
        "tr", "link", "base", "form", "h1",
    ];
    Some(if head.contains("schemas.microsoft.com/powershell") || name == "objs" {
        powershell::CLIXML
    } else if head.contains("urn:schemas-microsoft-com:office:spreadsheet") && !head.contains("<html") {
        UnsupportedFormat::new(
            "an XML Spreadsheet 2003",
            "open it in Excel and save it as .xlsx or as CSV UTF-8",
        )
    } else if TAGS.contains(&name.as_str()) || head.contains("<!doctype html") || head.contains("<html") {
        HTML
    } else {
        UnsupportedFormat::new(
            "an XML file",
            "export the list as CSV UTF-8 or JSON, or write one user ID per line",
        )
    })
}

/// Documents whose text is readable but has no rows. A byte order mark or blanks may precede their first bytes.
fn find_document(start: &str) -> Option<UnsupportedFormat> {
    if start.starts_with("{\\rtf") {
        return Some(UnsupportedFormat::new("an RTF document", "save it as plain text"));
    }
    if start.starts_with("%PDF-") {
        return Some(UnsupportedFormat::new("a PDF document", "export the table as CSV UTF-8"));
    }
    let sylk = start.starts_with("ID;P") && start.lines().nth(1).is_some_and(|line| line.contains(';'));
    sylk.then(|| {
        UnsupportedFormat::new("a SYLK file", "open it in Excel and save it as .xlsx or as CSV UTF-8")
    })
}

/// JSON with other text above it, such as a tool's warning.
fn find_json_below(lines: &[&str]) -> Option<UnsupportedFormat> {
    const ABOVE: usize = 8;
    let opens = |line: &&str| {
        let line = trim(line);
        matches!(line, "[" | "{" | "[{") || line.starts_with("{\"") || line.starts_with("[{\"")
    };
    let at = lines.iter().take(ABOVE + 1).position(opens)?;
    let (above, below) = lines.split_at(at);
    // If there is a header or a user above it, it is a cell with several lines.
    let is_row = |line: &&str| {
        line.split(|c: char| c.is_whitespace() || ",;|\"".contains(c)).any(is_id_like)
            || line.split(|c: char| ",;|\t".contains(c)).any(|cell| is_known_id(unquote(cell)))
    };
    let is_json = |line: &str| trim(line).starts_with(['"', '{', '[', ']', '}']);
    let found = at > 0
        && !above.iter().any(is_row)
        && json::looks_like_json(below.join("\n").as_bytes())
        && are_mostly(below, is_json);
    found.then(|| {
        UnsupportedFormat::new(
            "JSON with other text above it",
            "delete the text above its first bracket, or keep a tool's warnings out of the file (2>/dev/null)",
        )
    })
}

/// Whether the first line and at least four of five lines are like this.
fn are_mostly(lines: &[&str], is_like: impl Fn(&str) -> bool) -> bool {
    let alike = lines.iter().filter(|line| is_like(line)).count();
    lines.first().is_some_and(|line| is_like(line)) && alike * 5 >= lines.len() * 4
}
