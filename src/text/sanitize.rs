//! Somebody else's text, made harmless where people or programs look at it.
//!
//! Input files and servers are not trusted: what they hold may carry terminal escapes, bidirectional overrides or
//! spreadsheet formulas. Whatever is shown passes through here; what is stored as input for a later run does not.

use std::borrow::Cow;

use unicode_security::mixed_script::AugmentedScriptSet;

/// Whether a character acts on a terminal, hides what stands beside it, or is not seen at all: controls (C0, DEL, C1),
/// zero-width characters, bidirectional marks and overrides, tag characters, variation selectors, and the other
/// characters that Unicode lets a renderer ignore (Default_Ignorable_Code_Point) or that are blank without being spaces.
pub fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a byte is ASCII that is shown as it is: most text is, and is known to be harmless by a glance.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// The text for a terminal, a log or a page, on one line: acting characters become visible escapes such as
/// `\u{1b}`. Borrowed where nothing had to change.
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

/// JSON for a terminal, a log or a file: acting characters stand only inside its strings, and there an escape such as
/// `\u001b` means the same and does not act. Line breaks between its parts stay.
pub fn json(text: &str) -> Cow<'_, str> {
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

/// As [`sanitize_line`], cut to `max` characters, with `…` where something is missing.
pub fn sanitize_truncated(text: &str, max: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", sanitize_line(&text[..end])),
        None => sanitize_line(text).into_owned(),
    }
}

/// Names of people are not shown wider than this, in columns of a terminal.
const WIDEST_NAME: usize = 60;

/// The name of a person or of a thing in the directory, for people: [`sanitize_line`], cut to a width, and marked where it mixes
/// scripts as no language does, since letters of two scripts can look alike. Latin beside Japanese, Chinese or Korean is
/// usual (UTS #39, "highly restrictive").
pub fn name(text: &str) -> String {
    let text = text.trim();
    // Combining marks have no width.
    let cut =
        console::truncate_str(&sanitize_truncated(text, 2 * WIDEST_NAME), WIDEST_NAME, "…").into_owned();
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

/// The text for a cell of CSV that people look at: formulas are [neutralized](neutralize_formula), and what would act on a terminal that shows
/// the file becomes a visible escape. A line break is LF. Tabs stay, and so do the joiners that words of some scripts need.
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

/// Whether a cell that begins with it is a formula to some spreadsheet.
fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

/// Whether a spreadsheet that splits a file in its own way could begin a cell behind it.
fn begins_cell(c: char) -> bool {
    matches!(
        c,
        ';' | ',' | '|' | '\t' | '\n' | '\r' | '"' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// The text with an apostrophe before each formula in it: where it begins, and behind whatever a spreadsheet may take for
/// the end of a cell (`;` where that is the list separator, a tab, a quote, a line break), with blanks and quotes between.
pub fn neutralize_formula(text: &str) -> Cow<'_, str> {
    if !text.chars().any(begins_formula) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    // A spreadsheet may take blanks off before it looks.
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
        fresh = stays_fresh(c, fresh);
    }
    if out.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// What [`neutralize_formula`] was made of. A text that it never gives stays as it is.
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

/// The text without each apostrophe that stands before a formula where a cell could begin.
fn without_apostrophes(text: &str) -> String {
    let mut made_of = String::with_capacity(text.len());
    let mut fresh = true;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if fresh && c == '\'' && rest.peek().copied().is_some_and(begins_formula) {
            // Only the one formula behind it is disarmed by it.
            made_of.extend(rest.next());
            fresh = false;
            continue;
        }
        made_of.push(c);
        fresh = stays_fresh(c, fresh);
    }
    made_of
}

/// Whether a cell could begin behind the character.
fn stays_fresh(c: char, fresh: bool) -> bool {
    begins_cell(c) || fresh && (c.is_whitespace() || c == '\'')
}

/// Whether it begins with a blank, but for apostrophes.
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
        assert_eq!(name("Åsa Öberg"), "Åsa Öberg");
        for usual in ["Анна Петрова", "山田 太郎 Taro", "Ελένη", "김민수 Kim"] {
            assert_eq!(name(usual), usual);
        }
        assert_eq!(name("Аnn Lee"), "Аnn Lee (mixed scripts)");
        assert_eq!(console::measure_text_width(&name(&"山".repeat(200))), 59);
        assert!(name(&format!("a{}", "\u{301}".repeat(5000))).len() < 300);
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
