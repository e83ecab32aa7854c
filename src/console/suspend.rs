//! Who may write to the terminal while the bar stands there.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The bar on the terminal, if one is drawn. A process has one standard error, so it has one of these.
static ACTIVE_BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

thread_local! {
    /// Whether this thread has already moved the bar aside.
    static SUSPENDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `write` with the bar moved aside, and draws the bar again below what was written. Whatever writes to the
/// terminal while a [`super::Console`] lives goes through here; where no bar is drawn it costs nothing.
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

/// Takes the mark off again, whatever happens in between.
struct ProgressGuard;

impl Drop for ProgressGuard {
    fn drop(&mut self) {
        SUSPENDED.set(false);
    }
}

/// Puts a bar on the terminal, or takes it off.
pub(super) fn set_active_bar(bar: Option<ProgressBar>) {
    *ACTIVE_BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}
