//! The journal's writer: lines are written in order, without waiting for a sync, and a separate thread syncs them in
//! groups.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{JournalLocation, RunFolder};
use crate::event::Event;

/// How long the sync thread waits for more before it syncs: outcomes that settle within this time share one `fsync`.
const GROUP_DELAY: Duration = Duration::from_millis(10);

/// The journal failed, so nothing more may be sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal can't be written.
    #[error("can't write the journal: {reason}")]
    WriteFailed {
        /// The reason.
        reason: String,
    },
    /// It was removed, replaced or truncated, so no one would find what is written to it.
    #[error("the journal {path} was removed, replaced or truncated during the run", path = path.display())]
    Lost {
        /// Its path.
        path: PathBuf,
    },
}

impl JournalError {
    fn write_failed(reason: impl ToString) -> JournalError {
        JournalError::WriteFailed { reason: reason.to_string() }
    }
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        JournalError::write_failed(error)
    }
}

/// How much of the journal is synced to disk, in bytes; or why it is not.
pub type SyncedBytes = Result<u64, JournalError>;

/// The only writer of a run's journal.
///
/// [`append`](Journal::append) collects lines, [`flush`](Journal::flush) writes them, and
/// [`request_sync`](Journal::request_sync) asks the sync thread to sync them. [`synced`](Journal::synced) shows how far
/// it got.
#[derive(Debug)]
pub struct Journal {
    file: File,
    location: Option<JournalLocation>,
    buffer: Vec<u8>,
    written: u64,
    requests: Option<Sender<u64>>,
    thread: Option<JoinHandle<()>>,
    synced: watch::Receiver<SyncedBytes>,
}

impl Journal {
    /// Takes over `file`, which has `length` bytes, ends with a complete line and is positioned there. It must be open
    /// for writing and not for appending, because on Windows an appending handle can't cut off a torn line.
    pub fn new(file: File, length: u64) -> Result<Journal, JournalError> {
        let (requests, receive) = mpsc::channel();
        let (publish, synced) = watch::channel(Ok(length));
        let sync_handle = file.try_clone()?;
        let thread = std::thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || sync_in_groups(&sync_handle, &receive, &publish))?;
        Ok(Journal {
            file,
            location: None,
            buffer: Vec::with_capacity(1 << 14),
            written: length,
            requests: Some(requests),
            thread: Some(thread),
            synced,
        })
    }

    /// The same journal, watched in this folder: once the file is removed or replaced, nothing more can be written.
    ///
    /// # Errors
    /// When the file can't be held open a second time.
    pub fn with_location(mut self, folder: &RunFolder) -> Result<Journal, JournalError> {
        self.location = Some(JournalLocation::new(folder, &self.file, self.written)?);
        Ok(self)
    }

    /// Its location, if that is watched.
    pub fn location(&self) -> Option<&JournalLocation> {
        self.location.as_ref()
    }

    /// Adds a line to the buffer. Returns where it ends, in bytes from the journal's start.
    pub fn append(&mut self, event: &Event) -> Result<u64, JournalError> {
        let start = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, event) {
            self.buffer.truncate(start);
            return Err(JournalError::write_failed(error));
        }
        self.buffer.push(b'\n');
        Ok(self.written + self.buffer.len() as u64)
    }

    /// Writes the buffer, so that it survives the process. On an error, the file is truncated to its last complete
    /// line, and the buffered lines are dropped.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Some(place) = &mut self.location
            && place.is_lost_cached()
        {
            self.buffer.clear();
            return Err(JournalError::Lost { path: place.path() });
        }
        let result = self.file.write_all(&self.buffer);
        if result.is_ok() {
            self.written += self.buffer.len() as u64;
            if let Some(place) = &self.location {
                place.set_written(self.written);
            }
        } else {
            // The next start would cut off a torn line anyway, but cutting it off now keeps the evidence clean.
            let _ = self.file.set_len(self.written);
            let _ = self.file.seek(SeekFrom::Start(self.written));
        }
        self.buffer.clear();
        Ok(result?)
    }

    /// Requests that everything written so far is synced to disk.
    pub fn request_sync(&self) {
        if let Some(requests) = &self.requests {
            // The thread only ends early after it has published the reason.
            let _ = requests.send(self.written);
        }
    }

    /// How far the journal is synced to disk.
    pub fn synced(&self) -> watch::Receiver<SyncedBytes> {
        self.synced.clone()
    }

    /// Flushes, syncs and ends the thread.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.request_sync();
        self.join();
        let upto = self.synced.borrow().clone()?;
        if upto < self.written {
            return Err(JournalError::write_failed("its last lines were never synced"));
        }
        Ok(())
    }

    fn join(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // After a panic there, `synced` stays below `written`, so no outcome counts as synced.
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.join();
    }
}

fn sync_in_groups(file: &File, requests: &Receiver<u64>, publish: &watch::Sender<SyncedBytes>) {
    while let Ok(first) = requests.recv() {
        let upto = collect_requests(first, requests);
        match file.sync_data() {
            Ok(()) => drop(publish.send(Ok(upto))),
            Err(error) => return drop(publish.send(Err(error.into()))),
        }
    }
}

/// Merges the requests of the next [`GROUP_DELAY`]: the furthest of them covers all.
fn collect_requests(first: u64, requests: &Receiver<u64>) -> u64 {
    let end = Instant::now() + GROUP_DELAY;
    let mut upto = first;
    loop {
        match requests.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(more) => upto = upto.max(more),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return upto,
        }
    }
}
