use super::*;

fn found(text: &str) -> Option<&'static str> {
    find(text.as_bytes(), true, &IntakeOptions::default()).map(|format| format.what)
}

#[track_caller]
fn is(what: &str, text: &str) {
    for text in
        [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}"), format!("\n \n{text}\n\n")]
    {
        let found = found(&text).unwrap_or("nothing");
        assert!(found.contains(what), "{found}, not {what}: {text}");
    }
}

#[test]
fn markup() {
    is("HTML", "<!DOCTYPE html>\n<html><body><table><tr><td>ann@contoso.com</td></tr></table>");
    is("HTML", "<HTML xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><head>");
    is("HTML", "<table border=1><tr><td>UPN</td></tr>");
    is("HTML", "<!-- made by x -->\n<html>");
    is("HTML", "<meta http-equiv=\"Content-Type\" content=\"text/html\"><table>");
    is("HTML", "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>\n<html>");
    is(
        "XML Spreadsheet",
        "<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>\n\
         <Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">",
    );
    is("CLIXML", "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">");
    is("CLIXML", "#< CLIXML\n<Objs Version=\"1.1.0.1\">");
    is("an XML file", "<?xml version=\"1.0\"?>\n<users><user>ann@contoso.com</user></users>");
    is("an XML file", "<users>\n<user id=\"1\"/>\n</users>");
    is("RTF", "{\\rtf1\\ansi ann@contoso.com}");
    is("PDF", "%PDF-1.7\n");
    is("SYLK", "ID;PWXL;N;E\nP;PGeneral\nC;Y1;X1;K\"UPN\"");
}

#[test]
fn what_powershell_prints() {
    is(
        "Format-Table",
        "UserPrincipalName   DisplayName Id\n-----------------   ----------- --\nann@contoso.com     Ann         8a0f3c1e-1…",
    );
    is("Format-Table", "   Id UPN\n   -- ---\n    1 ann@contoso.com\n   20 bob@contoso.com");
    is(
        "Format-Table",
        "DisplayName    UserPrincipalName\n-------------  -------------------\nAnn Lee        ann@contoso.com",
    );
    is("Format-Table", "   GroupName: All\n\nName UPN\n---- ---\nAnn  ann@contoso.com");
    is(
        "Format-List",
        "UserPrincipalName : ann@contoso.com\nDisplayName       : Ann\nNotes             : a long\n                    text\n\n\
         UserPrincipalName : bob@contoso.com\nDisplayName       : Bob\nNotes             : ",
    );
    is("Format-List", "UserPrincipalName : ann@contoso.com\n\nUserPrincipalName : bob@contoso.com");
    is("@{", "@{UserPrincipalName=ann@contoso.com; Id=1}\n@{UserPrincipalName=bob@contoso.com; Id=2}");
    is(
        "formatting",
        "\"ClassId2e4f51ef21dd47e99d3c952918aff9cd\",\"pageHeaderEntry\"\n\"033ecb2bc07a4d43b5ef94ed5a35d280\",\"\"",
    );
    is("formatting", "#TYPE Microsoft.PowerShell.Commands.Internal.Format.FormatStartData\n\"x\"");
    is("lengths", "\"Length\"\n\"15\"\n\"17\"");
    is("lengths", "#TYPE System.String\n\"Length\"\n\"15\"");
}

#[test]
fn files_of_other_programs() {
    is("LDIF", "version: 1\n\ndn: CN=Ann,DC=contoso,DC=com\nmail: ann@contoso.com");
    is("LDIF", "dn:: Q049w4Rubg==\nchangetype: add");
    is("LDIF", "# extended LDIF\n#\ndn: uid=ann,ou=people,dc=contoso\nuid: ann");
    is("vCard", "begin:vcard\nVERSION:3.0\nEMAIL:ann@contoso.com\nEND:VCARD");
    is(
        "mail",
        "Received: from x\n\tby y\nFrom: ann@contoso.com\nTo: bob@contoso.com\nSubject: leavers\n\nann@contoso.com",
    );
    is(
        "mail",
        "From ann@contoso.com Mon May  4\nReturn-Path: <ann@contoso.com>\nSubject: x\nTo: bob@contoso.com",
    );
    is("mail", "MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: multipart/related");
    is("Python", "['ann@contoso.com', 'bob@contoso.com']");
    is("Python", "[{'id': '1', 'userPrincipalName': 'ann@contoso.com'}]");
    is("Python", "{'id': '1'}");
    is(
        "whole in quotes",
        "\"UPN,Name,Dept\"\n\"ann@contoso.com,\"\"Lee, Ann\"\",HR\"\n\"bob@contoso.com,Bob,IT\"",
    );
    is("whole in quotes", "UPN;Name\n\"ann@contoso.com;Ann\"\n\"bob@contoso.com;Bob\"");
    is("distinguished names", "CN=Ann Lee,OU=Users,DC=contoso,DC=com\n\"CN=Bob,OU=Users,DC=contoso,DC=com\"");
    is("settings", "[users]\nann = ann@contoso.com\nbob = bob@contoso.com");
    is("settings", "users = [\"ann@contoso.com\", \"bob@contoso.com\"]");
    is(
        "YAML",
        "- '@odata.type': '#microsoft.graph.user'\n  businessPhones: []\n  userPrincipalName: ann@contoso.com",
    );
    is("YAML", "users:\n  - ann@contoso.com\n  - bob@contoso.com");
    is("YAML", "UPN: ann@contoso.com\nUPN: bob@contoso.com");
    is("bullet", "- ann@contoso.com\n- bob@contoso.com\n- me");
    is("bullet", "• ann@contoso.com\n• bob@contoso.com");
    is("blanks", "ann@contoso.com   Ann Lee\nbob@contoso.com   Bob");
    is("other text above", "WARNING: this command is in preview\n[\n  {\n    \"id\": \"1\"\n  }\n]");
    is("other text above", "Connecting\n[{\"id\": \"1\"}]");
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
        assert_eq!(found(text), None, "{text}");
    }
    let asked = IntakeOptions { delimiter: Some(b' '), ..IntakeOptions::default() };
    assert!(find(b"UPN Name\n--- ----\nann@contoso.com Ann", true, &asked).is_none());
}
