//! A list of accounts that protects or excludes, read in full: every record of every sheet, every cell, and no choice of a
//! column. What can't be read ends the reading. Which cells name an account is the guard's matter.
//!
//! A source of users may be read kindly, since a row that is not understood is only not sent. Here it would be sent.

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

/// The most that a list may hold, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// How many bytes are looked at to tell what a source is.
const HEAD_BYTES: usize = 64 * 1024;

/// A list, in full.
#[derive(Debug, Default)]
pub(crate) struct IdList {
    pub(crate) tables: Vec<ListTable>,
    /// Lines of comments, and what they say.
    pub(crate) comments: Vec<(u64, String)>,
}

/// A sheet of a workbook, or the whole of any other source.
#[derive(Debug, Default)]
pub(crate) struct ListTable {
    /// The sheet's name.
    pub(crate) sheet: Option<String>,
    /// The records that hold something, in order.
    pub(crate) records: Vec<ListRow>,
}

/// One record.
#[derive(Debug, Default)]
pub(crate) struct ListRow {
    /// Its line, its row in the sheet, or its place in the array; from 1.
    pub(crate) line: u64,
    pub(crate) cells: Vec<String>,
    /// What each cell is called, where the record itself says so.
    pub(crate) names: Option<Vec<String>>,
}

/// Why a list can't be read in full.
#[derive(Debug)]
pub(crate) enum ListError {
    /// The source as a whole.
    Source(IntakeError),
    /// This line.
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
/// When any part of it can't be read.
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

/// Of a stream the last line must have a line end: whoever wrote it may have died in the middle of it, and half an account
/// protects nobody.
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
        true => Err(IntakeError::NoRows { name: name.to_owned(), what: "it holds no entry" }.into()),
        false => Ok(list),
    }
}

/// The whole text, or a little more than the largest. The decoder needs room in its buffer: `read_to_end` would at times offer
/// too little, and then wait for ever.
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

/// What the columns of a table hold, by the names in its header.
#[derive(Debug, Default)]
pub(crate) struct ListColumns {
    /// How many there are.
    pub(crate) width: usize,
    /// Those of object ids.
    pub(crate) objects: Vec<usize>,
    /// Those of user principal names.
    pub(crate) upns: Vec<usize>,
    /// Those of mail addresses.
    pub(crate) mails: Vec<usize>,
    /// Those of both that hold nothing but ids of users.
    pub(crate) sure: Vec<usize>,
    /// That of the tenant in which an entry holds.
    pub(crate) tenant: Option<usize>,
    /// All those of tenants: a GUID in them is no user's.
    pub(crate) tenants: Vec<usize>,
    object_type: Option<usize>,
}

impl ListColumns {
    /// Reads a header; none where no name in it is known to stand over ids of people.
    pub(crate) fn from_known_names(names: &[String]) -> Option<ListColumns> {
        names.iter().any(|name| names_people(name)).then(|| ListColumns::from_names(names))
    }

    /// What columns of these names hold, whatever they are.
    pub(crate) fn from_names(names: &[String]) -> ListColumns {
        let known = classify_names(names);
        ListColumns {
            width: names.len(),
            objects: known.object_ids,
            upns: known.upns,
            mails: known.mails,
            sure: known.user_only,
            tenant: known.tenant,
            tenants: known.tenants,
            object_type: known.object_type,
        }
    }

    /// What the record is, if it says that it is no user: "a Group".
    pub(crate) fn non_user_kind(&self, cells: &[String]) -> Option<&'static str> {
        non_user_kind(cells.get(self.object_type?)?)
    }
}

#[cfg(test)]
mod tests;
