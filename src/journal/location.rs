//! Whether the journal that is written still lies where it was made: lines in a file that nobody finds again are lost.

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{JOURNAL, RunFolder};

/// How long one look holds.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The folder in which a journal lies, which file it is, and how long it must be by now. Both are held open: the file's
/// number can't become another's, and another folder in this one's place changes nothing.
#[derive(Clone, Debug)]
pub struct JournalLocation {
    folder: RunFolder,
    file: Arc<File>,
    /// Whether the file system gives the open file and its name one number; some network file systems don't.
    has_file_id: bool,
    written: Arc<AtomicU64>,
    last_check: Option<Instant>,
}

impl JournalLocation {
    /// The place of a folder's journal, which is open and has so many bytes.
    ///
    /// # Errors
    /// When the file can't be held open once more.
    pub fn new(folder: &RunFolder, file: &File, written: u64) -> io::Result<JournalLocation> {
        let file = Arc::new(file.try_clone()?);
        let metadata_here = file.metadata().ok().as_ref().and_then(file_id);
        let found = folder.dir().identity(JOURNAL).ok().flatten();
        Ok(JournalLocation {
            folder: folder.clone(),
            file,
            has_file_id: metadata_here.is_some() && metadata_here == found,
            written: Arc::new(AtomicU64::new(written)),
            last_check: None,
        })
    }

    /// Takes in how long the file is by now.
    pub(super) fn set_written(&self, written: u64) {
        self.written.store(written, Ordering::Relaxed);
    }

    /// The same as [`is_lost`](Self::is_lost), at little cost: one look holds for some milliseconds.
    pub(super) fn is_lost_cached(&mut self) -> bool {
        if self.last_check.is_some_and(|at| at.elapsed() < CHECK_INTERVAL) {
            return false;
        }
        self.last_check = Some(Instant::now());
        self.is_lost()
    }

    /// Whether the file is gone from its place, another lies there, or it was cut. What can't be looked at now may still
    /// be there.
    pub fn is_lost(&self) -> bool {
        let Ok(metadata_here) = self.file.metadata() else { return false };
        if is_unlinked(&metadata_here)
            || metadata_here.is_file() && metadata_here.len() < self.written.load(Ordering::Relaxed)
        {
            return true;
        }
        match self.folder.dir().identity(JOURNAL) {
            Ok(found) => self.has_file_id && file_id(&metadata_here) != found,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// The journal's name, for messages.
    pub fn path(&self) -> PathBuf {
        self.folder.journal_path()
    }
}

/// What tells one file from another on this machine.
#[cfg(unix)]
fn file_id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(unix)]
fn is_unlinked(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() == 0
}

#[cfg(not(unix))]
fn is_unlinked(_metadata: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_removed_replaced_or_cut_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, _lock) = RunFolder::create(dir.path(), jiff::Timestamp::UNIX_EPOCH, "a").unwrap();
        let path = folder.journal_path();
        std::fs::write(&path, "one line\n").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let place = JournalLocation::new(&folder, &file, 9).unwrap();
        assert!(!place.is_lost() && !place.clone().is_lost_cached());
        file.set_len(8).unwrap();
        assert!(place.is_lost());
        file.set_len(9).unwrap();
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        assert!(place.is_lost() && place.clone().is_lost_cached());
        std::fs::write(&path, "one line\n").unwrap();
        assert_eq!(place.is_lost(), cfg!(unix));
    }
}
