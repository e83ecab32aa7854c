//! Selections with the binary: which users are revoked, and what stops a run before the first request.

use entra_revoke::simulator::TokenKind;

use crate::ctx::{CommandResult, TestContext};
use crate::selecting::desk::{ALL, only};

const TENANT: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
department = "Sales"
[[directory.user]]
upn = "bo@contoso.example"
manager = "ada@contoso.example"
[[directory.user]]
upn = "cy@contoso.example"
[[directory.user]]
upn = "di@contoso.example"
manager = "bo@contoso.example"
[[directory.group]]
name = "Finance"
members = ["ada@contoso.example", "group:Payroll", "device:laptop"]
[[directory.group]]
name = "Payroll"
members = ["bo@contoso.example", "group:Finance"]
[[directory.group]]
name = "Twins"
[[directory.group]]
name = "Twins"
[[directory.group]]
name = "Empty"
[[directory.unit]]
name = "Oslo"
members = ["cy@contoso.example"]
[[directory.role]]
name = "Security Reader"
active = ["cy@contoso.example"]
eligible = ["di@contoso.example"]
[[directory.risky]]
user = "di@contoso.example"
level = "high"
"#;

/// Runs with these selections, and gives who was revoked, as the simulator saw it: what stands before the `@`.
fn run(permissions: &str, args: &[&str]) -> (CommandResult, Vec<String>) {
    let ctx = TestContext::new(&format!("{permissions}{TENANT}"));
    let done = ctx.finish(ctx.command("run").args(args));
    let effective = ctx.ledger().users.into_iter().filter(|user| user.effects > 0);
    let mut sent: Vec<String> = effective.map(|user| user.id).collect();
    sent.sort();
    assert_eq!(ctx.stats().revocations as usize, sent.len(), "each once");
    let short = |upn: &String| upn.split('@').next().unwrap_or_default().to_owned();
    (done, sent.iter().map(short).collect())
}

#[test]
fn each_selection_revokes_its_users() {
    for (args, expected) in [
        (vec!["--group", "Finance"], vec!["ada", "bo"]),
        (vec!["--group", "Finance", "--direct"], vec!["ada"]),
        (vec!["--role", "Security Reader"], vec!["cy"]),
        (vec!["--role", "Security Reader", "--eligible"], vec!["cy", "di"]),
        (vec!["--administrative-unit", "Oslo"], vec!["cy"]),
        (vec!["--risky-users", "high"], vec!["di"]),
        (vec!["--users-filter", "department eq 'Sales'"], vec!["ada"]),
        (vec!["--reports-of", "ada@contoso.example"], vec!["bo", "di"]),
        (vec!["--group", "Finance", "--administrative-unit", "Oslo"], vec!["ada", "bo", "cy"]),
    ] {
        let (done, sent) = run(ALL, &args);
        done.exits(0);
        assert_eq!(sent, expected, "{args:?}: {}", done.stderr);
    }
}

#[test]
fn an_incomplete_selection_stops_the_run() {
    for (permissions, args, code, words) in [
        (ALL, ["--group", "Twins"], 2, "group Twins is ambiguous. Use an ID: Twins ("),
        (ALL, ["--group", "Nobody's"], 2, "there is no group Nobody's in this tenant"),
        (ALL, ["--role", "Company Administrator"], 2, "there is no role Company Administrator"),
        (ALL, ["--users-filter", "shoeSize eq '42'"], 2, "can't read users with shoeSize eq '42'"),
        (ALL, ["--users-filter", " "], 2, "it is empty"),
        (ALL, ["--risky-users", "extreme"], 2, "the levels are high, medium and low"),
        (ALL, ["--group", "Empty"], 2, "group Empty"),
        (
            &only(&["User.RevokeSessions.All", "User.Read.All"]),
            ["--group", "Finance"],
            4,
            "GroupMember.Read.All",
        ),
        (
            &only(&["User.RevokeSessions.All"]),
            ["--users-filter", "department eq 'Sales'"],
            4,
            "User.Read.All",
        ),
        (&only(&["User.RevokeSessions.All"]), ["--risky-users", "high"], 4, "IdentityRiskyUser.Read.All"),
        (
            &only(&["User.RevokeSessions.All"]),
            ["--administrative-unit", "Oslo"],
            4,
            "AdministrativeUnit.Read.All",
        ),
        (
            &only(&["User.RevokeSessions.All"]),
            ["--role", "Security Reader"],
            4,
            "RoleManagement.Read.Directory",
        ),
    ] {
        let (done, sent) = run(permissions, &args);
        done.exits(code);
        assert!(done.stderr.contains(words), "{args:?}: {words:?} is not in {}", done.stderr);
        assert_eq!(sent, Vec::<String>::new(), "{args:?}");
    }
}

