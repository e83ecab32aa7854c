//! Makes foreign text harmless before people or programs see it.
//!
//! Input files and servers are not trusted: their text may have terminal escapes, bidirectional overrides or
//! spreadsheet formulas in it. All text that is shown passes through here; text that is stored as input for a later run
//! does not.

use std::borrow::Cow;

use unicode_security::mixed_script::AugmentedScriptSet;

/// Whether a character acts on a terminal, hides its neighbours, or is invisible: controls (C0, DEL, C1), zero-width
/// characters, bidirectional marks and overrides, tag characters, variation selectors, and the other characters that a
/// renderer may ignore (Default_Ignorable_Code_Point) or that are blank without being spaces.
pub fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a byte is printable ASCII. Most text is, so this is a fast check for harmless text.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// The text for a terminal, a log or a page, on one line: each character that [`needs_escape`] becomes a visible escape
/// such as `\u{1b}`. Borrowed if nothing changes.
pub fn sanitize_line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) || !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON for a terminal, a log or a file. Characters that need an escape occur only inside its strings, and there an
/// escape such as `\u001b` means the same and is harmless. Line breaks between its parts stay.
pub fn sanitize_json(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_plain(byte) || byte == b'\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if needs_escape(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Like [`sanitize_line`], but cut to `max` characters, with `…` at the end of a text that was cut.
pub fn sanitize_truncated(text: &str, max: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", sanitize_line(&text[..end])),
        None => sanitize_line(text).into_owned(),
    }
}

/// Maximum width of a name, in columns of a terminal.
const MAX_NAME_WIDTH: usize = 60;

/// The name of a person or of a thing in the directory, for people: sanitized like [`sanitize_line`] and cut to a
/// width. A name that mixes scripts as no language does is marked, because letters of two scripts can look alike.
/// Latin together with Japanese, Chinese or Korean is usual (UTS #39, "highly restrictive").
pub fn sanitize_name(text: &str) -> String {
    let text = text.trim();
    // Combining marks have no width.
    let cut = console::truncate_str(&sanitize_truncated(text, 2 * MAX_NAME_WIDTH), MAX_NAME_WIDTH, "…")
        .into_owned();
    match mixes_scripts(text) {
        true => format!("{cut} (mixed scripts)"),
        false => cut,
    }
}

fn mixes_scripts(text: &str) -> bool {
    if text.is_ascii() || !AugmentedScriptSet::for_str(text).is_empty() {
        return false;
    }
    let latin = AugmentedScriptSet::for_char('a');
    let others: String = text.chars().filter(|c| AugmentedScriptSet::for_char(*c) != latin).collect();
    let others = AugmentedScriptSet::for_str(&others);
    !(others.jpan || others.hanb || others.kore)
}

