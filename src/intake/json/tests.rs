//! JSON as tools write it: bytes in, rows out.

use std::io;

use proptest::prelude::*;

use super::super::source_reader::from_reader;
use super::super::*;
use super::looks_like_json;

fn read_with(bytes: &[u8], options: &IntakeOptions) -> Result<(Intake, Vec<InputRow>), IntakeError> {
    let opened = from_reader("f".into(), Box::new(io::Cursor::new(bytes.to_vec())), options)?;
    let mut intake = Intake::new(opened, options)?;
    let rows = intake.by_ref().collect::<Result<_, _>>()?;
    Ok((intake, rows))
}

fn read(text: &str) -> Vec<InputRow> {
    read_with(text.as_bytes(), &IntakeOptions::default()).unwrap().1
}

fn ids(rows: &[InputRow]) -> Vec<(u64, &str)> {
    rows.iter().map(|row| (row.line, row.id.as_str())).collect()
}

fn message(text: &str) -> String {
    match read_with(text.as_bytes(), &IntakeOptions::default()) {
        Ok((_, rows)) => format!("read: {:?}", ids(&rows)),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_refused(text: &str, says: &str) {
    let message = message(text);
    assert!(message.contains(says), "{text}: {message}");
}

const ANN: &str = "8a0f3c1e-1111-2222-3333-44445555666a";
const BOB: &str = "8a0f3c1e-1111-2222-3333-44445555666b";

#[test]
fn a_list_of_texts() {
    let (intake, rows) = read_with(
        b"\xef\xbb\xbf[\r\n  \"ann@contoso.com\",\r\n  \"bo\\u0062@contoso.com\",\r\n null, \"\",\r\n \"# no \
             comment\"\r\n]\r\n",
        &IntakeOptions::default(),
    )
    .unwrap();
    assert_eq!(ids(&rows), [(2, "ann@contoso.com"), (3, "bob@contoso.com"), (5, "# no comment")]);
    assert_eq!(intake.notices(), ["f: JSON, UTF-8; a list of strings, each a user ID"]);
    let digest = &intake.finish().unwrap()[0];
    assert_eq!((digest.kind, digest.bytes), (SourceKind::Json, 87));
    assert_eq!(serde_json::to_string(&digest.kind).unwrap(), "\"json\"");
}

#[test]
fn the_members_of_a_group() {
    let text = format!(
        r##"[
  {{
    "@odata.type": "#microsoft.graph.user",
    "businessPhones": [ "1", "2" ],
    "id": "{ANN}",
    "jobTitle": null,
    "userPrincipalName": "ann@contoso.com"
  }},
  {{ "@odata.type": "#microsoft.graph.group", "id": "{BOB}", "late": 17 }}
]"##
    );
    let (intake, rows) = read_with(text.as_bytes(), &IntakeOptions::default()).unwrap();
    assert_eq!(ids(&rows), [(2, ANN), (9, BOB)]);
    assert_eq!(rows[1].status, RowStatus::Unreadable("a Group, not a user".into()));
    let columns = ["@odata.type", "businessPhones", "id", "jobTitle", "userPrincipalName", "late"];
    assert_eq!(intake.columns(), columns);
    assert_eq!(rows[0].cells, ["#microsoft.graph.user", r#"["1","2"]"#, ANN, "", "ann@contoso.com", ""]);
    assert_eq!(rows[0].other_ids, ["ann@contoso.com"]);
    assert_eq!(rows[1].cells[5], "17");
}

#[test]
fn the_forms_in_which_tools_write_users() {
    let forms = [
        r#"{"@odata.context": "https://x/$metadata#users", "value": [{"userPrincipalName": "a@b.de"}, {"userPrincipalName": "c@b.de"}]}"#,
        r#"{"value": ["a@b.de", "c@b.de"], "Count": 2}"#,
        r#"{"Schema": [{"Name": "AccountUpn", "Type": "String"}], "Results": [{"AccountUpn": "a@b.de"}, {"AccountUpn": "c@b.de"}]}"#,
        "{\"upn\":\"a@b.de\"}\n{\"upn\":\"c@b.de\"}\n",
        "{\r\n \"upn\": \"a@b.de\"\r\n}\r\n{\r\n \"upn\": \"c@b.de\"\r\n}",
        "{\"upn\":\"a@b.de\"}{\"upn\":\"c@b.de\"}",
        "[\"a@b.de\"]\n[\"c@b.de\"]\n",
        "[\"a@b.de\"]\n\"c@b.de\"\n",
        r#"{"value":[{"upn":"a@b.de"}]} {"value":[{"upn":"c@b.de"}]}"#,
        r#"[{"Id": null, "AdditionalProperties": {"userPrincipalName": "a@b.de"}}, {"id": "", "userPrincipalName": "c@b.de"}]"#,
        r#"[{"TableName": "PrimaryResult", "UserPrincipalName": "a@b.de"}, {"TableName": "PrimaryResult", "UserPrincipalName": "c@b.de"}]"#,
        r#"[{"UPN": "a@b.de"}, {}, null, {"upn": null}, {"upn": "c@b.de"}]"#,
    ];
    for form in forms {
        let rows = read(form);
        let found: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(found, ["a@b.de", "c@b.de"], "{form}");
        let utf16: Vec<u8> = format!("\u{feff}{form}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read_with(&utf16, &IntakeOptions::default()).unwrap().1.len(), 2, "{form}");
    }
    assert_eq!(ids(&read("{\n\"UserPrincipalName\": \"a@b.de\"\n}")), [(1, "a@b.de")]);
    assert_eq!(ids(&read(r#"{"upn": "a@b.de", "members": []}"#)), [(1, "a@b.de")]);
}

#[test]
fn incomplete_lists_are_refused() {
    assert_refused(r#"{"value": [{"id": "1"}], "@odata.nextLink": "https://x"}"#, "more pages");
    assert_refused(r#"{"@odata.nextLink": "https://x", "value": [{"id": "1"}]}"#, "more pages");
    assert_refused(r#"{"@odata.count": 5, "value": ["a@b.de"]}"#, "says 5");
    assert_refused(r#"{"totalResults": 5, "Resources": [{"userName": "a@b.de"}]}"#, "says 5");
    assert_refused(r#"[{"value": [{"id": "1"}]}, {"value": [{"id": "2"}]}]"#, "is itself a list");
    assert_refused(r#"{"id": "1", "members": [{"id": "2"}]}"#, "also names a user");
    assert_refused(r#"{"members": ["a@b.de"], "owners": ["b@b.de"]}"#, "two lists");
    assert_refused(r#"{"users": ["a@b.de"], "members": ["b@b.de"]}"#, "two lists");
    assert_refused(r#"{"tables": [{"columns": [{"name": "UPN"}], "rows": [["a@b.de"]]}]}"#, "Log Analytics");
    assert_refused(
        r#"{"error": {"code": "Authorization_RequestDenied", "message": "x"}}"#,
        "`Authorization_RequestDenied`",
    );
    assert_refused(r#"{"responses": [{"id": "1", "body": {"value": []}}]}"#, "batch");
    assert_refused(r#"[["a@b.de", "Ann"]]"#, "a list is inside the list");
    assert_refused(r#"["a@b.de", {"upn": "c@b.de"}]"#, "mixes");
    assert_refused(r#"[{"upn": "a@b.de", "UPN": "c@b.de"}]"#, "occurs twice");
    assert_refused(r#"{"a@b.de": {"id": 1}, "c@b.de": {"id": 2}}"#, "looks like a user ID");
    assert_refused("[]", "the list in it is empty");
    assert_refused("{}", "the list in it is empty");
    assert_refused(r#"{"value": []}"#, "the list in it is empty");
    assert_refused(r#"[{"name": "Ann"}]"#, "Choose one with --column");
    assert_refused(r#"[{"Kennung": "a@b.de", "Chef": "c@b.de"}]"#, "Choose one with --column");
}

#[test]
fn malformed_json_is_refused_with_its_line() {
    for (text, line) in [
        ("[\n\"a@b.de\",\n\"c@b.de\"\n", 3),
        ("[\n\"a@b.de\"\n\"c@b.de\"\n]", 3),
        ("[\n\"a@b.de\",\n]", 3),
        ("[\"a@b.de\"]\n]", 2),
        ("[\"a@b.de\"]\rtrailing", 2),
        ("{\"upn\": \"a@b.de\"},\n{\"upn\": \"c@b.de\"}", 1),
        ("{\"upn\": \"a@b.de\"}\n{\"upn\": \"c@b.de\"", 2),
        ("[\n{\"upn\": \"a@b.de\"},\n{\"upn\": \"c@b.de\" \"x\": 1}]", 3),
        ("[\"a@b.de\",\n\"c\u{1}d@b.de\"]", 2),
        ("[", 1),
        ("{\"value\": [\"a@b.de\"]", 1),
    ] {
        let message = message(text);
        assert!(message.contains(&format!("line {line} of its JSON")), "{text}: {message}");
    }
    let bad = read_with(b"[\"a@b.de\", \"Zo\xeb\", \"\xc3\xab\xc3\xab\"]", &IntakeOptions::default());
    assert!(bad.unwrap_err().to_string().contains("--encoding windows-1252"));
    assert_refused(&format!("[\"{}\"]", "x".repeat(2 << 20)), "longer than 1 MiB");
    assert_refused(&format!("[{}", "[".repeat(100_000)), "line 1 of its JSON");
    assert_refused(&"{\"a\":".repeat(100_000), "line 1 of its JSON");
}

#[test]
fn options_hold_as_for_a_csv() {
    let text = r#"[{"Kennung": "a@b.de", "d": {"n": "HR"}, "priority": 2, "Tenant": "contoso.com"},
{"Kennung": "c@b.de", "d": {"n": "IT"}},
{"Kennung": "e@b.de", "d": {"n": "HR"}}]"#;
    let options = IntakeOptions {
        column: Some("kennung".into()),
        filters: vec![Filter::parse_skip("d.n=IT").unwrap()],
        skip_rows: 1,
        max_rows: Some(1),
        ..IntakeOptions::default()
    };
    let rows = read_with(text.as_bytes(), &options).unwrap().1;
    assert_eq!(ids(&rows), [(2, "c@b.de")]);
    assert!(matches!(rows[0].status, RowStatus::Excluded(_)));
    let rows =
        read_with(text.as_bytes(), &IntakeOptions { column: Some("1".into()), ..IntakeOptions::default() })
            .unwrap()
            .1;
    assert_eq!((rows[0].priority.as_deref(), rows[0].tenant.as_deref()), (Some("2"), Some("contoso.com")));
    let by = |column: &str| IntakeOptions { column: Some(column.into()), ..IntakeOptions::default() };
    assert!(read_with(text.as_bytes(), &by("UPN")).unwrap_err().to_string().contains("no column `UPN`"));
    assert!(read_with(b"[\"a@b.de\"]", &by("UPN")).is_err());
    assert_eq!(read_with(b"[\"a@b.de\"]", &by("1")).unwrap().1.len(), 1);
}

#[test]
fn text_with_brackets_is_not_read_as_json() {
    for text in ["{8a0f3c1e-1111-2222-3333-44445555666a}\n", "[Name];[UPN]\nAnn;a@b.de\n"] {
        assert!(!looks_like_json(text.as_bytes()), "{text}");
        assert_eq!(read(text).len(), 1);
    }
}

#[test]
fn memory_is_bounded_by_the_record_and_not_by_the_text() {
    // More than is kept in memory; only the last record has the key that names users.
    let filler = "x".repeat(1_000);
    let mut text = "[".to_owned();
    for number in 0..6_000 {
        text.push_str(&format!("{{\"id\":\"\",\"n\":{number},\"x\":\"{filler}\"}},\n"));
    }
    text.push_str("{\"userPrincipalName\":\"z@b.de\"}]");
    let options = IntakeOptions { column: Some("userPrincipalName".into()), ..IntakeOptions::default() };
    let (intake, rows) = read_with(text.as_bytes(), &options).unwrap();
    assert_eq!((rows.len(), rows[6_000].line, rows[6_000].id.as_str()), (6_001, 6_001, "z@b.de"));
    assert_eq!(intake.finish().unwrap()[0].bytes, text.len() as u64);
}

/// A text in JSON, with some of its characters escaped.
fn quoted(text: &str, escape: u8) -> String {
    let escaped: String = text
        .chars()
        .enumerate()
        .map(|(at, c)| match escape.is_multiple_of(3) && at % 2 == 0 {
            true => format!("\\u{:04x}", u32::from(c)),
            false => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// The users in one of the forms, and whether every shorter text in this form is truncated.
fn render(users: &[String], form: usize, space: &str, escape: u8) -> (String, bool) {
    let texts: Vec<String> = users.iter().map(|user| quoted(user, escape)).collect();
    let object = |text: &String| {
        format!(
            "{{{space}\"n\"{space}:{space}{{\"x\":[1,{{\"y\":null}}]}},{space}{}:{space}{text}{space}}}",
            quoted("upn", escape)
        )
    };
    let objects: Vec<String> = texts.iter().map(object).collect();
    let list = |items: &[String]| format!("[{space}{}{space}]", items.join(&format!("{space},{space}")));
    match form {
        0 => (list(&texts), true),
        1 => (list(&objects), true),
        2 => {
            (format!("{{\"@odata.context\":{space}\"x\",{space}\"value\":{}{space}}}", list(&objects)), true)
        }
        3 => (format!("{{\"value\":{},{space}\"Count\":{}}}", list(&texts), users.len()), true),
        4 => (objects.join("\n"), false),
        _ => (objects.join(space), false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_form_gives_its_users_and_a_part_of_it_none(
        names in prop::collection::vec("[a-z\u{e9}]{1,9}", 1..20),
        form in 0..6_usize,
        space in "[ \t\r\n]{0,3}",
        escape: u8,
        cut: prop::sample::Index,
        wide: bool,
    ) {
        let users: Vec<String> = names.iter().map(|name| format!("{name}@contoso.com")).collect();
        let (text, closed) = render(&users, form, &space, escape);
        let encode = |text: &str| match wide {
            true => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
            false => text.as_bytes().to_vec(),
        };
        let rows = read_with(&encode(&text), &IntakeOptions::default()).unwrap().1;
        let found: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        prop_assert_eq!(&found, &users);
        prop_assert!(rows.iter().all(|row| row.status == RowStatus::Read));
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64 + 1;
        prop_assert!(rows.iter().all(|row| row.line <= lines));

        let at = cut.index(text.len());
        let part = text.get(..at).unwrap_or_default();
        if closed {
            prop_assert!(read_with(&encode(part), &IntakeOptions::default()).is_err(), "{}", part);
        } else if let Ok((_, rows)) = read_with(&encode(part), &IntakeOptions::default()) {
            // Values one after another have no end mark, so a text that is truncated between two of them is not
            // noticed.
            let ends = part.trim_end().ends_with('}');
            prop_assert!(ends && users.starts_with(&rows.into_iter().map(|row| row.id).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[\\[\\]{}\",:a-c@. \\n\\\\0-9]{0,40}", start in prop::sample::select(vec!["[", "{\"", "[{\"id\":\""])) {
        let text = format!("{start}{text}");
        if let Ok((intake, rows)) = read_with(text.as_bytes(), &IntakeOptions::default()) {
            prop_assert!(rows.iter().all(|row| row.cells.len() == intake.columns().len()));
        }
    }
}
