use super::*;

fn find_in_text(text: &str) -> Option<&'static str> {
    find(text.as_bytes(), true, &IntakeOptions::default()).map(|format| format.what)
}

#[track_caller]
fn assert_unsupported(what: &str, text: &str) {
    for text in
        [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}"), format!("\n \n{text}\n\n")]
    {
        let found = find_in_text(&text).unwrap_or("nothing");
        assert!(found.contains(what), "{found}, not {what}: {text}");
    }
}

#[test]
fn markup() {
    assert_unsupported(
        "HTML",
        "<!DOCTYPE html>\n<html><body><table><tr><td>ann@contoso.com</td></tr></table>",
    );
    assert_unsupported("HTML", "<HTML xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><head>");
    assert_unsupported("HTML", "<table border=1><tr><td>UPN</td></tr>");
    assert_unsupported("HTML", "<!-- made by x -->\n<html>");
    assert_unsupported("HTML", "<meta http-equiv=\"Content-Type\" content=\"text/html\"><table>");
    assert_unsupported("HTML", "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>\n<html>");
    assert_unsupported(
        "XML Spreadsheet",
        "<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>\n\
         <Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">",
    );
    assert_unsupported(
        "CLIXML",
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">",
    );
    assert_unsupported("CLIXML", "#< CLIXML\n<Objs Version=\"1.1.0.1\">");
    assert_unsupported("an XML file", "<?xml version=\"1.0\"?>\n<users><user>ann@contoso.com</user></users>");
    assert_unsupported("an XML file", "<users>\n<user id=\"1\"/>\n</users>");
    assert_unsupported("RTF", "{\\rtf1\\ansi ann@contoso.com}");
    assert_unsupported("PDF", "%PDF-1.7\n");
    assert_unsupported("SYLK", "ID;PWXL;N;E\nP;PGeneral\nC;Y1;X1;K\"UPN\"");
}

#[test]
fn what_powershell_prints() {
    assert_unsupported(
        "Format-Table",
        "UserPrincipalName   DisplayName Id\n-----------------   ----------- --\nann@contoso.com     Ann         8a0f3c1e-1…",
    );
    assert_unsupported("Format-Table", "   Id UPN\n   -- ---\n    1 ann@contoso.com\n   20 bob@contoso.com");
    assert_unsupported(
        "Format-Table",
        "DisplayName    UserPrincipalName\n-------------  -------------------\nAnn Lee        ann@contoso.com",
    );
    assert_unsupported("Format-Table", "   GroupName: All\n\nName UPN\n---- ---\nAnn  ann@contoso.com");
    assert_unsupported(
        "Format-List",
        "UserPrincipalName : ann@contoso.com\nDisplayName       : Ann\nNotes             : a long\n                    text\n\n\
         UserPrincipalName : bob@contoso.com\nDisplayName       : Bob\nNotes             : ",
    );
    assert_unsupported(
        "Format-List",
        "UserPrincipalName : ann@contoso.com\n\nUserPrincipalName : bob@contoso.com",
    );
    assert_unsupported(
        "@{",
        "@{UserPrincipalName=ann@contoso.com; Id=1}\n@{UserPrincipalName=bob@contoso.com; Id=2}",
    );
    assert_unsupported(
        "formatting",
        "\"ClassId2e4f51ef21dd47e99d3c952918aff9cd\",\"pageHeaderEntry\"\n\"033ecb2bc07a4d43b5ef94ed5a35d280\",\"\"",
    );
    assert_unsupported(
        "formatting",
        "#TYPE Microsoft.PowerShell.Commands.Internal.Format.FormatStartData\n\"x\"",
    );
    assert_unsupported("lengths", "\"Length\"\n\"15\"\n\"17\"");
    assert_unsupported("lengths", "#TYPE System.String\n\"Length\"\n\"15\"");
}

