//! Tests of the things in real files that are not rows: end marks, separator lines, templates, bytes in another
//! encoding.

use super::*;

/// What was skipped: why, how often, and on which lines.
fn omitted(intake: &Intake) -> Vec<(OmissionReason, u64, Vec<u64>)> {
    let all = intake.omissions().iter().flat_map(Omissions::iter);
    all.map(|omission| (omission.reason, omission.count, omission.lines.clone())).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    encode(text, "utf-16le", true)
}

#[test]
fn blanks_around_quotes_shift_no_cell() {
    for blank in [" ", "\t", "\u{a0}", "  \u{200b}", "\u{feff}", "\u{3000}"] {
        for after in ["", " ", "\u{a0}\t"] {
            let text = format!(
                "No,{blank}\"Name, first\"{after},{blank}\"Mail\"{after}\n1,{blank}\"Lee, Ann\"{after},{blank}\"ann@b.de\"{after}\n\
                 2,{blank}\"Lee,\nBob\"{after}, bob@b.de\n"
            );
            let (intake, rows) = read(text.as_bytes());
            assert_eq!(intake.columns(), ["No", "Name, first", "Mail"], "{text:?}");
            assert_eq!(ids(&rows), [(2, "ann@b.de"), (3, "bob@b.de")], "{text:?}");
            assert_eq!((rows[0].cells[1].as_str(), why(&rows[1])), ("Lee, Ann", ""), "{text:?}");
        }
    }
    // If tabs separate cells, a tab is not a blank.
    let (_, rows) = read(b"Name\tUPN\tNote\n\"Lee\"\tann@b.de\t \"a\tb\" \n\t\"bob@b.de\"\tx\n");
    assert_eq!(ids(&rows), [(2, "ann@b.de"), (3, "bob@b.de")]);
    assert_eq!(rows[0].cells[2], "a\tb");
    // The no-break space of Windows-1252 in a file that is UTF-8 otherwise.
    let (_, rows) = read("No,Näme,UPN\n1,\"Ü, 1\",ä@b.de\n".as_bytes());
    assert_eq!(rows[0].cells[1], "Ü, 1");
    let (_, rows) = read(&["No,Näme,UPN\n1,".as_bytes(), b"\xa0\"Lee, Ann\",ann@b.de\n"].concat());
    assert_eq!((ids(&rows), why(&rows[0])), (vec![(2, "ann@b.de")], ""));
}

#[test]
fn quotes_that_are_not_doubled_shift_no_cell() {
    let text = b"Name,UPN,Manager\n\"Lee \"Ann\", Jr\",ann@b.de,boss@b.de\n\"Lee \\\"Bob\\\", Jr\",bob@b.de\n\"Lee \"Cy\" Li\",cy@b.de,boss@b.de\n";
    let (_, rows) = read(text);
    assert!(why(&rows[0]).contains("follow the closing quote"), "{}", why(&rows[0]));
    assert!(why(&rows[1]).contains("follow the closing quote"), "{}", why(&rows[1]));
    assert_eq!((rows[2].id.as_str(), why(&rows[2])), ("cy@b.de", ""));
    let (_, rows) =
        read("No,Name,UPN,Manager\n1,'Lee, Ann',ann@b.de\n2,\u{201c}Lee, Bob\u{201d},bob@b.de\n".as_bytes());
    assert!(
        rows.iter().all(|row| why(row).starts_with("a quote opens in cell 2 and closes in cell 3")),
        "{rows:?}"
    );
}

#[test]
fn undecodable_bytes_fault_the_cell_not_the_row() {
    let mut bytes = "id,UPN,Näme,Tenant,Priority,Type,Note\n".as_bytes().to_vec();
    let row = |cells: [&[u8]; 7]| [cells.join(&b','), b"\n".to_vec()].concat();
    let good: [&[u8]; 7] =
        [GUID.as_bytes(), b"a@b.de", "Zoë".as_bytes(), b"contoso.com", b"1", b"user", b"x"];
    bytes.extend(row(good));
    for at in 0..7 {
        let mut cells = good;
        cells[at] = b"Zo\xeb";
        bytes.extend(row(cells));
    }
    let mut cells = good;
    cells[6] = b"a\0b";
    bytes.extend(row(cells));
    let (intake, rows) = read(&bytes);
    let read: Vec<bool> = rows.iter().map(|row| row.status == RowStatus::Read).collect();
    assert_eq!(read, [true, false, false, true, false, false, false, true, true], "{rows:?}");
    assert!(why(&rows[1]).contains("byte 0xEB in cell 1 is not UTF-8"), "{}", why(&rows[1]));
    let note = &intake.notices()[1];
    assert!(
        note.contains(
            "8 cells could not be read (not UTF-8: lines 3, 4, 5, 6, 7, …; with NUL bytes: line 10)"
        ),
        "{note}"
    );
    assert!(note.contains("--encoding windows-1252"), "{note}");
    assert_eq!(intake.notices().len(), 2);
    // A cell that a filter reads must be readable.
    let filters = vec![Filter::parse_skip("note=left").unwrap()];
    let options = IntakeOptions { filters, ..IntakeOptions::default() };
    let (_, rows) = try_read(&[&bytes], &options).unwrap();
    assert!(why(&rows[7]).contains("cell 7") && why(&rows[8]).contains("NUL"), "{rows:?}");
}

