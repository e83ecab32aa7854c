//! Checks that the open journal is still at its path: lines in a file that no one finds again are lost.

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{JOURNAL, RunFolder};

/// How long a check stays valid.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The folder of a journal, its file and the length that it must have. Both are held open, so that the file's number
/// can't be reused, and it does not matter if the folder is replaced.
#[derive(Clone, Debug)]
pub struct JournalLocation {
    folder: RunFolder,
    file: Arc<File>,
    /// Whether the file system has the same number for the open file and its name. Some network file systems do not.
    has_file_id: bool,
    written: Arc<AtomicU64>,
    last_check: Option<Instant>,
}

impl JournalLocation {
    /// The location of a folder's journal, which is open and has `written` bytes.
    ///
    /// # Errors
    /// When the file can't be held open a second time.
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

    /// Stores the new length of the file.
    pub(super) fn set_written(&self, written: u64) {
        self.written.store(written, Ordering::Relaxed);
    }

    /// The same as [`is_lost`](Self::is_lost), but cheaper: a check stays valid for a few milliseconds.
    pub(super) fn is_lost_cached(&mut self) -> bool {
        if self.last_check.is_some_and(|at| at.elapsed() < CHECK_INTERVAL) {
            return false;
        }
        self.last_check = Some(Instant::now());
        self.is_lost()
    }

    /// Whether the file was removed, replaced or truncated. If that can't be checked, the file counts as present.
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

    /// The journal's path, for messages.
    pub fn path(&self) -> PathBuf {
        self.folder.journal_path()
    }
}

/// What identifies a file on this machine.
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
