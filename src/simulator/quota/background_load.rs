//! Another program that signs in as the same app and uses a share of its quota.

use std::time::Duration;

use super::Limit;

/// Sends requests evenly, and waits when it is throttled. That one request is then late; later ones are on time again.
#[derive(Debug)]
pub(in crate::simulator) struct BackgroundLoad {
    /// The share of the app's limit, 0 to 1.
    share: f64,
    /// When its next request is due.
    due: Duration,
    /// When the throttled request is sent again.
    retry_at: Option<Duration>,
}

impl BackgroundLoad {
    /// A load with this share; `None` if the share is 0.
    pub(in crate::simulator) fn new(share: f64) -> Option<BackgroundLoad> {
        (share > 0.0).then_some(BackgroundLoad { share, due: Duration::ZERO, retry_at: None })
    }

    /// Sends all requests that are due by `now`. `send` returns how long a request at that instant must wait, if it
    /// must.
    pub(in crate::simulator) fn run_until(
        &mut self,
        limit: &Limit,
        now: Duration,
        mut send: impl FnMut(Duration) -> Option<Duration>,
    ) {
        let pause = limit.window.div_f64(f64::from(limit.limit) * self.share).max(Duration::from_nanos(1));
        // Quotas forget everything that is older than two windows, so a long idle time needs no long loop.
        let oldest = now.saturating_sub(limit.window * 2);
        self.due = self.due.max(oldest);
        while let Some(at) = self.next().filter(|&at| at <= now) {
            let late = self.retry_at.take().is_some();
            if !late {
                self.due += pause;
            }
            if let Some(wait) = send(at) {
                // Requests that become due during the wait are left out.
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
