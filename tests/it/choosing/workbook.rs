//! A writer for small workbooks, down to the XML.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

/// A sheet: its name, its state, and the XML within `<worksheet>`.
pub(crate) struct Sheet<'a>(pub &'a str, pub &'a str, pub String);

/// Rows of texts as the XML of a sheet. A text that begins with `<` is the XML of a whole cell.
pub(crate) fn rows(rows: &[&[&str]]) -> String {
    let mut xml = String::from("<sheetData>");
    for (number, cells) in rows.iter().enumerate() {
        xml.push_str(&row(number + 1, "", cells));
    }
    xml + "</sheetData>"
}

/// One row with further attributes.
pub(crate) fn row(number: usize, attributes: &str, cells: &[&str]) -> String {
    let mut xml = format!("<row r=\"{number}\" {attributes}>");
    for (column, cell) in cells.iter().enumerate() {
        let name = format!("{}{number}", char::from(b'A' + column as u8));
        match cell.strip_prefix('<') {
            Some(_) => xml.push_str(&cell.replacen("<c", &format!("<c r=\"{name}\""), 1)),
            None if cell.is_empty() => {}
            None => xml.push_str(&format!("<c r=\"{name}\" t=\"inlineStr\"><is><t>{cell}</t></is></c>")),
        }
    }
    xml + "</row>"
}

/// The parts of a workbook of these sheets, by their names.
pub(crate) fn parts(sheets: &[Sheet<'_>], strings: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let mut list = String::new();
    let mut relations = String::new();
    let mut parts = vec![(
        "[Content_Types].xml".to_owned(),
        format!("{HEAD}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
    )];
    for (at, Sheet(name, state, xml)) in sheets.iter().enumerate() {
        list.push_str(&format!(
            "<sheet name=\"{name}\" sheetId=\"{}\" state=\"{state}\" r:id=\"r{at}\"/>",
            at + 1
        ));
        let part = format!("worksheets/sheet{}.xml", at + 1);
        relations
            .push_str(&format!("<Relationship Id=\"r{at}\" Type=\"{OFFICE}/worksheet\" Target=\"{part}\"/>"));
        parts.push((format!("xl/{part}"), format!("{HEAD}<worksheet xmlns=\"{MAIN}\">{xml}</worksheet>")));
    }
    if let Some(strings) = strings {
        relations.push_str(&format!(
            "<Relationship Id=\"s\" Type=\"{OFFICE}/sharedStrings\" Target=\"/xl/sharedStrings.xml\"/>"
        ));
        parts.push((
            "xl/sharedStrings.xml".to_owned(),
            format!("{HEAD}<sst xmlns=\"{MAIN}\">{strings}</sst>"),
        ));
    }
    let book =
        format!("{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{list}</sheets></workbook>");
    parts.push(("xl/workbook.xml".to_owned(), book));
    let wrap = |inner: &str| format!("{HEAD}<Relationships xmlns=\"{PACKAGE}\">{inner}</Relationships>");
    parts.push(("xl/_rels/workbook.xml.rels".to_owned(), wrap(&relations)));
    let main =
        format!("<Relationship Id=\"m\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/>");
    parts.push(("_rels/.rels".to_owned(), wrap(&main)));
    parts.into_iter().map(|(name, xml)| (name, xml.into_bytes())).collect()
}

/// These parts as a file.
pub(crate) fn zipped(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn workbook(sheets: &[Sheet<'_>]) -> Vec<u8> {
    zipped(&parts(sheets, None))
}

/// A workbook of one visible sheet.
pub(crate) fn single(xml: String) -> Vec<u8> {
    workbook(&[Sheet("Sheet1", "visible", xml)])
}