#[test]
fn files_of_other_programs() {
    assert_unsupported("LDIF", "version: 1\n\ndn: CN=Ann,DC=contoso,DC=com\nmail: ann@contoso.com");
    assert_unsupported("LDIF", "dn:: Q049w4Rubg==\nchangetype: add");
    assert_unsupported("LDIF", "# extended LDIF\n#\ndn: uid=ann,ou=people,dc=contoso\nuid: ann");
    assert_unsupported("vCard", "begin:vcard\nVERSION:3.0\nEMAIL:ann@contoso.com\nEND:VCARD");
    assert_unsupported(
        "mail",
        "Received: from x\n\tby y\nFrom: ann@contoso.com\nTo: bob@contoso.com\nSubject: leavers\n\nann@contoso.com",
    );
    assert_unsupported(
        "mail",
        "From ann@contoso.com Mon May  4\nReturn-Path: <ann@contoso.com>\nSubject: x\nTo: bob@contoso.com",
    );
    assert_unsupported(
        "mail",
        "MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: multipart/related",
    );
    assert_unsupported("Python", "['ann@contoso.com', 'bob@contoso.com']");
    assert_unsupported("Python", "[{'id': '1', 'userPrincipalName': 'ann@contoso.com'}]");
    assert_unsupported("Python", "{'id': '1'}");
    assert_unsupported(
        "entirely in quotes",
        "\"UPN,Name,Dept\"\n\"ann@contoso.com,\"\"Lee, Ann\"\",HR\"\n\"bob@contoso.com,Bob,IT\"",
    );
    assert_unsupported("entirely in quotes", "UPN;Name\n\"ann@contoso.com;Ann\"\n\"bob@contoso.com;Bob\"");
    assert_unsupported(
        "distinguished names",
        "CN=Ann Lee,OU=Users,DC=contoso,DC=com\n\"CN=Bob,OU=Users,DC=contoso,DC=com\"",
    );
    assert_unsupported("settings", "[users]\nann = ann@contoso.com\nbob = bob@contoso.com");
    assert_unsupported("settings", "users = [\"ann@contoso.com\", \"bob@contoso.com\"]");
    assert_unsupported(
        "YAML",
        "- '@odata.type': '#microsoft.graph.user'\n  businessPhones: []\n  userPrincipalName: ann@contoso.com",
    );
    assert_unsupported("YAML", "users:\n  - ann@contoso.com\n  - bob@contoso.com");
    assert_unsupported("YAML", "UPN: ann@contoso.com\nUPN: bob@contoso.com");
    assert_unsupported("bullet", "- ann@contoso.com\n- bob@contoso.com\n- me");
    assert_unsupported("bullet", "• ann@contoso.com\n• bob@contoso.com");
    assert_unsupported("blanks", "ann@contoso.com   Ann Lee\nbob@contoso.com   Bob");
    assert_unsupported(
        "other text above",
        "WARNING: this command is in preview\n[\n  {\n    \"id\": \"1\"\n  }\n]",
    );
    assert_unsupported("other text above", "Connecting\n[{\"id\": \"1\"}]");
}

#[test]
fn office_files_by_what_they_store() {
    let ole = |name: &str| {
        let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        bytes.extend([0; 100]);
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        find_binary(&bytes).map_or("", |format| format.what)
    };
    assert!(ole("Workbook").contains(".xls"));
    assert!(ole("EncryptedPackage").contains("password"));
    assert!(ole("__nameid_version1.0").contains(".msg"));
    assert!(ole("").contains("old Office"));
    assert_eq!(find_binary(b"PK"), None);
}

#[test]
fn lists_and_tables_are_not_refused() {
    let guid = "8a0f3c1e-1111-2222-3333-444455556666";
    for text in [
        "ann@contoso.com\nbob@contoso.com",
        "# ours\nann@contoso.com   # left\nbob@contoso.com   # left",
        "<ann@contoso.com>\n<bob@contoso.com>",
        "<a0f3c1e8-1111-2222-3333-444455556666>\n",
        "{8a0f3c1e-1111-2222-3333-444455556666}\n",
        "group:Break glass\nrole: Global Administrator\nann@contoso.com",
        "role: Global Administrator\nrole : Helpdesk Administrator",
        "group : Break glass\ngroup : Others",
        "UserPrincipalName\n-----------------\nann@contoso.com",
        "|UPN|Name|\n|---|---|\n|ann@contoso.com|Ann|",
        "\"UPN\",\"Name\"\n\"ann@contoso.com\",\"Lee, Ann\"\n\"bob@contoso.com\",\"\"",
        "\"ann@contoso.com\"\n\"bob@contoso.com\"",
        "UPN,Name\nann@contoso.com,Ann",
        "Exported by: Bob\nDate: today\nUPN,Name\nann@contoso.com,Ann\nbob@contoso.com,Bob",
        "From: IT\nUPN,Name\nann@contoso.com,Ann",
        "UPN\tNote\nann@contoso.com\tan answer: no\nbob@contoso.com\ttext = x",
        "sep=;\nUPN;Name\nann@contoso.com;Ann",
        "[Name];[UPN]\nAnn;ann@contoso.com",
        "ann@contoso.com\nUPN : x\nbob@contoso.com\ncy@contoso.com",
        "[\"UPN\"]\n",
        "version:v1.0\nUPN\nann@contoso.com",
        "DN,userPrincipalName\n\"CN=Ann,DC=contoso\",ann@contoso.com",
        "Length,UPN\n1,ann@contoso.com",
        "me",
        guid,
    ] {
        assert_eq!(find_in_text(text), None, "{text}");
    }
    let asked = IntakeOptions { delimiter: Some(b' '), ..IntakeOptions::default() };
    assert!(find(b"UPN Name\n--- ----\nann@contoso.com Ann", true, &asked).is_none());
}
