//! Text from others (IDs, columns, a server's messages) that would have an effect where it is shown.

use crate::ctx::{CommandResult, RunDir, TestContext, read_csv};
use entra_revoke::simulator::{Config, Fault, FaultAnswer};

/// What acts: escapes, C1 controls, bidirectional overrides, an invisible character.
const ACTING: [char; 7] = ['\u{1b}', '\u{9b}', '\u{7}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{85}'];

#[track_caller]
fn harmless(what: &str, text: &str) {
    for acting in ACTING {
        let at =
            text.find(acting).map(|at| text[at.saturating_sub(60)..].chars().take(80).collect::<String>());
        assert_eq!(at, None, "{what} holds U+{:04X}", u32::from(acting));
    }
}

#[track_caller]
fn all_harmless(done: &CommandResult, folder: &RunDir) {
    harmless("standard output", &done.stdout);
    harmless("standard error", &done.stderr);
    for name in ["report.csv", "report.html", "report.jsonl", "summary.json", "journal.jsonl", "run.json"] {
        harmless(name, &folder.text(name));
    }
}

fn acting() -> String {
    ACTING.iter().map(|c| format!("x{c}[31m")).collect()
}

/// No part of a cell that a spreadsheet could take for a cell of its own is a formula.
#[track_caller]
fn calculates_nothing(cell: &str) {
    for part in cell.split([';', ',', '|', '\t', '\n', '\r', '"']) {
        assert!(!part.trim_start().starts_with(['=', '+', '-', '@']), "{part:?} of {cell:?}");
    }
}

#[test]
fn formulas_are_escaped_in_the_report_and_exact_in_remaining_csv() {
    let ctx = TestContext::new("deny = ['*']");
    let cells = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "=cmd|' /C calc'!A0",
        "a,\"b\"\nc",
        "plain",
        "a;=1",
        "a; \" @x",
        "b\t+1",
        "c\n-1",
        "d\r\n=1",
        "e\"=1\"",
        "over\rwritten",
    ];
    let mut input = csv::Writer::from_writer(Vec::new());
    input.write_record(["upn", "=note", "n;=1"]).unwrap();
    for (number, cell) in cells.iter().enumerate() {
        input.write_record([format!("u{number}@contoso.com").as_str(), cell, ""]).unwrap();
    }
    input.write_record(["=HYPERLINK(1)", "invalid", ""]).unwrap();
    input.write_record(["-dash@contoso.com", "an id", ""]).unwrap();
    let input = ctx.input("users.csv", input.into_inner().unwrap());
    ctx.run(&input, &["--case-id", "=2+2", "--column", "upn"]).exits(3);
    let folder = ctx.run_folder();
    assert!(!folder.text("report.csv").contains('\r'));
    for row in folder.rows() {
        for cell in row.iter().flat_map(|(column, cell)| [column, cell]) {
            calculates_nothing(cell);
        }
        assert_eq!(row["case_id"], "'=2+2");
    }
    let remaining = read_csv(&folder.text("remaining.csv"));
    let notes: Vec<&str> = remaining.iter().map(|row| row["=note"].as_str()).collect();
    assert_eq!(notes[..cells.len()], cells);
    assert_eq!(remaining[cells.len()]["upn"], "=HYPERLINK(1)");
    assert_eq!(remaining[cells.len() + 1]["upn"], "-dash@contoso.com");
    assert!(ctx.ledger().user("-dash@contoso.com").is_some(), "the id itself is sent as it is");
}

#[test]
fn ids_and_columns_have_no_effect_in_output() {
    let acting = acting();
    let ctx = TestContext::new("deny = ['*']");
    // Enough plain text around it that the file is not taken for a binary one.
    let plain = "somebody@contoso.com,plain text,plain text\n".repeat(40);
    let contents = format!(
        "upn,note{acting},x\n{plain}a@contoso.com,{acting},<script>alert(1)</script>\nno{acting}id,y,z\n\
         b{acting}@contoso.com,y,z\n"
    );
    let input = ctx.input("users.csv", contents);
    for (extra, log) in [(&["--progress", "plain"][..], "text"), (&["-vvv"], "text"), (&["-vvv"], "json")] {
        let mut command = ctx.command("run");
        command
            .arg(&input)
            .args(extra)
            .args(["--log-format", log, "--output-dir"])
            .arg(format!("runs-{log}-{}", extra.len()));
        command.args(["--case-id", &acting, "--column", "upn"]);
        let done = ctx.finish(&mut command);
        done.exits(3);
        let runs = ctx.dir.path().join(format!("runs-{log}-{}", extra.len()));
        let folder = RunDir { path: std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().path() };
        all_harmless(&done, &folder);
        let page = folder.text("report.html");
        assert!(!page.contains("<script>alert"), "a cell became a script");
        assert!(folder.text("remaining.csv").contains(&acting), "what remains is exact");
    }
    for output in ["text", "json", "jsonl", "csv"] {
        let done = ctx.run(&input, &["--dry-run", "--column", "upn", "-o", output]);
        harmless(&format!("the preview as {output}"), &done.stdout);
        harmless("standard error", &done.stderr);
    }
    for output in ["jsonl", "csv"] {
        let done = ctx.run(&input, &["--column", "upn", "-o", output]);
        harmless(&format!("results as {output}"), &done.stdout);
    }
}

