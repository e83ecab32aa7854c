//! Other formats than tables and lists are read completely, or not at all.

use crate::ctx::{TestContext, read_csv};

const RESOLVES_NOBODY: &str = "[token]\nroles = [\"User.RevokeSessions.All\"]\n";

/// Runs over a file, and gives the exit code, who was sent, and what was said.
fn run(name: &str, contents: &[u8], args: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let ctx = TestContext::new(RESOLVES_NOBODY);
    let input = ctx.input(name, contents);
    let done = ctx.run(&input, args);
    (done.code, super::sent(&ctx).into_iter().collect(), done.stderr)
}

const BOTH: [&str; 2] = ["ann@contoso.example", "bob@contoso.example"];

#[test]
fn json_is_read_completely() {
    for text in [
        "[\n  \"ann@contoso.example\",\n  \"bob@contoso.example\"\n]",
        "[{\"mail\":null,\"userPrincipalName\":\"ann@contoso.example\"},{\"userPrincipalName\":\"bob@contoso.example\"}]",
        "{\"@odata.context\":\"x\",\"value\":[{\"userPrincipalName\":\"ann@contoso.example\"},\n\
         {\"userPrincipalName\":\"bob@contoso.example\"}]}",
        "{\"upn\":\"ann@contoso.example\"}\n{\"upn\":\"bob@contoso.example\"}\n",
    ] {
        let (code, sent, said) = run("users.json", text.as_bytes(), &[]);
        assert_eq!((code, &sent[..]), (Some(0), &BOTH.map(str::to_owned)[..]), "{text}: {said}");
    }
}

#[test]
fn incomplete_and_unsupported_files_are_refused_with_advice() {
    for (name, text, says) in [
        ("a.json", "[\"ann@contoso.example\",\n\"bob@contoso.example\"", "truncated"),
        (
            "a.json",
            "{\"value\":[{\"upn\":\"ann@contoso.example\"}],\"@odata.nextLink\":\"https://x\"}",
            "more pages",
        ),
        ("a.xls", "<html><table><tr><td>ann@contoso.example</td></tr></table></html>", "HTML"),
        ("a.txt", "Id UserPrincipalName\n-- -----------------\n1  ann@contoso.example\n", "Export-Csv"),
        ("a.txt", "\nUserPrincipalName : ann@contoso.example\n\n", "Format-List"),
        ("a.ldif", "dn: CN=Ann,DC=contoso\nuserPrincipalName: ann@contoso.example\n", "LDIF"),
        ("a.vcf", "BEGIN:VCARD\nEMAIL:ann@contoso.example\nEND:VCARD\n", "vCard"),
        (
            "a.eml",
            "From: x@contoso.example\nTo: y@contoso.example\nSubject: x\n\nann@contoso.example\n",
            "mail",
        ),
        ("a.csv", "\"UPN,Name\"\n\"ann@contoso.example,Ann\"\n", "sed"),
    ] {
        let (code, sent, said) = run(name, text.as_bytes(), &[]);
        assert_eq!((code, sent.len()), (Some(2), 0), "{text}: {said}");
        assert!(said.contains(says), "{text}: {said}");
    }
}

#[test]
fn json_keys_become_report_columns_and_remaining_can_be_run() {
    let ctx = TestContext::new(&format!("{RESOLVES_NOBODY}[[fault]]\nmatch = \"bob@*\"\nanswer = 400\n"));
    let text = "[{\"upn\":\"ann@contoso.example\",\"manager\":{\"name\":\"Cy\"}},\n{\"upn\":\"bob@contoso.example\",\"n\":7}]";
    let input = ctx.input("users.json", text);
    ctx.run(&input, &[]).exits(3);
    let folder = ctx.run_folder();
    let ann = folder.row("ann@contoso.example");
    assert_eq!((ann["manager.name"].as_str(), ann["n"].as_str(), ann["line"].as_str()), ("Cy", "", "1"));
    assert_eq!(folder.row("bob@contoso.example")["line"], "2");
    let remaining = read_csv(&folder.text("remaining.csv"));
    assert_eq!(
        (remaining.len(), remaining[0]["upn"].as_str(), remaining[0]["n"].as_str()),
        (1, "bob@contoso.example", "7")
    );
    let inputs = &folder.summary()["inputs"];
    assert_eq!(inputs[0]["kind"], "json");
}

#[test]
fn a_protect_list_can_be_json() {
    for list in ["[\"bob@contoso.example\"]", "{\"value\":[{\"userPrincipalName\":\"BOB@contoso.example\"}]}"]
    {
        let ctx = TestContext::new(RESOLVES_NOBODY);
        let input = ctx.input("users.txt", "ann@contoso.example\nbob@contoso.example\n");
        let list = ctx.input("protect.json", list);
        ctx.run(&input, &["--protect", list.to_str().unwrap()]);
        assert!(!super::sent(&ctx).contains("bob@contoso.example"));
    }
}

#[test]
fn invalid_json_rows_stay_invalid_in_resume_and_apply() {
    let text =
        "[\"ann@contoso.example\",\"cy@contoso.example.\",\"dan*@contoso.example\",\"bob@contoso.example\"]";
    let ctx = TestContext::new(&format!(
        "{RESOLVES_NOBODY}[[fault]]\nmatch = \"bob@*\"\nanswer = 400\ntimes = 1\n"
    ));
    let input = ctx.input("users.json", text);
    ctx.run(&input, &[]).exits(3);
    let folder = ctx.run_folder().path;
    // The two that are not valid IDs are left.
    ctx.finish(ctx.command("resume").arg(&folder)).exits(3);
    let outcomes = ctx.run_folder().outcomes();
    assert_eq!(outcomes.values().filter(|outcome| *outcome == "revoked").count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.values().filter(|outcome| *outcome == "invalid").count(), 2, "{outcomes:?}");
    assert_eq!(super::sent(&ctx).len(), 2);

    let ctx = TestContext::new("");
    let input = ctx.input("users.json", text);
    let plan = ctx.dir.path().join("plan.json");
    ctx.finish(ctx.command("plan").arg(&input).arg("--plan-file").arg(&plan)).exits(0);
    ctx.finish(ctx.command("apply").arg(&plan).arg("--yes")).exits(3);
    assert_eq!(super::sent(&ctx).len(), 2);
}

#[test]
fn an_expanded_manager_is_not_taken_for_the_user() {
    let one = |name: &str| {
        format!(
            "{{\"manager\":{{\"id\":\"9f4c1a2b-0000-4000-8000-0000000000f0\"}},\"userPrincipalName\":\"{name}@contoso.example\"}}"
        )
    };
    let text = format!("[{},{}]", one("ann"), one("bob"));
    let (code, users, said) = run("users.json", text.as_bytes(), &[]);
    assert_eq!((code, users.len()), (Some(0), 2), "{said}");
}
