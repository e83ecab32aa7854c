//! The records of a JSON text under the union of their keys: a key may appear first in the last record, so all are
//! read, and kept in a temporary file where they are many, before the first becomes a row.

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
/// How many records are looked at to decide which key holds the ids, and the most memory that they take, in bytes.
const MAX_ROWS: usize = 1_000;
const MAX_BYTES: usize = 16 << 20;

/// What the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableShape {
    Texts,
    Objects,
}

/// A record's line, and its cells that hold something, each with its column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptObject(u64, Vec<(usize, String)>);

impl KeptObject {
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
    /// How many bytes the keys have together.
    key_bytes: usize,
    first: Vec<KeptObject>,
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

    /// How many records are no blanks.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds the record that begins on this line, by its JSON.
    pub(super) fn add(&mut self, line: u64, value: &str) -> Result<(), String> {
        match value.as_bytes().first() {
            Some(b'{') => self.add_object(line, &parse_members(value)?),
            Some(b'[') => {
                Err("a list stands within the list: write one list of users, as `jq 'flatten'` does, or \
                               a table as CSV"
                    .to_owned())
            }
            // A null among users is nobody.
            Some(b'n') => Ok(()),
            _ => {
                self.set_shape(TableShape::Texts)?;
                let text = scalar(value)?;
                self.push(KeptObject(line, vec![(0, text)]))
            }
        }
    }

    /// Adds an object by its parts.
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
        self.push(KeptObject(line, cells))
    }

    fn set_shape(&mut self, form: TableShape) -> Result<(), String> {
        match self.shape.replace(form) {
            Some(before) if before != form => {
                Err("texts and objects are mixed in the list: write one list of either, as `jq` does"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The column of the key; case does not count, as in a CSV's header.
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

    fn push(&mut self, record: KeptObject) -> Result<(), String> {
        if record.1.iter().all(|(_, text)| trim(text).is_empty()) {
            return Ok(());
        }
        self.count += 1;
        let failed = |error: io::Error| format!("the records cannot be kept in a temporary file: {error}");
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

    /// The header and the first records, to decide how to read them.
    pub(super) fn take_first_rows(&mut self) -> Vec<RawRow> {
        let line = self.first.first().map_or(1, |record| record.0);
        let header = RawRow { line, cells: self.keys.clone(), ..RawRow::default() };
        let width = self.keys.len();
        let first = std::mem::take(&mut self.first).into_iter().map(|record| record.entry(width));
        std::iter::once(header).chain(first).collect()
    }

    /// The records, from the first.
    pub(super) fn into_rows(self) -> io::Result<Rows> {
        let width = self.keys.len().max(1);
        let mut spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.rewind()?;
        Ok(Rows { spool: BufReader::new(spool), line: Vec::new(), width })
    }
}

/// The records of a JSON text, in their order.
pub(in super::super) struct Rows {
    spool: BufReader<TemporaryFile>,
    line: Vec<u8>,
    width: usize,
}

impl Rows {
    /// The next record, if there is one.
    pub(in super::super) fn next(&mut self) -> io::Result<Option<RawRow>> {
        self.line.clear();
        if self.spool.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let record: KeptObject = serde_json::from_slice(&self.line)?;
        Ok(Some(record.entry(self.width)))
    }
}
