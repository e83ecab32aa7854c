//! A run folder that was made by an attacker is refused, and nothing outside it changes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::crash::help::{all_were_revoked, begun, end, report, resume, start_run, until, users};
use crate::ctx::{CommandResult, RunDir, TestContext};

/// Every name that the program opens, writes or removes in a run folder.
const NAMES: [&str; 12] = [
    "run.json",
    "plan.csv",
    "journal.jsonl",
    "lock",
    "report.csv",
    "report.jsonl",
    "report.html",
    "summary.json",
    "remaining.csv",
    "manifest.json",
    "report.csv.partial",
    "manifest.json.partial",
];

const PRECIOUS: &str = "precious\n";

/// A run that has ended, a file that belongs to its operator, and a folder in which nothing may appear.
struct HostileFolder {
    ctx: TestContext,
    run: PathBuf,
    victim: PathBuf,
    outside: PathBuf,
}

impl HostileFolder {
    fn new() -> HostileFolder {
        let ctx = TestContext::new("");
        let input = ctx.input("users.txt", users(2));
        ctx.run(&input, &["--progress", "none"]).exits(0);
        let run = ctx.run_folder().path;
        let victim = ctx.input("victim", PRECIOUS);
        let outside = ctx.dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        HostileFolder { ctx, run, victim, outside }
    }

    /// Puts something in the place of a file while `look` looks.
    fn with(&self, name: &str, plant: impl FnOnce(&Path), look: impl FnOnce()) {
        let (path, aside) = (self.run.join(name), self.ctx.dir.path().join("aside"));
        let was_there = fs::rename(&path, &aside).is_ok();
        plant(&path);
        look();
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        if was_there {
            fs::rename(&aside, &path).unwrap();
        }
    }

