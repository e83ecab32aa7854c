//! What the person at the terminal has to type.

use std::fmt;

/// What somebody at the terminal said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was wanted.
    Yes,
    /// Anything else, also nothing at all.
    No,
}

/// What counts as a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `y` or `yes`.
    Yes,
    /// This number: it can't be typed without having been read.
    Number(u64),
    /// How many of how many: `3 of 4`.
    Of(u64, u64),
}

impl Wanted {
    /// Judges the typed line.
    pub(super) fn judge(self, line: &str) -> Answer {
        let line = line.trim().to_ascii_lowercase();
        let met = match self {
            Wanted::Yes => matches!(line.as_str(), "y" | "yes"),
            // As it is shown above the question, with its thousands apart, or plain.
            Wanted::Number(number) => {
                line == number.to_string() || line == crate::console::wording::count(number)
            }
            Wanted::Of(part, whole) => {
                line == format!("{part} of {whole}") || line == format!("{part}/{whole}")
            }
        };
        if met { Answer::Yes } else { Answer::No }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Yes => f.write_str("y"),
            Wanted::Number(number) => write!(f, "{number}"),
            Wanted::Of(part, whole) => write!(f, "{part} of {whole}"),
        }
    }
}
