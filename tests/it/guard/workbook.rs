//! A small handmade `.xlsx` workbook.

/// A sheet: its name, whether it is hidden, and its rows, each with whether it is hidden.
pub(crate) type Sheet = (String, bool, Vec<(bool, Vec<String>)>);

/// Stands for a formula without a stored value.
pub(crate) const FORMULA: &str = "=FORMULA";

/// The workbook's bytes.
pub(crate) fn workbook(sheets: &[Sheet]) -> Vec<u8> {
    workbook_with(sheets, |xml| xml)
}

/// The bytes of a workbook of which the XML of each sheet was altered.
pub(crate) fn workbook_with(sheets: &[Sheet], alter: impl Fn(String) -> String) -> Vec<u8> {
    let mut files = vec![(
        "[Content_Types].xml".to_owned(),
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned(),
    )];
    files.push((
        "_rels/.rels".to_owned(),
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" \
         Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
            .to_owned(),
    ));
    let (mut names, mut links) = (String::new(), String::new());
    for (at, (name, hidden, rows)) in sheets.iter().enumerate() {
        let number = at + 1;
        let state = if *hidden { " state=\"veryHidden\"" } else { "" };
        names.push_str(&format!("<sheet name=\"{name}\" sheetId=\"{number}\"{state} r:id=\"rId{number}\"/>"));
        links.push_str(&format!(
            "<Relationship Id=\"rId{number}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" \
             Target=\"worksheets/sheet{number}.xml\"/>"
        ));
        files.push((format!("xl/worksheets/sheet{number}.xml"), alter(sheet(rows))));
    }
    files.push((
        "xl/workbook.xml".to_owned(),
        format!(
            "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" \
             xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets>{names}</sheets></workbook>"
        ),
    ));
    files.push((
        "xl/_rels/workbook.xml.rels".to_owned(),
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{links}</Relationships>"
        ),
    ));
    zip(&files)
}

fn sheet(rows: &[(bool, Vec<String>)]) -> String {
    let mut data = String::new();
    for (number, (hidden, cells)) in rows.iter().enumerate() {
        let hidden = if *hidden { " hidden=\"1\"" } else { "" };
        data.push_str(&format!("<row r=\"{}\"{hidden}>", number + 1));
        for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let at = format!("{}{}", char::from(b'A' + column as u8), number + 1);
            data.push_str(&match cell.as_str() {
                FORMULA => format!("<c r=\"{at}\"><f>Z9&amp;\"@contoso.com\"</f></c>"),
                text => {
                    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('\0', "");
                    format!("<c r=\"{at}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
                }
            });
        }
        data.push_str("</row>");
    }
    format!(
        "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{data}</sheetData></worksheet>"
    )
}

/// An archive of files as they are.
fn zip(files: &[(String, String)]) -> Vec<u8> {
    let (mut bytes, mut table) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let start = bytes.len() as u32;
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x28];
        common.extend(crc32(text.as_bytes()).to_le_bytes());
        common.extend((text.len() as u32).to_le_bytes());
        common.extend((text.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(text.as_bytes());
        table.extend(b"PK\x01\x02\x14\0");
        table.extend(&common);
        table.extend([0; 10]);
        table.extend(start.to_le_bytes());
        table.extend(name.as_bytes());
    }
    let (start, count) = (bytes.len() as u32, (files.len() as u16).to_le_bytes());
    bytes.extend(&table);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend((table.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
