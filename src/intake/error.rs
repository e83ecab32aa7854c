//! The errors that end the reading of the input, each with advice.

use std::io;

use super::{DelimiterError, EncodingError, FilterError};

/// Why the input cannot be read. Every message names the source and says what to do next.
///
/// A problem of a single row is not an error: it is the [`RowStatus`](super::RowStatus) of that row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The caller gave no source.
    #[error("no input was given: name a file, or `-` for standard input")]
    NoSources,
    /// Standard input was named more than once.
    #[error("standard input (`-`) was given more than once: it can be read only once")]
    StdinTwice,
    /// The file is missing or may not be read.
    #[error("can't open {name}: {error}")]
    Open {
        /// The source.
        name: String,
        /// The error from the operating system.
        #[source]
        error: io::Error,
    },
    /// The path is a directory.
    #[error("{name} is a directory: name a file in it")]
    Directory {
        /// The source.
        name: String,
    },
    /// Reading failed partway.
    #[error("can't read {name}: {error}")]
    Read {
        /// The source.
        name: String,
        /// The error from the operating system.
        #[source]
        error: io::Error,
    },
    /// There is nothing in the source that could be a user: it is empty, or has only a header or comments.
    #[error("{name} has no rows: {what}. Check that it is the right file")]
    NoRows {
        /// The source.
        name: String,
        /// What the source has instead of rows.
        what: &'static str,
    },
    /// `--skip-rows` skips all rows.
    #[error("--skip-rows {skip} skips every row: the input has {rows}")]
    AllSkipped {
        /// The rows of all sources.
        rows: u64,
        /// The rows to skip.
        skip: u64,
    },
    /// The source is neither text nor an `.xlsx` workbook.
    #[error("can't read users from {name}, because it is {what}: {remedy}")]
    NotText {
        /// The source.
        name: String,
        /// What it seems to be.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The source is JSON that cannot be read to its end, or is not a complete list of users.
    #[error("can't read {name}, line {line} of its JSON: {what}")]
    Json {
        /// The source.
        name: String,
        /// The physical line.
        line: u64,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The workbook is damaged or encrypted, or the file is not a workbook.
    #[error("can't read {name} as an .xlsx workbook: {what}. Save it again as .xlsx, or as CSV UTF-8")]
    Spreadsheet {
        /// The source.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The workbook exceeds a limit on what is unpacked.
    #[error("{name} is too large for a workbook ({what}): save the sheet as CSV UTF-8, which has no limit")]
    TooLarge {
        /// The source.
        name: String,
        /// Which limit it breaks.
        what: String,
    },
    /// `--sheet` names a sheet that the workbook does not have.
    #[error("{name} has no sheet {sheet}: it has {}", list_names(sheets))]
    NoSuchSheet {
        /// The source.
        name: String,
        /// The sheet asked for.
        sheet: String,
        /// The sheets of the workbook.
        sheets: Vec<String>,
    },
    /// Several sheets, or only hidden ones, may be the list of users.
    #[error("{name}: {what}. Choose with --sheet NAME (repeatable)")]
    WhichSheet {
        /// The source.
        name: String,
        /// The sheets in question, each with its number of rows with user IDs.
        what: String,
    },
    /// A flag for workbooks was given, but no source is a workbook.
    #[error("{flag} was given, but no input is an .xlsx workbook: remove the flag")]
    WithoutWorkbook {
        /// The flag.
        flag: &'static str,
    },
    /// There is a header row, but none of its columns is known to have user IDs.
    #[error(
        "{name}: no column of {} is known to have user IDs{why}: {}. Choose one with --column NAME",
        header_on(*line), list_names(headers)
    )]
    NoIdColumn {
        /// The source.
        name: String,
        /// The line of the header; none if the columns are keys of JSON.
        line: Option<u64>,
        /// The columns of the source.
        headers: Vec<String>,
        /// A remark about the known columns, in brackets; it may be empty.
        why: String,
    },
    /// More than one column may have the users, or there is one that only may have them.
    #[error(
        "{name}: it is not clear which column of {} has the users. It may be {}. Choose one \
         with --column NAME",
        header_on(*line), columns.join(" or ")
    )]
    UncertainColumn {
        /// The source.
        name: String,
        /// The line of the header; none if the columns are keys of JSON.
        line: Option<u64>,
        /// The columns that it may be, each with the reason for the doubt.
        columns: Vec<String>,
    },
    /// The source is a report of Microsoft 365 with concealed names.
    #[error(
        "{name}: {column} has concealed names (32 hexadecimal digits each), which are not users. Turn off \
         concealment in the Microsoft 365 admin center (Settings > Org settings > Services > Reports: \
         \"Display concealed user, group, and site names in all reports\"), and export the report again"
    )]
    ConcealedNames {
        /// The source.
        name: String,
        /// The column.
        column: String,
    },
    /// The file has two exports, one after the other, with different columns.
    #[error(
        "{name}: the header on line {other} differs from the header on line {line}: the file has two exports \
         with different columns. Split it into two files"
    )]
    DifferentHeader {
        /// The source.
        name: String,
        /// The line of the first header.
        line: u64,
        /// The line of the other one.
        other: u64,
    },
    /// A header follows rows that have no header.
    #[error(
        "{name}: line {other} is a header, but the rows above it have none: the file has two exports. \
         Split it into two files"
    )]
    SecondHeader {
        /// The source.
        name: String,
        /// The line of the header.
        other: u64,
    },
    /// A column named on the command line does not exist.
    #[error(
        "{name} has no column {column} ({flag}): it has {}{}",
        list_names(headers),
        did_you_mean(nearest)
    )]
    NoSuchColumn {
        /// The source.
        name: String,
        /// The flag that named it.
        flag: &'static str,
        /// The column asked for.
        column: String,
        /// The columns of the source; none for a plain list.
        headers: Vec<String>,
        /// The column with the most similar name.
        nearest: Option<String>,
    },
    /// A column was chosen by name, but the first row is already a user.
    #[error(
        "{name} has no header row (line {line} already has a user ID), so it has no column {column}: use \
         {flag} with a number, 1 for the first column"
    )]
    NoHeader {
        /// The source.
        name: String,
        /// The first row's line.
        line: u64,
        /// The flag that named it.
        flag: &'static str,
        /// The column asked for.
        column: String,
    },
    /// There is no header row, and the first row has several IDs of the same kind.
    #[error(
        "{name} has no header row, and line {line} has user IDs in columns {}: choose one with --column \
         NUMBER, or put one user on each line",
        .columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralIds {
        /// The source.
        name: String,
        /// The first row's line.
        line: u64,
        /// The columns that have IDs, from 1.
        columns: Vec<usize>,
    },
    /// A user ID is above the row that looks like the header.
    #[error(
        "{name}: line {line} has a user ID, and the header row seems to be line {header_line}: \
         delete the lines above the header"
    )]
    AboveHeader {
        /// The source.
        name: String,
        /// The line of the ID.
        line: u64,
        /// The line of the header.
        header_line: u64,
    },
    /// A quote is never closed, so that the rows after it would be part of the cell.
    #[error(
        "{name}: the quote (\") opened on line {line} is never closed, so it includes the rows after it: \
         close it, or double it (\"\") if it belongs to the text"
    )]
    OpenQuote {
        /// The source.
        name: String,
        /// The line where the quote opened.
        line: u64,
    },
    /// The header has more columns than a spreadsheet can have.
    #[error(
        "{name}: the header on line {line} is too long or has more than 16,384 columns: is it the right file?"
    )]
    HeaderTooLong {
        /// The source.
        name: String,
        /// The line of the header.
        line: u64,
    },
    /// A filter names a column that no source has.
    #[error(
        "no input has the column {field} ({flag}): there are {}{}",
        list_names(headers),
        did_you_mean(nearest)
    )]
    FilterColumn {
        /// `--match` or `--skip`.
        flag: &'static str,
        /// The column asked for.
        field: String,
        /// The columns of all sources.
        headers: Vec<String>,
        /// The column with the most similar name.
        nearest: Option<String>,
    },
    /// A filter cannot be understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// An encoding cannot be understood.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A delimiter cannot be understood.
    #[error(transparent)]
    Delimiter(#[from] DelimiterError),
}

