//! The parts of a source that are not read as rows. They are skipped and reported.

use super::encoding::TextEncoding;

/// How many line numbers are kept for each reason; further ones are only counted.
const MAX_LINES: usize = 100;
/// How many line numbers a note shows.
const MAX_NAMED_LINES: usize = 5;

/// Why a part of a source is not read as a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OmissionReason {
    /// A comment, or a line that says how to read the file: `# ours`, `#TYPE …`, `sep=;`.
    Comment,
    /// A row above the header, for example a title.
    AboveHeader,
    /// A repeated header.
    RepeatedHeader,
    /// A separator line between rows: `-----`, `|---|`.
    Separator,
    /// The `version:v1.0` of a bulk template.
    Version,
    /// The example row of a bulk template.
    Example,
    /// The end mark of DOS (0x1A), alone or next to a row that was read, or NUL bytes that pad a file.
    EndMark,
    /// A cell with bytes that are not text in this encoding. Its row was read.
    UndecodableBytes(TextEncoding),
    /// A cell with a NUL byte. Its row was read.
    Nul,
}

/// The parts that were not read for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Why it was not read.
    pub reason: OmissionReason,
    /// How many there are: cells for reasons that affect a single cell, otherwise lines.
    pub count: u64,
    /// The physical lines, or the row numbers in the sheet: each only once, and only the first 100.
    pub lines: Vec<u64>,
}

/// All parts of one source that were not read, in the order of first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omissions(Vec<Omission>);

impl Omissions {
    /// Counts another part that was not read.
    pub(super) fn add(&mut self, reason: OmissionReason, line: u64) {
        let at = self.0.iter().position(|omission| omission.reason == reason).unwrap_or_else(|| {
            self.0.push(Omission { reason, count: 0, lines: Vec::new() });
            self.0.len() - 1
        });
        let omission = &mut self.0[at];
        omission.count += 1;
        if omission.lines.last() != Some(&line) && omission.lines.len() < MAX_LINES {
            omission.lines.push(line);
        }
    }

    /// Whether a part was not read for this reason.
    pub(super) fn has(&self, reason: OmissionReason) -> bool {
        self.0.iter().any(|omission| omission.reason == reason)
    }

    /// The parts that were not read, by reason.
    pub fn iter(&self) -> impl Iterator<Item = &Omission> {
        self.0.iter()
    }

    /// The notes on the source `name`.
    pub(super) fn notes(&self, name: &str) -> Vec<String> {
        let passed = self.0.iter().filter_map(Omission::skipped_note);
        passed.chain(self.damage_note()).map(|note| format!("{name}: {note}")).collect()
    }

    /// The note on all cells that could not be read.
    fn damage_note(&self) -> Option<String> {
        let parts: Vec<(&Omission, String, String)> = self
            .0
            .iter()
            .filter_map(|omission| match omission.reason {
                OmissionReason::UndecodableBytes(encoding) if encoding.is_utf8() => Some((
                    omission,
                    "not UTF-8".to_owned(),
                    "if the file was saved as Windows-1252, use --encoding windows-1252".to_owned(),
                )),
                OmissionReason::UndecodableBytes(encoding) => Some((
                    omission,
                    format!("not {encoding}"),
                    "if the file has another encoding, choose it with --encoding, such as --encoding utf-8"
                        .to_owned(),
                )),
                OmissionReason::Nul => Some((
                    omission,
                    "with NUL bytes".to_owned(),
                    "if the file is UTF-16, use --encoding utf-16le".to_owned(),
                )),
                _ => None,
            })
            .collect();
        let count: u64 = parts.iter().map(|(omission, ..)| omission.count).sum();
        let cells = match count {
            0 => return None,
            1 => "1 cell".to_owned(),
            _ => format!("{count} cells"),
        };
        let places: Vec<String> =
            parts.iter().map(|(omission, what, _)| format!("{what}: {}", omission.lines_text())).collect();
        let remedies: Vec<&str> = parts.iter().map(|(.., remedy)| remedy.as_str()).collect();
        Some(format!(
            "{cells} could not be read ({}); a row is invalid only if it needs that cell; {}",
            places.join("; "),
            remedies.join("; ")
        ))
    }
}

impl Omission {
    /// The note on what was skipped; none if another note reports it or it needs no note.
    fn skipped_note(&self) -> Option<String> {
        let (one, many) = match self.reason {
            OmissionReason::Comment | OmissionReason::AboveHeader => return None,
            OmissionReason::UndecodableBytes(_) | OmissionReason::Nul => return None,
            OmissionReason::RepeatedHeader => ("a repeated header", "repeated headers"),
            OmissionReason::Separator => ("a separator line", "separator lines"),
            OmissionReason::Version => ("the version of a bulk template", "versions of bulk templates"),
            OmissionReason::Example => {
                ("the example row of a bulk template", "example rows of bulk templates")
            }
            OmissionReason::EndMark => ("an end mark (0x1A or NUL)", "end marks (0x1A or NUL)"),
        };
        let what = if self.count == 1 { one.to_owned() } else { format!("{} {many}", self.count) };
        Some(format!("skipped {what} ({})", self.lines_text()))
    }

    /// The line numbers, in words.
    fn lines_text(&self) -> String {
        let named: Vec<String> = self.lines.iter().take(MAX_NAMED_LINES).map(ToString::to_string).collect();
        let more = if self.lines.len() > MAX_NAMED_LINES { ", …" } else { "" };
        let word = if self.lines.len() == 1 { "line" } else { "lines" };
        format!("{word} {}{more}", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_names_the_first() {
        let mut omissions = Omissions::default();
        omissions.add(OmissionReason::Comment, 1);
        omissions.add(OmissionReason::Separator, 2);
        for line in [3, 3, 4, 5, 6, 7, 8] {
            omissions.add(OmissionReason::Nul, line);
        }
        let notes = omissions.notes("x");
        assert_eq!(notes[0], "x: skipped a separator line (line 2)");
        assert_eq!(
            notes[1],
            "x: 7 cells could not be read (with NUL bytes: lines 3, 4, 5, 6, 7, …); a row is invalid only if it \
             needs that cell; if the file is UTF-16, use --encoding utf-16le"
        );
        (0..1_000).for_each(|line| omissions.add(OmissionReason::Separator, line));
        let separators = omissions.iter().nth(1).unwrap();
        assert_eq!((separators.count, separators.lines.len()), (1_001, MAX_LINES));
    }
}
