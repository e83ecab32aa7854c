//! How much fell within the last while.

use std::time::Duration;

const SLOTS: usize = 128;

/// Counts what fell within the last window, to the nearest 128th of it; never counts too many.
pub(super) struct Window {
    slot: u128,
    newest: u128,
    counts: [u32; SLOTS],
    sum: u64,
}

impl Window {
    /// An empty one of this length.
    pub(super) fn new(length: Duration) -> Window {
        Window { slot: (length.as_nanos() / SLOTS as u128).max(1), newest: 0, counts: [0; SLOTS], sum: 0 }
    }

    /// Counts one at `now`; gives how many fell within the window that ends now.
    pub(super) fn count(&mut self, now: Duration) -> u64 {
        self.add(now, 1)
    }

    /// The same for several at once.
    pub(super) fn add(&mut self, now: Duration, count: u32) -> u64 {
        let slot = (now.as_nanos() / self.slot).max(self.newest);
        let stale = (slot - self.newest).min(SLOTS as u128);
        for old in 1..=stale {
            let index = index(self.newest + old);
            self.sum -= u64::from(std::mem::take(&mut self.counts[index]));
        }
        self.newest = slot;
        self.counts[index(slot)] += count;
        self.sum += u64::from(count);
        self.sum
    }
}

fn index(slot: u128) -> usize {
    usize::try_from(slot % SLOTS as u128).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_window_forgets_what_is_older_than_itself() {
        let mut window = Window::new(ms(1280));
        assert_eq!((window.count(ms(0)), window.count(ms(5)), window.count(ms(640))), (1, 2, 3));
        assert_eq!(window.count(ms(1285)), 2);
        assert_eq!(window.count(ms(9000)), 1);
    }
}