impl IntakeError {
    /// Whether the message quotes the source, for example its columns. Such a message is only for the person who chose
    /// it.
    pub(crate) fn shows_content(&self) -> bool {
        !matches!(
            self,
            IntakeError::NoSources
                | IntakeError::StdinTwice
                | IntakeError::Open { .. }
                | IntakeError::Directory { .. }
                | IntakeError::Read { .. }
                | IntakeError::NoRows { .. }
                | IntakeError::NotText { .. }
                | IntakeError::TooLarge { .. }
        )
    }
}

/// Foreign text inside a message: in back quotes, shortened, and without characters that could control a terminal.
pub(super) fn quote(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut safe = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == MAX_CHARS {
            safe.push('…');
            break;
        }
        if c.is_control() || super::cell::is_invisible(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe.push('`');
    safe
}

/// A path or name inside a message, escaped like [`quote`] but without quotes and in full length.
pub(super) fn escape_name(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let acts = c.is_control() || super::cell::is_invisible(c);
            let escaped = acts.then(|| c.escape_unicode());
            escaped.into_iter().flatten().chain((!acts).then_some(c))
        })
        .collect()
}

impl IntakeError {
    /// The same error without a line, because the columns are keys of objects, which are on many lines.
    pub(super) fn without_line(self) -> IntakeError {
        match self {
            IntakeError::NoIdColumn { name, headers, why, .. } => {
                IntakeError::NoIdColumn { name, line: None, headers, why }
            }
            IntakeError::UncertainColumn { name, columns, .. } => {
                IntakeError::UncertainColumn { name, line: None, columns }
            }
            other => other,
        }
    }
}

/// The header on this line, or the objects if there is no line.
fn header_on(line: Option<u64>) -> String {
    line.map_or_else(|| "its objects".to_owned(), |line| format!("the header on line {line}"))
}

/// Names, as `a`, `b` and 3 more.
fn list_names(names: &[String]) -> String {
    const MAX_NAMES: usize = 24;
    if names.is_empty() {
        return "no columns (a plain list)".into();
    }
    let mut text = names.iter().take(MAX_NAMES).map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES {
        text.push_str(&format!(" and {} more", names.len() - MAX_NAMES));
    }
    text
}

fn did_you_mean(name: &Option<String>) -> String {
    name.as_deref().map(|name| format!(". Did you mean {}?", quote(name))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_act() {
        assert_eq!(quote("a\u{1b}[2Jb"), "`a\\u{1b}[2Jb`");
        assert_eq!(quote("a\u{202e}b"), "`a\\u{202e}b`");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 63);
        assert_eq!(escape_name("a\nb"), "a\\u{a}b");
    }
}
