//! One input on several machines: each machine revokes its shard, and their reports are merged.

use crate::ctx;

mod merge;
#[cfg(unix)]
mod pods;
mod refusals;
mod split;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ctx::{CommandResult, TestContext};

/// `count` rows with a column of their own; some are duplicates, some have no user.
fn staff(count: usize) -> String {
    let mut text = "userPrincipalName,Note,Department\n".to_owned();
    for n in 0..count {
        let department = ["Sales", "IT", "Board"][n % 3];
        let upn = format!("u{n:03}@contoso.com");
        text += &match n % 10 {
            7 => format!("Total: {n},,{department}\n"),
            8 => format!("{},,{department}\n", format!("u{:03}@contoso.com", n / 2).to_uppercase()),
            9 => format!("gone-{upn},,{department}\n"),
            _ => format!("{upn},,{department}\n"),
        };
    }
    text
}

/// A simulator without users named `gone-…`.
const GONE: &str = "[[fault]]\nmatch = 'gone-*'\nanswer = 404\n";

impl TestContext {
    /// Runs one part of an input, and gives its run folder.
    fn shard(&self, input: &Path, shard: &str, args: &[&str]) -> (CommandResult, PathBuf) {
        let before = self.run_folders();
        let done = self.run(input, &[&["--shard", shard], args].concat());
        let mut folders = self.run_folders();
        folders.retain(|folder| !before.contains(folder));
        assert_eq!(folders.len(), 1, "{}", done.stderr);
        (done, folders.swap_remove(0))
    }

    /// Runs all parts of an input.
    fn shards(&self, input: &Path, of: u32, args: &[&str]) -> Vec<PathBuf> {
        (1..=of).map(|number| self.shard(input, &format!("{number}/{of}"), args).1).collect()
    }

    /// How often each user was sent.
    fn sent(&self) -> BTreeMap<String, u64> {
        let users = self.ledger().users;
        users.iter().map(|user| (user.id.to_lowercase(), user.requests)).collect()
    }
}

impl TestContext {
    /// Joins run folders into one below the context's folder.
    fn join<P: AsRef<Path>>(&self, out: &str, folders: &[P]) -> CommandResult {
        let folders = folders.iter().map(AsRef::as_ref);
        self.finish(self.command("report").args(["--merge", out]).args(folders))
    }
}

fn read_json(folder: &Path, name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn sha256(path: &Path) -> String {
    entra_revoke::text::digest::sha256_of_file(path).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
