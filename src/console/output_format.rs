//! The values of `-o`: what is written to standard output.

use std::fmt;
use std::str::FromStr;

/// What is written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// The summary, for people.
    #[default]
    Text,
    /// The summary, as JSON.
    Json,
    /// Each result as it settles, one JSON object per line.
    Jsonl,
    /// Each result as it settles, as CSV.
    Csv,
    /// Nothing.
    None,
}

impl OutputFormat {
    const ALL: [(OutputFormat, &'static str); 5] = [
        (OutputFormat::Text, "text"),
        (OutputFormat::Json, "json"),
        (OutputFormat::Jsonl, "jsonl"),
        (OutputFormat::Csv, "csv"),
        (OutputFormat::None, "none"),
    ];
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = OutputFormat::ALL.iter().find(|(output, _)| output == self).map_or("", |(_, word)| word);
        f.pad(word)
    }
}

/// A word that is not an output format.
#[derive(Debug, thiserror::Error)]
#[error("invalid output format '{0}' (possible values: text, json, jsonl, csv, none)")]
pub struct UnknownOutputFormat(String);

impl FromStr for OutputFormat {
    type Err = UnknownOutputFormat;

    fn from_str(word: &str) -> Result<Self, UnknownOutputFormat> {
        let found = OutputFormat::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(word));
        found.map(|(output, _)| *output).ok_or_else(|| UnknownOutputFormat(word.to_owned()))
    }
}
