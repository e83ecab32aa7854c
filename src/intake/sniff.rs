//! Looks at the first bytes of a text: finds the lines before the rows, and the delimiter.

use super::bulk_template::is_version;
use super::delimiter::{DELIMITERS, from_sep_line};
use super::encoding::TextEncoding;
use super::error::IntakeError;
use super::layout::{Layout, decide_layout, find_header};
use super::omission::OmissionReason;
use super::raw_row::RawRow;
use super::record_reader::{CsvRecord, RecordError, RecordFormat, RecordReader};
use super::{IntakeOptions, cell};

/// The maximum number of rows in the sample.
pub(super) const MAX_ROWS: usize = 1_000;

/// How to read a text, as its first bytes show it.
pub(super) struct SniffResult {
    /// How many lines, not counting empty ones, are before the first record: comments, `sep=;`.
    pub(super) prelude: usize,
    pub(super) shape: RecordFormat,
    pub(super) layout: Layout,
}

/// The first bytes of a text, decoded.
pub(super) struct SniffSample<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether they are the whole text.
    pub(super) is_complete: bool,
    pub(super) encoding: TextEncoding,
}

/// Decides how to read the source `name`.
pub(super) fn sniff(
    name: &str,
    sample: &SniffSample<'_>,
    options: &IntakeOptions,
) -> Result<SniffResult, IntakeError> {
    let prelude = sample.prelude();
    if prelude.is_whole_input && sample.is_complete {
        let what = if prelude.lines == 0 { "it is empty" } else { "it has only comments" };
        return Err(IntakeError::NoRows { name: name.to_owned(), what });
    }
    let open_quote = |line| IntakeError::OpenQuote { name: name.to_owned(), line };
    let (delimiter, entries) = match options.delimiter.or(prelude.delimiter) {
        Some(byte) => {
            let (entries, open) = sample.sample_rows(prelude.lines, RecordFormat::Cells(byte));
            if let (Some(line), true) = (open, entries.is_empty()) {
                return Err(open_quote(line));
            }
            (Some(byte), entries)
        }
        None => match sample.guess_delimiter(prelude.lines, options) {
            Ok((byte, entries)) => (Some(byte), entries),
            Err(Some(line)) => return Err(open_quote(line)),
            Err(None) => (None, sample.sample_rows(prelude.lines, RecordFormat::Lines).0),
        },
    };
    let one_column = entries.iter().all(|entry| entry.cells.len() < 2);
    let layout = decide_layout(name, &entries, one_column, options)?;
    let shape =
        if layout.is_list { RecordFormat::Lines } else { RecordFormat::Cells(delimiter.unwrap_or(b',')) };
    Ok(SniffResult { prelude: prelude.lines, shape, layout })
}

/// Whether there is a header, the percentage of rows with its width, and that width.
type DelimiterScore = (bool, usize, usize);

/// The kind of a line before the first row.
pub(super) enum PreludeLine {
    Blank,
    /// A line that is skipped, and the delimiter that it names.
    Ignored(OmissionReason, Option<u8>),
}

impl PreludeLine {
    /// The kind of the line, if it is neither a row nor the header.
    pub(super) fn parse(line: &RawRow) -> Option<Self> {
        let text = line.cells.first().map_or("", String::as_str);
        let delimiter = from_sep_line(text);
        let text = cell::trim(text);
        let is_comment = text.strip_prefix('#').is_some_and(|rest| {
            rest.bytes().next().is_none_or(|next| next != b'"' && !DELIMITERS.contains(&next))
        });
        // In a version line that a spreadsheet saved, delimiters follow, one for each column of the table.
        let is_delimiter = |c: char| matches!(c, ',' | ';' | '\t' | '|' | '"' | ' ');
        if delimiter.is_some() || is_comment {
            Some(PreludeLine::Ignored(OmissionReason::Comment, delimiter))
        } else if is_version(text.trim_matches(is_delimiter)) {
            Some(PreludeLine::Ignored(OmissionReason::Version, None))
        } else {
            text.is_empty().then_some(PreludeLine::Blank)
        }
    }
}

struct Prelude {
    lines: usize,
    delimiter: Option<u8>,
    is_whole_input: bool,
}

