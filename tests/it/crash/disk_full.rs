//! No space, or no access: no user is revoked if that can't be recorded, and no result is claimed that did not happen.

use std::path::Path;
use std::process::Command;

use crate::crash::help::{
    all_were_revoked, no_claim_is_false, requests, resume, revoked_in, sent_in, users, whole_lines,
};
use crate::ctx::{CommandResult, RunDir, TestContext};

const FAST: [&str; 6] = ["--rate", "2000/s", "-j", "8", "--progress", "none"];

/// Runs `command` through a shell that does `before` first.
fn through_shell(ctx: &TestContext, before: &str, command: &Command) -> CommandResult {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args()).current_dir(ctx.dir.path());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    ctx.finish(&mut shell)
}

/// A limit on the size of files stands for a full disk: writing fails with EFBIG, and needs no privilege.
fn with_file_limit(ctx: &TestContext, blocks: u64, command: &Command) -> CommandResult {
    through_shell(ctx, &format!("ulimit -f {blocks}"), command)
}

/// What must hold when the room ran out on the way.
#[track_caller]
fn it_stopped_in_time(ctx: &TestContext, path: &Path, done: &CommandResult, count: usize) -> usize {
    done.exits(1);
    assert!(done.stderr.contains("nothing more is sent"), "{}", done.stderr);
    assert!(done.stderr.contains("resume"), "{}", done.stderr);
    assert!(done.stderr.contains(path.file_name().unwrap().to_str().unwrap()), "where? {}", done.stderr);
    let lines = whole_lines(path);
    let sent = sent_in(&lines);
    let seen = requests(ctx);
    for (user, count) in &seen {
        assert!(sent.get(user).is_some_and(|sent| sent >= count), "{user} was sent without a line");
    }
    assert!(seen.len() < count, "the room did not run out");
    ctx.finish(ctx.command_without_token("report").arg(path)).exits(0);
    no_claim_is_false(ctx, &RunDir { path: path.to_owned() });
    seen.len()
}

#[test]
fn a_missing_temp_folder_is_reported() {
    let ctx = TestContext::new("");
    let workbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bulk-template.xlsx");
    let many: String = (0..300_000).map(|n| format!("user-number-{n}@contoso.com\n")).collect();
    let many = ctx.input("many.txt", many);
    for (input, folder) in [(&workbook, "/nowhere/tmp"), (&workbook, "/dev/null"), (&many, "/nowhere/tmp")] {
        let mut run = ctx.command("run");
        run.arg(input).env("TMPDIR", folder);
        let done = ctx.finish(&mut run);
        assert!(matches!(done.code, Some(1 | 2)), "{done:?}");
        for words in ["a temporary file in", folder, "TMPDIR"] {
            assert!(done.stderr.contains(words), "{words:?} is not in {}", done.stderr);
        }
    }
    assert!(ctx.stats().requests == 0 && ctx.run_folders().is_empty());
    let done =
        ctx.finish(ctx.command_without_token("drill").args(["--users", "3"]).env("TMPDIR", "/nowhere/tmp"));
    assert!(done.exits(1).stderr.contains("a temporary file in /nowhere/tmp"), "{}", done.stderr);
}

#[test]
fn a_full_disk_stops_the_run_and_resume_completes_it() {
    // The plan fits in, and the journal does not. Some limits fall within a line, some on requests, some on answers.
    for blocks in [64, 65, 79, 128, 201] {
        let ctx = TestContext::new("latency = '3ms'\njitter = '3ms'");
        let input = ctx.input("users.txt", users(300));
        let mut run = ctx.command("run");
        run.arg(input).args(FAST);
        let done = with_file_limit(&ctx, blocks, &run);
        let path = ctx.run_folder().path;
        let seen = it_stopped_in_time(&ctx, &path, &done, 300);
        assert!(seen > 0, "the room ran out before the first request");

        // Still no room: refused before anything is sent, and nothing is lost by it.
        let mut again = ctx.command("resume");
        again.arg(&path).args(["--progress", "none"]);
        let before = ctx.stats().revocations;
        let done = with_file_limit(&ctx, 1, &again);
        done.exits(1);
        assert_eq!(ctx.stats().revocations, before, "sent without a line");

        resume(&ctx, &path, &["--progress", "none"]).exits(0);
        all_were_revoked(&ctx, 300);
        assert_eq!(RunDir { path }.summary()["outcomes"]["revoked"], 300);
    }
}

