//! Output of commands that succeed or stop early: dry runs, previews, questions, progress, summaries, `doctor`.

use std::path::PathBuf;
use std::process::Command;

use super::{assert_page, assert_pages, line, page, shown, verb};
use crate::ctx::TestContext;
use crate::support::terminal::Terminal;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const SECRET: &str = "fake-secret-CANARY-5c3e";

/// A tenant with a guest, a disabled account, a synced one and four Global Administrators.
const CONTOSO: &str = "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All', \
    'RoleManagement.Read.Directory', 'Organization.Read.All', 'Application.Read.All']\n\
    [directory]\norganization = 'Contoso Ltd'\n\
    [[directory.user]]\nupn = 'ann@contoso.com'\nname = 'Ann'\n\
    [[directory.user]]\nupn = 'bob@contoso.com'\nsynced = true\n\
    [[directory.user]]\nupn = 'cyd@contoso.com'\nenabled = false\n\
    [[directory.user]]\nupn = 'gus_fabrikam.com#EXT#@contoso.com'\ntype = 'Guest'\n\
    [[directory.user]]\nupn = 'root1@contoso.com'\n\
    [[directory.user]]\nupn = 'root2@contoso.com'\n\
    [[directory.user]]\nupn = 'root3@contoso.com'\n\
    [[directory.user]]\nupn = 'root4@contoso.com'\n\
    [[directory.role]]\nname = 'Global Administrator'\n\
    active = ['root1@contoso.com', 'root2@contoso.com', 'root3@contoso.com', 'root4@contoso.com']\n\
    [[directory.group]]\nname = 'Finance'\nmembers = ['ann@contoso.com', 'bob@contoso.com']\n";

/// Rows of all kinds: valid, duplicate, unknown, a guest, protected, invalid.
const ROWS: &str = "userPrincipalName,Department\n\
    ann@contoso.com,Sales\n\
    bob@contoso.com,Sales\n\
    ANN@contoso.com,IT\n\
    cyd@contoso.com,IT\n\
    gus_fabrikam.com#EXT#@contoso.com,IT\n\
    root1@contoso.com,IT\n\
    gone@contoso.com,IT\n\
    o’brien@contoso.com,IT\n\
    Total: 8,\n";

fn contoso() -> TestContext {
    let ctx = TestContext::new(CONTOSO);
    ctx.input("leavers.csv", ROWS);
    ctx.input("list.txt", "ann@contoso.com\nbob@contoso.com\n");
    ctx
}

/// `run` and further words against the context.
fn run(ctx: &TestContext, args: &[&str]) -> Command {
    let mut command = verb(ctx, "run");
    command.args(args);
    command
}

#[test]
fn dry_runs() {
    let ctx = contoso();
    let plain = TestContext::new("");
    plain.input("leavers.csv", ROWS);
    let pages = [
        page(&ctx, &mut run(&ctx, &["leavers.csv", "--dry-run", "--protect", "root1@contoso.com"])),
        page(&ctx, &mut run(&ctx, &["leavers.csv", "--dry-run", "--match", "Department=Sales", "-o", "csv"])),
        page(&ctx, &mut run(&ctx, &["--group", "Finance", "--dry-run", "-o", "json"])),
        page(&ctx, &mut run(&ctx, &["--group", "Finance", "--exclude", "bob@contoso.com", "--dry-run"])),
        page(&ctx, &mut run(&ctx, &["--all-users", "--dry-run", "--admins-first"])),
        page(&plain, &mut run(&plain, &["leavers.csv", "--dry-run", "--resolve"])),
        page(&ctx, &mut run(&ctx, &["leavers.csv", "--dry-run", "--strict"])),
    ];
    assert_pages("dry_run", &pages);
}

#[test]
fn plans_and_applying_them() {
    let ctx = contoso();
    let mut plan = verb(&ctx, "plan");
    plan.args(["leavers.csv", "--protect", "root1@contoso.com", "--plan-file", "plan.json"]);
    let mut apply = verb(&ctx, "apply");
    apply.args(["plan.json", "--dry-run"]);
    let mut really = verb(&ctx, "apply");
    really.args(["plan.json", "--yes", "--no-progress"]);
    let mut twice = verb(&ctx, "apply");
    twice.args(["plan.json", "--yes", "--no-progress"]);
    let pages =
        [page(&ctx, &mut plan), page(&ctx, &mut apply), page(&ctx, &mut really), page(&ctx, &mut twice)];
    assert_pages("plan_and_apply", &pages);
}

