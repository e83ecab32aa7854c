//! The context for tests of behaviour: the real binary against the real simulator, over real sockets on loopback.
//!
//! A `TestContext` has a simulator, a folder, and the commands that run in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use entra_revoke::simulator::{Config, Ledger, Simulator, Stats};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::env;

/// An obvious fake. Tests check that the program never writes it anywhere.
pub(crate) const TOKEN: &str = "fake-token-CANARY-9f2c";

/// A plain list of `count` users, one per line: `u00@contoso.com` and so on.
pub(crate) fn user_list(count: usize) -> String {
    (0..count).map(|n| format!("u{n:02}@contoso.com\n")).collect()
}

/// A simulator, and a folder to run commands in.
pub(crate) struct TestContext {
    pub simulator: Simulator,
    pub dir: TempDir,
    /// The runtime of the simulator, which must be dropped last.
    pub runtime: tokio::runtime::Runtime,
}

impl TestContext {
    /// Starts a simulator with this configuration (TOML). Quotas are off unless the text mentions them.
    pub(crate) fn new(toml: &str) -> TestContext {
        let mut config = Config::from_toml_str(toml).expect("the test's configuration");
        if !toml.contains("quota") {
            config.quota.enabled = false;
        }
        TestContext::with_config(config)
    }

    pub(crate) fn with_config(config: Config) -> TestContext {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        let simulator = runtime.block_on(Simulator::start(config)).expect("the simulator");
        TestContext { simulator, dir: tempfile::tempdir().unwrap(), runtime }
    }

    /// Writes an input file and returns its path.
    pub(crate) fn input(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Writes an input file with `count` users and returns its path.
    pub(crate) fn users(&self, count: usize) -> PathBuf {
        self.input("users.txt", user_list(count))
    }

    /// The binary in the context's folder, without environment variables of this machine that could affect it.
    pub(crate) fn command_without_token(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entra-revoke"));
        env::remove_sign_in_variables(&mut command);
        command.env("PATH", env::system_path());
        // Not the config file of the person who runs the tests.
        for name in ["HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA"] {
            command.env(name, self.dir.path());
        }
        command.arg(verb).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// The command `verb` against the simulator, with a ready token.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = self.command_without_token(verb);
        command.env("ENTRA_REVOKE_TOKEN", TOKEN);
        if matches!(verb, "run" | "resume" | "doctor" | "plan" | "apply") {
            command.args(["--graph-url", &self.simulator.url(), "--authority-url", &self.simulator.url()]);
        }
        if verb == "run" {
            command.arg("--yes");
        }
        command
    }

    /// Runs `run` with one input file and these further arguments, and waits for its end.
    pub(crate) fn run(&self, input: &Path, args: &[&str]) -> CommandResult {
        self.finish(self.command("run").arg(input).args(args))
    }

    /// Runs a command and waits for its end.
    pub(crate) fn finish(&self, command: &mut Command) -> CommandResult {
        CommandResult::from(command.output().expect("the binary runs"))
    }

    /// Starts a command with piped output.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// Asserts that the sign-in failed with exit code 4 before anything was sent to Graph, and that standard error
    /// contains each of these texts.
    #[track_caller]
    pub(crate) fn assert_sign_in_refused(&self, done: &CommandResult, says: &[&str]) {
        done.exits(4);
        for words in says {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        assert!(!done.stderr.contains("CANARY"), "a secret shows: {}", done.stderr);
        assert_eq!(self.stats().revocations, 0);
        assert!(self.run_folders().is_empty(), "a run folder was made for nothing");
    }

    /// Waits until the simulator has reached a state, for 10 s at most.
    #[track_caller]
    pub(crate) fn until(&self, seen: impl Fn(&TestContext) -> bool) {
        let began = std::time::Instant::now();
        while !seen(self) {
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", self.stats());
            std::thread::yield_now();
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.simulator.ledger()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.simulator.stats()
    }

    /// The only run folder.
    pub(crate) fn run_folder(&self) -> RunDir {
        let folders = self.run_folders();
        assert_eq!(folders.len(), 1, "run folders: {folders:?}");
        RunDir { path: folders[0].clone() }
    }

    /// All run folders, oldest first by name.
    pub(crate) fn run_folders(&self) -> Vec<PathBuf> {
        let runs = self.dir.path().join("runs");
        let mut folders: Vec<PathBuf> = match std::fs::read_dir(runs) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        folders.sort();
        folders
    }

    /// Every file below the context's folder with its bytes, to search them for canaries.
    pub(crate) fn all_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(dir: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, into);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    into.push((path, bytes));
                }
            }
        }
        let mut files = Vec::new();
        walk(self.dir.path(), &mut files);
        files
    }
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct CommandResult {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for CommandResult {
    fn from(output: Output) -> CommandResult {
        CommandResult {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl CommandResult {
    /// Asserts the exit code. If it differs, the failure shows the output.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &CommandResult {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A run folder.
#[derive(Debug)]
pub(crate) struct RunDir {
    pub path: PathBuf,
}

/// A row of `report.csv`, by column name.
pub(crate) type Row = BTreeMap<String, String>;

impl RunDir {
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The rows of `report.csv`.
    pub(crate) fn rows(&self) -> Vec<Row> {
        read_csv(&self.text("report.csv"))
    }

    /// The outcome for each user ID (or for each input, if there is no ID).
    pub(crate) fn outcomes(&self) -> BTreeMap<String, String> {
        let key =
            |row: &Row| if row["user_id"].is_empty() { row["input"].clone() } else { row["user_id"].clone() };
        self.rows()
            .iter()
            .filter(|row| row["outcome"] != "duplicate")
            .map(|row| (key(row), row["outcome"].clone()))
            .collect()
    }

    /// The report's only row for this user.
    #[track_caller]
    pub(crate) fn row(&self, user: &str) -> Row {
        let rows = self.rows();
        let found: Vec<&Row> =
            rows.iter().filter(|row| row["user_id"] == user && row["outcome"] != "duplicate").collect();
        assert_eq!(found.len(), 1, "rows of {user} in {rows:#?}");
        found[0].clone()
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).unwrap()
    }

    /// The lines of the journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        self.text("journal.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The rows of a CSV text, by column name.
pub(crate) fn read_csv(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}
