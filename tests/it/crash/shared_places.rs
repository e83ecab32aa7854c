//! Places where other accounts may write: folders above a run, and files that the operator names there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::crash::help::users;
use crate::ctx::TestContext;

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A folder with these permission bits, in the context's.
fn folder(ctx: &TestContext, name: &str, mode: u32) -> PathBuf {
    let path = ctx.dir.path().join(name);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn an_output_folder_of_others_is_warned_about() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(1));
    let could_move = "could move or remove run folders in it";
    let told = |name: &str, says: &str, moves: bool| {
        let done = ctx.run(&input, &["--output-dir", name, "--progress", "none"]);
        done.exits(0);
        assert!(done.stderr.contains(says) && done.stderr.contains("--output-dir"), "{}", done.stderr);
        assert_eq!(done.stderr.contains(could_move), moves, "{}", done.stderr);
    };
    folder(&ctx, "empty-dir", 0o777);
    told("empty-dir", "everyone may write to empty-dir (mode 0777)", true);
    folder(&ctx, "tmp", 0o1777);
    told("tmp", "everyone may write to tmp (mode 1777)", false);
    let given = folder(&ctx, "given", 0o755);
    if chown(&given, Some(12_345), Some(12_345)).is_err() {
        return println!("skipped: only root can give folders away");
    }
    told("given", "given belongs to user 12345", true);
    let team = folder(&ctx, "team", 0o755);
    chown(&team, None, Some(12_345)).unwrap();
    fs::set_permissions(&team, Permissions::from_mode(0o2775)).unwrap();
    told("team", "the group 12345 may write to team (mode 2775)", true);
}

#[test]
fn files_are_private_with_any_umask() {
    for mask in ["000", "077", "277"] {
        let ctx = TestContext::new("");
        ctx.input("users.txt", users(1));
        let run = ctx.command("run");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("umask {mask}; exec \"$0\" \"$@\"")).arg(run.get_program());
        shell.args(run.get_args()).args([
            "users.txt",
            "--output-dir",
            "cases/2026/runs",
            "--progress",
            "none",
        ]);
        shell.args(["--log-file", "run.log"]).current_dir(ctx.dir.path());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let done = ctx.finish(&mut shell);
        // Without the right to write, nothing can be made in the folders above; root may all the same.
        if mask == "277" && done.code == Some(1) {
            continue;
        }
        done.exits(0);
        assert!(!done.stderr.contains("warning"), "{}", done.stderr);
        let above = ctx.dir.path().join("cases/2026/runs");
        let run = fs::read_dir(&above).unwrap().next().unwrap().unwrap().path();
        if mask == "000" {
            let above =
                ["cases", "cases/2026", "cases/2026/runs"].map(|name| mode_of(&ctx.dir.path().join(name)));
            assert_eq!(above, [0o700; 3]);
            assert_eq!(mode_of(&ctx.dir.path().join("run.log")), 0o600);
        }
        assert_eq!(mode_of(&run), 0o700);
        for entry in fs::read_dir(&run).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode_of(&path), 0o600, "{}", path.display());
        }
    }
}

#[test]
fn log_file_links_are_followed_only_in_private_folders() {
    let ctx = TestContext::new("");
    let victim = ctx.input("victim", "precious\n");
    let shared = folder(&ctx, "shared", 0o1777);
    let log = |path: &Path| {
        ctx.finish(
            ctx.command_without_token("drill").args(["--users", "1", "-o", "none", "--log-file"]).arg(path),
        )
    };
    for (name, says) in [("link", "is a link"), ("hard", "hard links"), ("pipe", "is not a regular file")] {
        let path = shared.join(name);
        match name {
            "link" => symlink(&victim, &path).unwrap(),
            "hard" => fs::hard_link(&victim, &path).unwrap(),
            _ => rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap(),
        }
        let done = log(&path);
        done.exits(1);
        assert!(done.stderr.contains("the log file") && done.stderr.contains(says), "{}", done.stderr);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
    }
    log(&shared.join("run.log")).exits(0);
    log(&shared.join("run.log")).exits(0);
    assert_eq!(mode_of(&shared.join("run.log")), 0o600);
    // Of the operator's own making, a link is meant.
    let own = ctx.dir.path().join("own.log");
    symlink(ctx.dir.path().join("target.log"), &own).unwrap();
    log(&own).exits(0);
    assert!(own.is_symlink() && ctx.dir.path().join("target.log").is_file());
    log(Path::new("/dev/stderr")).exits(0);
}

#[test]
fn a_plan_is_not_written_through_a_link() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(1));
    let victim = ctx.input("victim", "");
    let shared = folder(&ctx, "shared", 0o777);
    let plan = |path: &Path, more: &[&str]| {
        ctx.finish(
            ctx.command("plan")
                .arg(&input)
                .args(["--no-lookup", "--plan-file"])
                .arg(path)
                .args(more)
                .args(["--progress", "none"]),
        )
    };
    let path = shared.join("plan.json");
    for to in [victim.clone(), ctx.dir.path().join("new")] {
        symlink(&to, &path).unwrap();
        for more in [&[][..], &["--overwrite"]] {
            let done = plan(&path, more);
            assert_ne!(done.code, Some(0), "{}", done.stderr);
        }
        assert!(path.is_symlink());
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "");
    assert!(!ctx.dir.path().join("new").exists());
    plan(&path, &[]).exits(0);
    assert_eq!(mode_of(&path), 0o600);
    assert_ne!(plan(&path, &[]).code, Some(0), "it was there");
    plan(&path, &["--overwrite"]).exits(0);
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 1, "something was left behind");
}

#[test]
fn a_merged_report_is_not_written_to_links_or_shared_folders() {
    let ctx = TestContext::new("");
    let merge =
        |out: &str| ctx.finish(ctx.command_without_token("report").args(["--merge", out, "no-such-run"]));
    let elsewhere = folder(&ctx, "elsewhere", 0o700);
    symlink(&elsewhere, ctx.dir.path().join("link")).unwrap();
    symlink("victim", elsewhere.join("merge.json")).unwrap();
    folder(&ctx, "shared", 0o777);
    for (out, says) in
        [("link", "is a link to"), ("elsewhere", "is a link"), ("shared", "everyone may write")]
    {
        let done = merge(out);
        done.exits(2);
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
}
