//! Lists are read in full, or the run stops; and each is shown with its counts.

use serde_json::Value;

use super::stage::Stage;
use super::workbook::workbook;

const BG: &str = "bg-admin@contoso.com";

/// Runs two users past a list: the break-glass account is not sent, and the other is.
#[track_caller]
fn protects(contents: impl AsRef<[u8]>) -> Stage {
    let stage = Stage::new("");
    let list = stage.input("list", contents).display().to_string();
    let users = stage.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    stage.run(&users, &["--protect", &list]).exits(0);
    let sent: Vec<String> = stage.ledger().users.into_iter().map(|user| user.id).collect();
    assert_eq!(sent, ["ann@contoso.com"]);
    stage
}

/// The run stops, and says this.
#[track_caller]
fn stops(contents: impl AsRef<[u8]>, says: &str) {
    for flag in ["--protect", "--exclude", "--exclude-file"] {
        let stage = Stage::new("");
        let list = stage.input("list", &contents).display().to_string();
        let users = stage.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
        let done = stage.run(&users, &[flag, &list]);
        done.exits(2);
        assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
        assert!(stage.ledger().users.is_empty() && stage.folders().is_empty());
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
        "sheet Accounts: 'Accounts' names no account",
    );
}

#[test]
fn what_is_not_understood_stops_the_run() {
    stops(
        format!("Accounts for emergencies\nUPN,Note\n{BG},x\n"),
        "line 1: 'Accounts for emergencies' names no account",
    );
    stops(
        format!("UPN,Note\nboss@contoso.com,x\nBG Admin,y\n{BG},z\n"),
        "line 3: 'BG Admin y' names no account",
    );
    stops(format!("UPN,Note\nboss@contoso.com,x\nNote,UPN\nx,{BG}\n"), "line 3");
    stops(format!("{BG}.\n"), "did you mean bg-admin@contoso.com?");
    stops("bg–admin@contoso.com\n", "did you mean bg-admin@contoso.com?");
    stops("o’brien@contoso.com\n", "did you mean o'brien@contoso.com?");
    stops("BG+admin@contoso.com\n", "can't hold '+'");
    stops(format!("boss@contoso.com\nb\0{BG}\n"), "line 2: cell 1 holds a NUL byte");
    stops(format!("group:Glass\n{BG}\n"), "group Glass");
    stops(format!("group:Glass,x\nUPN,Note\n{BG},y\n"), "group Glass");
    stops(format!("id,objectType\n{BG},Group\n"), "it is a Group, not a user");
    stops(
        format!("{{\"@odata.nextLink\": \"https://x\", \"value\": [{{\"userPrincipalName\": \"{BG}\"}}]}}"),
        "one page",
    );
}

#[test]
fn an_entry_on_the_command_line_is_an_id_or_a_file() {
    let stage = Stage::new("");
    let users = stage.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    let done = stage.run(&users, &["--protect", &format!("{BG}.")]);
    done.exits(2);
    assert!(done.stderr.contains("no user id: its domain ends with a dot; did you mean"), "{}", done.stderr);
    stage.run(&users, &["--protect", &format!("“{BG}”")]).exits(0);
    assert!(stage.ledger().user(BG).is_none());
}

#[test]
fn a_tenant_narrows_nothing_in_a_run_of_one_tenant() {
    protects(format!("UPN,Tenant\n{BG},fabrikam.com\n"));
    protects(format!("UPN,TenantId\n{BG},99999999-1111-4111-8111-111111111111\n"));
}

#[test]
fn each_list_is_shown_with_its_counts() {
    let stage = protects(format!("# was: old@contoso.com\n{BG}\nboss@contoso.com\n"));
    let run: Value = serde_json::from_str(&stage.folder().text("run.json")).unwrap();
    let list = &run["lists"][0];
    assert_eq!(
        (&list["name"], &list["entries"], &list["in_plan"]),
        (&"list".into(), &2.into(), &1.into()),
        "{list}"
    );
    let list = stage.input("break-glass.txt", format!("# was: old@contoso.com\n{BG}\nboss@contoso.com\n"));
    let users = stage.input("users.csv", format!("UPN\nann@contoso.com\n{BG}\n"));
    let done = stage.run(&users, &["--dry-run", "--protect", &list.display().to_string()]);
    let counts = "protect list break-glass.txt: 2 entries, 2 accounts, 1 of them in this plan; the id in the comment on line 1 \
                  leaves nobody out.";
    assert!(done.exits(0).stdout.contains(counts), "{}", done.stdout);
}
