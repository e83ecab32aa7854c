//! The rows of sheets on disk, so that memory is bounded for any number of rows.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::sheet::SparseRow;
use crate::files::TemporaryFile;

/// How much is kept in memory before a file is used, in bytes.
const SPOOL_MEMORY: usize = 1024 * 1024;

/// Stores the rows of one sheet after another.
pub(super) struct RowSpool {
    file: BufWriter<TemporaryFile>,
    length: u64,
}

impl RowSpool {
    pub(super) fn new() -> Self {
        Self { file: BufWriter::new(TemporaryFile::new(SPOOL_MEMORY)), length: 0 }
    }

    /// The position of the next row, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn push(&mut self, row: &SparseRow) -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.length += line.len() as u64;
        self.file.write_all(&line)
    }

    /// The stored rows, for several readers.
    pub(super) fn finish(self) -> io::Result<SpooledSheet> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(SpooledSheet(Arc::new(Mutex::new(file))))
    }
}

/// Stored rows.
#[derive(Clone)]
pub(super) struct SpooledSheet(Arc<Mutex<TemporaryFile>>);

impl SpooledSheet {
    /// The rows between two positions.
    pub(super) fn rows(&self, from: u64, to: u64) -> SpooledRows {
        SpooledRows { lines: BufReader::new(SpoolSection { file: self.clone(), at: from, to }) }
    }
}

/// The rows of one sheet, in order.
pub(super) struct SpooledRows {
    lines: BufReader<SpoolSection>,
}

impl SpooledRows {
    pub(super) fn next(&mut self) -> io::Result<Option<SparseRow>> {
        let mut line = Vec::new();
        if self.lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

/// A section of a file that has other readers.
struct SpoolSection {
    file: SpooledSheet,
    at: u64,
    to: u64,
}

impl Read for SpoolSection {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = (&mut *file).take(self.to - self.at).read(out)?;
        self.at += count as u64;
        Ok(count)
    }
}
