//! Workbooks that are made to fill memory or to confuse. Each is refused with exit code 2, and in little memory.

use super::workbook::{Sheet, parts, row, rows, single, zipped};
use crate::ctx::TestContext;

/// Runs over the workbook, and gives the exit code, what was said, and the most memory it took, in KiB, where the system
/// tells that.
fn run(bytes: &[u8]) -> (i32, String, u64) {
    let ctx = TestContext::new("");
    let input = ctx.input("users.xlsx", bytes);
    let mut command = ctx.command("run");
    let mut child = ctx.start(command.arg(&input));
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned(), most)
}

#[track_caller]
fn refused(what: &str, bytes: &[u8], says: &str) {
    let (code, stderr, most) = run(bytes);
    assert_eq!(code, 2, "{what}: {stderr}");
    assert!(stderr.contains(says), "{what}: {stderr}");
    assert!(most < 300 * 1024, "{what} took {} MiB", most / 1024);
}

fn with_part(index: usize, bytes: Vec<u8>) -> Vec<u8> {
    let mut parts = parts(&[Sheet("S", "visible", rows(&[&["UPN"], &["a@b.example"]]))], Some(""));
    parts[index].1 = bytes;
    zipped(&parts)
}

fn sheet(inner: &str) -> Vec<u8> {
    format!("<worksheet>{inner}</worksheet>").into_bytes()
}

#[test]
fn zip_bombs_are_refused() {
    const MANY: usize = 12 << 20;
    let blank = " ".repeat(MANY);
    refused("blanks", &with_part(1, sheet(&blank)), "over 4 MiB");
    refused("an attribute", &with_part(1, sheet(&format!("<sheetData x=\"{blank}\"/>"))), "over 4 MiB");
    let comments = format!("<!--{}-->", " ".repeat(1 << 20)).repeat(12);
    refused("comments", &with_part(1, sheet(&comments)), "over 200 times its size");
    refused(
        "shared strings",
        &with_part(2, format!("<sst>{}</sst>", "<si/>".repeat(MANY / 5)).into_bytes()),
        "too large",
    );
    let text = format!("<sst>{}</sst>", format!("<si><t>{}</t></si>", "x".repeat(500_000)).repeat(24));
    refused("text of strings", &with_part(2, text.into_bytes()), "too large");
    refused("nested tags", &with_part(1, sheet(&"<a>".repeat(1 << 20))), "nested too deeply");
    let runs = format!("{}{}", "<r>".repeat(200_000), "</r>".repeat(200_000));
    refused(
        "nested runs",
        &with_part(2, format!("<sst><si>{runs}</si></sst>").into_bytes()),
        "nested too deeply",
    );
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><worksheet>&b;</worksheet>";
    refused("entities", &with_part(1, entities.into()), "document type");
    // A small shared string, called for very often.
    let mut many = String::from("<sheetData>");
    for number in 1..=400 {
        many.push_str(&format!("<row r=\"{number}\"><c t=\"s\"><v>0</v></c></row>"));
    }
    let mut parts = parts(&[Sheet("S", "visible", many + "</sheetData>")], None);
    parts.push((
        "xl/sharedStrings.xml".into(),
        format!("<sst><si><t>{}</t></si></sst>", noise(900_000)).into_bytes(),
    ));
    let rels = parts.iter_mut().find(|(name, _)| name.ends_with("workbook.xml.rels")).unwrap();
    let relation =
        "<Relationship Id=\"s\" Type=\"x/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>";
    rels.1 = String::from_utf8(rels.1.clone()).unwrap().replace("</Relationships>", relation).into_bytes();
    refused("one string often", &zipped(&parts), "256 MiB of text");
}

