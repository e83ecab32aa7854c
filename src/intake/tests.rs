//! Tests of the whole module: bytes in, rows out.

use std::io::{self, Read};

use encoding_rs::Encoding;
use proptest::prelude::*;

use super::source_reader::from_reader;
use super::*;

mod damaged_input;

fn try_read(sources: &[&[u8]], options: &IntakeOptions) -> Result<(Intake, Vec<InputRow>), IntakeError> {
    let mut opened = Vec::new();
    for (number, bytes) in sources.iter().enumerate() {
        let reader = Box::new(io::Cursor::new(bytes.to_vec()));
        opened.extend(from_reader(format!("f{number}"), reader, options)?);
    }
    let mut intake = Intake::new(opened, options)?;
    let rows = intake.by_ref().collect::<Result<_, _>>()?;
    Ok((intake, rows))
}

fn read(bytes: &[u8]) -> (Intake, Vec<InputRow>) {
    try_read(&[bytes], &IntakeOptions::default()).unwrap()
}

fn ids(rows: &[InputRow]) -> Vec<(u64, &str)> {
    rows.iter().map(|row| (row.line, row.id.as_str())).collect()
}

fn message(bytes: &[u8], options: &IntakeOptions) -> String {
    try_read(&[bytes], options).err().map(|error| error.to_string()).unwrap_or_default()
}

fn why(row: &InputRow) -> &str {
    match &row.status {
        RowStatus::Read => "",
        RowStatus::Excluded(why) | RowStatus::Unreadable(why) => why,
    }
}

const GUID: &str = "8a0f3c1e-1111-2222-3333-444455556666";

#[test]
fn a_plain_list() {
    let (intake, rows) = read(
        b"\xef\xbb\xbf# ours\r\n\r\n  ann@contoso.com \r\n# no\r\n\"bob@contoso.com\" # left\r\n\t\r\nme",
    );
    assert_eq!(ids(&rows), [(3, "ann@contoso.com"), (5, "bob@contoso.com"), (7, "me")]);
    assert!(intake.columns().is_empty());
    assert_eq!(intake.notices(), ["f0: plain list, UTF-8"]);
    assert_eq!(rows[0].external_hint, Some(false));
    assert_eq!(rows[2].external_hint, None);
    let digest = &intake.finish().unwrap()[0];
    assert_eq!((digest.bytes, digest.kind), (70, SourceKind::List));
}

#[test]
fn a_table_from_excel() {
    let text = "sep=;\r\nObject ID;UPN;User type;Name\r\n".to_owned()
        + &format!("{GUID};ann@contoso.com;Member;\"Lee; \"\"Ann\"\"\r\n(new)\"\r\n")
        + ";b_x.de#EXT#@contoso.com;Guest;Bob\r\n;;;\r\nTotal: 2;;;\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (intake, rows) = read(&bytes);
    assert_eq!(ids(&rows), [(3, GUID), (5, "b_x.de#EXT#@contoso.com"), (7, "Total: 2")]);
    assert_eq!(rows[0].cells[3], "Lee; \"Ann\"\r\n(new)");
    assert_eq!(rows[0].external_hint, Some(false));
    assert_eq!(rows[1].external_hint, Some(true));
    assert_eq!(rows[1].note.as_deref(), Some("`Object ID` is empty, so `UPN` was used"));
    let notice = "f0: CSV, `;`, UTF-16LE (no byte order mark; recognized by its zero bytes); \
                  IDs from column `Object ID` (also found `UPN`)";
    assert_eq!(intake.notices(), [notice]);
    assert_eq!(intake.id_columns(), [Some("Object ID".to_owned())]);
}

