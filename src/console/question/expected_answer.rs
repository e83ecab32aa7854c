//! The answers that the question expects.

use std::fmt;

/// The answer that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAnswer {
    /// The expected answer.
    Yes,
    /// Anything else, including an empty line.
    No,
}

/// What counts as a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedAnswer {
    /// `y` or `yes`.
    Yes,
    /// This number, which can't be typed without having been read.
    Number(u64),
    /// Two numbers: `3 of 4`.
    Fraction(u64, u64),
}

impl ExpectedAnswer {
    /// Compares a typed line with the expected answer.
    pub(super) fn check(self, line: &str) -> TypedAnswer {
        let line = line.trim().to_ascii_lowercase();
        let matches = match self {
            ExpectedAnswer::Yes => matches!(line.as_str(), "y" | "yes"),
            // With thousands separators, as it is shown above the question, or without.
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
