//! `entra-revoke run` with default settings, journal and reports, but without a rate limit and a progress display.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::numbers::processor_seconds;
use crate::simulator::Simulator;

/// The released program. It is built separately, because the binary that Cargo built for this benchmark has features
/// that are only for tests.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--bin", "entra-revoke", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(cargo.status.success(), "cargo can't build the program");
        let messages = cargo.stdout.split(|byte| *byte == b'\n');
        let mut messages = messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
        let path = messages.find_map(|message| message["executable"].as_str().map(PathBuf::from));
        path.expect("cargo names the program")
    })
}

/// The token in every request. It is as long as Entra's tokens, and obviously not one.
pub(crate) fn token() -> String {
    format!("not-a-token.{}", "0123456789abcdef".repeat(94))
}

/// Number of requests in flight.
pub(crate) const JOBS: u32 = 64;

/// A folder with a list of users, in which the run folders are created.
pub(crate) struct BenchFolder {
    folder: TempDir,
    users: u32,
}

/// The measurements of one run.
pub(crate) struct RunMeasurement {
    /// Seconds from exec until the last user was settled and synced.
    pub(crate) seconds_to_last_sync: f64,
    /// Seconds from exec until the process ended.
    pub(crate) seconds_to_exit: f64,
    /// Processor time in seconds.
    pub(crate) processor_seconds: f64,
    /// Size of the journal in bytes.
    pub(crate) journal_bytes: u64,
    /// Size of the run folder in bytes.
    pub(crate) run_folder_bytes: u64,
}

impl BenchFolder {
    pub(crate) fn with_users(users: u32) -> BenchFolder {
        let folder = tempfile::tempdir().unwrap();
        let mut list = String::new();
        for user in 0..users {
            writeln!(list, "user{user:07}@contoso.com").unwrap();
        }
        std::fs::write(folder.path().join("users.txt"), list).unwrap();
        BenchFolder { folder, users }
    }

    /// The command for a run against a simulator, with further arguments.
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

    /// Runs once, measures, and deletes the run folder.
    pub(crate) fn run(&self, simulator: &Simulator, more: &[&str]) -> RunMeasurement {
        // The log says when everything was synced, because `run ended` is logged after the last sync of the journal. At
        // this log level, users who were revoked have no line.
        let log = self.folder.path().join("log");
        let mut command = self.command(&simulator.url, simulator.ca.as_deref(), more);
        command.args(["-v", "--log-format", "json", "--log-file", "log"]);
        let (processor, from) = (processor_seconds(), SystemTime::now());
        let status = command.status().unwrap();
        let (to, spent) = (SystemTime::now(), processor_seconds() - processor);
        assert!(status.success(), "the run ended with {status}");
        let synced = run_ended_at(&std::fs::read_to_string(&log).unwrap());
        let since = |then: SystemTime| then.duration_since(from).unwrap().as_secs_f64();
        let (journal, run_folder) = self.clear();
        std::fs::remove_file(log).unwrap();
        RunMeasurement {
            seconds_to_last_sync: since(synced),
            seconds_to_exit: since(to),
            processor_seconds: spent,
            journal_bytes: journal,
            run_folder_bytes: run_folder,
        }
    }

    /// The number of users in the list.
    pub(crate) fn users(&self) -> f64 {
        f64::from(self.users)
    }

    /// Deletes the run folders. Returns the size of the journals and of all files, in bytes.
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

/// When the run ended, according to the log.
fn run_ended_at(log: &str) -> SystemTime {
    let line = log.lines().rfind(|line| line.contains("\"run ended\"")).expect("the run's end in the log");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap().into()
}
