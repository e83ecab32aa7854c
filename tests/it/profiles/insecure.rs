//! Files that other accounts can change are refused if they contain secrets, configuration or a protect list. The
//! folders above them count too. `--insecure-files` accepts them.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

use super::*;

/// An account that is neither root nor the one that runs the tests.
const STRANGER: u32 = 54_321;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A run that names a secret, a protect list and a config file, each in a folder of its own.
struct Files {
    ctx: TestContext,
    folder: PathBuf,
}

/// What a run reads that no other account may change: the folder's name, and the file's.
const NAMED: [(&str, &str); 4] = [("s", "secret"), ("p", "protect.txt"), ("e", "leave.csv"), ("c", "c.toml")];

impl Files {
    fn new() -> Files {
        let ctx = tenant();
        let folder = ctx.dir.path().canonicalize().unwrap();
        let keys = format!("[profile.c]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n");
        for ((name, file), text) in
            NAMED.into_iter().zip([SECRET, "boss@contoso.com\n", "upn\nb@contoso.com\n", keys.as_str()])
        {
            std::fs::create_dir(folder.join(name)).unwrap();
            mode(&folder.join(name), 0o755);
            std::fs::write(folder.join(name).join(file), text).unwrap();
            mode(&folder.join(name).join(file), 0o600);
        }
        Files { ctx, folder }
    }

    fn run(&self) -> Command {
        let mut command = run(&self.ctx);
        command.args(["--config", "c/c.toml", "--profile", "c", "--client-secret-file", "s/secret"]);
        command.args(["--protect", "p/protect.txt", "--exclude-file", "e/leave.csv"]);
        command
    }

    /// Not taken, and the message says whose the file is and what to do; with the flag it is taken.
    #[track_caller]
    fn insecure(&self, says: &[&str]) {
        let done = self.ctx.finish(&mut self.run());
        refused(&self.ctx, &done, &[says, &["--insecure-files"]].concat());
        assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
    }
}

#[test]
fn world_writable_files_are_refused() {
    let files = Files::new();
    for (name, file) in NAMED {
        let (folder, path) = (files.folder.join(name), files.folder.join(name).join(file));
        mode(&path, 0o602);
        let shown = path.display().to_string();
        files.insecure(&["everyone may write to the file", &shown, "chmod o-w"]);
        // With `umask 002` a file is its own group's, too.
        mode(&path, 0o664);
        mode(&folder, 0o777);
        files.insecure(&["everyone may write to the folder", &format!("{} (mode 0777)", folder.display())]);
        mode(&folder, 0o1777);
    }
    let done = files.ctx.finish(&mut files.run());
    done.exits(0);
    assert_eq!(files.ctx.ledger().users.len(), 1, "the boss and b are left out");

    mode(&files.folder, 0o777);
    for (name, file) in NAMED {
        mode(&files.folder.join(name).join(file), 0o666);
    }
    let done = files.ctx.finish(files.run().arg("--insecure-files"));
    done.exits(0);
    // Neither the environment nor the config file can say so.
    std::fs::write(files.folder.join("c/c.toml"), "[profile.c]\ninsecure_files = true\n").unwrap();
    let done = files.ctx.finish(files.run().env("ENTRA_REVOKE_INSECURE_FILES", "1"));
    assert!(done.exits(2).stderr.contains("everyone may write"), "{}", done.stderr);
    mode(&files.folder, 0o700);
    mode(&files.folder.join("c/c.toml"), 0o600);
    let done = files.ctx.finish(&mut files.run());
    assert!(done.exits(2).stderr.contains("insecure_files"), "{}", done.stderr);
}

#[test]
fn files_of_other_accounts_are_refused() {
    if !is_root() {
        return;
    }
    let files = Files::new();
    let whose = format!("belongs to user {STRANGER}");
    for (name, file) in NAMED {
        let (folder, path) = (files.folder.join(name), files.folder.join(name).join(file));
        chown(&path, Some(STRANGER), None).unwrap();
        files.insecure(&["the file", &path.display().to_string(), &whose, "chown root"]);
        chown(&path, Some(0), None).unwrap();
        chown(&folder, Some(STRANGER), None).unwrap();
        files.insecure(&["the folder", &folder.display().to_string(), &whose]);
        chown(&folder, Some(0), None).unwrap();
    }
    // A link that another account makes in a folder like /tmp can lead anywhere.
    let there = files.folder.join("p/there");
    std::fs::rename(files.folder.join("p/protect.txt"), &there).unwrap();
    let link = files.folder.join("p/protect.txt");
    symlink("there", &link).unwrap();
    mode(&files.folder.join("p"), 0o1777);
    lchown(&link, Some(STRANGER), None).unwrap();
    files.insecure(&["protect.txt", &whose]);
    lchown(&link, Some(0), None).unwrap();
    files.ctx.finish(&mut files.run()).exits(0);
}

/// As the kubelet writes a volume: `token` leads to `..data/token`, and `..data` to the folder of this version.
fn mount(ctx: &TestContext, name: &str, file: &str, text: &str) -> PathBuf {
    let mount = ctx.dir.path().canonicalize().unwrap().join(name);
    let version = mount.join("..2026_11_30");
    std::fs::create_dir_all(&version).unwrap();
    std::fs::write(version.join(file), text).unwrap();
    mode(&version.join(file), 0o644);
    mode(&version, 0o755);
    symlink("..2026_11_30", mount.join("..data")).unwrap();
    symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    mode(&mount, 0o1777);
    mount
}

#[test]
fn kubernetes_volumes_are_accepted_and_every_link_is_checked() {
    let ctx = tenant();
    let secret = mount(&ctx, "secret-volume", "token", SECRET);
    let list = mount(&ctx, "config-volume", "protect.txt", "boss@contoso.com\n");
    let command = || {
        let mut command = run(&ctx);
        command.args(["--tenant", TENANT, "--client-id", APP, "--client-secret-file"]);
        command.arg(secret.join("token")).arg("--protect").arg(list.join("protect.txt"));
        command
    };
    // An emptyDir has no sticky bit: another container of the pod could put another link there.
    for (part, was) in [
        (secret.clone(), 0o1777),
        (secret.join("..2026_11_30"), 0o755),
        (list.clone(), 0o1777),
        (list.join("..2026_11_30"), 0o755),
    ] {
        mode(&part, 0o777);
        let done = ctx.finish(&mut command());
        let words = format!("everyone may write to the folder {} (mode 0777)", part.display());
        refused(&ctx, &done, &[&words, "--insecure-files"]);
        mode(&part, was);
    }
    mode(&secret.join("..2026_11_30/token"), 0o666);
    let done = ctx.finish(&mut command());
    let words = format!("everyone may write to the file {}", secret.join("..2026_11_30/token").display());
    refused(&ctx, &done, &[&words]);
    mode(&secret.join("..2026_11_30/token"), 0o644);
    let done = ctx.finish(&mut command());
    done.exits(0);
    assert_eq!(ctx.ledger().users.len(), 2, "the boss is left out");
}
