//! What stands in a source and is not read as a row: it is passed over and told, and a list that protects stops on it.

use super::encoding::TextEncoding;

/// How many lines are kept of one reason; what is beyond is only counted.
const MOST_LINES: usize = 100;
/// How many lines a note names.
const NAMED: usize = 5;

/// Why something of a source is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OmissionReason {
    /// A comment, or what tells a program how to read the file: `# ours`, `#TYPE …`, `sep=;`.
    Comment,
    /// What stands above the header, a title for instance.
    AboveHeader,
    /// The header once more.
    HeaderAgain,
    /// A line that is drawn between rows: `-----`, `|---|`.
    Separator,
    /// The `version:v1.0` of a bulk template.
    Version,
    /// The example row of a bulk template.
    Example,
    /// The end mark of DOS (0x1A), alone or beside a row that was read, or NUL bytes that fill a file up.
    EndMark,
    /// A cell with bytes that are not text in this encoding. Its row was read.
    BadBytes(TextEncoding),
    /// A cell with a NUL byte. Its row was read.
    Nul,
}

/// What was not read for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Why it was not read.
    pub reason: OmissionReason,
    /// How many there are: cells for what costs a cell, otherwise lines.
    pub count: u64,
    /// The physical lines, or the numbers in the sheet, where they stand: each once, and the first hundred only.
    pub lines: Vec<u64>,
}

/// All that was not read of one source, in the order of first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omissions(Vec<Omission>);

impl Omissions {
    /// Counts one more.
    pub(super) fn add(&mut self, reason: OmissionReason, line: u64) {
        let at = self.0.iter().position(|omission| omission.reason == reason).unwrap_or_else(|| {
            self.0.push(Omission { reason, count: 0, lines: Vec::new() });
            self.0.len() - 1
        });
        let omission = &mut self.0[at];
        omission.count += 1;
        if omission.lines.last() != Some(&line) && omission.lines.len() < MOST_LINES {
            omission.lines.push(line);
        }
    }

    /// What was not read, by reason.
    pub fn iter(&self) -> impl Iterator<Item = &Omission> {
        self.0.iter()
    }

    /// What to tell people about the source `name`.
    pub(super) fn notes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        self.0.iter().filter_map(Omission::note).map(move |note| format!("{name}: {note}"))
    }
}

impl Omission {
    /// In words; nothing where it is told in other words or goes without saying.
    fn note(&self) -> Option<String> {
        let passed = |one: &str, many: &str| {
            let what = if self.count == 1 { one.to_owned() } else { format!("{} {many}", self.count) };
            Some(format!("passed over {what} ({})", self.places()))
        };
        let unread = |why: String| {
            let cells = if self.count == 1 { "1 cell".to_owned() } else { format!("{} cells", self.count) };
            Some(format!(
                "{cells} could not be read, and the rows were read without ({}): {why}",
                self.places()
            ))
        };
        match self.reason {
            OmissionReason::Comment | OmissionReason::AboveHeader => None,
            OmissionReason::HeaderAgain => passed("the header, which comes again", "more headers, all the same"),
            OmissionReason::Separator => passed("a separator line", "separator lines"),
            OmissionReason::Version => passed("the version of a bulk template", "versions of bulk templates"),
            OmissionReason::Example => passed("the example row of a bulk template", "example rows of bulk templates"),
            OmissionReason::EndMark => passed("an end mark (0x1A or NUL)", "end marks (0x1A or NUL)"),
            OmissionReason::BadBytes(encoding) if encoding.is_utf8() => unread(
                "bytes that are not UTF-8. If the file was saved as Windows-1252, give --encoding windows-1252".into(),
            ),
            OmissionReason::BadBytes(encoding) => {
                unread(format!("bytes that are not {encoding}. If the file is in another encoding, give --encoding"))
            }
            OmissionReason::Nul => unread("NUL bytes. If the file is UTF-16, give --encoding utf-16le".into()),
        }
    }

    /// The lines, as people name them.
    fn places(&self) -> String {
        let named: Vec<String> = self.lines.iter().take(NAMED).map(ToString::to_string).collect();
        let more = if self.lines.len() > NAMED { ", …" } else { "" };
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
        let notes: Vec<String> = omissions.notes("x").collect();
        assert_eq!(notes[0], "x: passed over a separator line (line 2)");
        assert!(notes[1].starts_with(
            "x: 7 cells could not be read, and the rows were read without (lines 3, 4, 5, 6, 7, …): NUL"
        ));
        (0..1_000).for_each(|line| omissions.add(OmissionReason::Separator, line));
        let separators = omissions.iter().nth(1).unwrap();
        assert_eq!((separators.count, separators.lines.len()), (1_001, MOST_LINES));
    }
}
