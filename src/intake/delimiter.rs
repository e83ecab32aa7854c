//! The byte between two cells: chosen by the user, named by Excel's `sep=` line, or guessed from the first rows.

use super::error::quote;

/// The delimiters that are detected, the likeliest first.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Why a text is not a delimiter.
#[derive(Debug, thiserror::Error)]
#[error("{text} can't be a delimiter: use one ASCII character such as `;`, or tab, comma, semicolon or pipe")]
pub struct DelimiterError {
    text: String,
}

/// Parses a delimiter: a single ASCII character, or one of the words `tab`, `comma`, `semicolon`, `pipe`.
///
/// # Errors
/// If it is neither, or a character that can't separate cells (a letter, a digit, a quote, a line end, `@`, `#`,
/// `.`, `-`, `_`).
pub fn parse_delimiter(text: &str) -> Result<u8, DelimiterError> {
    match text.to_ascii_lowercase().as_str() {
        "tab" | "\\t" | "\t" => return Ok(b'\t'),
        "comma" => return Ok(b','),
        "semicolon" => return Ok(b';'),
        "pipe" => return Ok(b'|'),
        _ => {}
    }
    match text.as_bytes() {
        &[byte] if is_possible(byte) => Ok(byte),
        _ => Err(DelimiterError { text: quote(text) }),
    }
}

fn is_possible(byte: u8) -> bool {
    byte == b'\t' || ((byte == b' ' || byte.is_ascii_punctuation()) && !b"\"'@#.-_".contains(&byte))
}

/// The delimiter as it is named in messages.
pub(super) fn name(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".into() } else { format!("`{}`", char::from(delimiter)) }
}

/// The delimiter in Excel's first line `sep=;`, if the line is one.
pub(super) fn from_sep_line(line: &str) -> Option<u8> {
    let line = line.trim_matches('"');
    let (key, value) = line.split_at_checked(4)?;
    match value.as_bytes() {
        &[byte] if key.eq_ignore_ascii_case("sep=") && is_possible(byte) => Some(byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters() {
        assert_eq!(parse_delimiter("Tab").unwrap(), b'\t');
        assert_eq!(parse_delimiter("\\t").unwrap(), b'\t');
        assert_eq!(parse_delimiter(";").unwrap(), b';');
        for wrong in ["", "a", "\"", "\n", ";;", "é", "@"] {
            assert!(parse_delimiter(wrong).is_err(), "{wrong}");
        }
        assert_eq!(from_sep_line("sep=;"), Some(b';'));
        assert_eq!(from_sep_line("\"SEP=\t\""), Some(b'\t'));
        assert_eq!(from_sep_line("sep=ab"), None);
        assert_eq!(from_sep_line("é"), None);
    }
}
