//! Many tenants in one run: which tenant each user is revoked in, what stops alone, and what is reported for each.

use crate::ctx;
#[cfg(unix)]
use crate::support::terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::ctx::{CommandResult, RunDir, TestContext};
use proptest::prelude::*;

/// A `run` with an app's secret, which is good in all tenants.
fn run(ctx: &TestContext, args: &[&str]) -> Command {
    let mut command = ctx.command_without_token("run");
    with_app(ctx, &mut command);
    command.arg("--yes").args(args);
    command
}

fn with_app(ctx: &TestContext, command: &mut Command) {
    command.env("AZURE_CLIENT_ID", "app-1").env("AZURE_CLIENT_SECRET", "fake-secret-CANARY-1b");
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
}

fn tenant(number: usize) -> String {
    format!("t{number:02}.example")
}

/// A file of `users` users in each of `tenants` tenants, one tenant after the other for each user.
fn users(tenants: usize, each: usize) -> String {
    let rows = (0..each).flat_map(|user| (0..tenants).map(move |number| (user, tenant(number))));
    let rows: String = rows.map(|(user, tenant)| format!("u{user}@{tenant},{tenant}\n")).collect();
    format!("user,tenant\n{rows}")
}

/// Users in each tenant by outcome, by the tenant's name in the input.
fn by_tenant(run: &RunDir) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for row in run.rows() {
        let name = row.get("tenant (2)").unwrap_or(&row["tenant"]).clone();
        *counts.entry(name).or_default().entry(row["outcome"].clone()).or_default() += 1;
    }
    counts
}

/// Its cell names another tenant of the run by mistake, and no directory can tell.
#[test]
fn a_protect_list_applies_in_every_tenant() {
    let ctx = TestContext::new("accept_any_token = false");
    let input = ctx.input("users.csv", users(2, 2));
    let list = ctx.input("list.csv", "upn,tenant\nu1@t00.example,t01.example\n");
    let list = list.display().to_string();
    ctx.finish(run(&ctx, &["--no-lookup", "--protect", &list]).arg(&input)).exits(0);
    let row = ctx.run_folder().row("u1@t00.example");
    assert_eq!(row["outcome"], "protected", "{row:#?}");
    assert_eq!(ctx.ledger().users.len(), 3);
}

#[test]
fn users_are_revoked_in_their_own_tenant() {
    let ctx = TestContext::new("accept_any_token = false");
    let file = "id,Tenant ID\nann@a.example,a.example\nann@a.example,B.example\nbob@a.example,A.EXAMPLE\n\
                ann@a.example,a.example\n";
    let input = ctx.input("users.csv", file);
    let done = ctx.finish(run(&ctx, &["-o", "json"]).arg(&input));
    done.exits(0);
    let folder = ctx.run_folder();
    let rows = folder.rows();
    let words: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(words, ["revoked", "revoked", "revoked", "duplicate"]);
    let tenants: Vec<&str> = rows.iter().map(|row| row["tenant"].as_str()).collect();
    assert!(tenants[0] == tenants[2] && tenants[0] != tenants[1], "{tenants:?}");
    assert_eq!(tenants[0].len(), 36, "by its id: {}", tenants[0]);
    let record: serde_json::Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    assert_eq!(record["tenants"][0]["named"], serde_json::json!(["a.example"]));
    assert_eq!(record["tenants"][0]["tenant_id"], tenants[0]);
    let summary = folder.summary();
    assert_eq!(summary["tenants"][0]["outcomes"]["revoked"], 2);
    assert_eq!(summary["tenants"][1]["users"], 1);
    // The simulator says who asked: each user by the token of their tenant.
    let by = |user: &str| -> BTreeSet<String> {
        let users = ctx.ledger().users;
        let user = users.into_iter().find(|known| known.id == user).unwrap();
        user.by.into_iter().map(|asking| asking.tenant).collect()
    };
    assert_eq!(by("ann@a.example"), tenants[..2].iter().map(|id| (*id).to_owned()).collect());
    assert_eq!(by("bob@a.example"), BTreeSet::from([tenants[0].to_owned()]));
    assert_eq!(ctx.ledger().violations.len(), 0);
    assert_eq!(ctx.stats().revocations, 3);
}

