//! A folder that is held open: its files are reached through the handle, and not through the folder's name again.
//!
//! A user who may rename something above a folder can replace it with another one, and a user who may write to it can
//! create a link with the name of a file. Neither has any effect here:
//!
//! - no link is followed, neither to the folder nor to a file in it;
//! - a new file is created exclusively, with access for its owner only;
//! - a file is replaced by one with a random name, which is renamed within the handle;
//! - a file that is read is checked through its own handle: it must be a regular file with one name that no other user
//!   may write to.
//!
//! On Unix this uses `openat` and similar calls. Windows has no such calls that are safe to use here. There the folder
//! is held open in such a way that neither it nor a folder above it can be renamed or removed, so that its name stays
//! valid.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use super::refusal::{FileRefusal, check_regular_file};
use super::trust::{self, PathRole, TrustFault};

/// The ending of the names of files that are still being written.
const PARTIAL: &str = ".partial";

/// Whether this is the name of one of these files while it is written, by this version or an earlier one.
pub fn is_partial(name: &str, names: &[&str]) -> bool {
    let of = |known: &&str| name.strip_prefix(*known).is_some_and(|rest| rest.starts_with('.'));
    name.ends_with(PARTIAL) && names.iter().any(of)
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenMode {
    /// Reading.
    Read,
    /// Reading and writing an existing or a new file.
    Write,
    /// Writing a new file.
    Create,
    /// Appending to an existing or a new file.
    Append,
    /// Making it durable. Windows flushes a file only through a handle that may write.
    Sync,
}

/// How many random names are tried if a name exists.
const MAX_NAME_ATTEMPTS: u32 = 16;

/// A folder that is held open.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    handle: File,
    /// The folder above, if this one was created by us: the new name must be synced there.
    parent: Option<Box<Dir>>,
}

impl Dir {
    /// Opens an existing folder. A link to a folder is refused.
    pub fn open(path: &Path) -> io::Result<Dir> {
        // Without anything after the last name, because `link/` and `link/.` would follow the link.
        let path: PathBuf = path.components().collect();
        let handle = system::open_dir(&path).map_err(|error| match fs::read_link(&path) {
            Ok(to) => FileRefusal::FolderLink { path: path.clone(), to }.into(),
            Err(_) => error,
        })?;
        Ok(Dir { path, handle, parent: None })
    }

