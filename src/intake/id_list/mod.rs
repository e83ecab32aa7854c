//! A list of accounts to protect or exclude. It is read in full: every record of every sheet and every cell, without
//! choosing a column. Anything that can't be read ends the reading. The guard decides which cells name an account.
//!
//! A source of users may be read leniently, because a user whose row is not understood is only not revoked. Here, that
//! user would be revoked.

mod json;
mod spreadsheet;
mod text;

use std::io::Read;
use std::path::Path;

use super::column_roles::{classify_names, names_people};
use super::encoding::{DecodedText, detect};
use super::error::{IntakeError, escape_name};
use super::input_digest::HashingReader;
use super::row_builder::non_user_kind;
use super::source_reader::CUT_LINE;
use crate::files::{self, FileError, PipePolicy};

/// The maximum size of a list, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// How many bytes are read to detect the format.
const HEAD_BYTES: usize = 64 * 1024;

/// A complete list.
#[derive(Debug, Default)]
pub(crate) struct IdList {
    pub(crate) tables: Vec<ListTable>,
    /// The lines of comments, each with its text.
    pub(crate) comments: Vec<(u64, String)>,
}

/// A sheet of a workbook, or all of any other source.
#[derive(Debug, Default)]
pub(crate) struct ListTable {
    /// The sheet's name.
    pub(crate) sheet: Option<String>,
    /// The records that are not empty, in order.
    pub(crate) records: Vec<ListRow>,
}

/// One record.
#[derive(Debug, Default)]
pub(crate) struct ListRow {
    /// Its line, its row in the sheet, or its position in the array; from 1.
    pub(crate) line: u64,
    pub(crate) cells: Vec<String>,
    /// The name of each cell, if the record itself has names.
    pub(crate) names: Option<Vec<String>>,
}

/// Why a list can't be read in full.
#[derive(Debug)]
pub(crate) enum ListError {
    /// An error of the whole source.
    Source(IntakeError),
    /// An error on this line.
    Line { line: u64, reason: String },
}

impl From<IntakeError> for ListError {
    fn from(error: IntakeError) -> Self {
        ListError::Source(error)
    }
}

/// Reads the list.
///
/// # Errors
/// If any part of it can't be read.
pub(crate) fn read(path: &Path) -> Result<IdList, ListError> {
    let name = escape_name(&path.display().to_string());
    if path.is_dir() {
        return Err(IntakeError::Directory { name }.into());
    }
    let file = files::open(path, PipePolicy::Named).map_err(|error| match error {
        FileError::Io(error) => IntakeError::Open { name: name.clone(), error },
        error => IntakeError::Open { name: name.clone(), error: std::io::Error::other(error.to_string()) },
    })?;
    from_reader(&name, files::is_stream(&file), Box::new(file))
}

/// Reads the list. The last line of a stream must have a line end, because the program that wrote it may have been
/// killed in the middle of it, and a truncated ID protects no one.
fn from_reader(name: &str, is_stream: bool, reader: Box<dyn Read + Send>) -> Result<IdList, ListError> {
    let failed = |error| IntakeError::Read { name: name.to_owned(), error };
    let mut raw = HashingReader::new(reader);
    let head = raw.read_head(HEAD_BYTES).map_err(failed)?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return spreadsheet::read(name, &head, &mut raw);
    }
    let is_complete = head.len() < HEAD_BYTES;
    let detected = detect(&head, is_complete, None).map_err(|no| IntakeError::NotText {
        name: name.to_owned(),
        what: no.what.to_owned(),
        remedy: no.remedy,
    })?;
    let bytes = decode(DecodedText::new(head, raw, &detected)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(IntakeError::TooLarge { name: name.to_owned(), what: "over 256 MiB".into() }.into());
    }
    let list = match json::read(&bytes) {
        Some(list) => list?,
        None if is_stream && !bytes.ends_with(b"\n") && !bytes.ends_with(b"\r") => {
            let line = bytes.split(|byte| *byte == b'\n').count() as u64;
            return Err(ListError::Line { line, reason: CUT_LINE.to_owned() });
        }
        None => text::read(name, &bytes)?,
    };
    match list.tables.iter().all(|table| table.records.is_empty()) {
        true => Err(IntakeError::NoRows { name: name.to_owned(), what: "it has no entries" }.into()),
        false => Ok(list),
    }
}

/// The whole text, or slightly more than the maximum. The decoder needs room in its buffer: `read_to_end` may offer too
/// little, and would then loop for ever.
fn decode(mut text: DecodedText) -> std::io::Result<Vec<u8>> {
    let (mut bytes, mut room) = (Vec::new(), vec![0; 64 * 1024]);
    while bytes.len() as u64 <= MAX_BYTES {
        match text.read(&mut room) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&room[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// The columns of a table, by the names in its header.
#[derive(Debug, Default)]
pub(crate) struct ListColumns {
    /// The number of columns.
    pub(crate) width: usize,
    /// The columns of object IDs.
    pub(crate) object_ids: Vec<usize>,
    /// The columns of user principal names.
    pub(crate) upns: Vec<usize>,
    /// The columns of mail addresses.
    pub(crate) mails: Vec<usize>,
    /// The columns that have only IDs of users.
    pub(crate) user_only: Vec<usize>,
    /// The column of the tenant in which an entry applies.
    pub(crate) tenant: Option<usize>,
    /// All columns of tenants: a GUID in them is not a user.
    pub(crate) tenants: Vec<usize>,
    object_type: Option<usize>,
}

impl ListColumns {
    /// Reads a header; `None` if no name in it is known as one for IDs of people.
    pub(crate) fn from_known_names(names: &[String]) -> Option<ListColumns> {
        names.iter().any(|name| names_people(name)).then(|| ListColumns::from_names(names))
    }

    /// Reads a header with any names.
    pub(crate) fn from_names(names: &[String]) -> ListColumns {
        let known = classify_names(names);
        ListColumns {
            width: names.len(),
            object_ids: known.object_ids,
            upns: known.upns,
            mails: known.mails,
            user_only: known.user_only,
            tenant: known.tenant,
            tenants: known.tenants,
            object_type: known.object_type,
        }
    }

    /// The kind of the record if it says that it is not a user: "a Group".
    pub(crate) fn non_user_kind(&self, cells: &[String]) -> Option<&'static str> {
        non_user_kind(cells.get(self.object_type?)?)
    }
}

#[cfg(test)]
mod tests;
