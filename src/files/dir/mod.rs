//! A folder that is held open: what is in it is reached through the handle, and never by the folder's name again.
//!
//! Whoever may rename what lies above a folder can put another one in its place, and whoever may write into it can put a
//! link where a file is to be. Neither changes anything here:
//!
//! - no link is followed, neither to the folder nor to a file in it;
//! - a new file is made exclusively, and is its owner's alone;
//! - a file is replaced by one with a random name, renamed within the handle;
//! - what is read is looked at through its own handle: a plain file of one name that nobody else may write to.
//!
//! On Unix this is `openat` and its kin. Windows has no such calls that are safe to use here; there the folder is held
//! open in a way that keeps everybody from renaming or removing it, or what lies above it, so that its name stays true.

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

use super::refusal::{FileRefusal, judge_plain};
use super::trust::{self, CheckedPart, TrustFault};

/// What the names of files that are still being written end with.
const PARTIAL: &str = ".partial";

/// Whether that is the name of one of these files while it is written, in this version or an earlier one.
pub fn is_partial(name: &str, names: &[&str]) -> bool {
    let of = |known: &&str| name.strip_prefix(*known).is_some_and(|rest| rest.starts_with('.'));
    name.ends_with(PARTIAL) && names.iter().any(of)
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenMode {
    /// Reading.
    Read,
    /// Reading and writing what is there, or a new file.
    Write,
    /// Writing a new file.
    Create,
    /// Writing behind the end of what is there, or of a new file.
    Append,
    /// Making it durable. Windows flushes a file only through a handle that may write.
    Sync,
}

/// How often another random name is tried where one is taken.
const TRIES: u32 = 16;

/// A folder that is held open.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    handle: File,
    /// The folder above, where this one was made by us: its new name is made durable there.
    parent: Option<Box<Dir>>,
}

impl Dir {
    /// Opens a folder that is there. A link to one is refused.
    pub fn open(path: &Path) -> io::Result<Dir> {
        // Without what stands behind the last name: `link/` and `link/.` would lead where the link does.
        let path: PathBuf = path.components().collect();
        let handle = system::open_dir(&path).map_err(|error| match fs::read_link(&path) {
            Ok(to) => FileRefusal::FolderLink { path: path.clone(), to }.into(),
            Err(_) => error,
        })?;
        Ok(Dir { path, handle, parent: None })
    }

