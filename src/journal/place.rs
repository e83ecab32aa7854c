//! Whether the journal that is written still lies where it was made: lines in a file that nobody finds again are lost.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one look holds.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where a journal lies, and which file it is.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    file: Option<FileId>,
    looked: Option<Instant>,
}

/// What tells one file from another on this machine.
type FileId = (u64, u64);

impl Place {
    /// The place of an open file. Where the file system gives a file no lasting number, only a file that is gone is
    /// noticed.
    pub fn new(path: &Path, file: &File) -> Place {
        let lies_there = id_at(path).flatten();
        Place { path: path.to_owned(), file: id_of(file).filter(|id| lies_there == Some(*id)), looked: None }
    }

    /// Whether the file is gone from its place, or another lies there. Most calls cost nothing: one look holds for some
    /// milliseconds.
    pub fn is_lost_now(&mut self, file: &File) -> bool {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        self.looked = Some(Instant::now());
        is_unlinked(file) || self.is_lost()
    }

    /// The same of the place alone, looked at in any case.
    pub fn is_lost(&self) -> bool {
        match id_at(&self.path) {
            None => true,
            Some(found) => self.file.is_some() && found.is_some() && found != self.file,
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The number of the file that lies there; none where nothing does. What can't be looked at now may still be there.
fn id_at(path: &Path) -> Option<Option<FileId>> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Some(id(&found)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(_) => Some(None),
    }
}

fn id_of(file: &File) -> Option<FileId> {
    file.metadata().ok().as_ref().and_then(id)
}

#[cfg(unix)]
fn id(metadata: &std::fs::Metadata) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(_metadata: &std::fs::Metadata) -> Option<FileId> {
    None
}

#[cfg(unix)]
fn is_unlinked(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(not(unix))]
fn is_unlinked(_file: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_removed_or_replaced_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let file = File::create(&path).unwrap();
        let place = Place::new(&path, &file);
        assert!(!place.is_lost() && !place.clone().is_lost_now(&file));
        std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        assert!(place.is_lost() && place.clone().is_lost_now(&file));
        std::fs::write(&path, "").unwrap();
        assert_eq!(place.is_lost(), cfg!(unix));
    }
}
