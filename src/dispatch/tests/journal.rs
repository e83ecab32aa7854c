//! The order of truth where the journal can't be written. That it holds otherwise is asserted in every run: the
//! fake looks for the `sent` line as a request arrives, the listener for the `settled` line as it is told.

use std::fs::File;

use super::*;
use crate::event::{Event, StopReason};

fn told_nothing(run: &FixtureRun) -> bool {
    !run.told.iter().any(|(_, event)| matches!(event, Event::Settled(_) | Event::Ended { .. }))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_can_not_be_recorded() {
    let read_only = tempfile::NamedTempFile::new().unwrap();
    let run = DispatchFixture::with_users(100).journal(File::open(read_only.path()).unwrap()).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Runtime { .. })), "{:?}", run.stop());
    assert_eq!((run.arrivals.len(), run.took), (0, seconds(0.0)));
    assert!(told_nothing(&run));
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_full_disk_ends_the_run() {
    let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
    let run = DispatchFixture::with_users(100).journal(full).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Runtime { .. })), "{:?}", run.stop());
    assert_eq!(run.arrivals.len(), 0);
    assert!(told_nothing(&run));
}

/// `/dev/null` takes every line and can't be synced.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn nothing_is_told_that_was_not_synced() {
    let null = std::fs::OpenOptions::new().append(true).open("/dev/null").unwrap();
    let run = DispatchFixture::with_users(50).journal(null).play().await;
    let failed = matches!(run.stop(), Some(StopReason::Runtime { .. }));
    assert!(failed && told_nothing(&run));
}

/// The disk fills in the middle: what is in flight is waited for, and nothing leaves any more.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_journal_that_breaks_in_the_middle_ends_the_sending() {
    let (read, write) = std::io::pipe().unwrap();
    let read = std::sync::Mutex::new(Some(read));
    // The other end of a pipe goes away as the fortieth request arrives.
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
    assert!(told_nothing(&run));
}
