//! Workbooks: which sheet is read, and that no row, cell or ID is lost or changed.

use std::path::PathBuf;

use entra_revoke::intake::{InputRow, InputSource, IntakeOptions, RowStatus, SheetChoice, open};

use super::sent;
use super::workbook::{Sheet, parts, row, rows, single, workbook, zipped};
use crate::ctx::{CommandResult, TestContext};

/// Runs over a workbook, and gives who was sent.
fn run(bytes: &[u8], args: &[&str]) -> (TestContext, CommandResult, Vec<String>) {
    let ctx = TestContext::new("");
    let input = ctx.input("users.xlsx", bytes);
    let done = ctx.run(&input, args);
    let users = sent(&ctx).into_iter().collect();
    (ctx, done, users)
}

/// Reads a workbook without sending anybody.
fn read(bytes: &[u8], options: &IntakeOptions) -> Result<(Vec<String>, Vec<InputRow>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("users.xlsx");
    std::fs::write(&path, bytes).unwrap();
    let mut intake = open(&[InputSource::File(path)], options).map_err(|error| error.to_string())?;
    let rows = intake.by_ref().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok((intake.notices().to_vec(), rows))
}

fn ids(bytes: &[u8]) -> Vec<String> {
    read(bytes, &IntakeOptions::default()).unwrap().1.into_iter().map(|row| row.id).collect()
}

fn ids_of(xml: &str) -> Vec<String> {
    ids(&single(format!("<sheetData>{}{xml}</sheetData>", row(1, "", &["UPN", "Note"]))))
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes, &IntakeOptions::default()).err().unwrap_or_default()
}

#[test]
fn a_formula_without_a_value_is_an_invalid_row() {
    let forms = [
        "<c t=\"str\"><f>X2&amp;\"@contoso.example\"</f></c>",
        "<c><f>X2</f><v/></c>",
        "<c t=\"str\"><f>X2</f><v></v></c>",
        "<c t=\"str\"><f>IF(X2=\"\",\"\",X2)</f><v> </v></c>",
        "<c><f t=\"shared\" si=\"0\"/></c>",
        "<c><f t=\"array\" ref=\"A2\">X2:X2</f></c>",
        "<c t=\"e\"><f>VLOOKUP(X2,Y:Z,2,0)</f><v>#N/A</v></c>",
        "<c t=\"e\"><f>#REF!</f><v>#REF!</v></c>",
        "<c t=\"inlineStr\"><f>X2</f><is><t></t></is></c>",
    ];
    for form in forms {
        let bytes = single(rows(&[&["UPN"], &[form], &["bob@contoso.example"]]));
        let (ctx, done, users) = run(&bytes, &[]);
        done.exits(3);
        assert_eq!(users, ["bob@contoso.example"], "{form}");
        let rows = ctx.run_folder().rows();
        assert_eq!(
            (rows.len(), rows[0]["line"].as_str(), rows[0]["outcome"].as_str()),
            (2, "2", "invalid"),
            "{form}"
        );
        assert!(rows[0]["detail"].contains("formula in cell A2"), "{form}: {}", rows[0]["detail"]);
        // What remains does not lose the row, either.
        let remaining = ctx.run_folder().path.join("remaining.csv");
        let again = ctx.run(&remaining, &["--output-dir", "again"]);
        assert_ne!(
            again.stderr.find("formula").or(again.stderr.find("no user ID")),
            Some(0),
            "{}",
            again.stderr
        );
        assert!(sent(&ctx).len() == 1, "{form}");
    }
}