    /// Opens a folder below which the user wants something made; a link to one will do, and is followed this once.
    pub fn open_parent(path: &Path) -> io::Result<Dir> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let handle = system::open_parent(path)?;
        Ok(Dir { path: path.to_owned(), handle, parent: None })
    }

    /// Makes a new folder for its owner alone, and whatever lies above it and is not there.
    ///
    /// # Errors
    /// When it is there already, can't be made, or another was put in its place before it was opened.
    pub fn create(parent: &Path, name: impl AsRef<Path>) -> io::Result<Dir> {
        create_parents(parent)?;
        let above = Dir::open_parent(parent)?;
        let path = parent.join(&name);
        let handle = system::make_dir(&above.handle, &above.path, name.as_ref())?;
        let dir = Dir { path, handle, parent: Some(Box::new(above)) };
        match trust::check_metadata(&dir.path, &dir.metadata()?, CheckedPart::Own) {
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

    /// What the folder is.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.handle.metadata()
    }

    /// The folder above, where this one was made by us.
    pub fn parent(&self) -> Option<&Dir> {
        self.parent.as_deref()
    }

    /// Judges the folder, and all that is in it.
    ///
    /// # Errors
    /// When others may write to it, when anything in it is a link, or a file that is known is no plain file or others may
    /// write to it.
    pub fn check_trust(&self, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
        trust::check_metadata(&self.path, &self.metadata()?, CheckedPart::Own).map_err(FileRefusal::from)?;
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

    /// Opens a file to read it.
    ///
    /// # Errors
    /// When it can't be opened, is no plain file, or others may write to it.
    pub fn read(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Read)?)
    }

    /// Opens a file to read and write it, and makes it where it is not there; nothing in it is lost.
    ///
    /// # Errors
    /// As [`read`](Dir::read).
    pub fn write(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Write)?)
    }

    /// Makes a file that is not there yet, for its owner alone.
    ///
    /// # Errors
    /// When there is anything of that name.
    pub fn create_file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        self.open_file(name.as_ref(), OpenMode::Create)
    }

    /// Opens a file to write behind its end, and makes it where it is not there. A group may write to it as well.
    ///
    /// # Errors
    /// When it can't be opened, is no plain file, or everybody may write to it.
    pub fn append(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let file = self.open_file(name.as_ref(), OpenMode::Append)?;
        judge_plain(&self.file(name), &file.metadata()?, CheckedPart::File)?;
        Ok(file)
    }

    /// Opens a file that others may write to as well, to read it.
    ///
    /// # Errors
    /// When it can't be opened, or is no plain file.
    pub fn open_plain(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let file = self.open_file(name.as_ref(), OpenMode::Read)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(FileRefusal::Special { path: self.file(name) }.into()),
        }
    }

    /// Replaces a file whole: written under another name, synced, renamed over it, so that a reader sees the old text or
    /// the new one and never half of it.
    pub fn replace(&self, name: impl AsRef<Path>, fill: impl TemporaryFill) -> io::Result<()> {
        let name = name.as_ref();
        self.put(name, |partial| self.rename(partial, name), |out| sync_after(out, fill))
    }

    /// The same for a file that is made durable later, by [`sync_file`](Dir::sync_file).
    pub fn replace_unsynced(&self, name: impl AsRef<Path>, fill: impl TemporaryFill) -> io::Result<()> {
        let name = name.as_ref();
        self.put(name, |partial| self.rename(partial, name), |out| fill_in(out, fill).map(drop))
    }

    /// Writes a file that must not be there yet, whole or not at all, and synced.
    ///
    /// # Errors
    /// Of the kind [`AlreadyExists`](io::ErrorKind::AlreadyExists) when there is anything of that name.
    pub fn put_new(&self, name: impl AsRef<Path>, fill: impl TemporaryFill) -> io::Result<()> {
        let name = name.as_ref();
        let rename = |partial: &Path| system::rename_new(&self.handle, &self.path, partial, name);
        self.put(name, rename, |out| sync_after(out, fill))
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
            // Room on a full disk matters more than half a report.
            let _ = self.remove(&partial);
        }
        written
    }

    /// Makes a file whose name nobody can foresee.
    fn create_partial(&self, name: &Path) -> io::Result<(PathBuf, File)> {
        let mut tries = TRIES;
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

    /// Gives a file another name, and replaces what has that name.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        system::rename(&self.handle, &self.path, from.as_ref(), to.as_ref())
    }

    /// Removes what an earlier process that was killed left of these files, half written.
    pub fn sweep(&self, is_partial: impl Fn(&str) -> bool) {
        for name in self.names().unwrap_or_default() {
            if name.to_str().is_some_and(&is_partial) {
                let _ = self.remove(&name);
            }
        }
    }

    /// Removes a file, or a link itself.
    pub fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        system::remove(&self.handle, &self.path, name.as_ref())
    }

    /// Whether there is anything of that name.
    pub fn holds(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        system::exists(&self.handle, &self.path, name.as_ref())
    }

    /// Which file has that name now: two numbers that tell it from all others, where the system has such.
    ///
    /// # Errors
    /// Of the kind [`NotFound`](io::ErrorKind::NotFound) when there is none.
    pub fn identity(&self, name: impl AsRef<Path>) -> io::Result<Option<(u64, u64)>> {
        system::identity(&self.handle, &self.path, name.as_ref())
    }

    /// Whether that name is a link.
    pub fn is_link(&self, name: impl AsRef<Path>) -> bool {
        system::is_link(&self.handle, &self.path, name.as_ref())
    }

    /// The names of all that is in it.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        system::names(&self.handle, &self.path)
    }

    /// Makes a file durable.
    pub fn sync_file(&self, name: impl AsRef<Path>) -> io::Result<()> {
        self.check_file(name.as_ref(), self.open_file(name.as_ref(), OpenMode::Sync)?)?.sync_all()
    }

    /// Makes the names in it durable.
    pub fn sync_names(&self) -> io::Result<()> {
        system::sync_dir(&self.handle)
    }

    /// Makes its own name durable, where it was made by us.
    pub fn sync_parent(&self) -> io::Result<()> {
        self.parent.as_ref().map_or(Ok(()), |parent| parent.sync_names())
    }

    /// Whether its path still leads to it. Where not, tells where it is now, as far as the system knows.
    pub fn displaced(&self) -> Option<Option<PathBuf>> {
        system::displaced(&self.handle, &self.path)
    }

    fn open_file(&self, name: &Path, way: OpenMode) -> io::Result<File> {
        let opened = system::open_file(&self.handle, &self.path, name, way);
        opened.map_err(|error| match error.kind() {
            // Why a link, a pipe or a socket could not be opened is told in a different way by each system.
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => error,
            _ if self.is_link(name) => FileRefusal::Link { path: self.file(name) }.into(),
            _ if system::is_special(&self.handle, &self.path, name) => {
                FileRefusal::Special { path: self.file(name) }.into()
            }
            _ => error,
        })
    }

    fn check_file(&self, name: &Path, file: File) -> io::Result<File> {
        judge_plain(&self.file(name), &file.metadata()?, CheckedPart::Own)?;
        Ok(file)
    }
}

/// What writes a file's text.
pub trait TemporaryFill: FnOnce(&mut dyn Write) -> io::Result<()> {}

impl<F: FnOnce(&mut dyn Write) -> io::Result<()>> TemporaryFill for F {}

/// Makes what is not there of a folder that is to hold others, for its owner alone.
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

fn fill_in(file: File, fill: impl TemporaryFill) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

fn sync_after(file: File, fill: impl TemporaryFill) -> io::Result<()> {
    fill_in(file, fill)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (tempfile::TempDir, Dir) {
        let above = tempfile::tempdir().unwrap();
        let dir = Dir::open(above.path()).unwrap();
        (above, dir)
    }

    fn put(text: &'static [u8]) -> impl TemporaryFill {
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
        dir.put_new("a", put(b"first")).unwrap();
        assert_eq!(dir.put_new("a", put(b"second")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
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
        assert_eq!(dir.displaced(), None);
        assert_eq!(Dir::create(&parent, "d").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// All is done in the folder that was opened, wherever it is by then.
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
        assert!(dir.holds("a").unwrap() && dir.read("a").is_ok() && !dir.holds("b").unwrap());
        assert!(dir.identity("a").unwrap().is_some() && dir.identity("b").is_err());
        dir.sync_names().unwrap();
        assert_eq!(fs::read(moved.join("a")).unwrap(), b"text");
        assert!(moved.join("c").is_file());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(dir.displaced().is_some());
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
            let opened = [dir.read(name), dir.write(name), dir.append(name), dir.open_plain(name)];
            for error in opened.map(Result::unwrap_err) {
                assert!(FileRefusal::find(&error).is_some(), "{name}: {error}");
            }
            assert_eq!(dir.create_file(name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert!(!above.path().join("target").exists());
        // What is replaced is the link.
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