/// What a terminal shows of a command when these lines are typed after these prompts.
fn answered(command: &mut Command, lines: &[(&str, &str)]) -> String {
    let mut terminal = Terminal::start(command);
    for (prompt, typed) in lines {
        terminal.until(prompt).type_line(typed);
    }
    let (code, text) = terminal.wait_for_exit();
    format!("$ {}\n{text}\n[exit code {code}]\n", line(command))
}

#[test]
fn questions() {
    let ctx = contoso();
    let whole_tenant = ["--all-users", "--protect", "role:Global Administrator"];
    let unprotect = ["list.txt", "--protect", "ann@contoso.com", "--unprotect", "ann@contoso.com"];
    let pages = [
        answered(&mut run(&ctx, &["leavers.csv", "--protect", "root1@contoso.com"]), &[("[y/N] ", "n")]),
        answered(&mut run(&ctx, &["leavers.csv"]), &[("sign-in sessions of 6 users: ", "5")]),
        answered(&mut run(&ctx, &whole_tenant), &[("[y/N] ", "y"), ("continue: ", "no")]),
        answered(&mut run(&ctx, &unprotect), &[("[y/N] ", "n")]),
        answered(
            &mut run(&ctx, &["--group", "Finance", "--max-share", "10%"]),
            &[("[y/N] ", "y"), ("continue: ", "y")],
        ),
        page(&ctx, &mut run(&ctx, &["list.txt"])),
        page(&ctx, &mut run(&ctx, &["--all-users", "--yes"])),
    ];
    assert_pages("questions", &pages);
}

#[test]
fn runs_and_their_summaries() {
    let ctx = TestContext::new(
        "[[fault]]\nmatch = 'gone*'\nanswer = 404\n[[fault]]\nmatch = 'bad*'\nanswer = 400\n",
    );
    ctx.input("list.txt", "ann@contoso.com\nbob@contoso.com\n");
    ctx.input("mixed.txt", "ann@contoso.com\ngone@contoso.com\nbad@contoso.com\nno user\nANN@contoso.com\n");
    let few = ["mixed.txt", "--yes", "--no-progress", "--jobs", "1", "--batch-size", "1"];
    let mut pages = vec![
        page(&ctx, &mut run(&ctx, &["list.txt", "--yes", "--no-progress"])),
        page(&ctx, &mut run(&ctx, &few)),
        page(&ctx, &mut run(&ctx, &["list.txt", "--yes", "--no-progress", "--max-users", "1"])),
        page(&ctx, &mut run(&ctx, &["list.txt", "--yes", "--no-progress", "--expect-count", "3"])),
    ];
    let of_mixed_rows =
        |folder: &PathBuf| std::fs::read_to_string(folder.join("plan.csv")).unwrap().contains("gone");
    let folder = ctx.run_folders().into_iter().find(of_mixed_rows).unwrap();
    for name in ["report", "resume"] {
        let mut command = if name == "resume" { verb(&ctx, name) } else { ctx.command_without_token(name) };
        if name == "resume" {
            command.args(["--yes", "--no-progress"]);
        }
        pages.push(page(&ctx, command.arg(&folder)));
    }
    assert_pages("run", &pages);
}

#[test]
fn runs_that_stop_early() {
    let users = crate::ctx::user_list(30);
    let stops: [(&str, &[&str]); 5] = [
        ("[[fault]]\nanswer = 400\n", &["--halt", "fail=10%"]),
        ("[[fault]]\nanswer = 403\ncode = 'Authorization_RequestDenied'\n", &[]),
        ("[[fault]]\nanswer = 401\n", &[]),
        ("[[fault]]\nanswer = 429\nretry_after = '7200'\n", &[]),
        ("[[fault]]\nanswer = 503\n", &["--retries", "0"]),
    ];
    let pages = stops.map(|(faults, args)| {
        let ctx = TestContext::new(faults);
        ctx.input("list.txt", &users);
        let mut command =
            run(&ctx, &["list.txt", "--yes", "--no-progress", "--jobs", "1", "--batch-size", "1"]);
        page(&ctx, command.args(args))
    });
    assert_pages("run_stopped", &pages);
}

#[test]
fn plain_progress() {
    let ctx = TestContext::new("[[fault]]\nmatch = 'u03*'\nanswer = 429\nretry_after = '1'\ntimes = 1\n");
    ctx.users(8);
    let args = ["users.txt", "--yes", "--progress", "plain", "--jobs", "1", "--batch-size", "1"];
    assert_page("plain_progress", &page(&ctx, &mut run(&ctx, &args)));
}

