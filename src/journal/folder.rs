//! The folder of a run: its name, its files, who may read them, and who may write.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::files::{Dir, FileRefusal, PathRole, TrustFault, check_metadata, is_partial};

/// The run's settings and the hash of its plan.
pub const RUN_JSON: &str = "run.json";

/// The frozen plan.
pub const PLAN_CSV: &str = "plan.csv";

/// The journal.
pub const JOURNAL: &str = "journal.jsonl";

/// Locked while a process works on the folder. It is a separate file, because on Windows a lock also keeps others from
/// reading the locked file.
const LOCK: &str = "lock";

/// All files of a run folder.
const RUN_FILES: [&str; 10] = [
    RUN_JSON,
    PLAN_CSV,
    JOURNAL,
    LOCK,
    "report.csv",
    "report.jsonl",
    "report.html",
    "summary.json",
    "remaining.csv",
    "manifest.json",
];

/// An error with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or a file in it can't be created or opened.
    #[error("can't use {path}: {source}", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Others may change the folder or a file in it, or it is a link.
    #[error(transparent)]
    Refused(#[from] FileRefusal),
    /// Another process writes to the run.
    #[error("{path} is in use by another entra-revoke process; wait for it to end", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It is not a run folder, or does not exist.
    #[error("{path} is not a run folder: it has no run.json", path = path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
}

impl FolderError {
    /// The error for a file of a run folder.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
        move |source| match source.downcast::<FileRefusal>() {
            Ok(refusal) => FolderError::Refused(refusal),
            Err(source) => FolderError::Io { path: path.to_owned(), source },
        }
    }
}

/// The folder with all evidence of one run. It is held open, and its files are reached through the handle, so replacing
/// the folder has no effect.
#[derive(Clone, Debug)]
pub struct RunFolder {
    dir: Arc<Dir>,
}

/// Held while a process writes to a run folder. The operating system releases it whenever and however the process ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunFolder {
    /// Creates `<UTC start>-<short id>` below `parent`, for the owner only, and locks it.
    pub fn create(parent: &Path, started: Timestamp, id: &str) -> Result<(RunFolder, RunLock), FolderError> {
        let name = format!("{}-{id}", started.strftime("%Y%m%dT%H%M%SZ"));
        let dir = Dir::create(parent, &name).map_err(FolderError::io(parent))?;
        let folder = RunFolder { dir: Arc::new(dir) };
        let lock = folder.lock()?;
        Ok((folder, lock))
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// When it is not a run folder; when it or a file in it is a link, or users other than the caller and root may
    /// change it; or when a file in it is not a regular file.
    pub fn open(path: &Path) -> Result<RunFolder, FolderError> {
        let none = || FolderError::NoRun { path: path.to_owned() };
        let dir = Dir::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => none(),
            _ => FolderError::io(path)(error),
        })?;
        if !dir.contains(RUN_JSON).map_err(FolderError::io(path))? {
            return Err(none());
        }
        dir.check_trust(is_run_file).map_err(FolderError::io(path))?;
        Ok(RunFolder { dir: Arc::new(dir) })
    }

    /// Locks the folder, so that no other process writes to it, and removes partial files that a killed process left
    /// behind.
    pub fn lock(&self) -> Result<RunLock, FolderError> {
        let path = self.file(LOCK);
        let file = self.dir.write(LOCK).map_err(FolderError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Locked { path: self.path().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(FolderError::io(&path)(error)),
        }
        self.dir.sweep(|name| is_partial(name, &RUN_FILES));
        Ok(RunLock { _file: file })
    }

    /// Syncs to disk everything that was written before the first request: these files, their names and the folder's
    /// own name.
    pub fn sync(&self, files: &[&str]) -> Result<(), FolderError> {
        sync_folder(&self.dir, files)
    }

    /// The folder, held open.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The folder's path, for messages and commands.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file in it, for messages and commands. The file is opened through [`dir`](RunFolder::dir).
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.file(name)
    }

    /// `plan.csv`: the frozen plan.
    pub fn plan_path(&self) -> PathBuf {
        self.file(PLAN_CSV)
    }

    /// `journal.jsonl`: the journal.
    pub fn journal_path(&self) -> PathBuf {
        self.file(JOURNAL)
    }

    /// Warnings about a new run folder: who else may write to the folder above, and whether the file system keeps
    /// permissions.
    pub fn warnings(&self) -> Vec<String> {
        let above = self.dir.parent().and_then(parent_warning);
        let own =
            self.dir.metadata().ok().and_then(|own| check_metadata(self.path(), &own, PathRole::Own).err());
        let own = own.map(|_| {
            format!(
                "warning: the file system of {} does not keep permissions, so other accounts may write to \
                 this run folder: `report` and `resume` will refuse it there. Copy the folder to another file \
                 system for them, or use --output-dir",
                self.path().display()
            )
        });
        above.into_iter().chain(own).collect()
    }

    /// The warning if the folder's path no longer leads to it.
    pub fn moved_warning(&self) -> Option<String> {
        let now = match self.dir.new_location()? {
            Some(place) => format!("the folder with its evidence is now {}", place.display()),
            None => "the folder with its evidence was removed, or its location is not known".to_owned(),
        };
        let path = self.path().display();
        Some(format!(
            "warning: {path} was moved or replaced during the run; whatever has that name now does not \
             belong to this run: {now}"
        ))
    }
}