#[test]
fn two_names_for_a_tenant_are_one_tenant() {
    let ctx = TestContext::new("accept_any_token = false");
    let first = ctx.input("first.csv", "id,tenant\nann@a.example,a.example\nbob@b.example,b.example\n");
    ctx.finish(run(&ctx, &["--output-dir", "first"]).arg(&first)).exits(0);
    let folder = std::fs::read_dir(ctx.dir.path().join("first")).unwrap().next().unwrap().unwrap().path();
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap();
    let id = record["tenants"][0]["tenant_id"].as_str().unwrap().to_uppercase();
    let file = format!("id,tenant\nann@a.example,a.example\nANN@a.example,{id}\neve@b.example,b.example\n");
    let input = ctx.input("users.csv", file);
    ctx.finish(run(&ctx, &[]).arg(&input)).exits(0);
    let folder = ctx.run_folder();
    let words: Vec<String> = folder.rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words, ["revoked", "duplicate", "revoked"]);
    assert_eq!(folder.summary()["tenants"].as_array().unwrap().len(), 2);
    // All of one tenant: a run of one, by whatever names.
    let input = ctx.input("one.csv", format!("id,tenant\nann@a.example,a.example\nbob@a.example,{id}\n"));
    ctx.finish(run(&ctx, &["--output-dir", "one"]).arg(&input)).exits(0);
    let folder = std::fs::read_dir(ctx.dir.path().join("one")).unwrap().next().unwrap().unwrap().path();
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["tenant_id"], id.to_lowercase());
    assert_eq!(summary.get("tenants"), None);
}

#[test]
fn troubled_tenants_do_not_delay_others() {
    // The real time-outs take two seconds and more: a sign-in that hangs is waited for once.
    let ctx = TestContext::new(
        "[[fault]]\nendpoint = 'token'\ntenant = 't03.example'\nanswer = 400\ncode = 'AADSTS700016'\n\
         [[fault]]\nendpoint = 'token'\ntenant = 't05.example'\nanswer = 'hang-before'\n\
         [[fault]]\nendpoint = 'graph'\ntenant = 't07.example'\nanswer = 429\nretry_after = '600'\n",
    );
    let input = ctx.input("users.csv", users(30, 4));
    let done = ctx.finish(run(&ctx, &["--deadline", "8s", "--timeout", "500ms"]).arg(&input));
    done.exits(5);
    let folder = ctx.run_folder();
    let counts = by_tenant(&folder);
    for number in 0..30 {
        let word = match number {
            3 | 5 => "not_attempted",
            7 => continue,
            _ => "revoked",
        };
        assert_eq!(counts[&tenant(number)], BTreeMap::from([(word.to_owned(), 4)]), "{number}");
    }
    assert!(!counts["t07.example"].contains_key("revoked"), "{:?}", counts["t07.example"]);
    let why = |number: usize| {
        let rows = folder.rows();
        rows.into_iter().find(|row| row["tenant (2)"] == tenant(number)).unwrap()["detail"].clone()
    };
    assert!(why(3).contains("AADSTS700016"), "{}", why(3));
    assert!(why(5).contains("no token within"), "{}", why(5));
    let summary = folder.summary();
    let tenants = summary["tenants"].as_array().unwrap();
    assert_eq!((&tenants[3]["exit_code"], &tenants[3]["stopped"]["reason"]), (&4.into(), &"sign_in".into()));
    assert_eq!((&tenants[4]["exit_code"], &tenants[4]["done"]), (&0.into(), &4.into()));
    assert!(done.stderr.contains("warning: can't sign in to tenant t03.example, 4 rows"), "{}", done.stderr);
    assert!(done.stdout.contains("Tenants: 27 of 30 complete."), "{}", done.stdout);
    assert!(folder.text("report.html").contains("t05.example"));
    // What is left can be an input as it stands.
    assert_eq!(folder.text("remaining.csv").lines().next(), Some("user,tenant"));
    assert!(ctx.stats().revocations >= 27 * 4);
}