#[test]
fn doctor_and_setup() {
    let good = TestContext::new(&format!("[token]\ntenant = '{TENANT}'\nsecret = '{SECRET}'\n"));
    let weak = TestContext::new("clock_ahead = -4000\n[token]\nroles = ['User.Read.All']\n");
    let app = |ctx: &TestContext| {
        let mut command = verb(ctx, "doctor");
        command.env_remove("ENTRA_REVOKE_TOKEN");
        command.envs([
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", APP),
            ("AZURE_CLIENT_SECRET", SECRET),
        ]);
        command
    };
    let mut none = verb(&good, "doctor");
    let pages = [
        page(&good, &mut app(&good)),
        page(&good, none.env_remove("ENTRA_REVOKE_TOKEN")),
        page(&weak, &mut app(&weak)),
        page(&good, verb(&good, "doctor").args(["--protect", "missing.txt"])),
        page(&good, app(&good).args(["--protect", "boss@contoso.com"])),
    ];
    assert_pages("doctor", &pages);
    let setups =
        ["client-secret", "certificate", "workload-identity", "managed-identity", "device-code", "azure-cli"];
    let setups =
        setups.map(|way| page(&good, good.command_without_token("doctor").args(["--setup", "--auth", way])));
    assert_pages("doctor_setup", &setups);
}

#[test]
fn profiles() {
    let ctx = TestContext::new("");
    ctx.input("break-glass.txt", "boss@contoso.com\n");
    ctx.input(
        "c.toml",
        format!(
            "default_profile = 'contoso'\n\
             [profile.contoso]\ntenant = 'contoso.com'\nclient_id = '{APP}'\nclient_secret_file = 'missing'\n\
             protect = ['break-glass.txt']\n\
             [profile.fabrikam]\ntenant = 'fabrikam.com'\nauth = 'azure-cli'\ncloud = 'usgov'\n\
             [profile.both]\n[[profile.both.tenants]]\ntenant = 'contoso.com'\nprofile = 'contoso'\n[[profile.both.tenants]]\ntenant = 'fabrikam.com'\nprofile = 'fabrikam'\n"
        ),
    );
    let pages = [
        page(&ctx, ctx.command_without_token("profiles").args(["list", "--config", "c.toml"])),
        page(&ctx, ctx.command_without_token("profiles").args(["check", "--config", "c.toml"])),
        page(&ctx, ctx.command_without_token("profiles").args(["list", "--config", "missing.toml"])),
        page(&ctx, ctx.command_without_token("profiles").args(["list"])),
    ];
    assert_pages("profiles", &pages);
}

#[test]
fn drills() {
    let ctx = TestContext::new("");
    ctx.input("list.txt", "ann@contoso.com\nbob@contoso.com\n");
    let pages = [
        page(&ctx, ctx.command_without_token("drill").args(["list.txt", "--no-progress"])),
        page(&ctx, ctx.command_without_token("drill").args(["--users", "40", "--dry-run"])),
        page(&ctx, ctx.command_without_token("drill").args(["--group", "Finans", "--no-progress"])),
    ];
    assert_pages("drill", &pages);
}

#[test]
fn shards_and_their_merged_report() {
    let ctx = TestContext::new("");
    ctx.users(20);
    for shard in ["1/2", "2/2"] {
        let done = ctx.finish(&mut run(&ctx, &["users.txt", "--yes", "--shard", shard, "--no-progress"]));
        assert_eq!(done.code, Some(0), "{}", shown(&done));
    }
    let mut folders = ctx.run_folders();
    // Folders of one second are in no order.
    folders
        .sort_by_key(|folder| !std::fs::read_to_string(folder.join("run.json")).unwrap().contains("\"1/2\""));
    let pages = [
        page(&ctx, ctx.command_without_token("report").args(["--merge", "all"]).args(&folders)),
        page(&ctx, ctx.command_without_token("report").args(["--merge", "some"]).arg(&folders[0])),
        page(
            &ctx,
            ctx.command_without_token("report").args(["--merge", "twice"]).args([&folders[0], &folders[0]]),
        ),
        page(&ctx, ctx.command_without_token("report").args(["--merge", "all"]).args(&folders)),
    ];
    assert_pages("merge", &pages);
}
