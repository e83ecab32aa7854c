//! Lists are read completely, or the run stops. Each list is shown with its counts.

use serde_json::Value;

use super::workbook::{workbook, workbook_with};
use crate::ctx::TestContext;

const BG: &str = "bg-admin@contoso.com";

/// Runs two users past a list: the break-glass account is not sent, and the other is.
#[track_caller]
fn protects(contents: impl AsRef<[u8]>) -> TestContext {
    let ctx = TestContext::new("");
    let list = ctx.input("list", contents).display().to_string();
    let users = ctx.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    ctx.run(&users, &["--protect", &list]).exits(0);
    let sent: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
    assert_eq!(sent, ["ann@contoso.com"]);
    ctx
}

/// The run stops, and says this.
#[track_caller]
fn stops(contents: impl AsRef<[u8]>, says: &str) {
    for flag in ["--protect", "--exclude", "--exclude-file"] {
        let ctx = TestContext::new("");
        let list = ctx.input("list", &contents).display().to_string();
        let users = ctx.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
        let done = ctx.run(&users, &[flag, &list]);
        done.exits(2);
        assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
        assert!(ctx.ledger().users.is_empty() && ctx.run_folders().is_empty());
    }
}

#[test]
fn all_ids_of_a_row_are_protected() {
    protects(format!("UPN,Backup UPN\nboss@contoso.com,{BG}\n"));
    protects(format!("Owner [user],Sign-in\nboss@contoso.com,{BG}\n"));
    protects(format!("Name,UPN,Note\nLee, Ann,boss@contoso.com,see {BG}\n"));
    protects(format!("{BG},IT\nUPN,Dept\nboss@contoso.com,IT\n"));
    protects(format!("boss@contoso.com; {BG}\n"));
    protects(format!("“{BG}”\n"));
    protects(format!("Break Glass <{BG}>\n"));
    protects(format!("[{{\"userPrincipalName\": \"boss@contoso.com\", \"deputy\": {{\"upn\": \"{BG}\"}}}}]"));
}

#[test]
fn an_invalid_cell_in_an_id_column_stops_the_run() {
    stops("UPN,Deputy\nbg-admin(at)contoso.com,boss@contoso.com\n", "column 1 has neither an object ID");
    stops("UPN,Deputy\nBreak Glass,boss@contoso.com\n", "column 1 has neither an object ID");
    stops("Account,Deputy\nCORP\\bg-admin,boss@contoso.com\n", "column 1 has neither an object ID");
    stops("bg-admin @contoso.com\n", "is not a user ID");
    stops(format!("[\"boss@contoso.com\",\"{BG}"), "is not valid JSON");
    protects(format!("id,UPN\n1,{BG}\n"));
    protects(format!("User,UPN\nBreak Glass,{BG}\n"));
}

