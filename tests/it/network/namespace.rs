//! A separate mount namespace for the program, with other host names and root certificates than this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that stand in the places of this machine's.
pub(crate) struct Namespace {
    mounts: Vec<(PathBuf, &'static str)>,
}

impl Namespace {
    /// Names come from `hosts` alone, and no DNS is asked. None, with the reason printed, where that can't be had.
    pub(crate) fn with_hosts(dir: &Path, hosts: &Path) -> Option<Namespace> {
        let switch = dir.join("nsswitch.conf");
        std::fs::write(&switch, "hosts: files\n").unwrap();
        Namespace { mounts: vec![(hosts.to_owned(), "/etc/hosts"), (switch, "/etc/nsswitch.conf")] }.tried()
    }

    /// The platform's roots are those in `folder`.
    pub(crate) fn with_roots(folder: &Path) -> Option<Namespace> {
        Namespace { mounts: vec![(folder.to_owned(), "/etc/ssl/certs")] }.tried()
    }

    fn tried(self) -> Option<Namespace> {
        let tried = self.inside(&Command::new("true")).output();
        let reason = match tried {
            Ok(output) if output.status.success() => return Some(self),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("unshare: {error}"),
        };
        // Not by `eprintln!`, which the test harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "skipped: no mount namespace is to be had here ({reason})");
        None
    }

    /// The same command, inside.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("unshare");
        inside.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            inside.args(["--user", "--map-root-user"]);
        }
        let mounts: Vec<String> = self
            .mounts
            .iter()
            .map(|(file, place)| format!("mount --bind '{}' {place} && ", file.display()))
            .collect();
        inside.args(["sh", "-c", &format!("{}exec \"$@\"", mounts.concat()), "sh"]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        command.get_current_dir().map(|dir| inside.current_dir(dir));
        inside.stdin(std::process::Stdio::null());
        inside
    }
}