#[test]
fn server_messages_have_no_effect_in_output() {
    let says = format!("</td><script>alert(1)</script>{}\r\nForged: line", acting());
    let mut fault = Fault::new(FaultAnswer::Status(400));
    fault.message = Some(says.clone());
    fault.code = Some(says.clone());
    let mut text = Fault::new(FaultAnswer::Status(503));
    text.pattern = "b@*".into();
    text.body = Some(says.clone());
    let mut mark = Fault::new(FaultAnswer::Status(403));
    mark.pattern = "c@*".into();
    mark.headers =
        [("request-id".into(), "<b>=1+1</b>".into()), ("x-ms-ags-diagnostic".into(), "=1".into())].into();
    let mut config = Config { faults: vec![text, mark, fault], ..Config::default() };
    config.quota.enabled = false;
    let ctx = TestContext::with_config(config);
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\n");
    let done = ctx.run(&input, &["--retries", "1", "-vvv"]);
    done.exits(3);
    let folder = ctx.run_folder();
    all_harmless(&done, &folder);
    assert!(!done.stderr.lines().any(|line| line.starts_with("Forged")), "{}", done.stderr);
    assert!(!folder.text("report.html").contains("<script>alert"));
    assert!(!folder.text("report.html").contains("<b>=1+1</b>"));
    assert!(folder.row("a@contoso.com")["detail"].contains("alert"), "the words are kept");
}

