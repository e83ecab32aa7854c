use super::*;

fn read(bytes: &[u8]) -> Result<IdList, ListError> {
    from_reader("x", false, Box::new(std::io::Cursor::new(bytes.to_vec())))
}

fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
    read(bytes)
        .unwrap()
        .tables
        .into_iter()
        .flat_map(|table| table.records)
        .map(|record| record.cells)
        .collect()
}

#[test]
fn every_record_is_given_whatever_the_dialect_is() {
    let expected = [["UPN", "Note"], ["ann@contoso.com", "x"]];
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain("UPN;Note\r\nann@contoso.com;x".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let texts: [&[u8]; 6] = [
        b"UPN,Note\nann@contoso.com,x\n",
        b"\xef\xbb\xbf\"UPN\";\"Note\"\r\n\r\n\"ann@contoso.com\";x\r\n\x1a",
        b"sep=;\nUPN;Note\nann@contoso.com;x",
        b"# ours\n#TYPE Selected.User\nUPN\tNote\n-----\t----\nann@contoso.com\tx",
        b"version:v1.0\rUPN|Note\rann@contoso.com|x",
        &utf16,
    ];
    for text in texts {
        assert_eq!(cells(text), expected, "{text:?}");
    }
    assert_eq!(
        cells(b"ann@contoso.com\nbob@contoso.com, carl@contoso.com")[1],
        ["bob@contoso.com, carl@contoso.com"]
    );
}

#[test]
fn comments_are_kept_apart_from_ids() {
    let list =
        read(b"# old: ann@contoso.com\nbob@contoso.com # dan@contoso.com\n#eve@contoso.com\n").unwrap();
    assert_eq!(list.comments.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(list.tables[0].records.len(), 1);
    // In a table, a `#` is part of its cell.
    assert_eq!(cells(b"UPN,Note\n#ann@contoso.com,x\nbob@contoso.com,see #dan@contoso.com").len(), 3);
    assert_eq!(cells(b"bob@contoso.com\ncarl@contoso.com,see #dan@contoso.com")[1].len(), 1);
}

#[test]
fn unreadable_line_is_an_error() {
    let line = |bytes: &[u8]| match read(bytes) {
        Err(ListError::Line { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        line(
            "ann@contoso.com\nj\u{f6}rg,Müller,Ä,ö\n\u{e9}"
                .as_bytes()
                .iter()
                .copied()
                .chain(*b"\nb\xf6b@contoso.com")
                .collect::<Vec<_>>()
                .as_slice()
        ),
        4
    );
    assert_eq!(line(b"ann@contoso.com\nbob@con\0toso.com"), 2);
    assert!(matches!(read(b"UPN,Note\nann@contoso.com,\"x\nbob@contoso.com,y"), Err(ListError::Source(_))));
    assert!(matches!(read(b"# nothing\n"), Err(ListError::Source(IntakeError::NoRows { .. }))));
    for cut in [
        "[\"ann@contoso.com\", \"bob@cont",
        "{\"value\":[{\"upn\":\"ann@contoso.com\"},",
        "[ann@contoso.com]",
    ] {
        assert_eq!(line(cut.as_bytes()), 1, "{cut}");
    }
    assert_eq!(line(br#"{"@odata.nextLink": "https://graph.microsoft.com/x", "value": []}"#), 1);
}

#[test]
fn json_gives_all_its_texts() {
    assert_eq!(
        cells(br#"["ann@contoso.com", "bob@contoso.com"]"#),
        [["ann@contoso.com"], ["bob@contoso.com"]]
    );
    let graph =
        br#"{"@odata.context": "https://x", "value": [{"id": "1", "manager": {"upn": "boss@contoso.com"}}]}"#;
    let list = read(graph).unwrap();
    assert_eq!(list.tables[0].records[0].cells, ["1", "boss@contoso.com"]);
    assert_eq!(list.tables[0].records[0].names.as_ref().unwrap(), &["id", "upn"]);
    assert_eq!(cells(br#"[{"upn": "a@x.com", "upn": "b@x.com"}]"#), [["a@x.com", "b@x.com"]]);
    assert_eq!(cells(b"{\"upn\": \"a@x.com\"}\n{\"upn\": \"b@x.com\"}"), [["a@x.com"], ["b@x.com"]]);
}

/// The decoder returns nothing if the buffer is too small, as the one of `read_to_end` is for some lengths.
#[test]
fn a_decoded_list_of_any_length_is_read_to_its_end() {
    for length in 0..200 {
        let text = format!("{}ann@contoso.com\n", "bob@contoso.com\n".repeat(length));
        let utf16: Vec<u8> =
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(cells(&utf16).len(), length + 1);
    }
}

#[test]
fn a_stream_ends_with_a_line_end() {
    let read = |bytes: &'static [u8]| from_reader("x", true, Box::new(bytes));
    for whole in
        [&b"a@contoso.com\n"[..], b"a@contoso.com\r", b"upn,x\na@contoso.com,1\r\n", b"[\"a@contoso.com\"]"]
    {
        assert!(read(whole).is_ok());
    }
    for cut in [&b"b@contoso.com\na@contoso.co"[..], b"upn,x\na@contoso.com,1", b"\xff\xfea\0\n\0b\0"] {
        assert!(matches!(read(cut), Err(ListError::Line { line: 2, .. })));
    }
}
