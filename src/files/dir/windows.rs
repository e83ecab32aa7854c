//! The same by path. A folder that is held open without sharing delete access can't be renamed or removed, and neither
//! can the folders above it, so its path stays valid until it is closed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::OpenMode;

/// Needed to open a folder.
const BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// Opens a link itself.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Others may read and write meanwhile, but not remove or rename.
const SHARE_READ_WRITE: u32 = 0x1 | 0x2;

pub(super) fn open_dir(path: &Path) -> io::Result<File> {
    let dir = hold(path, OPEN_REPARSE_POINT)?;
    match dir.metadata()?.is_dir() {
        true => Ok(dir),
        false => Err(io::Error::from(io::ErrorKind::NotADirectory)),
    }
}

pub(super) fn open_parent(path: &Path) -> io::Result<File> {
    hold(path, 0)
}

fn hold(path: &Path, flags: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).share_mode(SHARE_READ_WRITE).custom_flags(BACKUP_SEMANTICS | flags);
    options.open(path)
}

/// Creates a folder for its owner only. It is held open before its access list is set.
pub(super) fn make_dir(_parent: &File, path: &Path, name: &Path) -> io::Result<File> {
    let path = path.join(name);
    fs::create_dir(&path)?;
    let dir = open_dir(&path)?;
    make_private(&path)?;
    Ok(dir)
}

/// Removes the access list inherited from the parent with `icacls` and grants access to the owner only, because a run
/// folder that others might read is refused. `icacls` is called by its full path, and gets none of our environment
/// variables, because some of them are secrets.
fn make_private(path: &Path) -> io::Result<()> {
    let user = std::env::var("USERNAME").map_err(|_| io::Error::other("USERNAME is not set"))?;
    let owner = match std::env::var("USERDOMAIN") {
        Ok(domain) => format!("{domain}\\{user}"),
        Err(_) => user,
    };
    let root = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    if !root.is_absolute() {
        return Err(io::Error::other("SystemRoot is not a full path"));
    }
    let output = Command::new(root.join("System32").join("icacls.exe"))
        .arg(std::path::absolute(path)?)
        .args(["/inheritance:r", "/grant:r", &format!("{owner}:(OI)(CI)F")])
        .env_clear()
        .env("SystemRoot", &root)
        .stdin(Stdio::null())
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

pub(super) fn open_file(_dir: &File, path: &Path, name: &Path, way: OpenMode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match way {
        OpenMode::Read => options.read(true),
        OpenMode::Write => options.read(true).write(true).create(true).truncate(false),
        OpenMode::Create => options.write(true).create_new(true),
        OpenMode::Append => options.append(true).create(true),
        OpenMode::Sync => options.write(true),
    };
    options.custom_flags(OPEN_REPARSE_POINT).open(path.join(name))
}

pub(super) fn rename(_dir: &File, path: &Path, from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(path.join(from), path.join(to))
}

/// An empty file first takes the name and is then replaced.
pub(super) fn rename_new(dir: &File, path: &Path, from: &Path, to: &Path) -> io::Result<()> {
    open_file(dir, path, to, OpenMode::Create)?;
    rename(dir, path, from, to)
}

pub(super) fn remove(_dir: &File, path: &Path, name: &Path) -> io::Result<()> {
    fs::remove_file(path.join(name))
}

pub(super) fn exists(_dir: &File, path: &Path, name: &Path) -> io::Result<bool> {
    match path.join(name).symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn identity(dir: &File, path: &Path, name: &Path) -> io::Result<Option<(u64, u64)>> {
    match exists(dir, path, name)? {
        true => Ok(None),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

pub(super) fn is_link(_dir: &File, path: &Path, name: &Path) -> bool {
    path.join(name).symlink_metadata().is_ok_and(|there| there.is_symlink())
}

/// Whether the name exists and is not a regular file.
pub(super) fn is_special(_dir: &File, path: &Path, name: &Path) -> bool {
    path.join(name).symlink_metadata().is_ok_and(|there| !there.is_file())
}

pub(super) fn names(_dir: &File, path: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// NTFS keeps its names in a journal of its own.
pub(super) fn sync_dir(_dir: &File) -> io::Result<()> {
    Ok(())
}

/// It can't be moved while it is held open.
pub(super) fn displaced(_dir: &File, _path: &Path) -> Option<Option<PathBuf>> {
    None
}
