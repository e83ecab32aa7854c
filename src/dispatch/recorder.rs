//! The order of truth: the journal first, then everybody else.
//!
//! What happened is told once its line is written; how it ended for a user, only once that line is on disk. When the
//! journal fails, nothing more is told, and the dispatcher may send nothing more.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::event::Event;
use crate::journal::{Journal, JournalError, SyncedBytes};

/// The journal and whoever listens.
pub(super) struct AttemptRecorder<L> {
    journal: Journal,
    listen: L,
    /// Gathered, to be told when written.
    unwritten: Vec<Event>,
    /// Outcomes, to be told when the journal is synced up to the end of their lines.
    unsynced: VecDeque<(u64, Event)>,
    synced: watch::Receiver<SyncedBytes>,
    failure: Option<JournalError>,
}

impl<L: FnMut(&Event)> AttemptRecorder<L> {
    pub(super) fn new(journal: Journal, listen: L) -> Self {
        let synced = journal.synced();
        AttemptRecorder {
            journal,
            listen,
            unwritten: Vec::new(),
            unsynced: VecDeque::new(),
            synced,
            failure: None,
        }
    }

    /// Why nothing can be recorded any more, if that is so.
    pub(super) fn failure(&self) -> Option<&JournalError> {
        self.failure.as_ref()
    }

    /// Gathers an event that claims no outcome.
    pub(super) fn note(&mut self, event: Event) {
        if self.append(&event).is_some() {
            self.unwritten.push(event);
        }
    }

    /// Gathers an outcome.
    pub(super) fn settle(&mut self, event: Event) {
        match self.append(&event) {
            Some(end) => self.unsynced.push_back((end, event)),
            None => tracing::error!(
                target = event.target(),
                "an outcome could not be recorded; `resume` sends it again"
            ),
        }
    }

    fn append(&mut self, event: &Event) -> Option<u64> {
        if self.failure.is_some() {
            return None;
        }
        self.journal.append(event).map_err(|error| self.failure = Some(error)).ok()
    }

    /// Writes what was gathered, and tells what may be told then. False where the journal failed.
    pub(super) fn write(&mut self) -> bool {
        if self.failure.is_none()
            && let Err(error) = self.journal.flush()
        {
            self.failure = Some(error);
        }
        if self.failure.is_some() {
            self.unwritten.clear();
            return false;
        }
        for event in self.unwritten.drain(..) {
            (self.listen)(&event);
        }
        true
    }

    /// As [`write`](Self::render), and asks for it to be made durable.
    pub(super) fn write_and_sync(&mut self) {
        if self.write() {
            self.journal.request_sync();
        }
    }

    /// Waits until more of the journal is durable, or until it never will be. Safe to drop and to call again.
    pub(super) async fn more_synced(&mut self) {
        if self.synced.changed().await.is_err() {
            // The sync thread is gone, and said before why.
            std::future::pending::<()>().await;
        }
    }

    /// Tells the outcomes that are durable.
    pub(super) fn tell_synced(&mut self) {
        let synced = self.synced.borrow_and_update().clone();
        match synced {
            Ok(upto) => {
                while self.unsynced.front().is_some_and(|(end, _)| *end <= upto) {
                    if let Some((_, event)) = self.unsynced.pop_front() {
                        (self.listen)(&event);
                    }
                }
            }
            Err(error) => drop(self.failure.get_or_insert(error)),
        }
    }

    /// Records the last event, makes everything durable, and tells the rest.
    pub(super) fn close(mut self, last: Event) -> Result<(), JournalError> {
        self.append(&last);
        self.write();
        let AttemptRecorder { journal, mut listen, unsynced, failure, .. } = self;
        if let Some(failure) = failure {
            return Err(failure);
        }
        journal.close()?;
        unsynced.iter().for_each(|(_, event)| listen(event));
        listen(&last);
        Ok(())
    }
}
