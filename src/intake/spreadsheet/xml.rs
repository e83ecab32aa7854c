//! Reads the XML of a part, tag by tag, within limits.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::PrefixDeclaration;
use std::io::BufRead;

use super::WorkbookError;
use super::archive::ArchivePart;

/// How deep tags may be nested. A workbook needs less than ten levels.
const MAX_DEPTH: usize = 64;
/// The maximum number of prefixes in force at one place. Excel declares about twenty.
const MAX_PREFIXES: usize = 1_000;
/// The namespaces of spreadsheets: the transitional and the strict one.
const MAIN: [&str; 2] = [
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
];

/// The next node in a part.
pub(super) enum XmlNode {
    /// A tag opens. An empty one opens and closes.
    Open(BytesStart<'static>),
    /// The innermost tag closes.
    Close,
    /// Text, or a piece of one.
    Text(String),
    End,
}

/// A part as a stream of tags and texts.
pub(super) struct XmlReader<'a> {
    reader: Reader<ArchivePart<'a>>,
    buffer: Vec<u8>,
    depth: usize,
    /// The namespace of the outermost tag, if it is one of [`MAIN`] or empty.
    root_namespace: Option<String>,
    /// The prefixes in force, the innermost last.
    prefixes: Vec<XmlDeclaration>,
}

/// A prefix, which may be empty, with the depth of the tag that declares it.
struct XmlDeclaration {
    depth: usize,
    prefix: String,
    /// Whether it means the namespace of the outermost tag.
    is_own: bool,
}

impl<'a> XmlReader<'a> {
    pub(super) fn new(mut part: ArchivePart<'a>) -> Result<Self, WorkbookError> {
        let start = part.fill_buf()?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") || start.starts_with(b"<\0") {
            return Err(WorkbookError::Damaged("its parts are not in UTF-8".into()));
        }
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, buffer: Vec::new(), depth: 0, root_namespace: None, prefixes: Vec::new() })
    }

    pub(super) fn next(&mut self) -> Result<XmlNode, WorkbookError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().begin_node();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event.into_owned(),
                Err(error) => {
                    return Err(match self.reader.get_ref().limit_hit() {
                        Some(what) => WorkbookError::TooLarge(what.into()),
                        None => WorkbookError::Damaged(format!("its XML is damaged: {error}")),
                    });
                }
            };
            return Ok(match event {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(WorkbookError::Damaged("its XML is nested too deeply".into()));
                    }
                    self.declare(&tag)?;
                    XmlNode::Open(tag)
                }
                Event::End(_) => {
                    while self.prefixes.last().is_some_and(|declared| declared.depth >= self.depth) {
                        self.prefixes.pop();
                    }
                    self.depth = self.depth.saturating_sub(1);
                    XmlNode::Close
                }
                Event::Text(text) => XmlNode::Text(text.xml10_content().into_owned()),
                Event::CData(text) => XmlNode::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(name) => XmlNode::Text(match name.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => match &*name {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => return Err(WorkbookError::Damaged("its XML uses unknown entities".into())),
                    }
                    .to_owned(),
                    Err(error) => return Err(WorkbookError::Damaged(format!("its XML is damaged: {error}"))),
                }),
                Event::DocType(_) => {
                    return Err(WorkbookError::Damaged("its XML has a document type".into()));
                }
                Event::Decl(decl) => {
                    let encoding = decl.encoding().and_then(Result::ok).unwrap_or_default().to_lowercase();
                    if !["", "utf-8", "utf8", "us-ascii", "ascii"].contains(&encoding.as_str()) {
                        return Err(WorkbookError::Damaged("its parts are not in UTF-8".into()));
                    }
                    continue;
                }
                Event::Empty(_) | Event::Comment(_) | Event::PI(_) => continue,
                // Unclosed tags: the part is truncated.
                Event::Eof if self.depth > 0 => {
                    return Err(WorkbookError::Damaged("a part of it is truncated".into()));
                }
                Event::Eof => XmlNode::End,
            });
        }
    }

    /// Adds the prefixes that the tag declares.
    fn declare(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        let declared = declarations(tag)?;
        if self.depth == 1 {
            let own = prefix(tag);
            let home = declared.iter().find(|(prefix, _)| *prefix == own).map(|(_, space)| space.clone());
            self.root_namespace = match home {
                Some(space) => Some(space).filter(|space| MAIN.contains(&space.as_str())),
                None => own.is_empty().then(String::new),
            };
            let is_own = self.root_namespace.as_ref().is_some_and(String::is_empty);
            self.prefixes = vec![XmlDeclaration { depth: 0, prefix: String::new(), is_own }];
        }
        for (prefix, space) in declared {
            let is_own = self.root_namespace.as_ref() == Some(&space);
            self.prefixes.push(XmlDeclaration { depth: self.depth, prefix, is_own });
        }
        if self.prefixes.len() > MAX_PREFIXES {
            return Err(WorkbookError::TooLarge("over 1,000 namespaces in its XML".into()));
        }
        Ok(())
    }

    /// Whether the tag that was opened last is in the spreadsheet's namespace, with any prefix.
    pub(super) fn is_main_namespace(&self, tag: &BytesStart<'_>) -> bool {
        let attribute_name = prefix(tag);
        let declared = self.prefixes.iter().rev().find(|declared| declared.prefix == attribute_name);
        declared.is_some_and(|declared| declared.is_own)
    }

    /// Skips the content of the tag that was opened last, but refuses rows of the sheet in it.
    pub(super) fn skip_unless_rows(&mut self) -> Result<(), WorkbookError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            match self.next()? {
                XmlNode::Open(tag)
                    if matches!(name(&tag), "sheetData" | "row") && self.is_main_namespace(&tag) =>
                {
                    return Err(WorkbookError::ambiguous("a sheet with rows outside its list of rows"));
                }
                XmlNode::End => break,
                XmlNode::Open(_) | XmlNode::Close | XmlNode::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Skips the content of the tag that was opened last.
    pub(super) fn skip(&mut self) -> Result<(), WorkbookError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            if let XmlNode::End = self.next()? {
                break;
            }
        }
        Ok(())
    }
}