    /// Opens a folder in which a new one will be created. It may be a link, which is followed only here.
    pub fn open_parent(path: &Path) -> io::Result<Dir> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let handle = system::open_parent(path)?;
        Ok(Dir { path: path.to_owned(), handle, parent: None })
    }

    /// Creates a folder for its owner only, and all missing folders above it.
    ///
    /// # Errors
    /// When it exists, can't be created, or was replaced before it was opened.
    pub fn create(parent: &Path, name: impl AsRef<Path>) -> io::Result<Dir> {
        create_parents(parent)?;
        let above = Dir::open_parent(parent)?;
        let path = parent.join(&name);
        let handle = system::make_dir(&above.handle, &above.path, name.as_ref())?;
        let dir = Dir { path, handle, parent: Some(Box::new(above)) };
        match trust::check_metadata(&dir.path, &dir.metadata()?, PathRole::Own) {
            Err(distrust) if matches!(distrust.fault, TrustFault::Owner { .. }) => {
                Err(FileRefusal::from(distrust).into())
            }
            _ if !dir.names()?.is_empty() => Err(FileRefusal::Swapped { path: dir.path }.into()),
            _ => Ok(dir),
        }
    }

    /// The folder's name, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file's name, for messages.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// The folder's metadata.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.handle.metadata()
    }

    /// The folder above, if this one was created by us.
    pub fn parent(&self) -> Option<&Dir> {
        self.parent.as_deref()
    }

    /// Checks the folder and everything in it.
    ///
    /// # Errors
    /// When others may write to it, when anything in it is a link, or when a known file is not a regular file or others
    /// may write to it.
    pub fn check_trust(&self, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
        trust::check_metadata(&self.path, &self.metadata()?, PathRole::Own).map_err(FileRefusal::from)?;
        for name in self.names()? {
            if self.is_link(&name) {
                return Err(FileRefusal::Link { path: self.file(&name) }.into());
            }
            let judged = match is_known(&name.to_string_lossy()) {
                true => self.read(&name).map(drop),
                false => Ok(()),
            };
            match judged {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                judged => judged?,
            }
        }
        Ok(())
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it can't be opened, is not a regular file, or others may write to it.
    pub fn read(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Read)?)
    }

    /// Opens a file for reading and writing, and creates it if it does not exist. Its contents are kept.
    ///
    /// # Errors
    /// As [`read`](Dir::read).
    pub fn write(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Write)?)
    }

    /// Creates a new file for its owner only.
    ///
    /// # Errors
    /// When the name exists.
    pub fn create_file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.open_file(name.as_ref(), OpenMode::Create)
    }

    /// Opens a file for appending, and creates it if it does not exist. A group may write to it as well.
    ///
    /// # Errors
    /// When it can't be opened, is not a regular file, or everyone may write to it.
    pub fn append(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let file = self.open_file(name.as_ref(), OpenMode::Append)?;
        check_regular_file(&self.file(name), &file.metadata()?, PathRole::File)?;
        Ok(file)
    }

    /// Opens a file for reading that others may write to as well.
    ///
    /// # Errors
    /// When it can't be opened, or is not a regular file.
    pub fn open_regular(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let file = self.open_file(name.as_ref(), OpenMode::Read)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(FileRefusal::Special { path: self.file(name) }.into()),
        }
    }

    /// Replaces a file as a whole. It is written under another name, synced and renamed, so that a reader sees either
    /// the old or the new contents.
    pub fn replace(&self, name: impl AsRef<Path>, fill: impl ContentWriter) -> io::Result<()> {
        let name = name.as_ref();
        self.put(name, |partial| self.rename(partial, name), |out| fill_and_sync(out, fill))
    }

    /// The same, but the file is synced later by [`sync_file`](Dir::sync_file).
    pub fn replace_unsynced(&self, name: impl AsRef<Path>, fill: impl ContentWriter) -> io::Result<()> {
        let name = name.as_ref();
        self.put(name, |partial| self.rename(partial, name), |out| fill_file(out, fill).map(drop))
    }

    /// Writes a new file as a whole and syncs it.
    ///
    /// # Errors
    /// With the kind [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the name exists.
    pub fn write_new(&self, name: impl AsRef<Path>, fill: impl ContentWriter) -> io::Result<()> {
        let name = name.as_ref();
        let rename = |partial: &Path| system::rename_new(&self.handle, &self.path, partial, name);
        self.put(name, rename, |out| fill_and_sync(out, fill))
    }

    fn put(
        &self,
        name: &Path,
        rename: impl FnOnce(&Path) -> io::Result<()>,
        write: impl FnOnce(File) -> io::Result<()>,
    ) -> io::Result<()> {
        let (partial, file) = self.create_partial(name)?;
        let written = write(file).and_then(|()| rename(&partial));
        if written.is_err() {
            // On a full disk, free space matters more than half a file.
            let _ = self.remove(&partial);
        }
        written
    }

    /// Creates a file with a name that can't be guessed.
    fn create_partial(&self, name: &Path) -> io::Result<(PathBuf, File)> {
        let mut tries = MAX_NAME_ATTEMPTS;
        loop {
            let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(12).collect();
            let mut partial = name.as_os_str().to_owned();
            partial.push(format!(".{random}{PARTIAL}"));
            let partial = PathBuf::from(partial);
            tries -= 1;
            match self.create_file(&partial) {
                Ok(file) => return Ok((partial, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Renames a file, and replaces the file that has the new name.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        system::rename(&self.handle, &self.path, from.as_ref(), to.as_ref())
    }

    /// Removes partial files that an earlier, killed process left behind.
    pub fn sweep(&self, is_partial: impl Fn(&str) -> bool) {
        for name in self.names().unwrap_or_default() {
            if name.to_str().is_some_and(&is_partial) {
                let _ = self.remove(&name);
            }
        }
    }

    /// Removes a file, or the link itself.
    pub fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        system::remove(&self.handle, &self.path, name.as_ref())
    }

    /// Whether the name exists.
    pub fn contains(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        system::exists(&self.handle, &self.path, name.as_ref())
    }

    /// Which file has this name now: two numbers that are unique to it. `None` if the system has no such numbers.
    ///
    /// # Errors
    /// With the kind [`NotFound`](io::ErrorKind::NotFound) when the name does not exist.
    pub fn identity(&self, name: impl AsRef<Path>) -> io::Result<Option<(u64, u64)>> {
        system::identity(&self.handle, &self.path, name.as_ref())
    }

    /// Whether the name is a link.
    pub fn is_link(&self, name: impl AsRef<Path>) -> bool {
        system::is_link(&self.handle, &self.path, name.as_ref())
    }

    /// The names of everything in it.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        system::names(&self.handle, &self.path)
    }

    /// Syncs a file to disk.
    pub fn sync_file(&self, name: impl AsRef<Path>) -> io::Result<()> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Sync)?)?.sync_all()
    }

    /// Syncs the names in it to disk.
    pub fn sync_names(&self) -> io::Result<()> {
        system::sync_dir(&self.handle)
    }

    /// Syncs its own name to disk, if it was created by us.
    pub fn sync_parent(&self) -> io::Result<()> {
        self.parent.as_ref().map_or(Ok(()), |parent| parent.sync_names())
    }

    /// `None` if its path still leads to it. Otherwise its current path, if the system knows it.
    pub fn new_location(&self) -> Option<Option<PathBuf>> {
        system::displaced(&self.handle, &self.path)
    }

    fn open_file(&self, name: &Path, way: OpenMode) -> io::Result<File> {
        let opened = system::open_file(&self.handle, &self.path, name, way);
        opened.map_err(|error| match error.kind() {
            // The error for a link, a pipe or a socket differs from system to system.
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => error,
            _ if self.is_link(name) => FileRefusal::Link { path: self.file(name) }.into(),
            _ if system::is_special(&self.handle, &self.path, name) => {
                FileRefusal::Special { path: self.file(name) }.into()
            }
            _ => error,
        })
    }

    fn check_file(&self, name: &Path, file: File) -> io::Result<File> {
        check_regular_file(&self.file(name), &file.metadata()?, PathRole::Own)?;
        Ok(file)
    }
}