#[test]
fn undecodable_byte_after_the_head_faults_one_cell() {
    let mut bytes = b"UPN,Name\n".to_vec();
    for number in 0..40_000 {
        bytes.extend(format!("u{number}@contoso.com,Name {number}\n").into_bytes());
    }
    assert!(bytes.len() > 1024 * 1024);
    bytes.extend(b"zoe@contoso.com,Zo\xeb\n");
    let (intake, rows) = read(&bytes);
    assert!(rows.iter().all(|row| row.status == RowStatus::Read) && rows.len() == 40_001);
    assert!(
        intake.notices()[1].contains("1 cell could not be read (not UTF-8: line 40002)"),
        "{:?}",
        intake.notices()
    );
}

#[test]
fn a_list_loses_no_id_to_its_comments() {
    let (intake, rows) =
        read(b"\xc3\xab\xc3\xab\xc3\xabann@b.de\nann@b.de # Zo\xeb\nbob@b.de\0\n# Zo\xeb\ncy@b.de\n");
    let found: Vec<(&str, bool)> =
        rows.iter().map(|row| (row.id.as_str(), row.status == RowStatus::Read)).collect();
    assert_eq!(found[1..], [("ann@b.de", true), ("bob@b.de\0", false), ("cy@b.de", true)]);
    assert!(intake.notices()[1].contains("3 cells could not be read"), "{:?}", intake.notices());
}

#[test]
fn truncated_utf16_character_loses_no_user() {
    let mut bytes = utf16("UPN;Name\r\nann@b.de;A\r\nbob@b.de;B\r\n");
    let lone = bytes.iter().position(|byte| *byte == b'A').unwrap();
    bytes[lone + 1] = 0xd8;
    for end in [&b"\n"[..], b"\0", b"\x1a", b"\x1a\0", b"\x1a\0\r\0\n\0"] {
        let (intake, rows) = read(&[&bytes[..], end].concat());
        assert_eq!(ids(&rows), [(2, "ann@b.de"), (3, "bob@b.de")], "{end:?}");
        assert!(rows.iter().all(|row| row.status == RowStatus::Read), "{end:?} {rows:?}");
        assert!(
            omitted(&intake).contains(&(OmissionReason::EndMark, 1, vec![4])),
            "{end:?} {:?}",
            omitted(&intake)
        );
    }
}

#[test]
fn dos_end_mark_is_not_a_user() {
    for start in ["UPN,Name\nann@b.de,Ann\n", "UPN\nann@b.de\n", "ann@b.de\n", "Name,UPN\nAnn,ann@b.de\n"] {
        for end in ["\x1a", "\x1a\r\n", "\x1a\n\n", "\x1a\x1a", "\r\n \x1a", "\0\0\0\0"] {
            let text = format!("{start}{end}");
            let (intake, rows) = read(text.as_bytes());
            assert_eq!(ids(&rows), [(rows[0].line, "ann@b.de")], "{text:?}");
            assert_eq!(omitted(&intake)[0].0, OmissionReason::EndMark, "{text:?}");
            // Without a line end before it.
            let (intake, rows) = read(format!("{}{}", start.trim_end(), end.trim_start()).as_bytes());
            if !end.contains('\0') {
                assert_eq!((ids(&rows), why(&rows[0])), (vec![(rows[0].line, "ann@b.de")], ""), "{text:?}");
                assert!(intake.notices()[1].contains("end mark"), "{:?}", intake.notices());
            }
        }
    }
    // Two files, one after the other.
    let (_, rows) = read(b"UPN,Name\nann@b.de,\"Ann\"\x1a\r\n\x1abob@b.de,Bob\r\n\x1a");
    assert_eq!(ids(&rows), [(2, "ann@b.de"), (3, "bob@b.de")]);
}

#[test]
fn separator_lines_are_not_users() {
    let table = b"+------+----------+\n| Name | UPN      |\n+------+----------+\n| Ann  | ann@b.de |\n+------+----------+\n";
    for (text, lines) in [
        (&b"UPN\n--------\nann@b.de\n"[..], vec![2]),
        (b"UPN,Name\n--------,----\nann@b.de,Ann\n=====\n", vec![2, 4]),
        (b"| UPN | Name |\n|-----|:----:|\n| ann@b.de | Ann |\n", vec![2]),
        (table, vec![1, 3, 5]),
        (b"-----\nann@b.de\n-----\n", vec![1, 3]),
        ("Name;UPN\n\u{2500}\u{2500}\u{2500};\u{2500}\u{2500}\u{2500}\nAnn;ann@b.de\n".as_bytes(), vec![2]),
    ] {
        let (intake, rows) = read(text);
        let text = String::from_utf8_lossy(text);
        assert_eq!((rows.len(), rows[0].id.as_str(), why(&rows[0])), (1, "ann@b.de", ""), "{text}");
        assert_eq!(omitted(&intake), [(OmissionReason::Separator, lines.len() as u64, lines)], "{text}");
    }
}