    /// The command was refused before it did anything.
    #[track_caller]
    fn refused(&self, done: &CommandResult, says: &[&str]) {
        done.exits(2);
        for words in says {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        self.untouched();
    }

    #[track_caller]
    fn untouched(&self) {
        assert_eq!(fs::read_to_string(&self.victim).unwrap(), PRECIOUS);
        assert_eq!(fs::read_dir(&self.outside).unwrap().count(), 0, "something was made outside");
        assert_eq!(self.ctx.stats().revocations, 2, "somebody was sent again");
    }
}

fn make_pipe(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
}

#[test]
fn links_and_special_files_are_refused() {
    let scene = HostileFolder::new();
    let dangling = scene.outside.join("new");
    // Those through which something could be written, and one that is read; the others are looked at without a process.
    let names = ["journal.jsonl", "lock", "report.csv.partial", "manifest.json", "run.json"];
    for (at, name) in names.into_iter().enumerate() {
        let to = if at % 2 == 0 { &scene.victim } else { &dangling };
        let refused = |says: &str| scene.refused(&report(&scene.ctx, &scene.run), &[name, says]);
        scene.with(name, |path| symlink(to, path).unwrap(), || refused("is a link"));
        match at % 3 {
            0 => scene.with(name, make_pipe, || refused("is not a regular file")),
            1 => scene.with(name, |path| fs::create_dir(path).unwrap(), || refused("is not a regular file")),
            _ => {
                scene.with(name, |path| fs::hard_link(&scene.victim, path).unwrap(), || refused("hard links"))
            }
        }
    }
    // A link with any other name is refused too, because a run does not make links.
    scene.with(
        "notes",
        |path| symlink(&dangling, path).unwrap(),
        || {
            scene.refused(&report(&scene.ctx, &scene.run), &["notes is a link"]);
        },
    );
    // What else lies there is the operator's own.
    fs::create_dir(scene.run.join("screenshots")).unwrap();
    fs::write(scene.run.join("notes.txt"), "mine").unwrap();
    report(&scene.ctx, &scene.run).exits(0);
    scene.untouched();
}

#[test]
fn every_command_refuses_a_hostile_folder() {
    let scene = HostileFolder::new();
    let ctx = &scene.ctx;
    let merge = || ctx.finish(ctx.command_without_token("report").args(["--merge", "all"]).arg(&scene.run));
    for name in ["journal.jsonl", "lock"] {
        for done in [&|| resume(ctx, &scene.run, &[]), &merge as &dyn Fn() -> CommandResult] {
            scene.with(
                name,
                |path| symlink(&scene.victim, path).unwrap(),
                || {
                    scene.refused(&done(), &[name, "is a link"]);
                },
            );
        }
    }
    let link = ctx.dir.path().join("latest");
    symlink(&scene.run, &link).unwrap();
    let before = fs::read(scene.run.join("journal.jsonl")).unwrap();
    // What stands behind its name makes no link a folder.
    for typed in ["latest", "latest/", "latest/.", "./latest//"] {
        let says = ["is a link to", "name the folder itself"];
        scene.refused(&report(ctx, Path::new(typed)), &says);
        scene.refused(&resume(ctx, Path::new(typed), &[]), &says);
    }
    assert_eq!(fs::read(scene.run.join("journal.jsonl")).unwrap(), before);
    // The folder above may be reached by a link: it is followed once, and then held.
    symlink("runs", ctx.dir.path().join("short")).unwrap();
    report(ctx, &Path::new("short").join(scene.run.file_name().unwrap())).exits(0);
    ctx.finish(ctx.command_without_token("report").arg(".").current_dir(&scene.run)).exits(0);
}

#[test]
fn folders_writable_by_others_are_refused() {
    let scene = HostileFolder::new();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let refused = |says: &[&str]| {
        scene.refused(&report(&scene.ctx, &scene.run), says);
        scene.refused(&resume(&scene.ctx, &scene.run, &[]), says);
    };
    for (bits, says) in [(0o777, "chmod o-w"), (0o1777, "chmod o-w"), (0o770, "chmod go-w")] {
        mode(&scene.run, bits);
        refused(&[says, &format!("mode {bits:04o}")]);
    }
    mode(&scene.run, 0o755);
    for (name, bits) in
        [("journal.jsonl", 0o666), ("run.json", 0o660), ("lock", 0o602), ("report.csv", 0o622)]
    {
        mode(&scene.run.join(name), bits);
        refused(&[name, "may write to", "chmod", "keeps permissions"]);
        mode(&scene.run.join(name), 0o644);
    }
    report(&scene.ctx, &scene.run).exits(0);
}

#[test]
fn folders_of_other_accounts_are_refused() {
    let scene = HostileFolder::new();
    let give = |path: &Path, uid: u32| chown(path, Some(uid), None);
    if give(&scene.run, 12_345).is_err() {
        return println!("skipped: only root can give files away");
    }
    let says = ["belongs to user 12345", "chown root"];
    scene.refused(&report(&scene.ctx, &scene.run), &says);
    scene.refused(&resume(&scene.ctx, &scene.run, &[]), &says);
    give(&scene.run, 0).unwrap();
    for name in ["run.json", "plan.csv", "journal.jsonl", "lock", "summary.json"] {
        give(&scene.run.join(name), 12_345).unwrap();
        scene.refused(&report(&scene.ctx, &scene.run), &[name, says[0]]);
        give(&scene.run.join(name), 0).unwrap();
    }
    report(&scene.ctx, &scene.run).exits(0);
}

/// Fills a folder with links of every name that a run has, to files that must not come to be.
fn set_traps(folder: &Path, outside: &Path) {
    fs::create_dir(folder).unwrap();
    for name in NAMES {
        symlink(outside.join(name), folder.join(name)).unwrap();
    }
}

/// Swaps something while a run is under way, and lets it end; `moved` is where its folder is then.
fn swapped(swap: impl FnOnce(&TestContext, &Path, &Path) -> PathBuf) {
    let ctx = TestContext::new("latency = '300ms'");
    let outside = ctx.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let child = start_run(&ctx, 8, &["-j", "4", "--rate", "1000/s"]);
    let folder = begun(&ctx).path;
    until("requests are in flight", || ctx.stats().in_flight > 0);
    let moved = swap(&ctx, &folder, &outside);
    let done = end(child);
    done.exits(0);
    all_were_revoked(&ctx, 8);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was made outside");
    for name in NAMES {
        assert!(folder.join(name).is_symlink(), "a trap was sprung: {name}");
    }
    assert!(done.stderr.contains("was moved or replaced during the run"), "{}", done.stderr);
    if cfg!(target_os = "linux") {
        assert!(done.stderr.contains(&format!("is now {}", moved.display())), "{}", done.stderr);
    }
    let evidence = RunDir { path: moved };
    assert_eq!(evidence.summary()["outcomes"]["revoked"], 8);
    assert!(evidence.path.join("manifest.json").is_file());
    report(&ctx, &evidence.path).exits(0);
}

#[test]
fn a_folder_swapped_during_a_run_has_no_effect() {
    swapped(|ctx, folder, outside| {
        let moved = ctx.dir.path().join("moved");
        fs::rename(folder, &moved).unwrap();
        set_traps(folder, outside);
        moved
    });
}

#[test]
fn a_parent_folder_swapped_during_a_run_has_no_effect() {
    swapped(|ctx, folder, outside| {
        let (runs, moved) = (ctx.dir.path().join("runs"), ctx.dir.path().join("moved"));
        fs::rename(&runs, &moved).unwrap();
        let elsewhere = ctx.dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &runs).unwrap();
        set_traps(folder, outside);
        moved.join(folder.file_name().unwrap())
    });
}
