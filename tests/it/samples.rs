//! Every sample is read as `samples/README.md` says.

use std::io::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use entra_revoke::intake::{
    InputRow, InputSource, Intake, IntakeOptions, RowStatus, SheetChoice, SourceKind, open,
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn read(name: &str) -> (Intake, Vec<InputRow>) {
    // The workbook has two sheets of users, and will not be read before one is named.
    let sheets =
        if name.ends_with(".xlsx") { SheetChoice::Named(vec!["Leavers".into()]) } else { SheetChoice::Auto };
    let options = IntakeOptions { sheets, ..IntakeOptions::default() };
    let mut intake = open(&[InputSource::File(path(name))], &options).expect("the sample opens");
    let rows = intake.by_ref().collect::<Result<_, _>>().expect("every row can be read");
    (intake, rows)
}

fn guests(rows: &[InputRow]) -> usize {
    rows.iter().filter(|row| row.external_hint == Some(true)).count()
}

fn row<'a>(rows: &'a [InputRow], id: &str) -> &'a InputRow {
    rows.iter().find(|row| row.id == id).expect("the row is there")
}

#[test]
fn the_readme_matches_the_samples() {
    let readme = std::fs::read_to_string(path("README.md")).unwrap();
    let mut names = Vec::new();
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (intake, rows) = read(cells[1]);
        let was_read = rows.iter().filter(|row| row.status == RowStatus::Read).count();
        let counts = [rows.len(), was_read, rows.len() - was_read].map(|count| count.to_string());
        assert_eq!([cells[2], cells[4], cells[5]], counts, "{}: {:?}", cells[1], intake.notices());
        assert_eq!(intake.id_columns()[0].as_deref().unwrap_or(""), cells[3]);
        names.push(cells[1].to_owned());
    }
    let mut files: Vec<String> = std::fs::read_dir(path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md" && !name.starts_with('.'))
        .collect();
    files.sort();
    names.sort();
    assert_eq!(names, files);
}

#[test]
fn group_export_is_read() {
    let (intake, rows) = read("group-export.csv");
    assert_eq!(guests(&rows), 4);
    let whys: Vec<&RowStatus> =
        rows.iter().map(|row| &row.status).filter(|v| **v != RowStatus::Read).collect();
    let no_user = |what: &str| RowStatus::Unreadable(format!("{what}, not a user"));
    assert_eq!(whys, [&no_user("a Group"), &no_user("a Device")]);
    assert!(
        intake.notices()[0]
            .contains("CSV, `,`, UTF-8; IDs from column `id` (also found `userPrincipalName`)")
    );
    let digest = &intake.finish().unwrap()[0];
    assert_eq!(
        (digest.kind, digest.bytes),
        (SourceKind::Csv, std::fs::metadata(path("group-export.csv")).unwrap().len())
    );
}

#[test]
fn excel_semicolon_utf16_is_read() {
    let (intake, rows) = read("excel-semicolon-utf16.csv");
    assert_eq!(guests(&rows), 2);
    assert_eq!(rows.iter().filter(|row| row.note.is_some()).count(), 2);
    assert!(row(&rows, "chiara.rossi@contoso.com").note.as_deref().unwrap().contains("`Object Id` is empty"));
    assert!(rows.iter().all(|row| row.id == row.id.trim() && !row.id.contains('\u{a0}')));
    assert_eq!(rows.iter().find(|row| row.cells[0] == "Debra Berger").unwrap().line, 10);
    assert_eq!(rows.iter().find(|row| row.cells[0] == "Diego Siciliani").unwrap().line, 12);
    assert!(intake.notices()[0].contains("CSV, `;`, UTF-16LE; IDs from column `Object Id`"));
}

#[test]
fn list_is_read() {
    let (intake, rows) = read("list.txt");
    assert_eq!(guests(&rows), 1);
    assert_eq!(rows[0].line, 4);
    assert_eq!(row(&rows, "diego.siciliani@contoso.com").line, 10);
    assert!(rows.iter().any(|row| row.id == "BJORN.LINDQVIST@Contoso.com") && rows[24].id == "reception");
    assert!(rows.iter().any(|row| row.id.starts_with('{')));
    assert!(intake.columns().is_empty());
    assert_eq!(intake.finish().unwrap()[0].kind, SourceKind::List);
}

#[test]
fn offboarding_hr_is_read() {
    let (intake, rows) = read("offboarding-hr.csv");
    assert_eq!(intake.columns().len(), 7);
    let last = rows.last().unwrap();
    assert_eq!((last.id.as_str(), last.cells[0].as_str(), last.line), ("", "Total: 39", 44));
    assert_eq!(row(&rows, "lidia.holloway@contoso.com").priority.as_deref(), Some("2"));
    assert!(row(&rows, "elif.yilmaz@contoso.com").cells[6].starts_with("=HYPERLINK("));
    assert_eq!(row(&rows, "johanna.lorenz@contoso.com").cells[6].lines().count(), 3);
    assert_eq!(rows.iter().filter(|row| row.id.is_empty()).count(), 2);
}

#[test]
fn offboarding_workbook_is_read() {
    let (intake, rows) = read("offboarding.xlsx");
    assert!(
        intake.notices()[0].contains("xlsx, sheet `Leavers` (not read: `Joiners`)"),
        "{:?}",
        intake.notices()
    );
    assert!(intake.notices()[0].contains("the header is on line 3"));
    assert_eq!(guests(&rows), 1);
    assert_eq!(
        (rows[0].line, rows[0].cells[0].as_str(), rows[0].cells[5].as_str()),
        (4, "20400", "2026-05-29")
    );
    assert_eq!(rows.iter().filter(|row| row.note.is_some()).count(), 1);
    assert_eq!(rows.iter().find(|row| row.cells[5].contains('T')).unwrap().cells[5], "2026-06-12T17:30:00");
    assert_eq!(rows[31].cells[0], "Total: 31");

    let options =
        IntakeOptions { sheets: SheetChoice::Named(vec!["joiners".into()]), ..IntakeOptions::default() };
    let joiners = open(&[InputSource::File(path("offboarding.xlsx"))], &options).unwrap();
    assert_eq!(joiners.map(|row| row.unwrap().id).collect::<Vec<_>>(), ["nova.quist@contoso.com"]);
    let options = IntakeOptions { sheets: SheetChoice::Named(vec!["Q3".into()]), ..IntakeOptions::default() };
    let error = open(&[InputSource::File(path("offboarding.xlsx"))], &IntakeOptions::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("`Leavers` (31 rows with user IDs), `Joiners` (1 row with a user ID)"), "{error}");
    let error = open(&[InputSource::File(path("offboarding.xlsx"))], &options).unwrap_err().to_string();
    assert!(error.contains("has no sheet `Q3`: it has `Leavers`, `Joiners`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_workbook_is_refused_cleanly(at in 0.0..1.0, byte: u8, cut: bool) {
        let mut bytes = std::fs::read(path("offboarding.xlsx")).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] = byte;
        bytes.truncate(if cut { at } else { bytes.len() });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let options = IntakeOptions { sheets: SheetChoice::Named(vec!["Leavers".into()]), ..IntakeOptions::default() };
        if let Ok(intake) = open(&[InputSource::File(file.path().into())], &options) {
            prop_assert!(intake.count() < 40);
        }
    }
}