#[test]
fn a_failed_sign_in_of_one_tenant_is_exit_4_and_can_be_resumed() {
    let ctx = TestContext::new(
        "accept_any_token = false\n[[fault]]\nendpoint = 'token'\ntenant = 't01.example'\nanswer = 400\n\
         code = 'AADSTS700016'\ntimes = 1\n",
    );
    let input = ctx.input("users.csv", users(3, 2));
    ctx.finish(run(&ctx, &[]).arg(&input)).exits(4);
    let folder = ctx.run_folder();
    assert_eq!(by_tenant(&folder)["t01.example"], BTreeMap::from([("not_attempted".to_owned(), 2)]));
    let path = folder.path.display().to_string();
    // Made again from the journal alone, the report says the same.
    let before = (folder.text("summary.json"), folder.text("report.csv"), folder.text("report.html"));
    ctx.finish(ctx.command_without_token("report").arg(&path)).exits(0);
    assert_eq!((folder.text("summary.json"), folder.text("report.csv"), folder.text("report.html")), before);
    let mut resume = ctx.command_without_token("resume");
    with_app(&ctx, &mut resume);
    ctx.finish(resume.arg(&path)).exits(0);
    assert_eq!(by_tenant(&folder)["t01.example"], BTreeMap::from([("revoked".to_owned(), 2)]));
    assert_eq!(ctx.stats().revocations, 6);
}

#[test]
fn users_that_could_not_be_checked_are_never_revoked() {
    let ctx = TestContext::new(
        "[[fault]]\nendpoint = 'token'\ntenant = 't01.example'\nanswer = 400\ncode = 'AADSTS700016'\ntimes = 1\n",
    );
    let input = ctx.input("users.csv", users(2, 2));
    let done = ctx.finish(run(&ctx, &["--protect", "u0@t01.example"]).arg(&input));
    done.exits(4);
    let folder = ctx.run_folder();
    let mut resume = ctx.command_without_token("resume");
    with_app(&ctx, &mut resume);
    let done = ctx.finish(resume.arg(folder.path.display().to_string()));
    done.exits(3);
    assert!(folder.rows().iter().any(|row| row["detail"].contains("could not be looked up")), "{done:?}");
    let sent: BTreeSet<String> = ctx.ledger().users.iter().map(|user| user.id.clone()).collect();
    assert!(sent.iter().all(|user| user.contains("t00")), "{sent:?}");
}

#[test]
fn no_sign_in_at_all_is_exit_4_without_a_run_folder() {
    let ctx = TestContext::new("[[tenant]]\nmatch = '*'\nknown = false");
    let input = ctx.input("users.csv", users(3, 2));
    let done = ctx.finish(run(&ctx, &[]).arg(&input));
    ctx.assert_sign_in_refused(&done, &["AADSTS90002", "t02.example"]);
}

#[test]
fn a_column_without_tenants_makes_rows_invalid_with_advice() {
    let ctx = TestContext::new("");
    let file = "user,tenant\nann@a.example,Contoso Ltd\nbob@a.example,a.example\neve@a.example,\n";
    let input = ctx.input("users.csv", file);
    let done = ctx.finish(run(&ctx, &["--tenant", "a.example", "--tenant-column", "tenant"]).arg(&input));
    done.exits(3);
    assert!(done.stderr.contains("--tenant-column none"), "{}", done.stderr);
    let words: Vec<String> = ctx.run_folder().rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words, ["invalid", "revoked", "revoked"]);
    assert!(done.stdout.contains("remaining.csv"), "{}", done.stdout);
    let none = run(&ctx, &["--tenant", "a.example", "--tenant-column", "none", "--output-dir", "none"])
        .arg(&input)
        .output()
        .unwrap();
    CommandResult::from(none).exits(0);
}

#[test]
fn a_row_without_a_tenant_uses_the_runs_tenant() {
    let ctx = TestContext::new("accept_any_token = false");
    let input = ctx.input(
        "users.csv",
        "user,tenant\nann@a.example,\nbob@b.example,b.example\neve@c.example,c.example\n",
    );
    ctx.finish(run(&ctx, &[]).arg(&input)).exits(3);
    assert_eq!(ctx.run_folder().row("bob@b.example")["outcome"], "revoked");
    let rows = ctx.run_folder().rows();
    assert!(rows[0]["outcome"] == "invalid" && rows[0]["detail"].contains("--tenant"), "{:?}", rows[0]);
    let own = ["--tenant", "a.example", "--tenant-column", "tenant", "--output-dir", "own"];
    ctx.finish(run(&ctx, &own).arg(&input)).exits(0);
}