#[test]
fn an_empty_protect_list_stops_the_run_without_allow_empty() {
    for list in ["group:Empty", "role:Global Administrator"] {
        let args = ["--group", "Finance", "--protect", list];
        let (done, sent) = run(ALL, &args);
        assert_eq!((done.code, sent), (Some(2), Vec::new()), "{}", done.stderr);
        assert!(done.stderr.contains("has no users"), "{}", done.stderr);
        let (done, sent) = run(ALL, &[&args[..], &["--allow-empty"]].concat());
        assert_eq!((done.code, sent), (Some(0), vec!["ada".to_owned(), "bo".to_owned()]), "{}", done.stderr);
    }
}

#[test]
fn account_kinds_are_filtered_for_risky_users() {
    for kind in ["--members-only", "--enabled-only"] {
        let (done, sent) = run(ALL, &["--risky-users", "high", kind]);
        assert_eq!((done.code, sent), (Some(0), vec!["di".to_owned()]), "{kind}: {}", done.stderr);
    }
}

#[test]
fn without_lookup_ids_are_sent_as_written() {
    let ctx = TestContext::new(&format!("{ALL}{TENANT}"));
    let input = ctx.input("users.txt", "ada@contoso.example\nbo@contoso.example\n");
    let done = ctx.run(&input, &["--no-lookup", "--protect", "bo@contoso.example"]);
    done.exits(0);
    assert_eq!((ctx.stats().reads, ctx.stats().effects), (0, 1), "{}", done.stderr);
    assert_eq!(ctx.run_folder().row("ada@contoso.example")["outcome"], "revoked");
    let done = ctx.run(&input, &["--no-lookup", "--protect", "group:Finance"]);
    done.exits(2);
    assert!(done.stderr.contains("--no-lookup"), "{}", done.stderr);
}

#[test]
fn me_and_other_names_of_the_operator_are_one_user() {
    let toml = "[token]\nscopes = ['User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All']\n\
                user_principal_name = 'bo@contoso.example'\nuser_id = '5a1e0000-0000-4000-8000-0000000000b0'\n";
    let tenant = TENANT.replace(
        "upn = \"bo@contoso.example\"",
        "upn = \"bo@contoso.example\"\nid = \"5a1e0000-0000-4000-8000-0000000000b0\"",
    );
    let ctx = TestContext::new(&format!("{toml}{tenant}"));
    let token = ctx.simulator.mint_token(TokenKind::User, std::time::Duration::from_secs(3600));
    let input = ctx.input("users.txt", "bo@contoso.example\nme\nada@contoso.example\n");
    let mut command = ctx.command("run");
    command.arg(&input).args(["--group", "Finance", "-j", "1"]).env("ENTRA_REVOKE_TOKEN", token);
    let done = ctx.finish(&mut command);
    done.exits(0);
    assert!(done.stderr.contains("come last") && !done.stderr.contains("left out"), "{}", done.stderr);
    let rows = ctx.run_folder().rows();
    let of = |outcome: &str| rows.iter().filter(|row| row["outcome"] == outcome).count();
    assert_eq!((of("revoked"), of("duplicate"), of("protected")), (2, 3, 0), "{rows:#?}");
    assert_eq!(ctx.stats().revocations, 2);
}

/// What only informs: the simulator's endpoint, and what is read there.
const INFORMING: [(&str, &str); 4] =
    [("directory", "roleManagement/*"), ("directory", "applications*"), ("read", "*"), ("directory", "*")];

#[test]
fn an_informative_lookup_never_stops_a_run() {
    for answer in ["302", "400", "403", "404", "500", "'reset-before'", "'portal'"] {
        for (endpoint, path) in INFORMING {
            let fault = format!("[[fault]]\nendpoint = '{endpoint}'\nmatch = '{path}'\nanswer = {answer}\n");
            let ctx = stage_with(&fault);
            let input = ctx.input("users.csv", "upn\nada@contoso.example\nbo@contoso.example\n");
            let done = by_app(&ctx, &[input.to_str().unwrap()]);
            done.exits(0);
            assert_eq!(ctx.stats().effects, 2, "{fault}: {}", done.stderr);
            // An app from elsewhere has no registration here, and who is not there does not exist: a 404 is an answer.
            if answer == "404" && (path == "applications*" || endpoint == "read") {
                continue;
            }
            // Users that may not be read have a notice of their own.
            if answer == "403" && done.stderr.contains("users can't be looked up before the run: ") {
                continue;
            }
            assert!(done.stderr.contains("not checked: "), "{fault}: {}", done.stderr);
            let folder = ctx.run_folder();
            let record: serde_json::Value = serde_json::from_str(&folder.text("run.json")).unwrap();
            for told in [&record["unchecked"], &folder.summary()["unchecked"]] {
                assert!(!told.as_array().unwrap().is_empty(), "{fault}: {told}");
            }
            assert!(done.stdout.contains("Not checked: "), "{fault}: {}", done.stdout);
        }
    }
}

