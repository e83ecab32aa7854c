//! The data that the sheets of a workbook share: their names and parts, the strings, the formats of dates.

use super::WorkbookError;
use super::archive::Archive;
use super::number_format::{NumberStyle, style};
use super::rich_text::{RichText, unescape};
use super::xml::{XmlNode, XmlReader, attribute, attribute_is_true, name, prefixed_attribute};

/// The maximum number of sheets in a workbook.
const MAX_SHEETS: usize = 1_000;
/// The maximum number of shared strings.
const MAX_STRINGS: usize = 8_000_000;
/// The maximum text in them, in bytes.
const MAX_STRING_TEXT: usize = 64 * 1024 * 1024;
/// The maximum number of cell formats; Excel allows 65,490.
const MAX_STYLES: usize = 100_000;
/// The maximum number of relations of a part.
const MAX_RELATIONS: usize = 20_000;
/// The maximum text in them, in bytes.
const MAX_RELATION_TEXT: usize = 4 * 1024 * 1024;
/// The maximum length of a sheet's name, in bytes; Excel allows 31 characters.
const MAX_NAME_CHARS: usize = 1_000;

/// A sheet in the workbook's list.
#[derive(Debug, Clone)]
pub(super) struct SheetEntry {
    pub(super) name: String,
    pub(super) is_hidden: bool,
    pub(super) part: String,
}

/// A workbook without the cells of its sheets.
pub(super) struct WorkbookIndex {
    pub(super) archive: Archive,
    /// Its sheets of cells, in order.
    pub(super) sheets: Vec<SheetEntry>,
    pub(super) shared: SharedStrings,
}

/// The strings and styles that cells refer to.
#[derive(Default)]
pub(super) struct SharedStrings {
    strings: String,
    ends: Vec<u32>,
    styles: Vec<NumberStyle>,
    /// Whether days are counted from 1904.
    pub(super) from_1904: bool,
}

impl SharedStrings {
    pub(super) fn string(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.strings.get(start..end)
    }

    pub(super) fn style(&self, at: usize) -> NumberStyle {
        self.styles.get(at).copied().unwrap_or_default()
    }
}

struct Relationship {
    id: String,
    kind: String,
    target: String,
}

impl WorkbookIndex {
    pub(super) fn open(mut archive: Archive) -> Result<Self, WorkbookError> {
        let main = relations(&mut archive, "")?
            .into_iter()
            .find(|relation| relation.kind == "officeDocument")
            .map_or_else(|| "xl/workbook.xml".to_owned(), |relation| relation.target);
        let relations = relations(&mut archive, &main)?;
        let mut shared = SharedStrings::default();
        let sheets = read_workbook(&mut archive, &main, &relations, &mut shared)?;
        let of_kind = |kind: &str| relations.iter().find(|relation| relation.kind == kind);
        if let Some(relation) = of_kind("styles") {
            read_styles(&mut archive, &relation.target, &mut shared)?;
        }
        if let Some(relation) = of_kind("sharedStrings") {
            read_strings(&mut archive, &relation.target, &mut shared)?;
        }
        Ok(Self { archive, sheets, shared })
    }
}

/// The relations of the part, or of the workbook itself if the name is empty.
fn relations(archive: &mut Archive, part: &str) -> Result<Vec<Relationship>, WorkbookError> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut relations = Vec::new();
    let Some(part) = archive.part(&format!("{base}_rels/{file}.rels"))? else { return Ok(relations) };
    let mut xml = XmlReader::new(part)?;
    let mut length = 0;
    loop {
        let tag = match xml.next()? {
            XmlNode::Open(tag) if name(&tag) == "Relationship" => tag,
            XmlNode::End => return Ok(relations),
            _ => continue,
        };
        if attribute(&tag, "TargetMode")?.is_some_and(|mode| mode.eq_ignore_ascii_case("external")) {
            continue;
        }
        let kind = attribute(&tag, "Type")?.unwrap_or_default();
        let relation = Relationship {
            id: attribute(&tag, "Id")?.unwrap_or_default(),
            kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
            target: resolve(folder, attribute(&tag, "Target")?.unwrap_or_default().trim()),
        };
        length += relation.id.len() + relation.kind.len() + relation.target.len();
        relations.push(relation);
        if relations.len() > MAX_RELATIONS || length > MAX_RELATION_TEXT {
            return Err(WorkbookError::TooLarge(
                "over 20,000 relations or 4 MiB of them between its parts".into(),
            ));
        }
    }
}

/// The part that a relation names, as a path from the root or from the folder of the referring part.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let target = percent_encoding::percent_decode_str(&target).decode_utf8_lossy().into_owned();
    let mut path: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    path.retain(|step| !step.is_empty());
    path.join("/")
}