#[test]
fn several_sources_stand_side_by_side() {
    let sources: [&[u8]; 3] = [b"UPN,Dept\na@b.de,HR\n", b"c@b.de\n", b"dept;user;priority\nIT;d@b.de; 2 \n"];
    let (intake, rows) = try_read(&sources, &IntakeOptions::default()).unwrap();
    assert_eq!(intake.columns(), ["UPN", "Dept", "user", "priority"]);
    assert_eq!(rows.iter().map(|row| row.source).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(rows[2].cells, ["", "IT", "d@b.de", " 2 "]);
    assert_eq!(rows[2].priority.as_deref(), Some("2"));
    let error = try_read(&[b"a@b.de", b"\xef\xbb\xbf"], &IntakeOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "f1 has no rows: it is empty. Check that it is the right file");
}

#[test]
fn rows_are_skipped_and_limited_over_all_sources() {
    let sources: [&[u8]; 2] = [b"UPN\na@b.de\n\nb@b.de\n", b"c@b.de\nd@b.de\n"];
    let options = |skip_rows, max_rows| IntakeOptions { skip_rows, max_rows, ..IntakeOptions::default() };
    let (intake, rows) = try_read(&sources, &options(1, Some(2))).unwrap();
    assert_eq!(ids(&rows), [(4, "b@b.de"), (1, "c@b.de")]);
    assert_eq!(intake.finish().unwrap()[1].bytes, 14);
    assert_eq!(try_read(&sources, &options(0, Some(0))).unwrap().1.len(), 0);
    let error = try_read(&sources, &options(9, None)).unwrap_err();
    assert_eq!(error.to_string(), "--skip-rows 9 skips every row: the input has 4");
}

#[test]
fn excluded_rows_are_reported() {
    let filters = vec![Filter::parse_skip("dept=^IT$").unwrap(), Filter::parse_match("UPN=(?i)@B").unwrap()];
    let options = IntakeOptions { filters, ..IntakeOptions::default() };
    let (_, rows) = try_read(&[b"UPN,Dept\na@b.de,IT\nb@b.de,HR\nc@c.de,HR\n"], &options).unwrap();
    assert_eq!(
        rows.iter().map(why).collect::<Vec<_>>(),
        ["matches --skip `dept=^IT$`", "", "does not match --match `UPN=(?i)@B`"]
    );
    assert!(message(b"UPN\na@b.de", &options).contains("no input has the column `dept` (--skip)"));
}

#[test]
fn rows_that_cannot_be_trusted_say_why_and_the_others_go_on() {
    let mut bytes = b"id,UPN,Name,objectType\n".to_vec();
    let guid = |number: u8| GUID.replace("444455556666", &format!("44445555666{number}"));
    bytes.extend(format!("{},a@b.de,Zo\u{eb},user\n", guid(1)).into_bytes());
    bytes.extend(format!("{},c@b.de,Zo", guid(2)).into_bytes());
    bytes.extend(b"\xeb,user\n");
    let rest = format!(
        "{},,Team,Group\n{},a\0@b.de,,\n{},,Lee, Ann,user\n{},b@b.de\n",
        guid(3),
        guid(4),
        guid(5),
        guid(6)
    );
    bytes.extend(rest.into_bytes());
    let (_, rows) = read(&bytes);
    let whys: Vec<&str> = rows.iter().map(why).collect();
    assert_eq!(whys[0], "");
    assert_eq!(whys[1], "");
    assert_eq!(whys[2], "a Group, not a user");
    assert_eq!(whys[3], "cell 2 has a NUL byte");
    assert_eq!((whys[4], rows[4].note.as_deref()), ("", Some("5 cells, but only 4 columns")));
    assert_eq!((whys[5], rows[5].cells[3].as_str()), ("", ""));
}

#[test]
fn a_shifted_row_never_revokes_the_manager() {
    let text = b"Name,Manager,UPN,Dept\nAnn,boss@b.de,ann@b.de,HR\nLee, Bob,boss@b.de,bob@b.de,HR\n";
    let (_, rows) = read(text);
    assert!(why(&rows[1]).contains("5 cells, but only 4 columns"), "{:?}", rows[1]);
    let (_, rows) = read(b"UPN\na@b.de\nb@b.de,c@b.de\n");
    assert!(why(&rows[1]).contains("2 cells, but only 1 column:"), "{:?}", rows[1]);
}

#[test]
fn two_stray_quotes_do_not_hide_users() {
    let (_, rows) = read(b"UPN,Notes\na@b.de,\"left\nb@b.de,x\nc@b.de,\"\nd@b.de,\"ask\nboss@b.de\"\n");
    assert_eq!(ids(&rows), [(2, "a@b.de"), (5, "d@b.de")]);
    assert!(why(&rows[0]).starts_with("cell 2 seems to include further rows"), "{:?}", rows[0]);
    assert_eq!(why(&rows[1]), "");
}

#[test]
fn windows_1252_is_read_and_noted() {
    let (intake, rows) = read(b"UPN;Name\r\nzoe@contoso.com;Zo\xeb\r\n");
    assert_eq!(rows[0].cells[1], "Zo\u{eb}");
    assert!(intake.notices()[0].contains("Windows-1252 (it is not UTF-8)"), "{:?}", intake.notices());
}

#[test]
fn errors_say_what_to_do() {
    let none = IntakeOptions::default();
    assert!(message(b"", &none).contains("it is empty"));
    assert!(message(b"# a\n\n", &none).contains("only comments"));
    assert!(message(b"UPN,Name\n,\n", &none).contains("nothing follows its header"));
    assert!(message(b"Name,Kennung\nA,B\n", &none).contains("`Name`, `Kennung`. Choose one with --column"));
    assert!(
        message(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..", &none).contains("save it as .xlsx or as CSV UTF-8")
    );
    assert!(message(b"UPN,Name\na@b.de,\"x\nb@b.de,y\n", &none).contains("opened on line 2 is never closed"));
    assert!(message(b"\"UPN,Name\na@b.de,x\n", &none).contains("opened on line 1"));
    let by = |column: &str| IntakeOptions { column: Some(column.into()), ..IntakeOptions::default() };
    assert!(message(b"a@b.de", &by("UPN")).contains("has no column `UPN` (--column): it has no columns"));
    assert!(message(b"UPN,Mail\na@b.de,b@b.de\n", &by("Mali")).contains("it has `UPN`, `Mail`"));
    let sheet = IntakeOptions { sheets: SheetChoice::Named(vec!["x".into()]), ..IntakeOptions::default() };
    assert!(message(b"a@b.de", &sheet).contains("--sheet"));
    let visible = IntakeOptions { visible_only: true, ..IntakeOptions::default() };
    assert!(message(b"a@b.de", &visible).contains("--visible-only"));
    let priority = IntakeOptions { priority_column: Some("rank".into()), ..IntakeOptions::default() };
    assert!(message(b"UPN,Name\na@b.de,b\n", &priority).contains("--priority-column"));
    let files = [InputSource::File("/nowhere/x.csv".into()), InputSource::File(std::env::temp_dir())];
    assert!(open(&files[..1], &none).unwrap_err().to_string().contains("can't open /nowhere/x.csv"));
    assert!(open(&files[1..], &none).unwrap_err().to_string().contains("is a directory"));
    assert!(matches!(open(&[InputSource::Stdin, InputSource::Stdin], &none), Err(IntakeError::StdinTwice)));
    assert!(matches!(open(&[], &none), Err(IntakeError::NoSources)));
}

#[test]
fn an_endless_line_is_one_unreadable_row() {
    let endless = io::repeat(b'x').take(16_000_000).chain(&b"\nann@contoso.com\n"[..]);
    let options = IntakeOptions::default();
    let opened = from_reader("big".into(), Box::new(endless), &options).unwrap();
    let mut intake = Intake::new(opened, &options).unwrap();
    let rows: Vec<InputRow> = intake.by_ref().map(Result::unwrap).collect();
    assert_eq!(why(&rows[0]), "longer than 1 MiB");
    assert!(rows[0].id.len() < 200);
    assert_eq!(ids(&rows[1..]), [(2, "ann@contoso.com")]);
    assert_eq!(intake.finish().unwrap()[0].bytes, 16_000_017);
}

/// Text in an encoding, as in a file.
fn encode(text: &str, label: &str, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let text = format!("{mark}{text}");
    match label {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => Encoding::for_label(label.as_bytes()).unwrap().encode(&text).0.into_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn written_rows_are_read_back(
        rows in prop::collection::vec(("[a-z]{1,8}", "[\\PC\"',;|\\t\\r\\n]{0,12}", "[ -?A-~\n]{0,12}"), 1..60),
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        (label, mark) in prop::sample::select(vec![
            ("utf-8", false), ("utf-8", true), ("utf-16le", true), ("utf-16be", true), ("windows-1252", false)]),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["Name", "UPN", "Notes"]).unwrap();
        let latin = |text: &str| if label == "windows-1252" { text.replace(|c: char| !c.is_ascii(), "\u{eb}") } else { text.to_owned() };
        let rows: Vec<[String; 3]> =
            rows.iter().map(|(id, name, notes)| [latin(&name.replace('@', "")), format!("{id}@contoso.com"), notes.clone()]).collect();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let (_, found) = read(&encode(&text, label, mark));
        prop_assert_eq!(found.len(), rows.len());
        for (found, row) in found.iter().zip(&rows) {
            prop_assert_eq!(&found.status, &RowStatus::Read);
            prop_assert_eq!(&found.id, &row[1]);
            prop_assert_eq!(&found.cells[..], &row[..]);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, start in prop::sample::select(vec![
        &b""[..], b"UPN,Name\n", b"id;\"", b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x03\x04", b"sep=,\n", b"a@b.de\n"])) {
        let bytes = [start, &bytes].concat();
        if let Ok((intake, rows)) = try_read(&[&bytes], &IntakeOptions::default()) {
            prop_assert!(rows.iter().all(|row| row.cells.len() == intake.columns().len()));
            prop_assert_eq!(intake.finish().unwrap()[0].bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn arbitrary_text_with_header_never_panics(lines in prop::collection::vec("[a,;\"@.#\\n\\r\u{e9}]{0,12}", 0..12), skip in 0..4_u64) {
        let text = format!("UPN;Name,x\n{}", lines.join("\n"));
        let options = IntakeOptions { skip_rows: skip, max_rows: Some(3), ..IntakeOptions::default() };
        if let Ok((_, rows)) = try_read(&[text.as_bytes()], &options) {
            prop_assert!(rows.len() <= 3);
        }
    }
}