/// Writes the contents of a file.
pub trait ContentWriter: FnOnce(&mut dyn Write) -> io::Result<()> {}

impl<F: FnOnce(&mut dyn Write) -> io::Result<()>> ContentWriter for F {}

/// Creates the missing folders of a path, for their owner only.
fn create_parents(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn fill_file(file: File, fill: impl ContentWriter) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

fn fill_and_sync(file: File, fill: impl ContentWriter) -> io::Result<()> {
    fill_file(file, fill)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (tempfile::TempDir, Dir) {
        let above = tempfile::tempdir().unwrap();
        let dir = Dir::open(above.path()).unwrap();
        (above, dir)
    }

    fn put(text: &'static [u8]) -> impl ContentWriter {
        move |out: &mut dyn Write| out.write_all(text)
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_text() {
        let (_above, dir) = opened();
        dir.replace("a", put(b"old")).unwrap();
        dir.replace("a", |_| Err(io::Error::other("disk full"))).unwrap_err();
        dir.replace_unsynced("a", |_| Err(io::Error::other("disk full"))).unwrap_err();
        assert_eq!(fs::read(dir.file("a")).unwrap(), b"old");
        assert_eq!(dir.names().unwrap(), ["a"]);
        dir.replace_unsynced("a", put(b"new")).unwrap();
        dir.sync_file("a").unwrap();
        assert_eq!(fs::read(dir.file("a")).unwrap(), b"new");
    }

    #[test]
    fn what_is_new_replaces_nothing() {
        let (_above, dir) = opened();
        dir.write_new("a", put(b"first")).unwrap();
        assert_eq!(dir.write_new("a", put(b"second")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(dir.create_file("a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(dir.file("a")).unwrap(), b"first");
        assert_eq!(dir.names().unwrap(), ["a"]);
        let mut log = dir.append("a").unwrap();
        log.write_all(b", third").unwrap();
        assert_eq!(fs::read(dir.file("a")).unwrap(), b"first, third");
    }

    #[test]
    fn a_folder_is_made_once() {
        let (above, _) = opened();
        let parent = above.path().join("b/c");
        let dir = Dir::create(&parent, "d").unwrap();
        assert_eq!(dir.parent().unwrap().path(), parent);
        dir.sync_parent().unwrap();
        assert_eq!(dir.new_location(), None);
        assert_eq!(Dir::create(&parent, "d").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// Everything happens in the folder that was opened, even if it was moved.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_was_moved_is_still_the_one() {
        let (above, _) = opened();
        let dir = Dir::create(above.path(), "d").unwrap();
        let moved = above.path().join("moved");
        fs::rename(dir.path(), &moved).unwrap();
        fs::create_dir(dir.path()).unwrap();
        dir.replace("a", put(b"text")).unwrap();
        dir.create_file("b").unwrap();
        drop(dir.write("c").unwrap());
        dir.remove("b").unwrap();
        assert!(dir.contains("a").unwrap() && dir.read("a").is_ok() && !dir.contains("b").unwrap());
        assert!(dir.identity("a").unwrap().is_some() && dir.identity("b").is_err());
        dir.sync_names().unwrap();
        assert_eq!(fs::read(moved.join("a")).unwrap(), b"text");
        assert!(moved.join("c").is_file());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(dir.new_location().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_no_pipe_waited_for() {
        let (above, dir) = opened();
        std::os::unix::fs::symlink("target", dir.file("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.file("pipe"), rustix::fs::Mode::RWXU).unwrap();
        fs::create_dir(dir.file("folder")).unwrap();
        std::os::unix::fs::symlink("folder", dir.file("folder-link")).unwrap();
        for name in ["link", "pipe", "folder"] {
            let opened = [dir.read(name), dir.write(name), dir.append(name), dir.open_regular(name)];
            for error in opened.map(Result::unwrap_err) {
                assert!(FileRefusal::find(&error).is_some(), "{name}: {error}");
            }
            assert_eq!(dir.create_file(name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert!(!above.path().join("target").exists());
        // The link itself is replaced.
        dir.replace("link", put(b"text")).unwrap();
        assert!(!dir.is_link("link") && !above.path().join("target").exists());
        for name in ["folder-link", "folder-link/", "folder-link/."] {
            let error = Dir::open(&dir.file(name)).unwrap_err();
            assert!(
                matches!(FileRefusal::find(&error), Some(FileRefusal::FolderLink { .. })),
                "{name}: {error}"
            );
        }
        Dir::open_parent(&dir.file("folder-link")).unwrap();
    }
}