#[test]
fn flags_for_one_tenant_are_refused_with_several() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.csv", users(2, 1)).display().to_string();
    let me =
        ctx.input("me.csv", "user,tenant\nme,a.example\nann@b.example,b.example\n").display().to_string();
    for (args, word) in [
        (
            vec![
                input.as_str(),
                "--tenant",
                "t00.example",
                "--tenant-column",
                "tenant",
                "--group",
                "Finance",
            ],
            "--group",
        ),
        (vec![input.as_str(), "--include-self"], "--include-self"),
        (vec![me.as_str()], "`me`"),
    ] {
        let done = ctx.finish(&mut run(&ctx, &args));
        done.exits(2);
        assert!(done.stderr.contains(word) && done.stderr.contains("2 tenants"), "{}", done.stderr);
    }
    let mut plan = ctx.command_without_token("plan");
    with_app(&ctx, &mut plan);
    let done = ctx.finish(plan.args([input.as_str(), "--plan-file", "plan.json"]));
    done.exits(2);
    assert!(done.stderr.contains("`plan` works with one"), "{}", done.stderr);
    // A ready token is good in one tenant, and a domain does not say in which.
    let mut ready = ctx.command("run");
    let done = ctx.finish(ready.arg(&input));
    done.exits(4);
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn a_dry_run_shows_every_tenant_without_any_sign_in() {
    let ctx = TestContext::new("");
    let input = ctx
        .input("users.csv", "user,tenant\nann@a.com,a.example\nann@a.com,b.example\nann@a.com,A.example\n");
    let done = ctx.finish(ctx.command_without_token("run").arg(&input).args(["--dry-run", "-o", "csv"]));
    done.exits(0);
    let rows = ctx::read_csv(&done.stdout);
    assert_eq!(rows[0]["tenant"], "a.example");
    assert_eq!(rows[1]["tenant"], "b.example");
    assert!(rows[1]["left_out"].is_empty() && rows[2]["left_out"] == "duplicate", "{rows:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever rows say: each once in the plan, no user twice in a tenant, and none in a tenant that the row does not name.
    #[test]
    fn every_row_is_planned_once_in_its_own_tenant(rows in prop::collection::vec((0..6_u8, 0..5_u8), 1..40)) {
        let ctx = TestContext::new("");
        let cells = ["a.example", "B.example", "b.EXAMPLE", "no tenant", ""];
        let file: String = rows
            .iter()
            .map(|(user, tenant)| format!("u{user}@x.example,{}\n", cells[usize::from(*tenant)]))
            .collect();
        let input = ctx.input("users.csv", format!("user,tenant\n{file}"));
        let done = ctx.finish(
            ctx.command_without_token("run").arg(&input).args(["--dry-run", "-o", "csv", "--tenant-column", "tenant"]),
        );
        done.exits(0);
        let planned = ctx::read_csv(&done.stdout);
        prop_assert_eq!(planned.len(), rows.len());
        let mut seen = BTreeSet::new();
        for (row, (user, cell)) in planned.iter().zip(&rows) {
            let named = ["a.example", "b.example", "b.example", "", ""][usize::from(*cell)];
            // Where rows name one tenant only, that is the run's, and has no name in the plan.
            let own = row["tenant"].as_str();
            prop_assert!(own == named || own.is_empty(), "{:?}", row);
            let several = rows.iter().any(|(_, cell)| *cell < 3);
            let word = match named {
                "" if several || *cell == 3 => "invalid",
                _ if seen.insert((named, *user)) => "",
                _ => "duplicate",
            };
            prop_assert_eq!(&row["left_out"], word, "{:?} of {:?}", row, rows);
        }
    }
}

#[test]
fn each_tenant_can_have_its_own_app() {
    let ctx = TestContext::new(
        "accept_any_token = false\n\
         [[tenant]]\nmatch = 'a.example'\napps = ['app-a']\nsecret = 'secret-of-a'\n\
         [[tenant]]\nmatch = 'b.example'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\napps = ['app-b']\n\
         secret = 'secret-of-b'\n[[tenant]]\nmatch = 'c.example'\napps = ['app-1']\n",
    );
    for name in ["a", "b"] {
        let _path = ctx.input(name, format!("secret-of-{name}"));
        #[cfg(unix)]
        std::fs::set_permissions(_path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let config = ctx.input(
        "config.toml",
        "[profile.all]\n[[profile.all.tenants]]\ntenant = 'A.example'\nclient_id = 'app-a'\n\
         client_secret_file = 'a'\n[[profile.all.tenants]]\ntenant = 'b.example'\nprofile = 'b'\n\
         [profile.b]\nclient_id = 'app-b'\nclient_secret_file = 'b'\n",
    );
    let config = config.display().to_string();
    let input = ctx.input(
        "users.csv",
        "id,tenant\nu@a.example,a.example\nu@b.example,b.example\nu@c.example,c.example\n",
    );
    let done = ctx.finish(run(&ctx, &["--config", &config, "--profile", "all"]).arg(&input));
    done.exits(0);
    let folder = ctx.run_folder();
    let summary = folder.summary();
    let apps: Vec<&str> = (0..3).map(|at| summary["tenants"][at]["app_id"].as_str().unwrap()).collect();
    assert_eq!(apps, ["app-a", "app-b", "app-1"]);
    for user in ctx.ledger().users {
        assert_eq!(user.by.len(), 1, "{user:?}");
    }
    let record = folder.text("run.json");
    assert!(!record.contains("secret-of") && record.contains("\"client_id\": \"app-a\""), "{record}");
    // Hundreds of apps would bury what the summary has to say.
    assert!(!done.stdout.contains("app app-"), "{}", done.stdout);
    let page = folder.text("report.html");
    assert!(page.contains("3 apps, in summary.json") && !page.contains("app-b"), "{page}");
    // The profile names by its domain what the rows name by id.
    let by_id = ctx.input(
        "ids.csv",
        "id,tenant\nv@a.example,a.example\nv@b.example,0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f\n",
    );
    let alone = ctx.input("alone.csv", "id,tenant\nw@b.example,0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f\n");
    for input in [by_id, alone] {
        ctx.finish(run(&ctx, &["--config", &config, "--profile", "all"]).arg(&input)).exits(0);
    }
    assert_eq!(ctx.ledger().users.len(), 6);
}

#[test]
fn a_drill_warns_that_it_ignores_tenants() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.csv", "id,tenant\nann@a.example,a.example\nann@a.example,b.example\n");
    let done = ctx.finish(ctx.command_without_token("drill").arg(&input));
    done.exits(0);
    assert!(done.stderr.contains("warning: a drill has one tenant, so column `tenant` is ignored"));
    assert!(done.stdout.contains("duplicate"), "{}", done.stdout);
}

#[cfg(unix)]
#[test]
fn a_failed_tenant_fits_the_terminal_and_has_advice() {
    let ctx = TestContext::new(
        "[[fault]]\nendpoint = 'token'\ntenant = 't01.example'\nanswer = 400\ncode = 'AADSTS700016'\n\
         message = \"AADSTS700016: Application with identifier 'app-1' was not found in the directory 't01.example'. \
         This can happen if the application has not been installed by the administrator of the tenant or consented to \
         by any user in the tenant. You may have sent your authentication request to the wrong tenant.\"\n",
    );
    let input = ctx.input("users.csv", users(3, 4));
    let mut command = ctx.command_without_token("run");
    with_app(&ctx, &mut command);
    let mut terminal = terminal::Terminal::start(command.arg(&input).args(["--progress", "none"]));
    terminal.until("can be revoked in t01.example (4 users)").until("time").type_line("yes");
    let (code, seen) = terminal.wait_for_exit();
    assert_eq!(code, 4, "{seen}");
    let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("t01.example 4 of 4 users not done: sign-in: AADSTS700016"), "{seen}");
    assert_eq!(words.matches("— the tenant does not know this app: check --client-id").count(), 2, "{seen}");
    // Paths and commands are not broken, so that they can be copied.
    for line in seen.lines().filter(|line| !line.contains("/")) {
        assert!(line.trim_end().chars().count() <= 80, "{line}");
    }
}

#[test]
fn invalid_tenants_of_a_profile_are_reported_by_line() {
    let ctx = TestContext::new("");
    let config = ctx.input(
        "config.toml",
        "[profile.all]\n[[profile.all.tenants]]\nclient_id = 'x'\nclient_secret_file = 'x'\n\
         [[profile.all.tenants]]\ntenant = 'Contoso Ltd'\nidentity = 'x'\n[[profile.all.tenants]]\n\
         tenant = 'a.example'\nprofile = 'gone'\n[[profile.all.tenants]]\ntenant = 'b.example'\nprotect = 'x'\n",
    );
    let done = ctx.finish(ctx.command_without_token("profiles").args(["check", "--config"]).arg(&config));
    done.exits(2);
    for said in [
        "line 2: tenant 1 of profile all has no tenant",
        "line 5",
        "there is no profile gone",
        "unknown key protect",
    ] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
}

#[test]
fn a_killed_run_is_resumed_in_every_tenant() {
    let ctx = TestContext::new("accept_any_token = false\nlatency = '20ms'");
    let input = ctx.input("users.csv", users(10, 30));
    let mut child =
        ctx.start(run(&ctx, &["--batch-size", "1", "--rate", "40/s", "--burst", "1"]).arg(&input));
    ctx.until(|ctx| ctx.stats().revocations >= 60);
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = ctx.run_folder();
    let before = ctx.stats().revocations;
    assert!(before < 300, "it was killed too late");
    let mut resume = ctx.command_without_token("resume");
    with_app(&ctx, &mut resume);
    let done = ctx.finish(resume.arg(folder.path.display().to_string()).args(["--rate", "500/s"]));
    done.exits(0);
    let rows = folder.rows();
    assert_eq!(rows.len(), 300);
    assert!(rows.iter().all(|row| row["outcome"] == "revoked"));
    // What settled before is not sent again, but for what was in flight in each tenant.
    assert!(ctx.stats().revocations < 300 + 10 * 64, "{:?}", ctx.stats());
    for user in ctx.ledger().users {
        let planned = folder.row(&user.id);
        let home = user.by.iter().all(|asking| asking.tenant == planned["tenant"]);
        assert!(user.effects >= 1 && home, "{user:?}, and {planned:?}");
    }
}

#[test]
fn resume_honours_the_wait_of_each_tenant() {
    let ctx = TestContext::new(
        "accept_any_token = false\n[[fault]]\nendpoint = 'graph'\ntenant = 't01.example'\nanswer = 429\n\
         retry_after = '600'\ntimes = 1\n",
    );
    let input = ctx.input("users.csv", users(2, 3));
    let mut first = run(&ctx, &["--batch-size", "1", "--deadline", "1s"]);
    ctx.finish(first.arg(&input)).exits(5);
    let mut resume = ctx.command_without_token("resume");
    with_app(&ctx, &mut resume);
    let folder = ctx.run_folder();
    let done = ctx.finish(resume.arg(folder.path.display().to_string()).args(["--deadline", "1s"]));
    done.exits(5);
    assert!(done.stderr.contains("asked this run to wait in one tenant for another "), "{}", done.stderr);
    assert_eq!(by_tenant(&folder)["t00.example"], BTreeMap::from([("revoked".to_owned(), 3)]));
}

#[test]
fn shards_of_many_tenants_are_merged_by_tenant() {
    let ctx = TestContext::new("accept_any_token = false");
    let input = ctx.input("users.csv", users(5, 4));
    let mut folders = Vec::new();
    for shard in ["1/2", "2/2"] {
        ctx.finish(run(&ctx, &["--shard", shard]).arg(&input)).exits(0);
        let new: Vec<_> = ctx.run_folders().into_iter().filter(|path| !folders.contains(path)).collect();
        folders.extend(new);
    }
    assert_eq!(ctx.stats().revocations, 20, "disjoint, and complete");
    let mut merge = ctx.command_without_token("report");
    merge.args(["--merge", "joined"]).args(&folders);
    ctx.finish(&mut merge).exits(0);
    let joined = ctx.dir.path().join("joined");
    let text = std::fs::read(joined.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let tenants = summary["tenants"].as_array().unwrap();
    assert_eq!(tenants.len(), 5);
    assert!(tenants.iter().all(|tenant| tenant["done"] == 4), "{tenants:?}");
}

/// Two domains of one tenant are one tenant, before anything is decided by how many there are.
#[test]
fn two_domains_of_a_tenant_are_one_tenant() {
    let one = "[[tenant]]\nmatch = '*a.example'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\n";
    let ctx = TestContext::new(&format!("accept_any_token = false\n{one}"));
    let file = "id,tenant\nann@a.example,a.example\nann@a.example,mail-a.example\nbob@a.example,A.example\n";
    let input = ctx.input("users.csv", file);
    ctx.finish(run(&ctx, &[]).arg(&input)).exits(0);
    let folder = ctx.run_folder();
    let words: Vec<String> = folder.rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words, ["revoked", "duplicate", "revoked"]);
    assert_eq!(folder.summary().get("tenants"), None, "a run of one tenant");
    assert_eq!(folder.summary()["tenant_id"], "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f");
    let mut plan = ctx.command_without_token("plan");
    with_app(&ctx, &mut plan);
    ctx.finish(plan.arg(&input).args(["--plan-file", "plan.json"])).exits(0);
}