/// The tag's name without its prefix, because workbooks differ in their prefixes and namespaces.
pub(super) fn name<'t>(tag: &'t BytesStart<'_>) -> &'t str {
    tag.local_name().into_inner()
}

/// The tag's prefix; empty if it has none.
fn prefix<'t>(tag: &'t BytesStart<'_>) -> &'t str {
    let name: &'t str = tag.name().into_inner();
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// The prefixes that the tag declares, each with its namespace.
fn declarations(tag: &BytesStart<'_>) -> Result<Vec<(String, String)>, WorkbookError> {
    let mut declared = Vec::new();
    if !tag.attributes_raw().contains("xmlns") {
        return Ok(declared);
    }
    for attribute in tag.attributes().with_checks(false) {
        let attribute =
            attribute.map_err(|error| WorkbookError::Damaged(format!("its XML is damaged: {error}")))?;
        let prefix = match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Default) => String::new(),
            Some(PrefixDeclaration::Named(prefix)) => prefix.to_owned(),
            None => continue,
        };
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_err(|error| WorkbookError::Damaged(format!("its XML is damaged: {error}")))?;
        if declared.iter().any(|(known, _)| *known == prefix) || declared.len() > MAX_PREFIXES {
            return Err(WorkbookError::Damaged(
                "its XML declares a prefix twice, or too many prefixes".into(),
            ));
        }
        declared.push((prefix, value.into_owned()));
    }
    Ok(declared)
}

/// The value of the tag's attribute with this name. With a prefix, it would be another attribute.
pub(super) fn attribute(tag: &BytesStart<'_>, attribute_name: &str) -> Result<Option<String>, WorkbookError> {
    find_attribute(tag, |key| key == attribute_name)
}

/// The value of the tag's attribute with this name and any prefix.
pub(super) fn prefixed_attribute(
    tag: &BytesStart<'_>,
    attribute_name: &str,
) -> Result<Option<String>, WorkbookError> {
    find_attribute(tag, |key| key.rsplit(':').next() == Some(attribute_name))
}

fn find_attribute(
    tag: &BytesStart<'_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<String>, WorkbookError> {
    for attribute in tag.attributes().with_checks(false) {
        let attribute =
            attribute.map_err(|error| WorkbookError::Damaged(format!("its XML is damaged: {error}")))?;
        if is_wanted(attribute.key.into_inner()) {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            let value =
                value.map_err(|error| WorkbookError::Damaged(format!("its XML is damaged: {error}")))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// Whether the tag's attribute is true.
pub(super) fn attribute_is_true(tag: &BytesStart<'_>, attribute_name: &str) -> Result<bool, WorkbookError> {
    Ok(attribute(tag, attribute_name)?.is_some_and(|value| matches!(value.trim(), "1" | "true" | "on")))
}
