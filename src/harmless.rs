//! Somebody else's text, made harmless where people or programs look at it.
//!
//! Input files and servers are not trusted: what they hold may carry terminal escapes, bidirectional overrides or
//! spreadsheet formulas. Whatever is shown passes through here; what is stored as input for a later run does not.

use std::borrow::Cow;

/// Whether a character acts on a terminal or hides what stands beside it: controls (C0, DEL, C1), zero-width
/// characters, bidirectional marks and overrides, and tag characters.
pub fn is_acting(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a byte is ASCII that is shown as it is: most text is, and is known to be harmless by a glance.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// The text for a terminal, a log or a page, on one line: acting characters become visible escapes such as
/// `\u{1b}`. Borrowed where nothing had to change.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) || !text.chars().any(is_acting) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_acting(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON for a terminal, a log or a file: acting characters stand only inside its strings, and there an escape such as
/// `\u001b` means the same and does not act. Line breaks between its parts stay.
pub fn json(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_plain(byte) || byte == b'\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_acting(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// As [`shown`], cut to `max` characters, with `…` where something is missing.
pub fn excerpt(text: &str, max: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", shown(&text[..end])),
        None => shown(text).into_owned(),
    }
}

/// The text for a cell of CSV that people look at: formulas are disarmed (an apostrophe goes before a cell that a
/// spreadsheet would take for one), and what would act on a terminal that shows the file becomes a visible escape.
/// Line breaks and tabs stay, and so do the joiners that words of some scripts need.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let acts = |c: char| is_acting(c) && !matches!(c, '\t' | '\r' | '\n' | '\u{200c}' | '\u{200d}');
    if text.bytes().all(is_plain) || !text.chars().any(acts) {
        return disarmed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(disarmed(&out).into_owned())
}

/// A formula starts with `=`, `+`, `-`, `@`, a tab or a line break, also behind white space.
fn disarmed(text: &str) -> Cow<'_, str> {
    let risky = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    let first = text.chars().next().is_some_and(risky);
    if first || text.trim_start().chars().next().is_some_and(risky) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_visible() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert!(matches!(shown("Åsa Öberg"), Cow::Borrowed(_)));
    }

    #[test]
    fn excerpts_are_cut_by_characters() {
        assert_eq!(excerpt("  åäö\n", 3), "åäö");
        assert_eq!(excerpt("åäöx", 3), "åäö…");
    }

    #[test]
    fn formulas_are_disarmed() {
        for risky in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1"] {
            assert!(csv_cell(risky).starts_with('\''), "{risky:?}");
        }
        assert_eq!(csv_cell("jo@contoso.com"), "jo@contoso.com");
        assert_eq!(csv_cell(""), "");
    }

    #[test]
    fn cells_neither_calculate_nor_act() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(csv_cell("\u{200b}=1"), "\\u{200b}=1");
        assert_eq!(csv_cell("two\nlines"), "two\nlines");
        assert_eq!(csv_cell("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }
}