#[test]
fn authority_messages_have_no_effect_in_output() {
    let mut fault = Fault::new(FaultAnswer::Status(400));
    fault.endpoint = entra_revoke::simulator::FaultEndpoint::Token;
    fault.message = Some(format!("no{}\nerror: forged", acting()));
    let ctx = TestContext::with_config(Config { faults: vec![fault], ..Config::default() });
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command
        .env("AZURE_CLIENT_SECRET", "fake")
        .env("AZURE_CLIENT_ID", "an-app")
        .env("AZURE_TENANT_ID", "t.example");
    command.args(["--yes", "--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    let done = ctx.finish(command.arg(&input));
    done.exits(4);
    harmless("standard error", &done.stderr);
    assert!(!done.stderr.contains("\nerror: forged"), "{}", done.stderr);
}

#[test]
fn file_names_have_no_effect_in_output() {
    let ctx = TestContext::new("");
    let name = format!("users{}.txt", acting());
    let missing = ctx.dir.path().join(&name);
    let done = ctx.run(&missing, &[]);
    done.exits(2);
    harmless("standard error", &done.stderr);
    let input = ctx.input(&name, "a@contoso.com\nnobody\n");
    let done = ctx.run(&input, &["-v"]);
    done.exits(3);
    all_harmless(&done, &ctx.run_folder());
}

#[test]
fn a_line_of_two_megabytes_affects_no_other_row() {
    let blank = " ".repeat(2 << 20);
    for (name, text) in [
        ("users.txt", format!("a@contoso.com\n{blank}\nb@contoso.com\nc@contoso.com\n")),
        ("users.csv", format!("upn,dept\na@contoso.com,x\n{blank},x\nb@contoso.com,x\nc@contoso.com,x\n")),
    ] {
        let ctx = TestContext::new("");
        let input = ctx.input(name, text);
        ctx.run(&input, &[]).exits(3);
        let rows = ctx.run_folder().rows();
        let lines: Vec<[&str; 2]> =
            rows.iter().map(|row| [row["line"].as_str(), row["outcome"].as_str()]).collect();
        let first = if name.ends_with("csv") { 2 } else { 1 };
        let numbers: Vec<String> = (first..first + 4).map(|line| line.to_string()).collect();
        let words = ["revoked", "invalid", "revoked", "revoked"];
        let expected: Vec<[&str; 2]> =
            numbers.iter().zip(words).map(|(line, word)| [line.as_str(), word]).collect();
        assert_eq!(lines, expected, "{name}");
        assert_eq!(ctx.stats().effects, 3, "{name}");
    }
}

#[test]
fn remaining_csv_of_a_table_without_header_can_be_run() {
    let ctx = TestContext::new("deny = ['b@*', 'd@*']");
    let table = "a@contoso.com,Ann\nb@contoso.com,Bob\nc@contoso.com,Cy\nd@contoso.com,\"Di, née\"\n";
    let input = ctx.input("users.csv", table);
    ctx.run(&input, &[]).exits(3);
    let remaining = ctx.run_folder().path.join("remaining.csv");
    ctx.simulator.change_config("deny = []").unwrap();
    let input = ctx.input("again.csv", std::fs::read(remaining).unwrap());
    ctx.run(&input, &["--output-dir", "again"]).exits(0);
    let ledger = ctx.ledger();
    let of = |user: &str| ledger.user(user).map(|user| (user.requests, user.effects));
    assert_eq!([of("a@contoso.com"), of("c@contoso.com")], [Some((1, 1)); 2]);
    assert_eq!([of("b@contoso.com"), of("d@contoso.com")], [Some((2, 1)); 2]);
    assert_eq!(ledger.users.len(), 4);
}

/// What real files have besides users, and what must come of it: no other user is sent, no user is lost, and all is told.
#[test]
fn rows_that_are_not_users_are_skipped_and_reported() {
    let odd = [
        (
            "template.csv",
            &b"version:v1.0\nName [displayName] Required,User name [userPrincipalName] Required\n\
               Example: Chris Green,chris@contoso.com\nAnn,ann@contoso.com\nBob,bob@contoso.com\n"[..],
            &["the version of a bulk template (line 1)", "the example row of a bulk template (line 3)"][..],
        ),
        (
            "template-quoted.csv",
            b"\"version:v1.0\";\r\n\"User name [userPrincipalName] Required\";\"Name\"\r\n\
              \"Example: chris@contoso.com\";\"\"\r\n\"ann@contoso.com\";\"\"\r\n\"bob@contoso.com\";\"\"\r\n",
            &["the version of a bulk template (line 1)", "the example row of a bulk template (line 3)"],
        ),
        (
            "drawn.csv",
            b"| Name | UPN |\n|------|-----|\n| Ann | ann@contoso.com |\n|------|-----|\n| Bob | \
                 bob@contoso.com |\n\x1a",
            &["2 separator lines (lines 2, 4)", "an end mark (0x1A or NUL) (line 6)"],
        ),
        (
            "template.xlsx",
            include_bytes!("../fixtures/bulk-template.xlsx"),
            &[
                "the version of a bulk template (line 1)",
                "the example row of a bulk template (line 3)",
                "a separator line (line 4)",
            ],
        ),
        ("end-mark.csv", b"UPN,Name\r\nann@contoso.com,Ann\r\nbob@contoso.com,Bob\x1a\r\n", &["an end mark"]),
        (
            "bytes.csv",
            b"UPN,Name,Note\nann@contoso.com,Zo\xc3\xab \xc3\xbc,x\nbob@contoso.com,Zo\xeb,a\0b\n",
            &["2 cells could not be read (not UTF-8: line 3; with NUL bytes: line 3)", "--encoding windows-1252"],
        ),
        (
            "blanks.csv",
            b"No, \"Name, first\", UPN, Manager\n1, \"Lee, Ann\", ann@contoso.com, boss@contoso.com\n\
              2,\t\"Li, Bob\" ,\"bob@contoso.com\" , boss@contoso.com\n",
            &["IDs from column `UPN`"],
        ),
        ("cr.csv", b"UPN,Name\rann@contoso.com,\"Lee,\rAnn\"\rbob@contoso.com,Bob\r", &["IDs from column `UPN`"]),
    ];
    for (name, contents, says) in odd {
        let ctx = TestContext::new("");
        let done = ctx.run(&ctx.input(name, contents), &[]);
        done.exits(0);
        let outcomes = ctx.run_folder().outcomes();
        let users: Vec<&str> = outcomes.keys().map(String::as_str).collect();
        assert_eq!(users, ["ann@contoso.com", "bob@contoso.com"], "{name}");
        for nobody in ["chris@contoso.com", "boss@contoso.com"] {
            assert!(ctx.ledger().user(nobody).is_none(), "{name}: {nobody} was sent");
        }
        for said in says {
            assert!(done.stderr.contains(said), "{name} does not say {said:?}:\n{}", done.stderr);
        }
    }
}

/// Each row of an input is in the report, or a note names its line.
#[test]
fn each_row_is_reported_or_counted_as_skipped() {
    let rows: [&[u8]; 10] = [
        b"ann@contoso.com,Ann",
        b"Zo\xeb@contoso.com,\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        b"-----,-----",
        b"bob@contoso.com,\"Lee \"Bob\", Jr\"",
        b",Nobody",
        b"\x1a",
        b"Example: chris@contoso.com,",
        b"version:v1.0",
        b"cy@contoso.com,'Li, Cy'",
        b"(8 rows affected)",
    ];
    let ctx = TestContext::new("");
    let input = [&b"UPN,Name,Note\n"[..], &rows.join(&b'\n')].concat();
    let done = ctx.run(&ctx.input("users.csv", input), &[]);
    done.exits(3);
    let reported: Vec<String> = ctx.run_folder().rows().iter().map(|row| row["line"].clone()).collect();
    for line in 2..rows.len() + 2 {
        let named =
            [format!("line {line})"), format!("line {line}, ")].iter().any(|name| done.stderr.contains(name));
        assert!(
            reported.contains(&line.to_string()) || named,
            "line {line} is lost: {reported:?}\n{}",
            done.stderr
        );
    }
    assert_eq!(ctx.run_folder().row("ann@contoso.com")["outcome"], "revoked");
    for unsure in ["bob@contoso.com", "cy@contoso.com", "chris@contoso.com"] {
        assert!(ctx.ledger().user(unsure).is_none(), "{unsure}");
    }
}

#[test]
fn directory_names_have_no_effect_in_output() {
    let names = [
        "=HYPERLINK(1)",
        "x;@y",
        "over\rwritten",
        "Аnn Lee",
        "\u{2800}\u{3164}",
        "long long ".repeat(30).trim(),
    ]
    .map(str::to_owned);
    let quoted = |text: &String| serde_json::to_string(text).unwrap();
    let users: String = (0..)
        .zip(&names)
        .map(|(at, name)| format!("[[directory.user]]\nupn = 'u{at}@contoso.com'\nname = {}\n", quoted(name)))
        .collect();
    let ctx =
        TestContext::new(&format!("[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']\n{users}"));
    let ids: String = (0..names.len()).map(|at| format!("u{at}@contoso.com\n")).collect();
    let input = ctx.input("users.txt", ids);
    let shown = ctx.run(&input, &["--dry-run", "--members-only"]).exits(0).stdout.clone();
    harmless("the dry run", &shown);
    let done = ctx.run(&input, &[]);
    done.exits(0);
    let folder = ctx.run_folder();
    all_harmless(&done, &folder);
    for file in ["plan.csv", "report.csv"] {
        let text = folder.text(file);
        assert!(!text.contains('\r'), "{file}");
        for cell in read_csv(&text).iter().flat_map(|row| row.values()) {
            calculates_nothing(cell);
        }
    }
    // Programs get the name as it is.
    assert!(folder.text("report.jsonl").contains("\"=HYPERLINK(1)\""));
}

#[cfg(unix)]
#[test]
fn a_printed_command_is_safely_quoted() {
    let ctx = TestContext::new("deny = ['*']");
    let column = "$(touch pwned)`touch pwned`';touch pwned;'[tenantId]";
    let text = format!("id,\"{column}\"\nann@contoso.com,\nbob@contoso.com,\n");
    let folder = ctx.dir.path().join("$(touch pwned) dir");
    std::fs::create_dir(&folder).unwrap();
    let input = ctx.input("$(touch pwned).csv", text);
    let keep = ctx.input("keep.txt", "cy@contoso.com\n").display().to_string();
    let keep = keep.as_str();
    let done = ctx.run(
        &input,
        &[
            "--tenant-column",
            column,
            "--column",
            "id",
            "--output-dir",
            folder.to_str().unwrap(),
            "--protect",
            keep,
        ],
    );
    done.exits(3);
    let commands: Vec<&str> =
        done.stdout.lines().filter(|line| line.starts_with("  entra-revoke ")).collect();
    assert_eq!(commands.len(), 2, "{}", done.stdout);
    let empty = tempfile::tempdir().unwrap();
    for command in commands {
        // What a shell hands on is one word for each: nothing is run, and nothing is cut apart.
        let script = format!("entra-revoke() {{ printf '%s\\n' \"$@\"; }}\n{command}");
        let sh = std::process::Command::new("bash")
            .arg("-c")
            .arg(script)
            .current_dir(empty.path())
            .output()
            .unwrap();
        let words = String::from_utf8(sh.stdout).unwrap();
        assert!(words.contains("$(touch pwned) dir"), "{command}: {words}");
        if command.contains("--tenant-column") {
            assert!(words.lines().any(|word| word == column), "{command}: {words}");
            // What is corrected there must not send a protected user.
            assert!(words.contains(&format!("--protect\n{keep}\n")), "{command}: {words}");
        }
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}
