//! One folder a run: its name, its files, who may read them, and who may write.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// What a run is: its settings, and which plan it has.
pub const RUN_JSON: &str = "run.json";

/// The frozen plan.
pub const PLAN_CSV: &str = "plan.csv";

/// What can go wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder, or a file in it, can't be made or opened.
    #[error("can't use {path}: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes to the run.
    #[error("{path} is in use by another entra-revoke process; wait for it to end", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is no run folder, or is not there.
    #[error("{path} is no run folder: it holds no run.json", path = path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
}

impl FolderError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
        move |source| FolderError::Io { path: path.to_owned(), source }
    }
}

/// The folder that holds all evidence of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// Held while a process writes to a run folder; the operating system frees it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunFolder {
    /// Makes `<UTC start>-<short id>` below `parent`, for the owner alone, and locks it.
    pub fn create(parent: &Path, started: Timestamp, id: &str) -> Result<(RunFolder, RunLock), FolderError> {
        let name = format!("{}-{id}", started.strftime("%Y%m%dT%H%M%SZ"));
        fs::create_dir_all(parent).map_err(FolderError::io(parent))?;
        let path = parent.join(name);
        private_dir(&path).map_err(FolderError::io(&path))?;
        let folder = RunFolder { path };
        let lock = folder.lock()?;
        Ok((folder, lock))
    }

    /// Opens an existing run folder.
    pub fn open(path: &Path) -> Result<RunFolder, FolderError> {
        let folder = RunFolder { path: path.to_owned() };
        match fs::metadata(folder.file(RUN_JSON)) {
            Ok(_) => Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(FolderError::NoRun { path: path.to_owned() })
            }
            Err(error) => Err(FolderError::io(path)(error)),
        }
    }

    /// Takes the folder's one writer's place.
    pub fn lock(&self) -> Result<RunLock, FolderError> {
        // A file of its own: on Windows a lock also keeps others from reading what is locked.
        let path = self.file("lock");
        let file = create_or_open_private(&path).map_err(FolderError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked { path: self.path.clone() }),
            Err(TryLockError::Error(error)) => Err(FolderError::io(&path)(error)),
        }
    }

    /// Makes all that was written before the first request durable: these files of it, their names, and its own name.
    pub fn sync(&self, files: &[&str]) -> Result<(), FolderError> {
        sync_folder(&self.path, files)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `plan.csv`: the frozen plan.
    pub fn plan(&self) -> PathBuf {
        self.file(PLAN_CSV)
    }

    /// `journal.jsonl`: what happened.
    pub fn journal(&self) -> PathBuf {
        self.file("journal.jsonl")
    }
}

/// Makes these files of a folder durable, their names, and its own name.
///
/// All are synced side by side: a file system with a journal of its own makes them durable in one go, and each by itself
/// would have to wait for a disk.
pub fn sync_folder(folder: &Path, files: &[&str]) -> Result<(), FolderError> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let paths: Vec<PathBuf> = files.iter().map(|name| folder.join(name)).collect();
    std::thread::scope(|scope| {
        let files: Vec<_> = paths.iter().map(|path| scope.spawn(|| synced(path, sync_file))).collect();
        let own = scope.spawn(|| synced(folder, sync_dir));
        let parent = synced(parent, sync_dir);
        let broken = |_| FolderError::io(folder)(io::Error::other("a sync broke down"));
        let joined = files.into_iter().chain([own]).map(|one| one.join().map_err(broken).flatten());
        joined.chain([parent]).collect()
    })
}

/// Makes a folder that only its owner can read, unless it is there.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    private_dir(path)
}

/// Makes (or empties) a file that only its owner can read. On Windows the run folder's own access list, which
/// files inherit, does that.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    owner_only(&mut options);
    options.open(path)
}

fn create_or_open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    owner_only(&mut options);
    options.open(path)
}

/// Replaces a file whole: written beside it, synced, renamed over it, so that a reader sees the old text or the
/// new one and never half of it.
pub fn write_private(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    replace(path, |partial| fill_private(partial, fill)?.sync_all())
}

/// The same for a file that is made durable later, by [`RunFolder::sync`].
pub fn write_unsynced(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    replace(path, |partial| fill_private(partial, fill).map(drop))
}

fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write(&partial).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // Room on a full disk matters more than half a report.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn fill_private(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut file = io::BufWriter::with_capacity(1 << 16, create_private(path)?);
    fill(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

fn synced(path: &Path, sync: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), FolderError> {
    sync(path).map_err(FolderError::io(path))
}

/// Windows flushes a file only through a handle that may write.
fn sync_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Some file systems can't sync a folder, and say so; then its names are as durable as they can be.
#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// On Windows a folder can't be opened like a file, and NTFS keeps its names in a journal of its own.
#[cfg(not(unix))]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(super) fn owner_only(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// On Windows a folder inherits its parent's access list. `icacls` takes the inheritance away and leaves the
/// folder to its owner; a run folder that others might read is refused.
#[cfg(windows)]
fn private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    let user = std::env::var("USERNAME").map_err(|_| io::Error::other("USERNAME is not set"))?;
    let owner = match std::env::var("USERDOMAIN") {
        Ok(domain) => format!("{domain}\\{user}"),
        Err(_) => user,
    };
    let output = std::process::Command::new("icacls")
        .arg(path)
        .args(["/inheritance:r", "/grant:r", &format!("{owner}:(OI)(CI)F")])
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

#[cfg(test)]
mod tests {
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

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let (folder, _lock) = create(parent.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        write_private(&folder.file(RUN_JSON), |out| out.write_all(b"{}")).unwrap();
        assert_eq!((mode(folder.path()), mode(&folder.file(RUN_JSON))), (0o700, 0o600));
    }

    #[test]
    fn a_failed_write_leaves_the_old_text() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("report.csv");
        write_private(&path, |out| out.write_all(b"old")).unwrap();
        write_private(&path, |_| Err(io::Error::other("disk full"))).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
