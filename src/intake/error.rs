//! What can end the reading of the input, each with what to do about it.

use std::io;

use super::{DelimiterError, EncodingError, FilterError};

/// Why the input cannot be read. Every message names the source and says what to do next.
///
/// Problems of a single row are no errors: they are a [`RowStatus`](super::RowStatus) on that row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The caller gave no source at all.
    #[error("no input was given: name a file, or `-` for standard input")]
    NoSources,
    /// Standard input was named more than once.
    #[error("standard input (`-`) was given more than once: it can be read only once")]
    StdinTwice,
    /// The file is missing or may not be read.
    #[error("cannot open {name}: {error}")]
    Open {
        /// The source.
        name: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The path is a directory.
    #[error("{name} is a directory: name a file in it")]
    Directory {
        /// The source.
        name: String,
    },
    /// Reading failed half-way.
    #[error("cannot read {name}: {error}")]
    Read {
        /// The source.
        name: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// There is nothing in the source that could be a user: it is empty, or holds a header or comments only.
    #[error("{name} has no rows: {what}. Check that it is the right file")]
    NoRows {
        /// The source.
        name: String,
        /// What stands there instead of rows.
        what: &'static str,
    },
    /// `--skip-rows` leaves nothing.
    #[error("--skip-rows {skip} skips every row: the input has {rows}")]
    AllSkipped {
        /// The rows of all sources.
        rows: u64,
        /// The rows to skip.
        skip: u64,
    },
    /// The source is neither text nor an `.xlsx` workbook.
    #[error("{name} is {what}, not a list of users: {remedy}")]
    NotText {
        /// The source.
        name: String,
        /// What it seems to be.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The source is JSON that cannot be read to its end, or no whole list of users.
    #[error("{name} was not read, line {line} of its JSON: {what}")]
    Json {
        /// The source.
        name: String,
        /// The physical line.
        line: u64,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The workbook is damaged, encrypted, or no workbook at all.
    #[error("cannot read {name} as an .xlsx workbook: {what}. Save it again as .xlsx, or as CSV UTF-8")]
    Spreadsheet {
        /// The source.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The workbook is larger than this program is willing to unpack.
    #[error("{name} is too large for a workbook ({what}): save the sheet as CSV UTF-8, which has no limit")]
    TooLarge {
        /// The source.
        name: String,
        /// Which limit it breaks.
        what: String,
    },
    /// `--sheet` names a sheet that the workbook lacks.
    #[error("{name} has no sheet {sheet}: it has {}", list_names(sheets))]
    NoSuchSheet {
        /// The source.
        name: String,
        /// The sheet asked for.
        sheet: String,
        /// The sheets that are there.
        sheets: Vec<String>,
    },
    /// Several sheets may be the list of users, or only hidden ones.
    #[error("{name}: {what}. Say which to read with --sheet NAME (repeatable)")]
    WhichSheet {
        /// The source.
        name: String,
        /// The sheets in question, each with how many rows of ids it holds.
        what: String,
    },
    /// A flag for workbooks was given, and no source is one.
    #[error("{flag} was given, but no input is an .xlsx workbook: leave it out")]
    WithoutWorkbook {
        /// The flag.
        flag: &'static str,
    },
    /// There is a header row, and no column of it is known to hold user ids.
    #[error(
        "{name}: no column of {} is known to hold user ids{why}: {}. Say which with --column NAME",
        header_on(*line), list_names(headers)
    )]
    NoIdColumn {
        /// The source.
        name: String,
        /// The line of the header; none for the keys of JSON.
        line: Option<u64>,
        /// The headers seen.
        headers: Vec<String>,
        /// What there is to say about the columns that are known, in brackets; it may be empty.
        why: String,
    },
    /// More than one column may name the users, or the one that may is not certain.
    #[error(
        "{name}: it is not certain which column of {} names the users. It may be {}. Say which with --column NAME",
        header_on(*line), columns.join(" or ")
    )]
    UncertainColumn {
        /// The source.
        name: String,
        /// The line of the header; none for the keys of JSON.
        line: Option<u64>,
        /// The columns that it may be, each with what speaks for or against it.
        columns: Vec<String>,
    },
    /// A report of Microsoft 365 that shows concealed names.
    #[error(
        "{name}: {column} holds concealed names (32 hexadecimal digits each), which name no users. Switch concealment off \
         in the Microsoft 365 admin center (Settings > Org settings > Services > Reports: \"Display concealed user, group, \
         and site names in all reports\"), and export the report again"
    )]
    ConcealedNames {
        /// The source.
        name: String,
        /// The column.
        column: String,
    },
    /// Two exports stand one after the other, and their columns are not the same.
    #[error(
        "{name}: line {other} is another header than the one on line {line}: two exports with different columns stand one \
         after the other. Give them as two files"
    )]
    OtherHeader {
        /// The source.
        name: String,
        /// The line of the first header.
        line: u64,
        /// The line of the other one.
        other: u64,
    },
    /// A header stands below rows that have none above them.
    #[error(
        "{name}: line {other} is a header, and the rows above it have none: two exports stand one after the other. \
         Give them as two files"
    )]
    SecondHeader {
        /// The source.
        name: String,
        /// The line of the header.
        other: u64,
    },
    /// A column named on the command line is not there.
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
        /// The headers seen; none for a plain list.
        headers: Vec<String>,
        /// The header most like it.
        nearest: Option<String>,
    },
    /// A column is asked for by name, and the first row already is a user.
    #[error(
        "{name} has no header row (line {line} already holds a user id), so it has no column {column}: \
         give {flag} as a number, 1 for the first column"
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
    /// No header row, and the first row holds several ids of one kind.
    #[error(
        "{name} has no header row, and line {line} holds user ids in columns {}: \
         say which with --column NUMBER, or put one user on each line",
        .columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralIds {
        /// The source.
        name: String,
        /// The first row's line.
        line: u64,
        /// The columns that hold ids, from 1.
        columns: Vec<usize>,
    },
    /// A user id stands above what looks like the header row.
    #[error(
        "{name}: line {line} holds a user id, and the header row seems to be line {header_line}: \
         delete what stands above the header"
    )]
    AboveHeader {
        /// The source.
        name: String,
        /// The line of the id.
        line: u64,
        /// The line of the header.
        header_line: u64,
    },
    /// A quote that is never closed would swallow the rows after it.
    #[error(
        "{name}: the quote (\") opened on line {line} is never closed, and swallows the rows after it: \
         close it, or write it twice (\"\") if it belongs to the text"
    )]
    OpenQuote {
        /// The source.
        name: String,
        /// The line where the quote opened.
        line: u64,
    },
    /// The header has more columns than any spreadsheet.
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
        /// The header most like it.
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
    /// Whether the message shows what stands in the source, such as its columns: that is for whoever chose the source.
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

/// Somebody's text inside a message: in back quotes, short, and with nothing that could act on a terminal.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut safe = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
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

/// A path or name inside a message, without quotes around it.
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
    /// The same where the columns are keys of objects, which stand on no one line.
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

/// The header on this line; the keys of objects stand on none.
fn header_on(line: Option<u64>) -> String {
    line.map_or_else(|| "its objects".to_owned(), |line| format!("the header on line {line}"))
}

/// Names, as `a`, `b` and 3 more.
fn list_names(names: &[String]) -> String {
    const MOST: usize = 24;
    if names.is_empty() {
        return "no columns (a plain list)".into();
    }
    let mut text = names.iter().take(MOST).map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
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
