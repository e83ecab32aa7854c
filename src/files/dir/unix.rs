//! The Unix calls that work on an open folder.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::OpenMode;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Does not follow a link, and does not wait for the writer of a pipe.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

pub(super) fn open_dir(path: &Path) -> io::Result<File> {
    Ok(rustix::fs::open(path, FOLDER | OFlags::NOFOLLOW, Mode::empty())?.into())
}

pub(super) fn open_parent(path: &Path) -> io::Result<File> {
    Ok(rustix::fs::open(path, FOLDER, Mode::empty())?.into())
}

/// Creates a folder for its owner only, and opens it.
pub(super) fn make_dir(parent: &File, _path: &Path, name: &Path) -> io::Result<File> {
    rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
    let dir: File = rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?.into();
    // The umask may have removed permissions, and some file systems do not keep any.
    let _ = rustix::fs::fchmod(&dir, Mode::RWXU);
    Ok(dir)
}

pub(super) fn open_file(dir: &File, _path: &Path, name: &Path, way: OpenMode) -> io::Result<File> {
    let open = |flags: OFlags| rustix::fs::openat(dir, name, FILE | flags, PRIVATE_FILE).map(File::from);
    let create = |access: OFlags| {
        let file = open(access | OFlags::CREATE | OFlags::EXCL)?;
        let _ = rustix::fs::fchmod(&file, PRIVATE_FILE);
        Ok(file)
    };
    let open_or = |access: OFlags| match open(access) {
        Err(Errno::NOENT) => match create(access) {
            // Another process created it first.
            Err(Errno::EXIST) => open(access),
            created => created,
        },
        opened => opened,
    };
    let opened = match way {
        OpenMode::Read | OpenMode::Sync => open(OFlags::RDONLY),
        OpenMode::Create => create(OFlags::WRONLY),
        OpenMode::Write => open_or(OFlags::RDWR),
        OpenMode::Append => open_or(OFlags::WRONLY | OFlags::APPEND),
    };
    Ok(opened?)
}

pub(super) fn rename(dir: &File, _path: &Path, from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat(dir, from, dir, to)?)
}

/// Renames if the new name does not exist. Not every file system has one call for that. On the others, an empty file
/// first takes the name and is then replaced.
pub(super) fn rename_new(dir: &File, path: &Path, from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(dir, from, dir, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {}
        renamed => return Ok(renamed?),
    }
    open_file(dir, path, to, OpenMode::Create)?;
    rename(dir, path, from, to)
}

pub(super) fn remove(dir: &File, _path: &Path, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
}

pub(super) fn exists(dir: &File, _path: &Path, name: &Path) -> io::Result<bool> {
    match stat(dir, name) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // These numbers have other types on other systems.
pub(super) fn identity(dir: &File, _path: &Path, name: &Path) -> io::Result<Option<(u64, u64)>> {
    let there = stat(dir, name)?;
    Ok(Some((there.st_dev as u64, there.st_ino as u64)))
}

pub(super) fn is_link(dir: &File, _path: &Path, name: &Path) -> bool {
    stat(dir, name).is_ok_and(|there| kind(&there) == FileType::Symlink)
}

/// Whether the name exists and is not a regular file.
pub(super) fn is_special(dir: &File, _path: &Path, name: &Path) -> bool {
    stat(dir, name).is_ok_and(|there| kind(&there) != FileType::RegularFile)
}

fn stat(dir: &File, name: &Path) -> rustix::io::Result<Stat> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn kind(there: &Stat) -> FileType {
    FileType::from_raw_mode(there.st_mode)
}

pub(super) fn names(dir: &File, _path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// Syncs the names. Some file systems can't sync a folder and say so; then the names are as safe as they can be.
pub(super) fn sync_dir(dir: &File) -> io::Result<()> {
    match dir.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// The folder's current path, if its path no longer leads to it.
pub(super) fn displaced(dir: &File, path: &Path) -> Option<Option<PathBuf>> {
    let held = dir.metadata().ok()?;
    let is_there = std::fs::symlink_metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()));
    (!is_there).then(|| current_path(dir))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn current_path(dir: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    let place = std::fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd())).ok()?;
    // A removed folder has such a name, which leads nowhere.
    (!place.to_string_lossy().ends_with(" (deleted)")).then_some(place)
}

#[cfg(target_vendor = "apple")]
fn place(dir: &File) -> Option<PathBuf> {
    let place = rustix::fs::getpath(dir).ok()?;
    Some(PathBuf::from(OsString::from_vec(current_path.into_bytes())))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn place(_dir: &File) -> Option<PathBuf> {
    None
}