#[test]
fn a_formula_invalidates_only_rows_that_depend_on_it() {
    let xml = rows(&[
        &["UPN", "Dept", "Tenant"],
        &["ann@contoso.example", "<c><f>X2</f></c>"],
        &["bob@contoso.example", "IT"],
        &["<c t=\"str\"><f>X4</f><v>cy@contoso.example</v></c>", "HR"],
    ]);
    let bytes = single(xml);
    let (_, done, users) = run(&bytes, &[]);
    done.exits(0);
    assert_eq!(users, ["ann@contoso.example", "bob@contoso.example", "cy@contoso.example"]);
    assert!(done.stderr.contains("1 cell has a formula without a value"), "{}", done.stderr);
    let (ctx, done, users) = run(&bytes, &["--skip", "Dept=^HR$"]);
    done.exits(3);
    assert_eq!(users, ["bob@contoso.example"]);
    assert!(ctx.run_folder().rows()[0]["detail"].contains("formula in cell B2"));
}

#[test]
fn a_shared_formula_loses_no_rows() {
    let xml = format!(
        "<sheetData>{}{}{}</sheetData>",
        row(1, "", &["UPN", "Name"]),
        row(2, "", &["<c><f t=\"array\" ref=\"A2:A5\">X2:X5</f></c>", "Ann"]),
        row(4, "", &["", "Cy"]),
    );
    let (_, rows) = read(&single(xml), &IntakeOptions::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert!(
        rows.iter().all(|row| matches!(&row.status, RowStatus::Unreadable(why) if why.contains("formula")))
    );
}

#[test]
fn hidden_rows_are_reported_and_can_be_skipped() {
    for hidden in
        ["hidden=\"1\"", "hidden=\"true\"", "ht=\"0\" customHeight=\"1\"", "outlineLevel=\"1\" hidden=\"1\""]
    {
        let xml = format!(
            "<cols><col min=\"2\" max=\"2\" hidden=\"1\"/></cols><sheetData>{}{}{}{}</sheetData><autoFilter \
             ref=\"A1:B4\"/>",
            row(1, "", &["Name", "UPN"]),
            row(2, "", &["Ann", "ann@contoso.example"]),
            row(3, hidden, &["Bob", "bob@contoso.example"]),
            row(4, "collapsed=\"1\"", &["Cy", "cy@contoso.example"]),
        );
        let bytes = single(xml);
        let (_, done, users) = run(&bytes, &[]);
        done.exits(0);
        assert_eq!(users.len(), 3, "{hidden}");
        assert!(done.stderr.contains("1 hidden row (3) is read as well"), "{}", done.stderr);
        assert!(done.stderr.contains("the column of user IDs is hidden"), "{}", done.stderr);
        let (_, done, users) = run(&bytes, &["--visible-only"]);
        done.exits(0);
        assert_eq!(users, ["ann@contoso.example", "cy@contoso.example"]);
        assert!(done.stderr.contains("1 hidden row (3) is left out"), "{}", done.stderr);
    }
    let all = single(format!("<sheetData>{}</sheetData>", row(1, "hidden=\"1\"", &["ann@contoso.example"])));
    let (_, done, users) = run(&all, &["--visible-only"]);
    done.exits(2);
    assert!(users.is_empty() && done.stderr.contains("are hidden"), "{}", done.stderr);
    let ctx = TestContext::new("");
    let list = ctx.input("users.txt", "ann@contoso.example\n");
    let done = ctx.run(&list, &["--visible-only"]);
    done.exits(2);
    assert!(
        done.stderr.contains("--visible-only was given, but no input is an .xlsx workbook"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_second_header_is_skipped_or_refused() {
    let sheet = |again: &[&str]| {
        single(rows(&[
            &["UPN", "Name"],
            &["ann@contoso.example", "Ann"],
            again,
            &["bob@contoso.example", "Bob"],
        ]))
    };
    let (_, done, users) = run(&sheet(&["UPN", "Name"]), &[]);
    assert_eq!(users, ["ann@contoso.example", "bob@contoso.example"]);
    assert!(done.exits(0).stderr.contains("a repeated header"), "{}", done.stderr);
    let (_, done, users) = run(&sheet(&["Name", "UPN"]), &[]);
    assert!(users.is_empty());
    assert!(
        done.exits(2).stderr.contains("the header on line 3 differs from the header on line 1"),
        "{}",
        done.stderr
    );
}

#[test]
fn several_sheets_of_ids_are_refused_until_one_is_named() {
    let bytes = workbook(&[
        Sheet("Cover", "visible", rows(&[&["Leavers of May"], &["Prepared by:", "owner@contoso.example"]])),
        Sheet("Leavers", "visible", rows(&[&["UPN"], &["ann@contoso.example"], &["bob@contoso.example"]])),
        Sheet("Joiners", "visible", rows(&[&["Name", "UPN"], &["Cy", "cy@contoso.example"]])),
        Sheet("Old", "veryHidden", rows(&[&["UPN"], &["old@contoso.example"]])),
    ]);
    let (ctx, done, users) = run(&bytes, &[]);
    done.exits(2);
    assert!(users.is_empty() && ctx.run_folders().is_empty());
    let says = "`Leavers` (2 rows with user IDs), `Joiners` (1 row with a user ID)";
    assert!(done.stderr.contains(says) && !done.stderr.contains("Cover"), "{}", done.stderr);
    let (_, done, users) = run(&bytes, &["--sheet", "leavers"]);
    done.exits(0);
    assert_eq!(users, ["ann@contoso.example", "bob@contoso.example"]);
    let (ctx, done, users) = run(&bytes, &["--sheet", "Leavers", "--sheet", "Joiners"]);
    done.exits(0);
    assert_eq!(users.len(), 3);
    let line = &ctx.run_folder().row("cy@contoso.example")["line"];
    assert!(line.ends_with("users.xlsx [Joiners]:2"), "{line}");
    let (_, done, users) = run(&bytes, &["--sheet", "Old"]);
    done.exits(0);
    assert_eq!(users, ["old@contoso.example"]);
    assert!(done.stderr.contains("the sheet is hidden"), "{}", done.stderr);
    let (_, done, _) = run(&bytes, &["--sheet", "Quarter"]);
    done.exits(2);
    assert!(done.stderr.contains("has no sheet `Quarter`: it has `Cover`"), "{}", done.stderr);
}

#[test]
fn a_cover_sheet_is_not_read() {
    let list = || rows(&[&["UPN"], &["ann@contoso.example"]]);
    for cover in [
        rows(&[&["Prepared by: owner@contoso.example"]]),
        rows(&[&["Owner", "owner@contoso.example"]]),
        rows(&[&["Report"], &["Sales"], &["May"], &["owner@contoso.example"]]),
        rows(&[&["Contact:", "owner@contoso.example"], &["Approved by", "boss@contoso.example"]]),
    ] {
        let bytes = workbook(&[
            Sheet("Cover", "visible", cover),
            Sheet("List", "visible", list()),
            Sheet("Hidden", "hidden", rows(&[&["UPN"], &["old@contoso.example"]])),
        ]);
        let (_, done, users) = run(&bytes, &[]);
        done.exits(0);
        assert_eq!(users, ["ann@contoso.example"]);
        assert!(done.stderr.contains("`Hidden`, hidden (1 row with a user ID)"), "{}", done.stderr);
    }
    let bytes = workbook(&[
        Sheet("Text", "visible", rows(&[&["Nothing to see"]])),
        Sheet("Hidden", "hidden", rows(&[&["UPN"], &["old@contoso.example"]])),
    ]);
    let (_, done, users) = run(&bytes, &[]);
    done.exits(2);
    assert!(users.is_empty() && done.stderr.contains("only hidden sheets have user IDs"), "{}", done.stderr);
    // Two plain lists without headers are two lists.
    let plain = |id: &str| rows(&[&[id]]);
    let bytes = workbook(&[
        Sheet("A", "visible", plain("ann@contoso.example")),
        Sheet("B", "visible", plain("bob@contoso.example")),
    ]);
    assert!(refusal(&bytes).contains("several sheets have user IDs"));
}

#[test]
fn all_sheets_can_be_read() {
    let bytes = workbook(&[
        Sheet("Service", "visible", rows(&[&["UPN"], &["cy@contoso.example"]])),
        Sheet("Empty", "visible", "<sheetData/>".into()),
        Sheet(
            "Glass",
            "hidden",
            format!(
                "<sheetData>{}{}{}</sheetData>",
                row(1, "", &["User"]),
                row(2, "hidden=\"1\"", &["bg@contoso.example"]),
                row(3, "", &["<c><f>X2</f></c>"])
            ),
        ),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.xlsx");
    std::fs::write(&path, bytes).unwrap();
    let options = IntakeOptions { sheets: SheetChoice::All, ..IntakeOptions::default() };
    let mut intake = open(&[InputSource::File(path)], &options).unwrap();
    let ids: Vec<String> = intake.by_ref().map(|row| row.unwrap().id).collect();
    assert_eq!(ids, ["cy@contoso.example", "bg@contoso.example", "=X2"]);
    let sheets: Vec<_> = intake
        .sheets()
        .iter()
        .map(|s| (s.name.as_str(), s.is_hidden, s.is_read, s.id_rows, s.hidden_rows, s.valueless_formulas))
        .collect();
    assert_eq!(
        sheets,
        [("Service", false, true, 1, 0, 0), ("Empty", false, false, 0, 0, 0), ("Glass", true, true, 1, 1, 1)]
    );
}

#[test]
fn no_id_is_lost_or_altered() {
    let rows_of = |cells: &[&str]| {
        cells.iter().enumerate().map(|(n, cell)| row(n + 2, "", &[cell])).collect::<String>()
    };
    let cells = [
        "<c t=\"str\"><v>a@contoso.example</v></c>",
        "<c t=\"inlineStr\"><is><r><rPr><b/></rPr><t>b@con</t></r><r><t xml:space=\"preserve\">toso.example \
         </t></r></is></c>",
        "<c t=\"inlineStr\"><is><t>c@contoso.example</t><rPh sb=\"0\" eb=\"1\"><t>SEE</t></rPh><phoneticPr \
         fontId=\"1\"/></is></c>",
        "<c t=\"inlineStr\"><is><t>d_x0040_contoso.example</t></is></c>",
        "<c t=\"inlineStr\"><is><t>e&amp;e@contoso.example</t></is></c>",
        "<c t=\"inlineStr\"><is><t><![CDATA[f@contoso.example]]></t></is></c>",
        "<c t=\"inlineStr\"><is><t>g&#64;contoso.example<!-- no --></t></is></c>",
        "<c t=\"n\"><v>20400</v></c>",
        "<c><v>12345678901234567890</v></c>",
        "<c t=\"b\"><v>1</v></c>",
        "<c t=\"d\"><v>2026-05-29</v></c>",
    ];
    let expected = [
        "a@contoso.example",
        "b@contoso.example",
        "c@contoso.example",
        "d@contoso.example",
        "e&e@contoso.example",
        "f@contoso.example",
        "g@contoso.example",
        "20400",
        "12345678901234567890",
        "TRUE",
        "2026-05-29",
    ];
    assert_eq!(ids_of(&rows_of(&cells)), expected);
    // Cells and rows that do not say where they are follow those before them.
    let implied = "<row><c t=\"str\"><v>h@contoso.example</v></c></row><row r=\"\"><c r=\"\" \
         t=\"str\"><v>i@contoso.example</v></c></row>";
    assert_eq!(ids_of(implied), ["h@contoso.example", "i@contoso.example"]);
    // Cells in any order.
    let turned = "<row r=\"2\"><c r=\"B2\" t=\"str\"><v>x</v></c><c r=\"A2\" \
         t=\"str\"><v>j@contoso.example</v></c></row>";
    assert_eq!(ids_of(turned), ["j@contoso.example"]);
    // Merged cells hold their value once; the other rows are there, without an id.
    let merged = format!("{}{}", row(2, "", &["k@contoso.example", "one"]), row(3, "", &["", "two"]));
    assert_eq!(ids_of(&merged), ["k@contoso.example", ""]);
    let strings = "<si><t>UPN</t></si><si><r><t>l@</t></r><r><t>contoso.example</t></r><rPh sb=\"0\" \
         eb=\"1\"><t>no</t></rPh></si><si/>";
    let xml = rows(&[&["<c t=\"s\"><v>0</v></c>"], &["<c t=\"s\"><v>1</v></c>", "<c t=\"s\"><v>2</v></c>"]]);
    assert_eq!(ids(&zipped(&parts(&[Sheet("S", "visible", xml)], Some(strings)))), ["l@contoso.example"]);
}

#[test]
fn unusual_packages_are_read() {
    let list = rows(&[&["UPN"], &["ann@contoso.example"]]);
    let usual = || parts(&[Sheet("S", "visible", list.clone())], None);
    let altered = |from: &str, to: &str| {
        let mut parts = usual();
        for (name, bytes) in &mut parts {
            *name = name.replace(from, to);
            *bytes = String::from_utf8(bytes.clone()).unwrap().replace(from, to).into_bytes();
        }
        ids(&zipped(&parts))
    };
    let ann = ["ann@contoso.example"];
    assert_eq!(
        altered(
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            "http://purl.oclc.org/ooxml/spreadsheetml/main"
        ),
        ann
    );
    assert_eq!(
        altered(
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships"
        ),
        ann
    );
    assert_eq!(altered("worksheets/sheet1.xml", "Blätter/My sheet.xml"), ann);
    assert_eq!(altered("Target=\"worksheets/", "Target=\"/xl/worksheets/"), ann);
    assert_eq!(altered("Target=\"worksheets/", "Target=\"..\\xl\\worksheets\\"), ann);
    assert_eq!(altered("Target=\"worksheets/sheet1", "Target=\"worksheets/SHEET1"), ann);
    let mut prefixed = usual();
    for (name, bytes) in &mut prefixed {
        if name.contains("sheet1") {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let text = text
                .replace("</", "\u{1}")
                .replace("<?", "\u{2}")
                .replace('<', "<x:")
                .replace('\u{1}', "</x:");
            *bytes = text.replace('\u{2}', "<?").replace("xmlns=", "xmlns:x=").into_bytes();
        }
    }
    assert_eq!(ids(&zipped(&prefixed)), ann);
    let mut backslashes = usual();
    backslashes.iter_mut().for_each(|(name, _)| *name = name.replace('/', "\\"));
    assert_eq!(ids(&zipped(&backslashes)), ann);
    let utf16 = {
        let mut parts = usual();
        let text = String::from_utf8(parts[1].1.clone()).unwrap().replace("UTF-8", "UTF-16");
        parts[1].1 = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        zipped(&parts)
    };
    assert!(refusal(&utf16).contains("not in UTF-8"));
}

#[test]
fn ambiguous_workbooks_are_refused() {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let refused = |what: &str, bytes: &[u8]| {
        let why = refusal(bytes);
        assert!(why.contains("can be read in two ways"), "{what}: {why:?}");
    };
    for cell in [
        "<c t=\"str\"><v>a@contoso.example</v><v>b@contoso.example</v></c>",
        "<c t=\"str\"><v>a@contoso.example</v><x:v xmlns:x=\"urn:x\">b@contoso.example</x:v></c>",
        "<c t=\"str\"><x:v xmlns:x=\"urn:x\">b@contoso.example</x:v></c>",
        "<c t=\"str\"><v xmlns=\"urn:x\">b@contoso.example</v></c>",
        "<c t=\"str\"><v>a@contoso.example<v>x</v></v></c>",
        "<c t=\"str\"><f>X2</f><f>X3</f><v>a@contoso.example</v></c>",
        "<c t=\"inlineStr\"><is><t>a@contoso.example</t></is><is><t>b@contoso.example</t></is></c>",
        "<c t=\"inlineStr\"><is><t>a@contoso.example</t><t>b</t></is></c>",
        "<c t=\"inlineStr\"><is><x:t xmlns:x=\"urn:x\">a@contoso.example</x:t></is></c>",
        "<c t=\"inlineStr\"><is><t>a@contoso.example</t></is><v>b@contoso.example</v></c>",
        "<c t=\"str\"><AlternateContent><v>b@contoso.example</v></AlternateContent></c>",
    ] {
        refused(cell, &single(rows(&[&["UPN"], &[cell]])));
    }
    let first = format!("{}{}", row(1, "", &["UPN"]), row(2, "", &["ann@contoso.example"]));
    let third = row(3, "", &["bob@contoso.example"]);
    let cell = "<c t=\"str\"><v>bob@contoso.example</v></c>";
    for more in [
        format!(
            "<mc:AlternateContent xmlns:mc=\"urn:mc\"><mc:Choice>{third}</mc:Choice></mc:AlternateContent>"
        ),
        format!("<AlternateContent>{third}</AlternateContent>"),
        format!("<x:row xmlns:x=\"urn:x\" r=\"3\">{cell}</x:row>"),
        format!("<row xmlns=\"urn:x\" r=\"3\">{cell}</row>"),
        format!("<row r=\"3\"><AlternateContent>{cell}</AlternateContent></row>"),
        "<row r=\"3\"><x:c xmlns:x=\"urn:x\" t=\"str\"><v>bob@contoso.example</v></x:c></row>".to_owned(),
        format!("</sheetData>{third}<sheetData>"),
    ] {
        refused(&more, &single(format!("<sheetData>{first}{more}</sheetData>")));
    }
    let beside = format!("<sheetData>{first}</sheetData><AlternateContent>{third}</AlternateContent>");
    refused("beside", &single(beside));
    for strings in [
        "<si><AlternateContent><t>UPN</t></AlternateContent></si>",
        "<si><x:t xmlns:x=\"urn:x\">UPN</x:t></si>",
        "<x:si xmlns:x=\"urn:x\"><t>UPN</t></x:si>",
    ] {
        let sheet = Sheet("S", "visible", rows(&[&["UPN"], &["ann@contoso.example"]]));
        refused(strings, &zipped(&parts(&[sheet], Some(strings))));
    }
    // Prefixes of the spreadsheet's own namespace, and what other programs add next to the rows, do not matter.
    let own = format!(
        "<sheetData>{first}<y:row xmlns:y=\"{MAIN}\" xmlns:z=\"urn:z\" z:r=\"9\" r=\"3\">{cell}<extLst><z:row/>\
         </extLst></y:row></sheetData><extLst><x:row xmlns:x=\"urn:x\">5</x:row></extLst>"
    );
    assert_eq!(ids(&single(own)), ["ann@contoso.example", "bob@contoso.example"]);
}

/// What a formula came to in a column of object ids does not make the column one of something else.
#[test]
fn a_formula_error_invalidates_only_its_row() {
    let error = "<c t=\"e\"><f>VLOOKUP(1,2,3)</f><v>#N/A</v></c>";
    let id = "9f4c1a2b-0000-4000-8000-00000000000a";
    let bytes = single(rows(&[
        &["Object Id", "User principal name"],
        &[id, "ann@contoso.example"],
        &[error, "bob@contoso.example"],
        &[error, "cy@contoso.example"],
    ]));
    let (_, _, users) = run(&bytes, &[]);
    assert_eq!(users, [id, "bob@contoso.example", "cy@contoso.example"]);
}
