//! One source, opened: told apart by its content, sniffed, and ready to give its records.

use std::fs::File;
use std::io::{self, Read};

use super::encoding::{DecodedText, DetectedEncoding, decode_head, detect};
use super::error::{IntakeError, escape_name};
use super::input_digest::{HashingReader, InputDigest};
use super::layout::Layout;
use super::omission::Omissions;
use super::raw_row::RawRow;
use super::record_reader::{CsvRecord, RecordError, RecordFormat, RecordReader};
use super::sniff::{PreludeLine, SniffSample, sniff};
use super::{
    InputSource, IntakeOptions, SheetSummary, SourceKind, delimiter, json, spreadsheet, unsupported,
};
use crate::files;

/// How many bytes are looked at before anything is decided.
const HEAD_BYTES: usize = 1024 * 1024;

/// Why the last line of a stream is not taken.
pub(crate) const CUT_LINE: &str = "the last line has no line end: the program that wrote it may have died in the middle of it, \
                              and the id may be cut off. If it is whole, give it with a line end behind it";

/// A source whose nature is known.
pub(super) struct SourceReader {
    pub(super) name: String,
    pub(super) kind: SourceKind,
    /// How many records are still to be passed over: what stands before the first row of data.
    rows_before: usize,
    /// Whether it comes from a program that may have died while it wrote the last line.
    is_stream: bool,
    /// The line that may be half of one, once it is reached.
    cut_line: Option<u64>,
    feed: InputStream,
    /// What was found in the sheets of the workbook, if it is one and this is the first of those read.
    pub(super) sheets: Vec<SheetSummary>,
}

enum InputStream {
    Text {
        records: Box<RecordReader<DecodedText>>,
        record: CsvRecord,
        encoding: super::TextEncoding,
        shape: RecordFormat,
    },
    Sheet {
        rows: spreadsheet::SheetRows,
        digest: InputDigest,
    },
    Json {
        rows: json::Rows,
        raw: HashingReader,
    },
}

/// Opens a source and decides how to read it. A workbook of which several sheets are read gives each of them.
pub(super) fn open(
    source: &InputSource,
    options: &IntakeOptions,
) -> Result<Vec<(SourceReader, Layout)>, IntakeError> {
    let (name, is_stream, reader): (String, bool, Box<dyn Read + Send>) = match source {
        InputSource::Stdin => ("stdin".into(), files::stdin_is_stream(), Box::new(io::stdin())),
        InputSource::File(path) => {
            let name = escape_name(&path.display().to_string());
            if path.is_dir() {
                return Err(IntakeError::Directory { name });
            }
            let file = File::open(path).map_err(|error| IntakeError::Open { name: name.clone(), error })?;
            (name, files::is_stream(&file), Box::new(file))
        }
    };
    let mut opened = from_reader(name, reader, options)?;
    opened.iter_mut().for_each(|(source, _)| source.is_stream = is_stream);
    Ok(opened)
}

/// Decides how to read what the reader gives.
pub(super) fn from_reader(
    name: String,
    reader: Box<dyn Read + Send>,
    options: &IntakeOptions,
) -> Result<Vec<(SourceReader, Layout)>, IntakeError> {
    let mut raw = HashingReader::new(reader);
    let head = raw.read_head(HEAD_BYTES).map_err(|error| IntakeError::Read { name: name.clone(), error })?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return open_workbook(&name, &head, raw, options);
    }
    let is_complete = head.len() < HEAD_BYTES;
    if let Some(format) = unsupported::find_binary(&head) {
        return Err(format.into_error(name));
    }
    let detected = detect(&head, is_complete, options.encoding).map_err(|no| IntakeError::NotText {
        name: name.clone(),
        what: no.what.to_owned(),
        remedy: no.remedy,
    })?;
    let bytes = decode_head(&head, is_complete, &detected);
    if json::looks_like_json(&bytes) {
        return open_json(name, head, raw, &detected, options).map(|opened| vec![opened]);
    }
    if let Some(format) = unsupported::find(&bytes, is_complete, options) {
        return Err(format.into_error(name));
    }
    let encoding = detected.encoding;
    let found = sniff(&name, &SniffSample { bytes: &bytes, is_complete, encoding }, options)?;
    let mut layout = found.layout;
    let (kind, mut what) = match found.shape {
        RecordFormat::Lines => (SourceKind::List, "plain list".to_owned()),
        RecordFormat::Cells(byte) => (SourceKind::Csv, format!("CSV, {}", delimiter::name(byte))),
    };
    what = format!("{name}: {what}, {encoding}");
    if let Some(note) = detected.note {
        what = format!("{what} ({note})");
    }
    layout.notes.insert(0, what);

    let mut records =
        Box::new(RecordReader::new(DecodedText::new(head, raw, &detected), RecordFormat::Lines));
    let mut record = CsvRecord::default();
    for _ in 0..found.prelude {
        records.read(&mut record).map_err(|error| record_error(&name, error))?;
        let line = RawRow::from_record(&record, encoding, RecordFormat::Lines);
        if let Some(PreludeLine::Ignored(reason, _)) = PreludeLine::parse(&line) {
            layout.omissions.add(reason, line.line);
        }
    }
    records.set_shape(found.shape);
    let feed = InputStream::Text { records, record, encoding, shape: found.shape };
    Ok(vec![(SourceReader::new(name, kind, layout.rows_before, feed), layout)])
}

