//! XML of a part, tag by tag, within bounds.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::io::BufRead;

use super::Trouble;
use super::archive::Part;

/// How deep tags may stand within each other. A workbook's need not ten.
const DEEPEST: usize = 64;

/// What stands next in a part.
pub(super) enum Node {
    /// A tag opens. An empty one opens and closes.
    Open(BytesStart<'static>),
    /// The innermost tag closes.
    Close,
    /// Text, or a piece of one.
    Text(String),
    End,
}

/// A part as a stream of tags and texts.
pub(super) struct Xml<'a> {
    reader: Reader<Part<'a>>,
    buffer: Vec<u8>,
    depth: usize,
}

impl<'a> Xml<'a> {
    pub(super) fn new(mut part: Part<'a>) -> Result<Self, Trouble> {
        let start = part.fill_buf()?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") || start.starts_with(b"<\0") {
            return Err(Trouble::Damaged("its parts are not in UTF-8".into()));
        }
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, buffer: Vec::new(), depth: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Node, Trouble> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().begin_node();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event.into_owned(),
                Err(error) => {
                    return Err(match self.reader.get_ref().over() {
                        Some(what) => Trouble::TooLarge(what.into()),
                        None => Trouble::Damaged(format!("its XML is damaged: {error}")),
                    });
                }
            };
            return Ok(match event {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(Trouble::Damaged("its XML is nested too deeply".into()));
                    }
                    Node::Open(tag)
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Node::Close
                }
                Event::Text(text) => Node::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Node::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(name) => Node::Text(match name.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => match &*name {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => return Err(Trouble::Damaged("its XML has entities of its own".into())),
                    }
                    .to_owned(),
                    Err(error) => return Err(Trouble::Damaged(format!("its XML is damaged: {error}"))),
                }),
                Event::DocType(_) => return Err(Trouble::Damaged("its XML has a document type".into())),
                Event::Decl(decl) => {
                    let encoding = decl.encoding().and_then(Result::ok).unwrap_or_default().to_lowercase();
                    if !["", "utf-8", "utf8", "us-ascii", "ascii"].contains(&encoding.as_str()) {
                        return Err(Trouble::Damaged("its parts are not in UTF-8".into()));
                    }
                    continue;
                }
                Event::Empty(_) | Event::Comment(_) | Event::PI(_) => continue,
                // Tags that were never closed: the part is cut off.
                Event::Eof if self.depth > 0 => {
                    return Err(Trouble::Damaged("a part of it is cut off".into()));
                }
                Event::Eof => Node::End,
            });
        }
    }

    /// Passes over all that stands in the tag that was opened last.
    pub(super) fn skip(&mut self) -> Result<(), Trouble> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            if let Node::End = self.next()? {
                break;
            }
        }
        Ok(())
    }
}

/// The tag's name without a prefix: workbooks differ in their prefixes and in the addresses of their namespaces.
pub(super) fn name<'t>(tag: &'t BytesStart<'_>) -> &'t str {
    tag.local_name().into_inner()
}

/// The value of the tag's attribute of this name, whatever its prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Result<Option<String>, Trouble> {
    for attribute in tag.attributes().with_checks(false) {
        let attribute =
            attribute.map_err(|error| Trouble::Damaged(format!("its XML is damaged: {error}")))?;
        if attribute.key.local_name().as_ref() == wanted {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            let value = value.map_err(|error| Trouble::Damaged(format!("its XML is damaged: {error}")))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// Whether the tag's attribute says yes.
pub(super) fn is_on(tag: &BytesStart<'_>, wanted: &str) -> Result<bool, Trouble> {
    Ok(attribute(tag, wanted)?.is_some_and(|value| matches!(value.trim(), "1" | "true" | "on")))
}