#[test]
fn all_sheets_and_rows_of_a_workbook_are_read() {
    let row = |cells: &[&str]| (false, cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    let first = |rows| ("Accounts".to_owned(), false, rows);
    let boss = vec![row(&["UPN"]), row(&["boss@contoso.com"])];
    protects(workbook(&[first(boss.clone()), ("More".to_owned(), false, vec![row(&[BG])])]));
    protects(workbook(&[first(boss.clone()), ("Old".to_owned(), true, vec![row(&[BG])])]));
    let hidden = vec![row(&["UPN"]), (true, vec![BG.to_owned()])];
    protects(workbook(&[first(hidden)]));
    let formula = vec![row(&["UPN"]), row(&[super::workbook::FORMULA])];
    stops(workbook(&[first(formula)]), "has no stored value");
    stops(
        workbook(&[first(vec![row(&["Accounts"]), row(&[BG])])]),
        "line 1: on sheet 1, it has no object ID",
    );
}

#[test]
fn an_unreadable_entry_stops_the_run() {
    stops(format!("Accounts for emergencies\nUPN,Note\n{BG},x\n"), "line 1: it has no object ID");
    stops(format!("UPN,Note\nboss@contoso.com,x\nBG Admin,y\n{BG},z\n"), "line 3: it has no object ID");
    stops(format!("UPN,Note\nboss@contoso.com,x\nNote,UPN\nx,{BG}\n"), "line 3");
    stops(format!("{BG}.\n"), "line 1: an entry is not a user ID: its domain ends with a dot");
    stops("bg–admin@contoso.com\n", "line 1: an entry is not a user ID");
    stops("o’brien@contoso.com\n", "line 1: an entry is not a user ID");
    stops("BG+admin@contoso.com\n", "can't contain '+'");
    stops(format!("boss@contoso.com\nb\0{BG}\n"), "line 2: cell 1 has a NUL byte");
    stops(format!("group:Glass\n{BG}\n"), "group Glass");
    stops(format!("group:Glass,x\nUPN,Note\n{BG},y\n"), "group Glass");
    stops(format!("id,objectType\n{BG},Group\n"), "it is a Group, not a user");
    stops(
        format!("{{\"@odata.nextLink\": \"https://x\", \"value\": [{{\"userPrincipalName\": \"{BG}\"}}]}}"),
        "one page",
    );
}

/// Without a directory, one ID with two of the other kind shows that the pairs do not belong to accounts.
#[test]
fn a_list_that_contradicts_itself_stops_the_run() {
    let (one, other) = ("0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f");
    let head = "id,userPrincipalName\n";
    for (rows, says) in [
        (format!("{one},{BG}\n{other},BG-Admin@contoso.com\n"), "has two object IDs"),
        (format!("{one},{BG}\n{one},boss@contoso.com\n"), "has two user principal names"),
    ] {
        let ctx = TestContext::new("");
        let list = ctx.input("list", format!("{head}{rows}")).display().to_string();
        let users = ctx.input("users.csv", "id\n22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f\n");
        for flag in ["--protect", "--exclude", "--exclude-file"] {
            let done = ctx.run(&users, &[flag, &list, "--no-lookup"]);
            done.exits(2);
            for says in [says, "line 2)", "line 3)"] {
                assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
            }
            assert!(!done.stderr.contains(one) && !done.stderr.contains(BG), "{}", done.stderr);
        }
        assert!(ctx.ledger().users.is_empty() && ctx.run_folders().is_empty());
    }
    // Two files are no better than one, and the same pair twice is nothing.
    let ctx = TestContext::new("");
    let users = ctx.input("users.csv", "id\n22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f\n");
    let first = ctx.input("first", format!("{head}{one},{BG}\n{one},BG-ADMIN@contoso.com\n"));
    let second = ctx.input("second", format!("{head}{other},{BG}\n")).display().to_string();
    let first = first.display().to_string();
    let done = ctx.run(&users, &["--protect", &first, "--exclude", &second, "--no-lookup"]);
    done.exits(2);
    assert!(done.stderr.contains("has two object IDs"), "{}", done.stderr);
    ctx.run(&users, &["--protect", &first, "--no-lookup"]).exits(0);
}

#[test]
fn ids_inside_cells_protect_and_malformed_ids_stop_the_run() {
    let id = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    let bare = id.replace('-', "");
    let other = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    for list in [format!("UPN,Note\n{BG},oid {bare}\n"), format!("{other} {bare}\n{BG}\n")] {
        let ctx = TestContext::new("");
        let list = ctx.input("list", list).display().to_string();
        let sent = "22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
        let users = ctx.input("users.csv", format!("id,UPN\n{id},ann@contoso.com\n{sent},eve@contoso.com\n"));
        ctx.run(&users, &["--protect", &list, "--no-lookup"]).exits(0);
        assert_eq!(ctx.run_folder().row(id)["outcome"], "protected");
        let sent_to: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
        assert_eq!(sent_to, [sent]);
    }
    for joint in [" ", " - ", "_", "."] {
        stops(format!("{BG}\n{}\n", id.replace('-', joint)), "looks like an object ID");
        stops(format!("UPN,Note\n{BG},see {}\n", id.replace('-', joint)), "looks like an object ID");
    }
    protects(format!("version:v1.0\nUPN\n{BG}\n"));
    protects(format!("version: see {BG}\nboss@contoso.com\n"));
    stops(format!("version: of spring\n{BG}\n"), "line 1: it has no object ID");
}

#[test]
fn an_entry_on_the_command_line_is_an_id_or_a_file() {
    let ctx = TestContext::new("");
    let users = ctx.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    let done = ctx.run(&users, &["--protect", &format!("{BG}.")]);
    done.exits(2);
    assert!(
        done.stderr.contains("nor a user ID: its domain ends with a dot; did you mean"),
        "{}",
        done.stderr
    );
    ctx.run(&users, &["--protect", &format!("“{BG}”")]).exits(0);
    assert!(ctx.ledger().user(BG).is_none());
}

#[test]
fn a_tenant_column_does_not_limit_protection() {
    protects(format!("UPN,Tenant\n{BG},fabrikam.com\n"));
    protects(format!("UPN,TenantId\n{BG},99999999-1111-4111-8111-111111111111\n"));
}

#[test]
fn each_list_is_shown_with_its_counts() {
    let ctx = protects(format!("# was: old@contoso.com\n{BG}\nboss@contoso.com\n"));
    let run: Value = serde_json::from_str(&ctx.run_folder().text("run.json")).unwrap();
    let list = &run["lists"][0];
    assert_eq!(
        (&list["name"], &list["entries"], &list["in_plan"]),
        (&"list".into(), &2.into(), &1.into()),
        "{list}"
    );
    let list = ctx.input("break-glass.txt", format!("# was: old@contoso.com\n{BG}\nboss@contoso.com\n"));
    let users = ctx.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    let done = ctx.run(&users, &["--dry-run", "--protect", &list.display().to_string()]);
    let counts = "protect list break-glass.txt: 2 entries, 2 accounts, 1 among the selected users; the ID in \
         the comment on line 1 \
                  has no effect.";
    assert!(done.exits(0).stdout.contains(counts), "{}", done.stdout);
}

#[test]
fn an_incomplete_page_of_a_list_stops_the_run() {
    let bob = "{\"userPrincipalName\":\"bob@contoso.com\"}";
    for page in [
        "{\"@odata.count\":2,\"value\":[B]}",
        "{\"totalResults\":2,\"Resources\":[B]}",
        "{\"records\":[B],\"hasMore\":true}",
        "{\"items\":[B],\"next_cursor\":\"abc\"}",
        "{\"results\":[B],\"next\":\"https://x/?page=2\"}",
        "{\"d\":{\"results\":[B],\"__next\":\"https://x\"}}",
        "[{\"value\":[B],\"@odata.nextLink\":\"https://x\"}]",
        "{\"data\":{\"value\":[B],\"@odata.nextLink\":\"https://x\"}}",
        "{\"value\":[B],\"_links\":{\"next\":{\"href\":\"https://x\"}}}",
        "{\"users\":[B],\"page\":1,\"total_pages\":2}",
        "{\"people\":[B],\"meta\":{\"total\":\"2\"}}",
    ] {
        stops(page.replace('B', bob), "Fetch all");
    }
    protects(format!(
        "{{\"@odata.count\":1,\"@odata.nextLink\":null,\"value\":[{{\"userPrincipalName\":\"{BG}\"}}]}}"
    ));
}

#[test]
fn a_key_that_resembles_odata_is_an_id() {
    let ctx = TestContext::new("");
    let list = ctx.input("list", "{\"ann@odata.contoso.com\": {\"name\": \"Ann\"}}");
    let users = ctx.input("users.csv", "UPN\nann@odata.contoso.com\nbob@contoso.com\n");
    ctx.run(&users, &["--protect", &list.display().to_string()]).exits(0);
    let sent: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
    assert_eq!(sent, ["bob@contoso.com"]);
}

#[test]
fn an_ambiguous_workbook_stops_the_run() {
    let row = |cells: &[&str]| (false, cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    let rows = vec![row(&["UPN"]), row(&["boss@contoso.com"])];
    let bytes = workbook_with(&[("Accounts".to_owned(), false, rows)], |xml| {
        let (more, end) = ("<row r=\"3\"><c t=\"str\"><v>bg-admin@contoso.com</v></c></row>", "</sheetData>");
        let more = format!("<AlternateContent xmlns=\"urn:mc\"><Choice>{more}</Choice></AlternateContent>");
        xml.replace(end, &format!("{more}{end}"))
    });
    stops(bytes, "can be read in two ways");
}
