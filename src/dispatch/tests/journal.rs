//! The order of truth if the journal can't be written. That it holds otherwise is asserted in every run: the
//! fake looks for the `sent` line when a request arrives, and the listener looks for the `settled` line when
//! it gets the event.

use std::fs::File;

use super::*;
use crate::event::{Event, StopReason};

fn reported_nothing(run: &FixtureRun) -> bool {
    !run.told.iter().any(|(_, event)| matches!(event, Event::Settled(_) | Event::Ended { .. }))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_can_not_be_recorded() {
    let read_only = tempfile::NamedTempFile::new().unwrap();
    let run = DispatchFixture::with_users(100).journal(File::open(read_only.path()).unwrap()).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Runtime { .. })), "{:?}", run.stop());
    assert_eq!((run.arrivals.len(), run.took), (0, seconds(0.0)));
    assert!(reported_nothing(&run));
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_full_disk_ends_the_run() {
    let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
    let run = DispatchFixture::with_users(100).journal(full).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Runtime { .. })), "{:?}", run.stop());
    assert_eq!(run.arrivals.len(), 0);
    assert!(reported_nothing(&run));
}

/// `/dev/null` accepts every line but can't be synced.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn unsynced_outcomes_are_not_reported() {
    let null = std::fs::OpenOptions::new().append(true).open("/dev/null").unwrap();
    let run = DispatchFixture::with_users(50).journal(null).play().await;
    let failed = matches!(run.stop(), Some(StopReason::Runtime { .. }));
    assert!(failed && reported_nothing(&run));
}

/// The disk fills up during the run: requests in flight are waited for, and none leaves any more.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_journal_that_breaks_in_the_middle_ends_the_sending() {
    let (read, write) = std::io::pipe().unwrap();
    let read = std::sync::Mutex::new(Some(read));
    // The other end of a pipe is closed when the fortieth request arrives.
    let script = move |seen: SeenRequest| {
        if seen.nth == 40 {
            read.lock().unwrap().take();
        }
        FakeReaction::done().after(seconds(1.0))
    };
    let journal = File::from(std::os::fd::OwnedFd::from(write));
    let run = DispatchFixture::with_users(500).pace(10.0, 1).script(script).journal(journal).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Runtime { .. })), "{:?}", run.finished);
    assert!(run.arrivals.len() <= 40, "{}", run.arrivals.len());
    assert!(run.arrivals.iter().all(|arrival| arrival.answered.is_some()), "what is in flight is waited for");
    assert!(reported_nothing(&run));
}
