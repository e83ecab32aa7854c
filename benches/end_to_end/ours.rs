//! `entra-revoke run`: default settings, journal and reports on; no pace, no display.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::numbers::processor_seconds;
use crate::simulator::Simulator;

/// The program, as it is released. Cargo makes it anew: what it built beside this benchmark has the features that
/// tests switch on.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--bin", "entra-revoke", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(cargo.status.success(), "the program can't be built");
        let messages = cargo.stdout.split(|byte| *byte == b'\n');
        let mut made = messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
        let path = made.find_map(|message| message["executable"].as_str().map(PathBuf::from));
        path.expect("cargo names the program")
    })
}

/// The token that every request carries: as long as Entra's are, and obviously none.
pub(crate) fn token() -> String {
    format!("not-a-token.{}", "0123456789abcdef".repeat(94))
}

/// Requests in flight.
pub(crate) const JOBS: u32 = 64;

/// A place with a list of users, and where the run folders go.
pub(crate) struct Desk {
    folder: TempDir,
    users: u32,
}

/// What one run took.
pub(crate) struct Taken {
    /// From exec to the last user settled and synced, seconds.
    pub(crate) to_last: f64,
    /// From exec to the process's end, seconds.
    pub(crate) to_end: f64,
    /// Processor time, seconds.
    pub(crate) processor: f64,
    /// Bytes of the journal.
    pub(crate) journal: u64,
    /// Bytes of the whole run folder.
    pub(crate) run_folder: u64,
}

impl Desk {
    pub(crate) fn with(users: u32) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mut list = String::new();
        for user in 0..users {
            writeln!(list, "user{user:07}@contoso.com").unwrap();
        }
        std::fs::write(folder.path().join("users.txt"), list).unwrap();
        Desk { folder, users }
    }

    /// The command of a run against a simulator, with further arguments.
    pub(crate) fn command(&self, url: &str, ca: Option<&Path>, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(self.folder.path())
            .env("ENTRA_REVOKE_TOKEN", token())
            .args(["run", "users.txt", "--yes", "--rate", "1000000/s", "--output", "none"])
            .args(["--progress", "none", "--jobs", &JOBS.to_string(), "--graph-url", url])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(ca) = ca {
            command.arg("--ca-cert").arg(ca);
        }
        command
    }

    /// Runs once, and takes the run folder away.
    pub(crate) fn run(&self, simulator: &Simulator, more: &[&str]) -> Taken {
        // The log says when all was synced: that line is told after the journal's last sync. At this level no user
        // who was revoked has a line.
        let log = self.folder.path().join("log");
        let mut command = self.command(&simulator.url, simulator.ca.as_deref(), more);
        command.args(["-v", "--log-format", "json", "--log-file", "log"]);
        let (processor, from) = (processor_seconds(), SystemTime::now());
        let status = command.status().unwrap();
        let (to, spent) = (SystemTime::now(), processor_seconds() - processor);
        assert!(status.success(), "the run ended with {status}");
        let synced = ended(&std::fs::read_to_string(&log).unwrap());
        let since = |then: SystemTime| then.duration_since(from).unwrap().as_secs_f64();
        let (journal, run_folder) = self.clear();
        std::fs::remove_file(log).unwrap();
        Taken { to_last: since(synced), to_end: since(to), processor: spent, journal, run_folder }
    }

    /// How many users are on the list.
    pub(crate) fn users(&self) -> f64 {
        f64::from(self.users)
    }

    /// Removes the run folders; gives the bytes of journals and of all files in them.
    pub(crate) fn clear(&self) -> (u64, u64) {
        let runs = self.folder.path().join("runs");
        let (mut journal, mut all) = (0, 0);
        for run in std::fs::read_dir(&runs).unwrap() {
            for file in std::fs::read_dir(run.unwrap().path()).unwrap() {
                let file = file.unwrap();
                let bytes = file.metadata().unwrap().len();
                all += bytes;
                journal += if file.file_name() == "journal.jsonl" { bytes } else { 0 };
            }
        }
        std::fs::remove_dir_all(runs).unwrap();
        (journal, all)
    }
}

/// When the log says that the run ended.
fn ended(log: &str) -> SystemTime {
    let line = log.lines().rfind(|line| line.contains("\"run ended\"")).expect("the run's end in the log");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap().into()
}