fn read_workbook(
    archive: &mut Archive,
    main: &str,
    relations: &[Relationship],
    shared: &mut SharedStrings,
) -> Result<Vec<SheetEntry>, WorkbookError> {
    let part =
        archive.part(main)?.ok_or_else(|| WorkbookError::Damaged("its workbook part is missing".into()))?;
    let mut xml = XmlReader::new(part)?;
    let mut sheets: Vec<SheetEntry> = Vec::new();
    loop {
        let tag = match xml.next()? {
            XmlNode::Open(tag) => tag,
            XmlNode::End => return Ok(sheets),
            XmlNode::Close | XmlNode::Text(_) => continue,
        };
        match name(&tag) {
            "workbookPr" => shared.from_1904 = attribute_is_true(&tag, "date1904")?,
            "sheet" if !xml.is_main_namespace(&tag) => {
                return Err(WorkbookError::ambiguous("its list of sheets"));
            }
            "sheet" => {
                let sheet = attribute(&tag, "name")?.unwrap_or_default();
                if sheet.len() > MAX_NAME_CHARS {
                    return Err(WorkbookError::TooLarge("the name of a sheet is over 1,000 bytes".into()));
                }
                let id = prefixed_attribute(&tag, "id")?.unwrap_or_default();
                let relation = relations.iter().find(|relation| relation.id == id).ok_or_else(|| {
                    WorkbookError::Damaged(format!(
                        "the part of its sheet {} is missing",
                        super::quote(&sheet)
                    ))
                })?;
                // Sheets of charts and dialogs have no rows.
                if relation.kind != "worksheet" {
                    continue;
                }
                if sheets.iter().any(|other| other.name.to_lowercase() == sheet.to_lowercase()) {
                    return Err(WorkbookError::Damaged("it has two sheets of the same name".into()));
                }
                let state = attribute(&tag, "state")?.unwrap_or_default();
                sheets.push(SheetEntry {
                    name: sheet,
                    is_hidden: state.to_lowercase().ends_with("hidden"),
                    part: relation.target.clone(),
                });
                if sheets.len() > MAX_SHEETS {
                    return Err(WorkbookError::TooLarge("over 1,000 sheets".into()));
                }
            }
            _ => {}
        }
    }
}

fn read_strings(archive: &mut Archive, part: &str, shared: &mut SharedStrings) -> Result<(), WorkbookError> {
    let Some(part) = archive.part(part)? else { return Ok(()) };
    let mut xml = XmlReader::new(part)?;
    loop {
        match xml.next()? {
            XmlNode::Open(tag) if name(&tag) == "si" && xml.is_main_namespace(&tag) => {}
            XmlNode::Open(tag) if matches!(name(&tag), "si" | "AlternateContent") => {
                return Err(WorkbookError::ambiguous("its list of texts"));
            }
            XmlNode::End => return Ok(()),
            _ => continue,
        }
        let text = RichText::read(&mut xml)?;
        shared.strings.push_str(&unescape(&text));
        if shared.strings.len() > MAX_STRING_TEXT || shared.ends.len() >= MAX_STRINGS {
            return Err(WorkbookError::TooLarge("over 64 MiB or 8 million shared strings".into()));
        }
        shared.ends.push(shared.strings.len() as u32);
    }
}

fn read_styles(archive: &mut Archive, part: &str, shared: &mut SharedStrings) -> Result<(), WorkbookError> {
    let Some(part) = archive.part(part)? else { return Ok(()) };
    let mut xml = XmlReader::new(part)?;
    let mut custom = std::collections::HashMap::new();
    let mut within = false;
    loop {
        let tag = match xml.next()? {
            XmlNode::Open(tag) => tag,
            XmlNode::End => return Ok(()),
            XmlNode::Close | XmlNode::Text(_) => continue,
        };
        match name(&tag) {
            "numFmt" => {
                let id: u32 = attribute(&tag, "numFmtId")?.and_then(|id| id.parse().ok()).unwrap_or_default();
                custom.insert(id, style(&attribute(&tag, "formatCode")?.unwrap_or_default()));
            }
            "cellXfs" => within = true,
            "cellStyleXfs" | "cellStyles" | "dxfs" => within = false,
            "xf" if within => {
                let id: u32 = attribute(&tag, "numFmtId")?.and_then(|id| id.parse().ok()).unwrap_or_default();
                shared.styles.push(custom.get(&id).copied().unwrap_or_else(|| NumberStyle::built_in(id)));
            }
            _ => {}
        }
        if custom.len() > MAX_STYLES || shared.styles.len() > MAX_STYLES {
            return Err(WorkbookError::TooLarge("over 100,000 cell formats".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_however_they_are_written() {
        assert_eq!(resolve("xl", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("xl", "/xl/worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("xl", "..\\xl\\.\\My%20sheet.xml"), "xl/My sheet.xml");
        assert_eq!(resolve("", "xl/workbook.xml"), "xl/workbook.xml");
    }
}
