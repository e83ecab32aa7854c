//! The origin of a row: a line of a file, or a user of a selection.

use std::fmt;

/// Where a target was first named: the source, from 0, files before selections; and its line or user, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowOrigin {
    pub(super) source: u16,
    pub(super) line: u32,
}

impl RowOrigin {
    pub(super) fn new(source: usize, line: u64) -> RowOrigin {
        RowOrigin { source: source as u16, line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

/// Formats origins: as a line number, with the source before it unless one file is the only source.
pub(super) struct SourceNames {
    names: Option<Vec<String>>,
}

impl SourceNames {
    pub(super) fn new(files: Vec<String>, selections: impl Iterator<Item = String>) -> SourceNames {
        let count = files.len();
        let names: Vec<String> = files.into_iter().chain(selections).collect();
        SourceNames { names: (count != 1 || names.len() > 1).then_some(names) }
    }

    /// The names of all sources; empty if lines do not show them.
    pub(super) fn names(&self) -> &[String] {
        self.names.as_deref().unwrap_or_default()
    }

    /// The origin as it is shown.
    pub(super) fn display_origin(&self, place: RowOrigin) -> impl fmt::Display + '_ {
        let source = self.names.as_ref().and_then(|names| names.get(usize::from(place.source)));
        OriginDisplay(source.map(String::as_str), place.line)
    }
}

struct OriginDisplay<'a>(Option<&'a str>, u32);

impl fmt::Display for OriginDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(source) => write!(f, "{source}:{}", self.1),
            None => self.1.fmt(f),
        }
    }
}
