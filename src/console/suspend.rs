//! Writing to the terminal while the bar is drawn on it.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The bar on the terminal, if one is drawn. A process has one standard error, so it has one of these.
static ACTIVE_BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

thread_local! {
    /// Whether this thread has already moved the bar aside.
    static SUSPENDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `write` with the bar moved aside, and draws the bar again below what was written. Everything that writes to the
/// terminal while a [`super::Console`] exists must call this; without a bar it costs nothing.
pub fn suspend_progress<R>(write: impl FnOnce() -> R) -> R {
    let bar = ACTIVE_BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) if !SUSPENDED.get() => {
            SUSPENDED.set(true);
            let _back = ProgressGuard;
            bar.suspend(write)
        }
        _ => write(),
    }
}

/// Clears [`SUSPENDED`] when it is dropped, also after a panic.
struct ProgressGuard;

impl Drop for ProgressGuard {
    fn drop(&mut self) {
        SUSPENDED.set(false);
    }
}

/// Registers the bar that is on the terminal, or `None` when it is removed.
pub(super) fn set_active_bar(bar: Option<ProgressBar>) {
    *ACTIVE_BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}
