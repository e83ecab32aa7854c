//! Opens one source: detects its format by its content, sniffs it, and reads its records.

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

/// How many bytes are read before the format is decided.
const HEAD_BYTES: usize = 1024 * 1024;

/// Why the last line of a stream is skipped.
pub(crate) const CUT_LINE: &str = "the last line has no line end, so the program that wrote it may have been \
     interrupted, and the ID may be truncated. If it is complete, add a line end";

/// A source with a known format.
pub(super) struct SourceReader {
    pub(super) name: String,
    pub(super) kind: SourceKind,
    /// How many records before the first row of data are still to be skipped.
    rows_before: usize,
    /// Whether it comes from a program that may have been killed while it wrote the last line.
    is_stream: bool,
    /// The last line if it may be truncated, once it is reached.
    cut_line: Option<u64>,
    stream: InputStream,
    /// Facts about the sheets, if the source is the first sheet of a workbook that is read.
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
        rows: json::JsonRows,
        raw: HashingReader,
    },
}

/// Opens a source and decides how to read it. If several sheets of a workbook are read, each is returned as a source.
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

/// Decides how to read the bytes of the reader.
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
        let sheets = std::mem::take(&mut workbook.summaries);
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
            stream: feed,
            sheets: Vec::new(),
        }
    }

    /// The note on a truncated last line, safe to show.
    pub(super) fn note(&self) -> Option<String> {
        self.cut_line.map(|line| format!("{}: line {line} is skipped: {CUT_LINE}", self.name))
    }

    /// The next record of data, if there is one. It may be blank. Records that are not rows are added to the
    /// `omissions`.
    pub(super) fn next(&mut self, omissions: &mut Omissions) -> Result<Option<RawRow>, IntakeError> {
        loop {
            let entry = match &mut self.stream {
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
            // The sample had no blank records, so they do not count here either.
            self.rows_before -= usize::from(entry.filled_cells() > 0);
        }
    }

    /// Whether the record that was read last may be truncated: it is at the end of a stream and has no line end. A
    /// truncated user principal name may be another user's. JSON and workbooks have an end mark.
    fn is_cut_off(&self) -> bool {
        self.is_stream && matches!(&self.stream, InputStream::Text { record, .. } if !record.is_ended)
    }

    /// Reads the rest, and returns the digest of the whole source.
    pub(super) fn finish(self) -> Result<InputDigest, IntakeError> {
        let raw = match self.stream {
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