/// Text that does not pack well.
fn noise(length: usize) -> String {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + ((seed >> 40) % 26) as u8)
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn inconsistent_workbooks_are_refused() {
    let list = || rows(&[&["UPN"], &["a@b.example"]]);
    let far = |cell: &str, row: &str| {
        single(format!(
            "<sheetData><row r=\"{row}\"><c r=\"{cell}\" t=\"str\"><v>x@y.example</v></c></row></sheetData>"
        ))
    };
    refused("a column too far", &far("XFE1", "1"), "beyond column XFD");
    refused("a row too far", &far("A1048577", "1048577"), "beyond row 1,048,576");
    refused("a cell in another row", &far("A7", "3"), "has no position");
    refused(
        "a text that does not exist",
        &single(rows(&[&["UPN"], &["<c t=\"s\"><v>7</v></c>"]])),
        "cell A2 refers to a text",
    );
    let twice = "<sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c><c r=\"A1\"><v>2</v></c></row></sheetData>";
    refused("a cell twice", &single(twice.into()), "A1 occurs twice");
    let rows_twice =
        format!("<sheetData>{}{}</sheetData>", row(2, "", &["a@b.example"]), row(2, "", &["c@b.example"]));
    refused("a row twice", &single(rows_twice), "row 2 occurs twice");
    let sheets: Vec<Sheet<'_>> = (0..1_001).map(|_| Sheet("S", "visible", String::new())).collect();
    let mut many = parts(&sheets, None);
    let book = many.iter_mut().find(|(name, _)| name == "xl/workbook.xml").unwrap();
    let mut text = String::from_utf8(book.1.clone()).unwrap();
    for number in 0..1_001 {
        text = text.replacen("name=\"S\"", &format!("name=\"S{number}\""), 1);
    }
    book.1 = text.into_bytes();
    refused("many sheets", &zipped(&many), "over 1,000 sheets");
    let mut doubled = parts(&[Sheet("S", "visible", list())], None);
    doubled.push(("XL\\worksheets\\Sheet1.xml".into(), sheet(&rows(&[&["UPN"], &["other@b.example"]]))));
    refused("two parts of a name", &zipped(&doubled), "two parts of the same name");
    let area = "<sheetData><row r=\"1\"><c r=\"A1\"><f t=\"array\" ref=\"A1:XFD1048576\">X</f></c></row></sheetData>";
    refused("a formula everywhere", &single(area.into()), "100,000 cells");
}

#[test]
fn a_false_zip_directory_is_refused() {
    let bytes = single(rows(&[&["UPN"], &["a@b.example"]]));
    let end = bytes.len() - 22;
    // A ZIP64 record before the end, which claims many members or stands elsewhere than it should.
    let with_record = |members: u64, size: u64, place: u64| {
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([0; 12]);
        record.extend(members.to_le_bytes());
        record.extend(members.to_le_bytes());
        record.extend(size.to_le_bytes());
        record.extend(0_u64.to_le_bytes());
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend(place.to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        let mut last = bytes[end..].to_vec();
        last[8..12].fill(0xff);
        last[16..20].fill(0xff);
        [&bytes[..end], &record[..], &last].concat()
    };
    let place = end as u64;
    refused("many members", &with_record(90_000_000, u64::MAX / 2, place), "is not valid");
    refused("another place", &with_record(6, 400, place - 8), "is not valid");
    refused("two tables", &with_record(6, 400, place), "can't read");
    for cut in [30, 200, bytes.len() / 2, bytes.len() - 5] {
        refused("a cut", &bytes[..cut], "users.xlsx");
    }
}

#[test]
fn a_giant_dimension_costs_no_memory() {
    let xml = format!(
        "<dimension ref=\"A1:XFD1048576\"/><sheetData>{}{}<row r=\"1048576\"><c r=\"XFD1048576\" t=\"str\"><v>x</v></c></row></sheetData>",
        row(1, "", &["UPN", "Name"]),
        row(2, "", &["a@b.example", "Ann"]),
    );
    let (code, stderr, most) = run(&single(xml));
    assert_eq!(code, 3, "{stderr}");
    assert!(most < 300 * 1024, "{} MiB", most / 1024);
}