impl SniffSample<'_> {
    /// Finds the lines before the rows: comments, blank lines, Excel's `sep=;`, PowerShell's `#TYPE …`, the
    /// `version:v1.0` of Entra's templates.
    fn prelude(&self) -> Prelude {
        let mut records = RecordReader::new(self.bytes, RecordFormat::Lines);
        let mut record = CsvRecord::default();
        let mut prelude = Prelude { lines: 0, delimiter: None, is_whole_input: false };
        while let Ok(true) = records.read(&mut record) {
            let entry = RawRow::from_record(&record, self.encoding, RecordFormat::Lines);
            let delimiter = match PreludeLine::parse(&entry) {
                None => return prelude,
                Some(PreludeLine::Blank) => None,
                Some(PreludeLine::Ignored(_, delimiter)) => delimiter,
            };
            prelude.lines += 1;
            prelude.delimiter = prelude.delimiter.or(delimiter);
        }
        prelude.is_whole_input = true;
        prelude
    }

    /// The first records in this format, and the line of an unclosed quote that ends them.
    fn sample_rows(&self, prelude: usize, shape: RecordFormat) -> (Vec<RawRow>, Option<u64>) {
        let mut records = RecordReader::new(self.bytes, RecordFormat::Lines);
        let mut record = CsvRecord::default();
        for _ in 0..prelude {
            let _ = records.read(&mut record);
        }
        records.set_shape(shape);
        let mut entries = Vec::new();
        while entries.len() < MAX_ROWS {
            match records.read(&mut record) {
                Ok(true) => {
                    let mut entry = RawRow::from_record(&record, self.encoding, shape);
                    if shape == RecordFormat::Lines {
                        entry.cells.iter_mut().for_each(|cell| *cell = cell::unquote(cell).to_owned());
                    }
                    if entry.filled_cells() > 0 && entry.omission().is_none() {
                        entries.push(entry);
                    }
                }
                Ok(false) => {
                    if !self.is_complete && entries.len() > 1 {
                        entries.pop();
                    } else if let (false, Some(only)) = (self.is_complete, entries.first_mut()) {
                        only.is_truncated = true;
                    }
                    break;
                }
                Err(RecordError::OpenQuote { line }) => return (entries, Some(line)),
                Err(RecordError::Io(_)) => break,
            }
        }
        (entries, None)
    }

    /// The delimiter with which the rows make the best table, and the first rows. The error is the line of an unclosed
    /// quote that may hide the delimiter, or `None` if there is no delimiter.
    fn guess_delimiter(
        &self,
        prelude: usize,
        options: &IntakeOptions,
    ) -> Result<(u8, Vec<RawRow>), Option<u64>> {
        let mut best: Option<(DelimiterScore, u8, Vec<RawRow>)> = None;
        let mut hidden = None;
        for delimiter in DELIMITERS {
            let (entries, open) = self.sample_rows(prelude, RecordFormat::Cells(delimiter));
            if entries.is_empty() && self.bytes.contains(&delimiter) {
                hidden = hidden.or(open);
            }
            let header = find_header(&entries, options);
            let base = header.unwrap_or(0);
            let width = entries.get(base).map_or(0, |entry| entry.cells.len());
            if width < 2 {
                continue;
            }
            let rows = &entries[base + 1..];
            let even = rows.iter().filter(|entry| entry.cells.len() == width).count();
            let share = (even * 100).checked_div(rows.len()).unwrap_or(100);
            let score = (header.is_some(), share, width);
            if best.as_ref().is_none_or(|(top, ..)| score > *top) {
                best = Some((score, delimiter, entries));
            }
        }
        best.map(|(_, delimiter, entries)| (delimiter, entries)).ok_or(hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> (usize, RecordFormat, usize) {
        let encoding = "utf-8".parse().unwrap();
        let sample = SniffSample { bytes: text.as_bytes(), is_complete: true, encoding };
        let found = sniff("x", &sample, &IntakeOptions::default()).unwrap();
        (found.prelude, found.shape, found.layout.roles.id)
    }

    #[test]
    fn finds_the_delimiter() {
        assert_eq!(sniffed("UPN,Name\na@b.de,\"x;y;z\"\n"), (0, RecordFormat::Cells(b','), 0));
        assert_eq!(sniffed("Name, first;UPN\nLee, Ann;a@b.de\n"), (0, RecordFormat::Cells(b';'), 1));
        assert_eq!(sniffed("\"a;b\"\t\"UPN\"\nx\ta@b.de\n"), (0, RecordFormat::Cells(b'\t'), 1));
        assert_eq!(sniffed("a|a@b.de\nb|b@b.de\n"), (0, RecordFormat::Cells(b'|'), 1));
        assert_eq!(sniffed("a@b.de\nb@b.de, c@b.de\n"), (0, RecordFormat::Lines, 0));
        assert_eq!(sniffed("Leavers of May\n\nName,UPN\nAnn,a@b.de\n"), (0, RecordFormat::Cells(b','), 1));
        assert_eq!(sniffed("\"UPN\"\n\"a@b.de\"\n"), (0, RecordFormat::Cells(b','), 0));
    }

    #[test]
    fn passes_over_what_stands_before_the_rows() {
        assert_eq!(sniffed("sep=;\r\nid;UPN\r\n1;a@b.de\r\n"), (1, RecordFormat::Cells(b';'), 1));
        assert_eq!(sniffed("#TYPE Selected.User, x\n\"Name\",\"UPN\"\n"), (1, RecordFormat::Cells(b','), 1));
        assert_eq!(sniffed("#,Name,UPN\n1,Ann,a@b.de\n"), (0, RecordFormat::Cells(b','), 2));
        let template =
            "version:v1.0\nMember object ID or user principal name [memberObjectIdOrUpn] Required\na@b.de\n";
        assert_eq!(sniffed(template), (1, RecordFormat::Cells(b','), 0));
        assert_eq!(sniffed("# ours\n\n  \n#more\na@b.de\n"), (3, RecordFormat::Lines, 0));
    }
}