#[test]
fn advice_is_shown_if_only_the_last_line_does_not_fit() {
    let run = |pad: usize, blocks: Option<u64>| {
        let ctx = TestContext::new("");
        let user = |n| format!("user{n}{}@contoso.com\n", "x".repeat(pad));
        let input = ctx.input("users.txt", (0..8).map(user).collect::<String>());
        let mut run = ctx.command("run");
        run.arg(input).args(["-j", "1", "--progress", "none"]);
        let done = match blocks {
            Some(blocks) => with_file_limit(&ctx, blocks, &run),
            None => ctx.finish(&mut run),
        };
        let path = ctx.run_folder().path;
        (ctx, path, done)
    };
    let (_stage, path, done) = run(0, None);
    done.exits(0);
    let size = std::fs::metadata(path.join("journal.jsonl")).unwrap().len();
    // Each user stands in two lines. The padding moves the limit into the last line, which has some 50 bytes; times
    // have more digits or fewer, so that it may take more than one go.
    let blocks = size / 512 + 1;
    let pad = (blocks * 512 + 25 - size) / 16;
    let hit = (0..8).find_map(|_| {
        let (ctx, path, done) = run(pad as usize, Some(blocks));
        let lines = whole_lines(&path);
        (revoked_in(&lines).len() == 8 && lines.last()?["event"] != "ended").then_some((ctx, path, done))
    });
    let (ctx, path, done) = hit.expect("a limit within the last line");
    done.exits(1);
    assert!(done.stderr.contains("can't write the journal"), "{}", done.stderr);
    assert!(
        done.stderr.contains(&format!("resume {}", path.display()))
            || done.stderr.contains("`resume` the run"),
        "{}",
        done.stderr
    );
    resume(&ctx, &path, &[]).exits(0);
    assert_eq!(ctx.stats().revocations, 8, "somebody was sent again");
}

#[test]
fn a_full_file_system_stops_the_run_and_resume_completes_it() {
    let ctx = TestContext::new("latency = '3ms'");
    let mount = ctx.dir.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    ctx.input("users.txt", users(600));
    let binary = env!("CARGO_BIN_EXE_entra-revoke");
    // All in one private mount namespace, which ends with the shell: run, look, make room, resume, copy out.
    let script = r#"
        set -u
        mount -t tmpfs -o size=160k,mode=700 tmpfs small || exit 99
        "$BIN" run users.txt --yes --output-dir small --rate 2000/s -j 8 --progress none --graph-url "$URL" 2> run.err
        echo $? > run.code
        cp small/*/journal.jsonl cut.jsonl
        ls small/* > run.files
        mount -o remount,size=20m small
        "$BIN" resume small/* --progress none --graph-url "$URL" 2> resume.err
        echo $? > resume.code
        mkdir runs && cp -r small/* runs/
    "#;
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script]);
    command.current_dir(ctx.dir.path()).env("BIN", binary).env("URL", ctx.simulator.url());
    command.env("XDG_CONFIG_HOME", ctx.dir.path()).env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN);
    let output = match command.output() {
        Ok(output) if output.status.code() != Some(99) && !cannot_unshare(&output) => output,
        other => return println!("skipped: no small file system can be mounted here ({other:?})"),
    };
    let text = |name: &str| std::fs::read_to_string(ctx.dir.path().join(name)).unwrap_or_default();
    let told = format!("{}\n{output:?}", text("run.err"));
    assert_eq!(text("run.code").trim(), "1", "{told}");
    assert!(told.contains("nothing more is sent") && told.contains("resume"), "{told}");
    assert!(!text("run.files").contains("partial"), "{}", text("run.files"));
    let cut = text("cut.jsonl");
    assert!(cut.ends_with('\n'), "a torn line was left where it could be cut");
    assert_eq!(text("resume.code").trim(), "0", "{}", text("resume.err"));
    all_were_revoked(&ctx, 600);
    let folder = ctx.run_folder();
    assert_eq!(folder.summary()["outcomes"]["revoked"], 600);
    assert!(folder.text("journal.jsonl").starts_with(&cut), "lines that were there are gone");
}

fn cannot_unshare(output: &std::process::Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("unshare")
}

/// Nothing can be kept at all: it says which file and why, and sends nothing.
#[track_caller]
fn refused_at_the_start(ctx: &TestContext, done: &CommandResult, named: &str) {
    done.exits(1);
    assert!(done.stderr.contains("error: ") && done.stderr.contains(named), "{}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0, "sent without a journal");
}

#[test]
fn nothing_is_sent_if_the_plan_does_not_fit() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(300));
    let mut run = ctx.command("run");
    run.arg(&input).args(FAST);
    let done = with_file_limit(&ctx, 4, &run);
    refused_at_the_start(&ctx, &done, "plan.csv");
    let folder = ctx.run_folder().path;
    resume(&ctx, &folder, &[]).exits(2);
}

#[test]
fn nothing_is_sent_if_the_disk_is_full() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(2));
    let mut run = ctx.command("run");
    run.arg(&input).args(FAST);
    let done = with_file_limit(&ctx, 0, &run);
    refused_at_the_start(&ctx, &done, "plan.csv");
}

#[test]
fn an_impossible_output_folder_is_refused() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(3));
    ctx.input("file", "not a folder");
    for (folder, named) in [("file", "file"), ("file/below", "file"), ("/proc/nowhere", "/proc/nowhere")] {
        let done = ctx.run(&input, &["--output-dir", folder, "--progress", "none"]);
        refused_at_the_start(&ctx, &done, named);
    }
    assert_eq!(std::fs::read_to_string(ctx.dir.path().join("file")).unwrap(), "not a folder");
}

#[test]
fn a_read_only_output_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(3));
    let locked = ctx.dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::create_dir(locked.join("probe")).is_ok() {
        return println!("skipped: whoever runs this may write to read-only folders (root)");
    }
    let done = ctx.run(&input, &["--output-dir", "locked", "--progress", "none"]);
    refused_at_the_start(&ctx, &done, "locked");
}
