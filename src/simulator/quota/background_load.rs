//! Another program that signs in as the same app, and takes its share of the app's quota.

use std::time::Duration;

use super::Limit;

/// Sends evenly, and waits when it is throttled: one request is then late, those after it are on time again.
#[derive(Debug)]
pub(in crate::simulator) struct BackgroundLoad {
    /// Of the app's limit, 0 to 1.
    share: f64,
    /// When its next request leaves by the timetable.
    due: Duration,
    /// When the one leaves that was throttled.
    retry_at: Option<Duration>,
}

impl BackgroundLoad {
    /// One that takes this share; none if it is nothing.
    pub(in crate::simulator) fn new(share: f64) -> Option<BackgroundLoad> {
        (share > 0.0).then_some(BackgroundLoad { share, due: Duration::ZERO, retry_at: None })
    }

    /// Sends what is due by `now`; `send` says how long a request at an instant must wait, if it must.
    pub(in crate::simulator) fn run_until(
        &mut self,
        limit: &Limit,
        now: Duration,
        mut send: impl FnMut(Duration) -> Option<Duration>,
    ) {
        let pause = limit.window.div_f64(f64::from(limit.limit) * self.share).max(Duration::from_nanos(1));
        // What it did more than two windows ago is forgotten by every quota: a long idle time costs no long loop.
        let oldest = now.saturating_sub(limit.window * 2);
        self.due = self.due.max(oldest);
        while let Some(at) = self.next().filter(|&at| at <= now) {
            let late = self.retry_at.take().is_some();
            if !late {
                self.due += pause;
            }
            if let Some(wait) = send(at) {
                // What became due while it waits is left out.
                self.retry_at = Some(at + wait.max(Duration::from_nanos(1)));
                while self.due <= at + wait {
                    self.due += pause;
                }
            }
        }
    }

    fn next(&self) -> Option<Duration> {
        self.retry_at.or(Some(self.due))
    }
}