#[test]
fn templates_are_read_without_their_version_and_example() {
    let create = "Name [displayName] Required,User name [userPrincipalName] Required\nExample: Chris Green,chris@contoso.com\nAnn,ann@b.de\n";
    let delete = "User name [userPrincipalName] Required\nExample: chris@contoso.com\nann@b.de\n";
    let members = format!(
        "Member object ID or user principal name [memberObjectIdOrUpn] Required\n\"Example: {GUID}\"\nann@b.de\n"
    );
    let moved = "User name [userPrincipalName] Required,Name [displayName] Required\nchris@contoso.com,Example: Chris Green\nann@b.de,Ann\n";
    for body in [create, delete, &members, moved] {
        for version in [
            "",
            "version:v1.0\n",
            "\"version:v1.0\"\n",
            "version:v1.0,,\n",
            "\"version:v1.0\",\"\"\n",
            "Version: V1.0\n",
        ] {
            for delimiter in [",", ";", "\t"] {
                let text = format!("{version}{body}").replace(',', delimiter);
                let (intake, rows) = read(text.as_bytes());
                assert_eq!((rows.len(), rows[0].id.as_str()), (1, "ann@b.de"), "{text}");
                let at = 2 + u64::from(!version.is_empty());
                let omitted = omitted(&intake);
                assert!(omitted.contains(&(OmissionReason::Example, 1, vec![at])), "{text} {omitted:?}");
                let version = !version.is_empty();
                assert_eq!(
                    omitted.contains(&(OmissionReason::Version, 1, vec![1])),
                    version,
                    "{text} {omitted:?}"
                );
            }
        }
    }
    // In a table that is not a template, such a row may have a user: the user is not revoked, and the report has the
    // row.
    let (_, rows) = read(b"Name,UPN\nExample: Chris,chris@b.de\nAnn,ann@b.de\n");
    assert!(why(&rows[0]).contains("example row of a bulk template"), "{rows:?}");
    assert_eq!(why(&rows[1]), "");
    assert!(
        message(delete.trim_end_matches("ann@b.de\n").as_bytes(), &IntakeOptions::default())
            .contains("nothing follows")
    );
}

/// A line of an input, as in real files.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let id = "[a-z]{1,6}@b\\.de";
    prop_oneof![
        4 => (id, "[a-z ]{0,6}").prop_map(|(id, name)| format!("{name},{id},x").into_bytes()),
        1 => (id, "[a-z ]{1,6}").prop_map(|(id, name)| format!("\"{name}, a\" , \"{id}\", \"y, z\"").into_bytes()),
        1 => id.prop_map(|id| [b"Zo\xeb,".to_vec(), id.into_bytes(), b",\0".to_vec()].concat()),
        1 => id.prop_map(|id| [b"n,Zo\xeb".to_vec(), id.into_bytes()].concat()),
        1 => "[-=+|:]{1,8}".prop_map(String::into_bytes),
        1 => "[ ,\\t]{0,4}".prop_map(String::into_bytes),
        1 => Just(b"\x1a".to_vec()),
        1 => Just(b"version:v1.0".to_vec()),
        1 => Just(b"Example: Chris,chris@b.de,x".to_vec()),
        1 => Just(b"Example: chris@b.de".to_vec()),
        1 => "[\\PC]{0,12}".prop_map(|text| text.replace('"', "").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn every_row_is_read_or_named(
        lines in prop::collection::vec(line(), 1..40),
        header in prop::sample::select(vec!["Name,UPN,Note", "Name [displayName] Required,User name [userPrincipalName] Required,Note"]),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        // Enough characters to be UTF-8, whatever the rows have.
        let mut all = vec![format!("{header},{}", "\u{e9}".repeat(100)).into_bytes()];
        all.extend(lines);
        let Ok((intake, rows)) = try_read(&[&all.join(end.as_bytes())], &IntakeOptions::default()) else { return Ok(()) };
        let omitted = omitted(&intake);
        let not_cells = |reason: &OmissionReason| !matches!(reason, OmissionReason::UndecodableBytes(_) | OmissionReason::Nul);
        for (at, line) in all.iter().enumerate().skip(1) {
            let number = at as u64 + 1;
            let is_row = rows.iter().any(|row| row.line == number);
            let is_named = omitted.iter().any(|(reason, _, lines)| not_cells(reason) && lines.contains(&number));
            let text = String::from_utf8_lossy(line);
            let is_blank = text.split(',').all(|cell| cell::trim(cell).is_empty());
            prop_assert!(is_row || is_named || is_blank, "line {} is lost: {:?}", number, text);
            prop_assert!(!(is_row && is_named && !text.contains('\u{1a}')), "line {} is told twice: {:?}", number, text);
        }
        // A user who is revoked is named by a whole cell, and is never the example.
        for row in rows.iter().filter(|row| row.status == RowStatus::Read) {
            let text = String::from_utf8_lossy(&all[row.line as usize - 1]).into_owned();
            prop_assert!(text.contains(&row.id) && !text.starts_with("Example"), "{:?} of {:?}", row.id, text);
        }
    }
}
