//! The order of truth: events go to the journal first, then to the listener.
//!
//! An event is reported after its line is written. The outcome of a user is reported only after its line is
//! on disk. If the journal fails, nothing else is reported, and the dispatcher must not send anything more.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::event::Event;
use crate::journal::{Journal, JournalError, SyncedBytes};

/// The journal and the listener.
pub(super) struct AttemptRecorder<L> {
    journal: Journal,
    listen: L,
    /// Events to report after they are written.
    unwritten: Vec<Event>,
    /// Outcomes to report after the journal is synced up to the end of their lines.
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

    /// Why nothing can be recorded any more, if the journal failed.
    pub(super) fn failure(&self) -> Option<&JournalError> {
        self.failure.as_ref()
    }

    /// Adds an event that is not an outcome.
    pub(super) fn note(&mut self, event: Event) {
        if self.append(&event).is_some() {
            self.unwritten.push(event);
        }
    }

    /// Adds an outcome.
    pub(super) fn settle(&mut self, event: Event) {
        match self.append(&event) {
            Some(end) => self.unsynced.push_back((end, event)),
            None => tracing::error!(
                target = event.target(),
                "an outcome could not be recorded; `resume` sends the request again"
            ),
        }
    }

    fn append(&mut self, event: &Event) -> Option<u64> {
        if self.failure.is_some() {
            return None;
        }
        self.journal.append(event).map_err(|error| self.failure = Some(error)).ok()
    }

    /// Writes the collected lines, and reports the events that may be reported then. Returns `false` if the
    /// journal failed.
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

    /// Does the same as [`write`](Self::write), and requests a sync.
    pub(super) fn write_and_sync(&mut self) {
        if self.write() {
            self.journal.request_sync();
        }
    }

    /// Waits until more of the journal is synced, or until it never will be. Safe to drop and to call again.
    pub(super) async fn more_synced(&mut self) {
        if self.synced.changed().await.is_err() {
            // The sync thread has ended, and has reported the reason before.
            std::future::pending::<()>().await;
        }
    }

    /// Reports the outcomes that are synced.
    pub(super) fn report_synced(&mut self) {
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

    /// Records the last event, syncs everything, and reports the rest.
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
