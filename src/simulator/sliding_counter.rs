//! A count of what happened within the last window of time.

use std::time::Duration;

const SLOTS: u64 = 128;

/// Counts events within the last window, with a precision of 1/128 of it. The count is never too high.
pub(super) struct SlidingCounter {
    /// The length of a slot in nanoseconds. 64 bits, because they divide much faster than 128.
    slot: u64,
    newest: u64,
    counts: [u32; SLOTS as usize],
    sum: u64,
}

impl SlidingCounter {
    /// An empty counter with a window of this length.
    pub(super) fn new(length: Duration) -> SlidingCounter {
        SlidingCounter {
            slot: (nanos(length) / SLOTS).max(1),
            newest: 0,
            counts: [0; SLOTS as usize],
            sum: 0,
        }
    }

    /// Counts one event at `now`. Returns the count for the window that ends now.
    pub(super) fn count(&mut self, now: Duration) -> u64 {
        self.add(now, 1)
    }

    /// The same for several events at once.
    pub(super) fn add(&mut self, now: Duration, count: u32) -> u64 {
        let slot = (nanos(now) / self.slot).max(self.newest);
        let stale = (slot - self.newest).min(SLOTS);
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_window_forgets_what_is_older_than_itself() {
        let mut window = SlidingCounter::new(ms(1280));
        assert_eq!((window.count(ms(0)), window.count(ms(5)), window.count(ms(640))), (1, 2, 3));
        assert_eq!(window.count(ms(1285)), 2);
        assert_eq!(window.count(ms(9000)), 1);
    }
}