/// The text for a cell of CSV that people look at: formulas are [neutralized](neutralize_formula), and characters that
/// would act on a terminal become visible escapes. A line break is LF. Tabs stay, and so do the joiners that words of
/// some scripts need.
pub fn escape_csv_formula(text: &str) -> Cow<'_, str> {
    let acts = |c: char| needs_escape(c) && !matches!(c, '\t' | '\n' | '\u{200c}' | '\u{200d}');
    if text.bytes().all(is_plain) || !text.chars().any(acts) {
        return neutralize_formula(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\r' && rest.peek() == Some(&'\n') {
            continue;
        } else if acts(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(neutralize_formula(&out).into_owned())
}

/// Whether some spreadsheet takes a cell that begins with this character for a formula.
fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

/// Whether some spreadsheet could begin a new cell after this character.
fn begins_cell(c: char) -> bool {
    matches!(
        c,
        ';' | ',' | '|' | '\t' | '\n' | '\r' | '"' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// The text with an apostrophe before each formula in it: at the start, and after each character that a spreadsheet may
/// take for the end of a cell (`;` if that is the list separator, a tab, a quote, a line break), also with blanks and
/// apostrophes in between.
pub fn neutralize_formula(text: &str) -> Cow<'_, str> {
    if !text.chars().any(begins_formula) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    // A spreadsheet may trim blanks before it looks for a formula.
    let inner = text.trim_start_matches(|c: char| c == '\'' || c.is_whitespace());
    if begins_blank(text) && inner.starts_with(begins_formula) {
        out.push('\'');
    }
    let mut fresh = true;
    for c in text.chars() {
        if fresh && begins_formula(c) {
            out.push('\'');
        }
        out.push(c);
        fresh = may_begin_cell(c, fresh);
    }
    if out.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Reverses [`neutralize_formula`]. A text that it never returns stays as it is.
pub fn restore_formula(text: &str) -> Cow<'_, str> {
    if !text.contains('\'') {
        return Cow::Borrowed(text);
    }
    let without_first = text.strip_prefix('\'').filter(|rest| begins_blank(rest));
    let made_of = without_first.into_iter().chain([text]).map(without_apostrophes);
    made_of
        .into_iter()
        .find(|made_of| neutralize_formula(made_of) == text)
        .map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The text without the apostrophes that are before a formula where a cell could begin.
fn without_apostrophes(text: &str) -> String {
    let mut made_of = String::with_capacity(text.len());
    let mut fresh = true;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if fresh && c == '\'' && rest.peek().copied().is_some_and(begins_formula) {
            // One apostrophe neutralizes one formula, so the next character begins no cell.
            made_of.extend(rest.next());
            fresh = false;
            continue;
        }
        made_of.push(c);
        fresh = may_begin_cell(c, fresh);
    }
    made_of
}

/// Whether a cell could begin after the character.
fn may_begin_cell(c: char, fresh: bool) -> bool {
    begins_cell(c) || fresh && (c.is_whitespace() || c == '\'')
}

/// Whether the text begins with a blank, after any apostrophes.
fn begins_blank(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_visible() {
        assert_eq!(sanitize_line("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert!(matches!(sanitize_line("Åsa Öberg"), Cow::Borrowed(_)));
    }

    #[test]
    fn excerpts_are_cut_by_characters() {
        assert_eq!(sanitize_truncated("  åäö\n", 3), "åäö");
        assert_eq!(sanitize_truncated("åäöx", 3), "åäö…");
    }

    #[test]
    fn formulas_are_disarmed() {
        for risky in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "＝1"] {
            assert!(escape_csv_formula(risky).starts_with('\''), "{risky:?}");
        }
        assert_eq!(escape_csv_formula("jo@contoso.com"), "jo@contoso.com");
        assert_eq!(escape_csv_formula(""), "");
    }

    #[test]
    fn formulas_are_disarmed_wherever_a_cell_could_begin() {
        for (text, expected) in [
            ("a;=1+1", "a;'=1+1"),
            ("a;\" =1", "a;\" '=1"),
            ("a\t@x", "a\t'@x"),
            ("a\n-1\n+2", "a\n'-1\n'+2"),
            ("\"=1\"", "\"'=1\""),
            ("O'-Brien; a-b", "O'-Brien; a-b"),
            ("'=1", "''=1"),
        ] {
            assert_eq!(escape_csv_formula(text), expected);
        }
    }

    #[test]
    fn a_carriage_return_acts_nowhere() {
        assert_eq!(escape_csv_formula("two\r\nlines\rover"), "two\nlines\\rover");
        assert_eq!(sanitize_line("a\rb"), "a\\rb");
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        for c in ['\u{2800}', '\u{3164}', '\u{115f}', '\u{34f}', '\u{fe0f}', '\u{e0100}', '\u{2003}'] {
            assert_eq!(sanitize_line(&format!("a{c}b")), format!("a{}b", c.escape_unicode()));
        }
        assert_eq!(sanitize_line("山田\u{3000}太郎"), "山田\u{3000}太郎");
    }

    #[test]
    fn names_are_cut_to_a_width_and_mixed_scripts_are_marked() {
        assert_eq!(sanitize_name("Åsa Öberg"), "Åsa Öberg");
        for usual in ["Анна Петрова", "山田 太郎 Taro", "Ελένη", "김민수 Kim"] {
            assert_eq!(sanitize_name(usual), usual);
        }
        assert_eq!(sanitize_name("Аnn Lee"), "Аnn Lee (mixed scripts)");
        assert_eq!(console::measure_text_width(&sanitize_name(&"山".repeat(200))), 59);
        assert!(sanitize_name(&format!("a{}", "\u{301}".repeat(5000))).len() < 300);
    }

    proptest::proptest! {
        #[test]
        fn what_was_disarmed_is_found_again(text in "[=+@a'\" ;\t\n-]{0,12}|\\PC{0,12}") {
            let safe = neutralize_formula(&text).into_owned();
            proptest::prop_assert_eq!(restore_formula(&safe).into_owned(), text);
        }
    }

    #[test]
    fn cells_neither_calculate_nor_act() {
        assert_eq!(escape_csv_formula("=1+1"), "'=1+1");
        assert_eq!(escape_csv_formula("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(escape_csv_formula("\u{200b}=1"), "\\u{200b}=1");
        assert_eq!(escape_csv_formula("two\nlines"), "two\nlines");
        assert_eq!(escape_csv_formula("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }
}
