//! The records of a JSON text, with the union of their keys as columns. A key may first appear in the last record, so
//! all records are read before the first becomes a row. Many records are kept in a temporary file.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use serde::{Deserialize, Serialize};

use super::super::cell::trim;
use super::super::raw_row::RawRow;
use super::super::record_reader::{MAX_CELLS, MAX_RECORD};
use super::flatten::{JsonMember, duplicate_key_error, flatten, parse_members, scalar};
use crate::files::TemporaryFile;

/// Records are kept in memory up to this size, in bytes, and in a temporary file beyond.
const SPOOL_MEMORY: usize = 4 << 20;
/// How many records are used to decide which key has the IDs.
const MAX_ROWS: usize = 1_000;
/// The maximum memory of these records, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The kind of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableShape {
    Texts,
    Objects,
}

/// A record's line, and its cells that are not empty, each with its column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SpooledRecord(u64, Vec<(usize, String)>);

impl SpooledRecord {
    fn entry(self, width: usize) -> RawRow {
        let mut cells = vec![String::new(); width];
        for (at, text) in self.1 {
            cells[at] = text;
        }
        RawRow { line: self.0, cells, ..RawRow::default() }
    }
}

/// All records.
pub(super) struct JsonTable {
    shape: Option<TableShape>,
    keys: Vec<String>,
    key_columns: HashMap<String, usize>,
    /// The total length of the keys, in bytes.
    key_bytes: usize,
    first: Vec<SpooledRecord>,
    first_bytes: usize,
    /// Whether `first` is complete.
    is_sampled: bool,
    spool: BufWriter<TemporaryFile>,
    count: u64,
}

impl JsonTable {
    pub(super) fn new() -> Self {
        Self {
            shape: None,
            keys: Vec::new(),
            key_columns: HashMap::new(),
            key_bytes: 0,
            first: Vec::new(),
            first_bytes: 0,
            is_sampled: false,
            spool: BufWriter::new(TemporaryFile::new(SPOOL_MEMORY)),
            count: 0,
        }
    }

    pub(super) fn shape(&self) -> Option<TableShape> {
        self.shape
    }

    /// How many records are not blank.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds the record that begins on this line, as JSON.
    pub(super) fn add(&mut self, line: u64, value: &str) -> Result<(), String> {
        match value.as_bytes().first() {
            Some(b'{') => self.add_object(line, &parse_members(value)?),
            Some(b'[') => {
                Err("a list is inside the list: write one list of users, as `jq 'flatten'` does, or \
                     a table as CSV"
                    .to_owned())
            }
            // A null in the list is not a user.
            Some(b'n') => Ok(()),
            _ => {
                self.set_shape(TableShape::Texts)?;
                let text = scalar(value)?;
                self.push(SpooledRecord(line, vec![(0, text)]))
            }
        }
    }

    /// Adds an object by its members.
    pub(super) fn add_object(&mut self, line: u64, object: &[JsonMember]) -> Result<(), String> {
        self.set_shape(TableShape::Objects)?;
        let mut cells: Vec<(usize, String)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (key, text) in flatten(object)? {
            let at = self.column_of(&key)?;
            if !seen.insert(at) {
                return Err(duplicate_key_error(&key));
            }
            if !text.is_empty() {
                cells.push((at, text));
            }
        }
        self.push(SpooledRecord(line, cells))
    }

    fn set_shape(&mut self, form: TableShape) -> Result<(), String> {
        match self.shape.replace(form) {
            Some(before) if before != form => {
                Err("the list mixes strings and objects: write one list of either, as `jq` does".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The column of the key. Case is ignored, as in the header of a CSV.
    fn column_of(&mut self, key: &str) -> Result<usize, String> {
        let name = trim(key).to_lowercase();
        if let Some(at) = self.key_columns.get(&name) {
            return Ok(*at);
        }
        self.key_bytes += key.len();
        if self.keys.len() == MAX_CELLS || self.key_bytes > MAX_RECORD {
            return Err(
                "the objects have more than 16,384 different keys, or very long ones: is it the right file?"
                    .to_owned(),
            );
        }
        self.keys.push(key.to_owned());
        self.key_columns.insert(name, self.keys.len() - 1);
        Ok(self.keys.len() - 1)
    }

    fn push(&mut self, record: SpooledRecord) -> Result<(), String> {
        if record.1.iter().all(|(_, text)| trim(text).is_empty()) {
            return Ok(());
        }
        self.count += 1;
        let failed = |error: io::Error| format!("can't keep the records in a temporary file: {error}");
        serde_json::to_writer(&mut self.spool, &record).map_err(|error| failed(error.into()))?;
        self.spool.write_all(b"\n").map_err(failed)?;
        if !self.is_sampled {
            let text: usize = record.1.iter().map(|(_, text)| text.len()).sum();
            let width = record.1.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
            self.first_bytes += text + width * size_of::<String>();
            self.is_sampled = self.first.len() + 1 == MAX_ROWS || self.first_bytes > MAX_BYTES;
            if self.first.is_empty() || self.first_bytes <= MAX_BYTES {
                self.first.push(record);
            }
        }
        Ok(())
    }

    /// The header and the first records, to decide how to read the table.
    pub(super) fn take_first_rows(&mut self) -> Vec<RawRow> {
        let line = self.first.first().map_or(1, |record| record.0);
        let header = RawRow { line, cells: self.keys.clone(), ..RawRow::default() };
        let width = self.keys.len();
        let first = std::mem::take(&mut self.first).into_iter().map(|record| record.entry(width));
        std::iter::once(header).chain(first).collect()
    }

    /// All records, from the first.
    pub(super) fn into_rows(self) -> io::Result<JsonRows> {
        let width = self.keys.len().max(1);
        let mut spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.rewind()?;
        Ok(JsonRows { spool: BufReader::new(spool), line: Vec::new(), width })
    }
}

/// The records of a JSON text, in order.
pub(in super::super) struct JsonRows {
    spool: BufReader<TemporaryFile>,
    line: Vec<u8>,
    width: usize,
}

impl JsonRows {
    /// The next record, if there is one.
    pub(in super::super) fn next(&mut self) -> io::Result<Option<RawRow>> {
        self.line.clear();
        if self.spool.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let record: SpooledRecord = serde_json::from_slice(&self.line)?;
        Ok(Some(record.entry(self.width)))
    }
}