/// A stage of all permissions with these faults.
fn stage_with(faults: &str) -> TestContext {
    TestContext::new(&format!("{ALL}{TENANT}{faults}"))
}

/// `run` as an app, whose token lists its permissions.
fn by_app(ctx: &TestContext, args: &[&str]) -> CommandResult {
    let token = ctx.simulator.mint_token(TokenKind::App, std::time::Duration::from_secs(3600));
    ctx.finish(ctx.command("run").env("ENTRA_REVOKE_TOKEN", token).args(args))
}

#[test]
fn an_informative_lookup_is_not_waited_for_long() {
    let faults = [
        "answer = 'hang-before'",
        "answer = 429\nretry_after = '3600'",
        "answer = 429",
        "answer = 503\nretry_after = '60'",
        "answer = 'drip'",
    ];
    for fault in faults {
        let both = ["directory", "read", "batch"]
            .map(|endpoint| format!("[[fault]]\nendpoint = '{endpoint}'\nmatch = '*'\n{fault}\n"));
        let ctx = stage_with(&both.concat());
        let input = ctx.input("users.csv", "upn\nada@contoso.example\nbo@contoso.example\n");
        let began = std::time::Instant::now();
        let done = by_app(&ctx, &[input.to_str().unwrap()]);
        done.exits(0);
        let took = began.elapsed();
        assert!(took.as_secs() < 15, "{fault}: {took:?}");
        assert_eq!(ctx.stats().effects, 2, "{fault}: {}", done.stderr);
        assert!(done.stderr.contains("not checked"), "{fault}: {}", done.stderr);
    }
}

#[test]
fn a_required_lookup_stops_the_run_with_advice() {
    let fault = "[[fault]]\nendpoint = 'read'\nmatch = '*'\nanswer = 501\n";
    let ctx = stage_with(fault);
    let input = ctx.input("users.csv", "upn\nada@contoso.example\nbo@contoso.example\n");
    let input = input.to_str().unwrap();
    let done = by_app(&ctx, &[input, "--protect", "bo@contoso.example"]);
    done.exits(1);
    assert!(done.stderr.contains("--no-lookup"), "{}", done.stderr);
    for needed in ["--enabled-only", "--resolve"] {
        let done = by_app(&ctx, &[input, needed]);
        done.exits(1);
        assert!(!done.stderr.contains("--no-lookup"), "it would not help: {}", done.stderr);
    }
    assert_eq!(ctx.stats().revocations, 0);
    let done = by_app(&ctx, &[input, "--no-lookup", "--protect", "bo@contoso.example"]);
    done.exits(0);
    assert_eq!(ctx.stats().effects, 1);
}

#[test]
fn a_share_that_cannot_be_computed_stops_the_run_and_names_the_permission() {
    let fault = "[[fault]]\nendpoint = 'directory'\nmatch = '*count'\nanswer = 403\n";
    for toml in [format!("{ALL}{TENANT}{fault}"), format!("{}{TENANT}", only(&["User.RevokeSessions.All"]))] {
        let ctx = TestContext::new(&toml);
        let input = ctx.input("users.csv", "upn\nada@contoso.example\nbo@contoso.example\n");
        let done = by_app(&ctx, &[input.to_str().unwrap(), "--max-share", "90%"]);
        done.exits(2);
        assert!(done.stderr.contains("User.Read.All"), "{}", done.stderr);
        assert_eq!(ctx.stats().revocations, 0);
    }
}

#[test]
fn admins_first_continues_without_role_data() {
    let fault = "[[fault]]\nendpoint = 'directory'\nmatch = 'roleManagement/*'\nanswer = 400\n";
    let ctx = stage_with(fault);
    let input = ctx.input("users.csv", "upn\nada@contoso.example\nbo@contoso.example\n");
    let done = by_app(&ctx, &[input.to_str().unwrap(), "--admins-first"]);
    done.exits(0);
    assert!(done.stderr.contains("--admins-first has no effect"), "{}", done.stderr);
    assert_eq!(ctx.stats().effects, 2);
}