/// Whether this is the name of a file of a run folder.
fn is_run_file(name: &str) -> bool {
    let is_kept_manifest = name.starts_with("manifest-") && name.ends_with(".json");
    RUN_FILES.contains(&name) || is_kept_manifest || is_partial(name, &RUN_FILES)
}

/// The warning about the folder above a new run folder. It need not be refused, because nothing in it is reached by
/// name again. But users who may write to it could remove the evidence.
fn parent_warning(parent: &Dir) -> Option<String> {
    let distrust = check_metadata(parent.path(), &parent.metadata().ok()?, PathRole::Own).err()?;
    let path = parent.path().display();
    let problem = match distrust.fault {
        TrustFault::Owner { uid, .. } => format!("{path} belongs to user {uid}"),
        TrustFault::Everyone { mode } => format!("everyone may write to {path} (mode {mode:04o})"),
        TrustFault::Group { gid, mode } => format!("the group {gid} may write to {path} (mode {mode:04o})"),
    };
    let what = match distrust.fault {
        // In a sticky folder, no one can move files of another user.
        TrustFault::Everyone { mode } | TrustFault::Group { mode, .. } if mode & 0o1000 != 0 => "",
        _ => ", and could move or remove run folders in it",
    };
    Some(format!(
        "warning: {problem}{what}. The run is not affected, but its evidence may be; name a folder of your own \
         (--output-dir)"
    ))
}

/// Syncs to disk these files of a folder, their names and the folder's own name.
///
/// All are synced in parallel: a journaling file system can then write them in one go, whereas in sequence each would
/// wait for the disk.
pub fn sync_folder(dir: &Dir, files: &[&str]) -> Result<(), FolderError> {
    std::thread::scope(|scope| {
        let sync = |name: &'_ str| dir.sync_file(name).map_err(FolderError::io(&dir.file(name)));
        let files: Vec<_> = files.iter().map(|name| scope.spawn(move || sync(name))).collect();
        let own = scope.spawn(|| dir.sync_names().map_err(FolderError::io(dir.path())));
        let parent = dir.sync_parent().map_err(FolderError::io(dir.path()));
        let broken = |_| FolderError::io(dir.path())(io::Error::other("internal error: a sync panicked"));
        let joined = files.into_iter().chain([own]).map(|one| one.join().map_err(broken).flatten());
        joined.chain([parent]).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn create(parent: &Path) -> (RunFolder, RunLock) {
        RunFolder::create(parent, "2026-11-22T03:00:00Z".parse().unwrap(), "ab12cd34").unwrap()
    }

    #[test]
    fn a_folder_has_one_writer() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, lock) = create(parent.path());
        assert!(folder.path().ends_with("20261122T030000Z-ab12cd34"));
        assert!(matches!(folder.lock(), Err(FolderError::Locked { .. })));
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn a_folder_without_a_run_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        assert!(matches!(RunFolder::open(parent.path()), Err(FolderError::NoRun { .. })));
        assert!(matches!(RunFolder::open(&parent.path().join("gone")), Err(FolderError::NoRun { .. })));
    }

    #[test]
    fn partial_files_of_a_killed_writer_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, lock) = create(parent.path());
        for name in
            ["report.csv.partial", "run.json.aB3dE6gH9jK2.partial", "notes.partial", "report.csvx.partial"]
        {
            fs::write(folder.file(name), "half").unwrap();
        }
        drop(lock);
        folder.lock().unwrap();
        let mut left: Vec<_> = folder.dir().names().unwrap();
        left.sort();
        assert_eq!(left, ["lock", "notes.partial", "report.csvx.partial"]);
    }

    #[cfg(unix)]
    #[test]
    fn linked_or_world_writable_run_files_are_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let parent = tempfile::tempdir().unwrap();
        let (folder, _lock) = create(parent.path());
        fs::write(folder.file(RUN_JSON), "{}").unwrap();
        let refused = || match RunFolder::open(folder.path()) {
            Err(FolderError::Refused(refusal)) => refusal.to_string(),
            other => panic!("{other:?}"),
        };
        for name in RUN_FILES.into_iter().chain(["report.csv.partial", "stray"]) {
            let path = folder.file(name);
            let _ = fs::remove_file(&path);
            symlink(RUN_JSON, &path).unwrap();
            assert!(refused().contains(&format!("{name} is a link")), "{name}");
            fs::remove_file(&path).unwrap();
            fs::write(&path, "{}").unwrap();
            if name != "stray" {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
                assert!(refused().contains(&format!("{name} (mode 0646)")), "{name}");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            }
            RunFolder::open(folder.path()).unwrap();
        }
    }
}
