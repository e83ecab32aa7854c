//! The words of `-o`: what standard output gets.

use std::fmt;
use std::str::FromStr;

/// What standard output gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The summary, for people.
    #[default]
    Text,
    /// The summary, as JSON.
    Json,
    /// Each result as it settles, a JSON object a line.
    Jsonl,
    /// Each result as it settles, as CSV.
    Csv,
    /// Nothing.
    None,
}

impl Output {
    const ALL: [(Output, &'static str); 5] = [
        (Output::Text, "text"),
        (Output::Json, "json"),
        (Output::Jsonl, "jsonl"),
        (Output::Csv, "csv"),
        (Output::None, "none"),
    ];
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Output::ALL.iter().find(|(output, _)| output == self).map_or("", |(_, word)| word);
        f.pad(word)
    }
}

/// A word that is no output format.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no output format: write text, json, jsonl, csv or none")]
pub struct UnknownOutput(String);

impl FromStr for Output {
    type Err = UnknownOutput;

    fn from_str(word: &str) -> Result<Self, UnknownOutput> {
        let found = Output::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(word));
        found.map(|(output, _)| *output).ok_or_else(|| UnknownOutput(word.to_owned()))
    }
}
