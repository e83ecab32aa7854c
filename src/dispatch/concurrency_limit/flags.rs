//! `--jobs` and `--batch-size`: `auto`, or a number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The maximum number of slots for `auto`.
const MAX_AUTO_JOBS: usize = 64;

/// The maximum number of parts in a `$batch` (learn.microsoft.com/graph/json-batching).
pub const MAX_IN_BATCH: u8 = 20;

/// `--jobs`: the maximum number of requests in flight, in each tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WidthText", into = "WidthText")]
pub enum Jobs {
    /// As many as the latency requires.
    #[default]
    Auto,
    /// This number.
    Fixed(usize),
}

impl Jobs {
    /// The maximum number of slots.
    pub fn max(self) -> usize {
        match self {
            Jobs::Auto => MAX_AUTO_JOBS,
            Jobs::Fixed(jobs) => jobs.max(1),
        }
    }
}

/// `--batch-size`: users in one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WidthText", into = "WidthText")]
pub enum BatchSize {
    /// One, or more if slots are short.
    #[default]
    Auto,
    /// Up to this number. With 1, each user has a request of its own.
    Fixed(u8),
}

impl BatchSize {
    /// One user in each request.
    pub fn alone() -> BatchSize {
        BatchSize::Fixed(1)
    }

    /// The burst that full batches need, if a size is given.
    pub fn burst(self) -> Option<u32> {
        match self {
            BatchSize::Fixed(size) if size > 1 => Some(u32::from(size)),
            _ => None,
        }
    }
}

/// The form in `run.json`: a number, or `auto`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WidthText {
    Number(usize),
    Word(String),
}

impl From<Jobs> for WidthText {
    fn from(jobs: Jobs) -> WidthText {
        match jobs {
            Jobs::Auto => WidthText::Word("auto".to_owned()),
            Jobs::Fixed(jobs) => WidthText::Number(jobs),
        }
    }
}

impl From<BatchSize> for WidthText {
    fn from(size: BatchSize) -> WidthText {
        match size {
            BatchSize::Auto => WidthText::Word("auto".to_owned()),
            BatchSize::Fixed(size) => WidthText::Number(size.into()),
        }
    }
}

impl WidthText {
    fn text(self) -> String {
        match self {
            WidthText::Number(number) => number.to_string(),
            WidthText::Word(word) => word,
        }
    }
}

impl TryFrom<WidthText> for Jobs {
    type Error = InvalidWidth;

    fn try_from(written: WidthText) -> Result<Self, InvalidWidth> {
        written.text().parse()
    }
}

impl TryFrom<WidthText> for BatchSize {
    type Error = InvalidWidth;

    fn try_from(written: WidthText) -> Result<Self, InvalidWidth> {
        written.text().parse()
    }
}

/// The text is neither `auto` nor a number in the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid number '{given}' (possible values: auto, 1 to {max})")]
pub struct InvalidWidth {
    given: String,
    max: usize,
}

/// The maximum for `--jobs`.
const MAX_JOBS: usize = 4_096;

impl FromStr for Jobs {
    type Err = InvalidWidth;

    fn from_str(text: &str) -> Result<Self, InvalidWidth> {
        Ok(number(text, MAX_JOBS)?.map_or(Jobs::Auto, Jobs::Fixed))
    }
}

impl FromStr for BatchSize {
    type Err = InvalidWidth;

    fn from_str(text: &str) -> Result<Self, InvalidWidth> {
        let size = number(text, usize::from(MAX_IN_BATCH))?;
        Ok(size.map_or(BatchSize::Auto, |size| BatchSize::Fixed(size as u8)))
    }
}

/// Parses a number from 1 to `most`, or `None` for `auto`.
fn number(text: &str, most: usize) -> Result<Option<usize>, InvalidWidth> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ => Err(InvalidWidth { given: text.to_owned(), max: most }),
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Jobs::Auto => f.pad("auto"),
            Jobs::Fixed(jobs) => jobs.fmt(f),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchSize::Auto => f.pad("auto"),
            BatchSize::Fixed(size) => size.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_and_written() {
        for text in ["auto", "1", "7", "20"] {
            assert_eq!(text.parse::<BatchSize>().unwrap().to_string(), text);
            assert_eq!(text.parse::<Jobs>().unwrap().to_string(), text);
        }
        for wrong in ["", "0", "21", "-1", "1.5", "many"] {
            assert!(wrong.parse::<BatchSize>().is_err(), "{wrong}");
        }
        assert!("4096".parse::<Jobs>().is_ok() && "4097".parse::<Jobs>().is_err());
    }

    #[test]
    fn run_json_has_a_number_or_a_word() {
        let written = serde_json::to_string(&(Jobs::Fixed(8), BatchSize::Auto)).unwrap();
        assert_eq!(written, "[8,\"auto\"]");
        assert_eq!(
            serde_json::from_str::<(Jobs, BatchSize)>(&written).unwrap(),
            (Jobs::Fixed(8), BatchSize::Auto)
        );
        assert!(serde_json::from_str::<BatchSize>("21").is_err());
    }
}