fn open_json(
    name: String,
    head: Vec<u8>,
    raw: HashingReader,
    detected: &DetectedEncoding,
    options: &IntakeOptions,
) -> Result<(SourceReader, Layout), IntakeError> {
    let (rows, mut layout, text) = json::open(&name, DecodedText::new(head, raw, detected), options)?;
    layout.notes.insert(0, format!("{name}: JSON, {}", detected.encoding));
    let feed = InputStream::Json { rows, raw: text.into_raw() };
    Ok((SourceReader::new(name, SourceKind::Json, 0, feed), layout))
}

fn open_workbook(
    name: &str,
    head: &[u8],
    raw: HashingReader,
    options: &IntakeOptions,
) -> Result<Vec<(SourceReader, Layout)>, IntakeError> {
    let mut workbook = spreadsheet::open(name, head, raw, options)?;
    let mut opened = Vec::new();
    for sheet in workbook.sheets {
        let feed = InputStream::Sheet { rows: sheet.rows, digest: workbook.digest.clone() };
        let sheets = std::mem::take(&mut workbook.facts);
        let before = sheet.layout.rows_before;
        let source = SourceReader { sheets, ..SourceReader::new(sheet.name, SourceKind::Xlsx, before, feed) };
        opened.push((source, sheet.layout));
    }
    Ok(opened)
}

impl SourceReader {
    fn new(name: String, kind: SourceKind, before: usize, feed: InputStream) -> SourceReader {
        SourceReader {
            name,
            kind,
            rows_before: before,
            is_stream: false,
            cut_line: None,
            feed,
            sheets: Vec::new(),
        }
    }

    /// What is to be told of its end, safe to show.
    pub(super) fn note(&self) -> Option<String> {
        self.cut_line.map(|line| format!("{}: line {line} is not sent: {CUT_LINE}", self.name))
    }

    /// The next record of data, if there is one. Records that hold only blanks may be among them; those that are no rows are
    /// counted among the `omissions`.
    pub(super) fn next(&mut self, omissions: &mut Omissions) -> Result<Option<RawRow>, IntakeError> {
        loop {
            let entry = match &mut self.feed {
                InputStream::Sheet { rows, .. } => {
                    rows.next().map_err(|error| IntakeError::Read { name: self.name.clone(), error })?
                }
                InputStream::Json { rows, .. } => {
                    rows.next().map_err(|error| IntakeError::Read { name: self.name.clone(), error })?
                }
                InputStream::Text { records, record, encoding, shape } => {
                    let more = records.read(record).map_err(|error| record_error(&self.name, error))?;
                    more.then(|| RawRow::from_record(record, *encoding, *shape))
                }
            };
            let Some(mut entry) = entry else { return Ok(None) };
            if let Some(reason) = entry.omission() {
                omissions.add(reason, entry.line);
                continue;
            }
            entry.record_omissions(omissions);
            if self.is_cut_off() {
                self.cut_line = Some(entry.line);
                entry.fault = Some(CUT_LINE.to_owned());
            }
            if self.rows_before == 0 {
                return Ok(Some(entry));
            }
            // What was looked at to decide had no blank records, so they do not count here either.
            self.rows_before -= usize::from(entry.filled_cells() > 0);
        }
    }

    /// Whether the record that was read last may be half of one: it is the end of a stream, and no line end stands behind
    /// it. Half a user principal name may be another user's. JSON and workbooks show by themselves where they end.
    fn is_cut_off(&self) -> bool {
        self.is_stream && matches!(&self.feed, InputStream::Text { record, .. } if !record.is_ended)
    }

    /// Reads what is left, and gives the fingerprint of everything.
    pub(super) fn finish(self) -> Result<InputDigest, IntakeError> {
        let raw = match self.feed {
            InputStream::Sheet { digest, .. } => return Ok(digest),
            InputStream::Json { raw, .. } => raw,
            InputStream::Text { records, .. } => records.into_inner().into_raw(),
        };
        let name = self.name;
        raw.finish(name.clone(), self.kind).map_err(|error| IntakeError::Read { name, error })
    }
}

fn record_error(name: &str, error: RecordError) -> IntakeError {
    let name = name.to_owned();
    match error {
        RecordError::Io(error) => IntakeError::Read { name, error },
        RecordError::OpenQuote { line } => IntakeError::OpenQuote { name, line },
    }
}
