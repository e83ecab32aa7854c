//! The text of a cell: its runs joined, without phonetic hints.

use super::WorkbookError;
use super::xml::{XmlNode, XmlReader, name};
use crate::intake::record_reader::MAX_RECORD;

/// Text in runs, each with its own format.
pub(super) struct RichText;

impl RichText {
    /// The text within the tag that was opened last. Text with more than [`MAX_RECORD`] bytes is truncated.
    pub(super) fn read(xml: &mut XmlReader<'_>) -> Result<String, WorkbookError> {
        let mut text = String::new();
        // Whether a run is open, and whether a text is open, in a run or outside.
        let (mut in_run, mut takes) = (false, false);
        // Whether there was a text outside the runs, and in this run.
        let (mut had_plain, mut had_run) = (false, false);
        loop {
            match xml.next()? {
                XmlNode::Open(_) if takes => {
                    return Err(WorkbookError::ambiguous("a text with a tag in it"));
                }
                XmlNode::Open(tag) if !xml.is_main_namespace(&tag) || name(&tag) == "AlternateContent" => {
                    return Err(WorkbookError::ambiguous("a text with a tag of another namespace"));
                }
                XmlNode::Open(tag) => match name(&tag) {
                    "r" if !in_run => (in_run, had_run) = (true, false),
                    "t" => {
                        let had = if in_run { &mut had_run } else { &mut had_plain };
                        if std::mem::replace(had, true) {
                            return Err(WorkbookError::ambiguous("a text that occurs twice"));
                        }
                        takes = true;
                    }
                    // Phonetic hints (rPh), the format of a run (rPr), and any other tag.
                    _ => xml.skip()?,
                },
                XmlNode::Close if takes => takes = false,
                XmlNode::Close if in_run => in_run = false,
                XmlNode::Close | XmlNode::End => return Ok(text),
                XmlNode::Text(piece) if takes && text.len() <= MAX_RECORD => text.push_str(&piece),
                XmlNode::Text(_) => {}
            }
        }
    }
}

/// The text with escapes such as `_x000D_` decoded.
pub(super) fn unescape(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains("_x") {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let hex = escape.get(2..6).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let hex = hex.filter(|_| escape.as_bytes().get(6) == Some(&b'_'));
        match hex.and_then(|hex| char::from_u32(u32::from_str_radix(hex, 16).ok()?)) {
            Some(c) => {
                plain.push(c);
                rest = &escape[7..];
            }
            None => {
                plain.push_str("_x");
                rest = &escape[2..];
            }
        }
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(unescape("ann_x0040_contoso.com_x000D_"), "ann@contoso.com\r");
        assert_eq!(unescape("_x005F_x0040_ a_xy _x00_ _x004"), "_x0040_ a_xy _x00_ _x004");
        assert_eq!(unescape("_xD83D__é_xéééé_"), "_xD83D__é_xéééé_");
    }
}
