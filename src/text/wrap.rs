//! Wraps lines between words, for terminals.

use console::measure_text_width;

/// Text is not wrapped if it has fewer columns than this.
const MIN_WIDTH: usize = 20;

/// Wraps a text that begins at column `indent`, so that it ends before `columns`. Further lines have the same indent. A
/// word that is longer than a line is not broken, so that a path or a command can be copied.
pub fn hanging_indent(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(room) =
        columns.and_then(|columns| columns.checked_sub(indent)).filter(|room| *room >= MIN_WIDTH)
    else {
        return text.to_owned();
    };
    let mut wrapped = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let width = measure_text_width(word);
        if used > 0 && used + 1 + width > room {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            used = 0;
        } else if !wrapped.is_empty() {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += width;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_hang() {
        let text = "no sign-in method is set up on this machine, none at all";
        let wrapped = hanging_indent(text, 10, Some(34));
        assert_eq!(wrapped, "no sign-in method is set\n          up on this machine, none\n          at all");
        for line in format!("{:10}{wrapped}", "").lines() {
            assert!(line.len() <= 34, "{line}");
        }
    }

    #[test]
    fn long_words_are_not_broken() {
        let long = "a /very/long/path/that/nobody/would/like/to/see/broken b";
        assert_eq!(
            hanging_indent(long, 2, Some(30)),
            "a\n  /very/long/path/that/nobody/would/like/to/see/broken\n  b"
        );
        assert_eq!(hanging_indent(long, 0, None), long);
        assert_eq!(hanging_indent(long, 20, Some(25)), long);
        assert_eq!(hanging_indent("", 2, Some(80)), "");
    }
}
