//! The zip archive of a workbook, unpacked within limits.
//!
//! The sizes that the archive states are not trusted: bytes are counted while they are unpacked.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::WorkbookError;

/// How much of the file may be read to find its table of contents, in bytes. A workbook's has a few kilobytes.
const MAX_DIRECTORY_BYTES: u64 = 16 * 1024 * 1024;
/// The maximum number of parts in a workbook.
const MAX_PARTS: usize = 10_000;
/// The maximum size of a workbook after unpacking, in bytes.
const MAX_UNPACKED: u64 = 1024 * 1024 * 1024;
/// A part with more unpacked bytes than this may have at most [`MAX_RATIO`] times its packed size. Real sheets stay
/// below 100; a zip bomb has nearly 1,000.
const RATIO_CHECK_FROM: u64 = 8 * 1024 * 1024;
const MAX_RATIO: u64 = 200;
/// The maximum length of a tag or of text between tags, in bytes. A cell in Excel has at most 32,767 characters.
const MAX_NODE_BYTES: usize = 4 * 1024 * 1024;

/// A workbook's parts.
pub(super) struct Archive {
    zip: ZipArchive<CountingReader>,
    /// The index of each part, by its name in lower case. The names of parts must not differ only in case.
    part_index: HashMap<String, usize>,
    length: u64,
    unpacked: u64,
}

impl Archive {
    pub(super) fn open(mut file: File) -> Result<Self, WorkbookError> {
        let length = file.seek(SeekFrom::End(0))?;
        check_end(&mut file, length)?;
        let remaining = Rc::new(Cell::new(MAX_DIRECTORY_BYTES));
        let counted = CountingReader { file: BufReader::new(file), remaining: Rc::clone(&remaining) };
        let zip = ZipArchive::new(counted)
            .map_err(|error| WorkbookError::Damaged(format!("it is truncated or damaged: {error}")))?;
        // From here on, unpacked bytes are counted instead.
        remaining.set(u64::MAX);
        if zip.len() > MAX_PARTS {
            return Err(WorkbookError::TooLarge("over 10,000 parts".into()));
        }
        let mut places = HashMap::new();
        let mut doubled = zip.has_duplicate_names();
        for (at, name) in zip.file_names_raw().enumerate() {
            doubled |= places.insert(normalize_name(&String::from_utf8_lossy(name)), at).is_some();
        }
        if doubled {
            return Err(WorkbookError::Damaged("it has two parts of the same name".into()));
        }
        Ok(Self { zip, part_index: places, length, unpacked: 0 })
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.part_index.contains_key(&normalize_name(part))
    }

    /// Begins to unpack a part; `None` if there is none with that name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<ArchivePart<'_>>, WorkbookError> {
        let Some(at) = self.part_index.get(&normalize_name(name)) else { return Ok(None) };
        let file = self.zip.by_index(*at).map_err(|error| WorkbookError::Damaged(error.to_string()))?;
        let packed = file.compressed_size().min(self.length);
        let unpacked = &mut self.unpacked;
        Ok(Some(ArchivePart {
            inner: BufReader::new(file),
            packed,
            total: unpacked,
            unpacked: 0,
            node: 0,
            limit_hit: None,
        }))
    }
}

/// The part's name, normalized to be compared.
fn normalize_name(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_lowercase()
}

/// Refuses a ZIP64 end record that is in the wrong place or states too many members, because the library allocates
/// memory for the stated number before it reads the first.
fn check_end(file: &mut File, length: u64) -> Result<(), WorkbookError> {
    const LOCATOR: &[u8] = b"PK\x06\x07";
    const LOCATOR_LENGTH: usize = 20;
    const RECORD: &[u8] = b"PK\x06\x06";
    const RECORD_LENGTH: usize = 56;
    const MAX_COMMENT: usize = 0xffff;
    let window = (MAX_COMMENT + 22 + LOCATOR_LENGTH + RECORD_LENGTH) as u64;
    let start = length.saturating_sub(window);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    (&mut *file).take(window).read_to_end(&mut tail)?;
    for at in 0..tail.len().saturating_sub(LOCATOR_LENGTH + 4) {
        let is_locator =
            tail[at..].starts_with(LOCATOR) && tail[at + LOCATOR_LENGTH..].starts_with(b"PK\x05\x06");
        if !is_locator {
            continue;
        }
        let record = at.checked_sub(RECORD_LENGTH).map(|from| &tail[from..at]);
        let number = |bytes: &[u8], from: usize| {
            bytes.get(from..from + 8).and_then(|eight| eight.try_into().ok()).map(u64::from_le_bytes)
        };
        let stated = number(&tail, at + 8);
        let is_sound = record.is_some_and(|record| {
            record.starts_with(RECORD)
                && stated == Some(start + (at - RECORD_LENGTH) as u64)
                && number(record, 32).is_some_and(|members| members <= MAX_PARTS as u64)
        });
        if !is_sound {
            return Err(WorkbookError::Damaged("its table of contents is not valid".into()));
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// The file, with a limit on how much may be read.
struct CountingReader {
    file: BufReader<File>,
    remaining: Rc<Cell<u64>>,
}

impl Read for CountingReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        let left = self.remaining.get().checked_sub(count as u64);
        self.remaining.set(left.ok_or_else(|| io::Error::other("its table of contents is too long"))?);
        Ok(count)
    }
}

impl Seek for CountingReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A part that is being unpacked.
pub(super) struct ArchivePart<'a> {
    inner: BufReader<ZipFile<'a, CountingReader>>,
    packed: u64,
    /// The unpacked bytes of the whole workbook.
    total: &'a mut u64,
    /// The unpacked bytes of this part.
    unpacked: u64,
    /// The bytes since the last tag or text began.
    node: usize,
    limit_hit: Option<&'static str>,
}

impl ArchivePart<'_> {
    /// Begins another tag or text.
    pub(super) fn begin_node(&mut self) {
        self.node = 0;
    }

    /// The limit that ended the reading, if one did.
    pub(super) fn limit_hit(&self) -> Option<&'static str> {
        self.limit_hit
    }
}

impl Read for ArchivePart<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for ArchivePart<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.limit_hit = if *self.total > MAX_UNPACKED {
            Some("it unpacks to over 1 GiB")
        } else if self.unpacked > RATIO_CHECK_FROM && self.unpacked / MAX_RATIO > self.packed {
            Some("it unpacks to over 200 times its size")
        } else if self.node > MAX_NODE_BYTES {
            Some("a text in it is over 4 MiB")
        } else {
            None
        };
        match self.limit_hit {
            Some(what) => Err(io::Error::other(what)),
            None => self.inner.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
        *self.total += count as u64;
        self.unpacked += count as u64;
        self.node += count;
    }
}
