//! This machine: where the evidence goes, and how many connections it allows.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::files::Dir;

/// Less free space than this is reported, in bytes. A run of 100,000 users writes about 100 MB.
const LOW_SPACE: u64 = 1 << 30;

/// With less free space than this, in bytes, even a small run may fail.
const MIN_SPACE: u64 = 50 << 20;

/// Checks whether run folders can be created there, by creating a file and removing it. A run creates a missing folder,
/// so the nearest existing folder is checked.
pub fn run_folder(dir: &Path) -> Finding {
    let shown = dir.display();
    let there = existing_ancestor(dir);
    match check_writable(&there) {
        Ok(()) if there == dir => Finding::ok("run-folder", format!("{shown} is writable")),
        Ok(()) => Finding::ok("run-folder", format!("run folders can be created in {shown}")),
        Err(error) => Finding::fatal(
            "run-folder",
            format!("can't write to {}: {error}", there.display()),
            "name a folder of your own with --output-dir",
            1,
        ),
    }
}

/// Creates a file and removes it.
fn check_writable(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder"));
    }
    let dir = Dir::open_parent(dir)?;
    let name = format!(".entra-revoke-doctor-{}", uuid::Uuid::new_v4().simple());
    dir.create_file(&name)?;
    dir.remove(&name)
}

/// The folder itself or the nearest existing one above it.
fn existing_ancestor(dir: &Path) -> PathBuf {
    let above = dir.ancestors().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    above.into_iter().find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(Path::new(".")).to_owned()
}

/// Checks whether the disk has space for the evidence.
pub fn disk(dir: &Path) -> Finding {
    match free_bytes(&existing_ancestor(dir)) {
        Some(bytes) => check_free_space(bytes),
        None => Finding::skipped("disk", "the free disk space is not known on this system"),
    }
}

fn check_free_space(bytes: u64) -> Finding {
    let advice = "free up space, or name a folder on another disk with --output-dir";
    let finding = format!("{} free", size(bytes));
    match bytes {
        0..MIN_SPACE => Finding::failed("disk", finding, advice),
        MIN_SPACE..LOW_SPACE => Finding::warning("disk", finding, advice),
        LOW_SPACE.. => Finding::ok("disk", finding),
    }
}

fn size(bytes: u64) -> String {
    let (gib, mib) = (bytes >> 30, bytes >> 20);
    if gib > 0 { format!("{} GiB", crate::text::humanize::count(gib)) } else { format!("{mib} MiB") }
}

/// The free space for this user, in bytes.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// On Windows, this needs system calls that the program does not make.
#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}

/// Checks whether every job can have a connection. `fitting` is the number of jobs that can.
pub fn open_files(jobs: usize, fitting: usize) -> Finding {
    if fitting < jobs {
        return Finding::warning(
            "open-files",
            format!("there are enough open files for {fitting} of {jobs} jobs"),
            "raise the limit of open files (ulimit -n), or use fewer jobs (-j)",
        );
    }
    Finding::ok("open-files", format!("enough for {jobs} jobs"))
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn write_check_leaves_no_files() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run_folder(dir.path()).status, CheckStatus::Ok);
        let found = run_folder(&dir.path().join("a/b"));
        assert!(found.status == CheckStatus::Ok && found.finding.contains("can be created"), "{found:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for bad in [file.clone(), file.join("below")] {
            let found = run_folder(&bad);
            assert_eq!((found.status, found.exit_code), (CheckStatus::Failed, Some(1)), "{found:?}");
        }
        assert_eq!(existing_ancestor(Path::new("no-such-folder/runs")), Path::new("."));
    }

    #[test]
    fn low_space_warns_and_too_little_fails() {
        let status = |bytes| check_free_space(bytes).status;
        assert_eq!(
            [status(1 << 20), status(60 << 20), status(2 << 30)],
            [CheckStatus::Failed, CheckStatus::Warning, CheckStatus::Ok]
        );
        assert_eq!([size(52 << 20), size(2_000 << 30)], ["52 MiB", "2,000 GiB"]);
        assert_eq!(open_files(64, 64).status, CheckStatus::Ok);
        assert_eq!(open_files(64, 8).status, CheckStatus::Warning);
    }
}
