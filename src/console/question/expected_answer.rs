//! What the person at the terminal has to type.

use std::fmt;

/// What somebody at the terminal said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAnswer {
    /// What was wanted.
    Yes,
    /// Anything else, also nothing at all.
    No,
}

/// What counts as a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedAnswer {
    /// `y` or `yes`.
    Yes,
    /// This number: it can't be typed without having been read.
    Number(u64),
    /// How many of how many: `3 of 4`.
    Fraction(u64, u64),
}

impl ExpectedAnswer {
    /// Judges the typed line.
    pub(super) fn check(self, line: &str) -> TypedAnswer {
        let line = line.trim().to_ascii_lowercase();
        let matches = match self {
            ExpectedAnswer::Yes => matches!(line.as_str(), "y" | "yes"),
            // As it is shown above the question, with its thousands apart, or plain.
            ExpectedAnswer::Number(number) => {
                line == number.to_string() || line == crate::text::humanize::count(number)
            }
            ExpectedAnswer::Fraction(part, whole) => {
                line == format!("{part} of {whole}") || line == format!("{part}/{whole}")
            }
        };
        if matches { TypedAnswer::Yes } else { TypedAnswer::No }
    }
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExpectedAnswer::Yes => f.write_str("y"),
            ExpectedAnswer::Number(number) => write!(f, "{number}"),
            ExpectedAnswer::Fraction(part, whole) => write!(f, "{part} of {whole}"),
        }
    }
}
