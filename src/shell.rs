//! Quoting for printed commands, so that they can be pasted into the shell of the platform.

use std::borrow::Cow;
use std::path::Path;

use crate::text::sanitize;

/// A word of a command line, quoted if necessary, for PowerShell on Windows and for POSIX shells (and fish) elsewhere.
/// Control characters become visible escapes. Such a command can't be pasted, but showing it does not affect the
/// terminal.
pub fn word(text: &str) -> String {
    let shown = sanitize::sanitize_line(text);
    if cfg!(windows) { powershell(&shown) } else { posix(&shown) }
}

/// A path as a word of a command line.
pub fn path(path: &Path) -> String {
    let text = path.to_string_lossy();
    // A name with a leading `-` would be taken for a flag.
    let text = if text.starts_with('-') { Cow::Owned(format!("./{text}")) } else { text };
    word(&text)
}

/// Whether a text needs no quotes. Letters of all languages need none in any shell.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || "-_./:@%+,=".contains(c))
        && !text.starts_with('=')
}

fn posix(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // It fails only for NUL, which was replaced by a visible escape.
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), Cow::into_owned)
}

/// Quotes for PowerShell. Single quotes prevent expansion; typographic quotes also end them and are doubled
/// (learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules).
fn powershell(text: &str) -> String {
    if text.is_empty()
        || !text.chars().all(|c| c.is_alphanumeric() || "-_./\\:".contains(c))
        || text.starts_with('-')
    {
        let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        let doubled: String =
            text.chars().flat_map(|c| std::iter::once(c).chain(is_quote(c).then_some(c))).collect();
        return format!("'{doubled}'");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        for plain in ["users.csv", "runs/20261130T120000Z-0785ef7c", "ann@contoso.com", "Åsa"] {
            assert_eq!(posix(plain), plain);
        }
        assert_eq!(posix("User ID"), "'User ID'");
        assert_eq!(powershell("it's $(whoami)’"), "'it''s $(whoami)’’'");
        assert_eq!(powershell(r"C:\runs\a.csv"), r"C:\runs\a.csv");
        assert_eq!(word("a\u{1b}[2J").matches('\u{1b}').count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_no_flag() {
        assert_eq!(path(Path::new("-rf")), "./-rf");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[cfg(unix)]
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in "[ $()`'\"\\\\!*?~#&|;<>a-c{}-]{1,12}|\\PC{1,12}") {
            let shown = sanitize::sanitize_line(&text).into_owned();
            let command = format!("printf %s {}", word(&text));
            let output = std::process::Command::new("sh").args(["-c", &command]).output();
            let output = output.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let read = String::from_utf8_lossy(&output.stdout).into_owned();
            prop_assert_eq!(read, shown, "{}", command);
        }
    }
}
