//! Lines that are broken between words, for terminals.

use console::measure_text_width;

/// Narrower columns than this are not worth breaking lines for.
const MIN_WIDTH: usize = 20;

/// A text that begins at the column `indent`, broken so that it ends before `columns`; what follows is indented alike.
/// A word that is longer than a line stays whole, so that a path or a command can be copied.
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
        let text = "no way to sign in is set up here, none at all";
        let wrapped = hanging_indent(text, 10, Some(34));
        assert_eq!(wrapped, "no way to sign in is set\n          up here, none at all");
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
